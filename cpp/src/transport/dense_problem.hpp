/// A transport problem as solvers work on it: without rows and columns of no mass, costs laid out as kernels read them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "../kernels/kernels.hpp"
#include "moverank/aligned.hpp"
#include "moverank/exact.hpp"
#include "turned_costs.hpp"

namespace moverank {

/// Matrix entries that a solver goes through between two checks of the interrupt, at most: under a millisecond.
inline constexpr std::size_t entries_between_checks = 4'194'304;

/// What may be appended to turn inequalities into equalities.
struct Extras {
    bool slack_row = false;    ///< costs of 0: may fill any column
    bool rest_column = false;  ///< costs of 0, but more than any against the slack row: may take from any row
};

template <class Cost>
class DenseProblem {
  public:
    /// `padded_largest`: the largest cost, if the problem's matrix is laid out as PaddedCosts are.
    void load(const TransportProblem<Cost>& problem, std::optional<double> padded_largest, Extras extras) {
        keep_positive(problem.a, rows, a);
        keep_positive(problem.b, columns, b);
        const MatrixView<const Cost> given = problem.cost;
        const bool whole = rows.size() == given.rows() && columns.size() == given.cols() && !extras.rest_column;
        if (padded_largest && whole) {
            cost = given.data();
            stride = given.stride();
            largest = *padded_largest;
        } else if (whole && !extras.slack_row && given.stride() == given.cols() &&
                   padded(given.cols()) == given.cols()) {
            cost = given.data();
            stride = given.cols();
            largest = largest_of(cost, given.rows() * stride);
        } else {
            gather(given, extras);
        }
        is_turned = false;
    }

    /// Exchange the sides of a problem that was loaded without extras.
    void turn() {
        turned_.turn(cost, stride, rows.size(), columns.size(), nullptr);
        cost = turned_.data();
        stride = turned_.stride();
        std::swap(rows, columns);
        std::swap(a, b);
        is_turned = !is_turned;
    }

    [[nodiscard]] const Cost* row(std::size_t i) const { return cost + i * stride; }

    std::vector<std::size_t> rows, columns;  ///< places in the caller's matrix: of rows and columns, or if turned of
                                             ///< columns and rows
    std::vector<double> a, b;                ///< their mass
    const Cost* cost = nullptr;              ///< rows of `stride` entries, infinite after the last column
    std::size_t stride = 0;
    double largest = 0.0;  ///< size of a cost, but for the extras
    bool is_turned = false;

  private:
    static void keep_positive(std::span<const double> mass, std::vector<std::size_t>& places,
                              std::vector<double>& kept) {
        places.resize(mass.size());
        kept.resize(mass.size());
        std::size_t n_kept = 0;  // no branch: small problems are solved in a microsecond
        for (std::size_t t = 0; t < mass.size(); ++t) {
            places[n_kept] = t;
            kept[n_kept] = mass[t];
            n_kept += mass[t] > 0.0 ? 1 : 0;
        }
        places.resize(n_kept);
        kept.resize(n_kept);
    }

    [[nodiscard]] static double largest_of(const Cost* values, std::size_t n) {
        const Cost found = kernels().scan.largest(values, n);
        if (!(static_cast<double>(found) <= cost_limit<Cost>)) {
            throw std::invalid_argument("cost has an entry that is not finite, or too large");
        }
        return static_cast<double>(found);
    }

    void gather(MatrixView<const Cost> given, Extras extras) {
        const std::size_t n_columns = columns.size() + (extras.rest_column ? 1 : 0);
        const std::size_t n_rows = rows.size() + (extras.slack_row ? 1 : 0);
        stride = padded(n_columns);
        grow(gathered_, n_rows * stride);
        const bool all_columns = columns.size() == given.cols();
        // One pass over everything costs less than one per row.
        const bool at_once = all_columns && rows.size() == given.rows() && given.stride() == given.cols();
        largest = at_once ? largest_of(given.data(), given.rows() * given.cols()) : 0.0;
        for (std::size_t i = 0; i < rows.size(); ++i) {
            const Cost* from = given.row(rows[i]);
            Cost* to = gathered_.data() + i * stride;
            if (all_columns) {
                std::copy_n(from, columns.size(), to);
            } else {
                for (std::size_t j = 0; j < columns.size(); ++j) {
                    to[j] = from[columns[j]];
                }
            }
            if (!at_once) {
                largest = std::max(largest, largest_of(to, columns.size()));
            }
            finish_row(to, n_columns);
        }
        if (extras.slack_row) {
            Cost* slack = gathered_.data() + rows.size() * stride;
            std::fill(slack, slack + columns.size(), Cost{0});
            finish_row(slack, n_columns);
            if (extras.rest_column) {
                // Dear whatever the costs are: what the rest takes from the slack row moves though it need not.
                slack[columns.size()] = largest > 0.0 ? static_cast<Cost>(2.0 * largest) : Cost{1};
            }
        }
        cost = gathered_.data();
    }

    void finish_row(Cost* row, std::size_t n_columns) const {
        std::fill(row + columns.size(), row + n_columns, Cost{0});
        std::fill(row + n_columns, row + stride, std::numeric_limits<Cost>::infinity());
    }

    AlignedVector<Cost> gathered_;
    TurnedCosts<Cost> turned_;
};

}  // namespace moverank
