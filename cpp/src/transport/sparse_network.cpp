#include "sparse_network.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "../preconditions.hpp"
#include "well_formed.hpp"

namespace moverank {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

/// As in ExactSolver: no target takes more than all mass.
constexpr double max_taken = 2.0;

[[noreturn]] void refuse_entry(std::size_t row, std::size_t column, const char* fault) {
    refuse(("cost: entry (" + std::to_string(row) + ", " + std::to_string(column) + ") " + fault).c_str());
}

}  // namespace

template <class Cost, class Index>
void SparseNetwork::load(const SparseProblem<Cost, Index>& problem, double ceiling) {
    require(problem.cost.n_rows > 0 && problem.cost.n_columns > 0,
            "expected a cost matrix with at least one row and one column");
    require(std::max(problem.cost.n_rows, problem.cost.n_columns) < none / 4, "cost has too many rows or columns");
    require_well_formed(problem.a, problem.cost.n_rows, problem.b, problem.cost.n_columns, problem.capacity,
                        problem.fraction);
    check_entries(problem.cost);
    load_sides(problem);
    load_entries(problem.cost, ceiling);
}

template <class Cost, class Index>
void SparseNetwork::check_entries(const SparseCosts<Cost, Index>& cost) {
    const std::span<const Index> begin = cost.begin;
    require(begin.size() == cost.n_rows + 1 && begin.front() == 0, "cost: index pointers do not fit its rows");
    require(cost.columns.size() == cost.costs.size() && static_cast<std::size_t>(begin.back()) == cost.costs.size(),
            "cost: index pointers do not end at the number of its entries");
    require(std::ranges::is_sorted(begin), "cost: index pointers must not decrease");
    last_row_.assign(cost.n_columns, 0);
    for (std::size_t i = 0; i < cost.n_rows; ++i) {
        for (Index k = begin[i]; k < begin[i + 1]; ++k) {
            const auto place = static_cast<std::size_t>(k);
            // A negative index becomes a large one.
            const auto j = static_cast<std::size_t>(cost.columns[place]);
            require(j < cost.n_columns, "cost: a column index lies outside of the matrix");
            const Cost c = cost.costs[place];
            if (!(c > -std::numeric_limits<Cost>::infinity())) {
                refuse_entry(i, j,
                             std::isnan(c) ? "is NaN; expected a number, or inf where nothing may move"
                                           : "is -inf; expected a number, or inf where nothing may move");
            }
            if (last_row_[j] == i + 1) {
                refuse_entry(i, j, "is stored twice");
            }
            last_row_[j] = i + 1;
        }
    }
}

template <class Cost, class Index>
void SparseNetwork::load_sides(const SparseProblem<Cost, Index>& problem) {
    auto& [sources, targets] = sides_;
    const auto keep_positive = [](std::span<const double> mass, Side& side, std::vector<std::uint32_t>& place) {
        side.places.clear();
        side.masses.clear();
        place.assign(mass.size(), none);
        for (std::size_t t = 0; t < mass.size(); ++t) {
            if (mass[t] > 0.0) {
                place[t] = static_cast<std::uint32_t>(side.places.size());
                side.places.push_back(t);
                side.masses.push_back(mass[t]);
            }
        }
    };
    keep_positive(problem.a, sources, place_[0]);
    keep_positive(problem.b, targets, place_[1]);
    targets.has_extra = problem.fraction < 1.0;
    sources.has_extra = problem.capacity > 1.0 || targets.has_extra;
    if (problem.capacity > 1.0) {
        std::ranges::transform(targets.masses, targets.masses.begin(),
                               [&](double mass) { return std::min(problem.capacity * mass, max_taken); });
    }
    if (targets.has_extra) {
        targets.masses.push_back(1.0 - problem.fraction);
    }
    if (sources.has_extra) {
        const double taken = std::accumulate(targets.masses.begin(), targets.masses.end(), 0.0);
        sources.masses.push_back(std::max(taken - 1.0, 0.0));
    }
    is_turned_ = sources.places.size() > targets.places.size();
}

template <class Cost, class Index>
void SparseNetwork::load_entries(const SparseCosts<Cost, Index>& cost, double ceiling) {
    const std::size_t n_columns = columns().size();
    largest_ = lowest_ = 0.0;
    /// body(source, target, cost) for each entry that may be used.
    const auto for_each_entry = [&](auto body) {
        for (const std::size_t row : sources().places) {
            const std::uint32_t i = place_[0][row];
            const auto end = static_cast<std::size_t>(cost.begin[row + 1]);
            for (auto k = static_cast<std::size_t>(cost.begin[row]); k < end; ++k) {
                const std::uint32_t j = place_[1][static_cast<std::size_t>(cost.columns[k])];
                const auto c = static_cast<double>(cost.costs[k]);
                if (j != none && c < infinity) {
                    body(i, j, c);
                }
            }
        }
        // Nothing has to come over the extras: they cost nothing.
        const auto n_sources = static_cast<std::uint32_t>(sources().places.size());
        const auto n_targets = static_cast<std::uint32_t>(targets().places.size());
        for (std::uint32_t j = 0; sources().has_extra && j < n_targets; ++j) {
            body(n_sources, j, 0.0);
        }
        for (std::uint32_t i = 0; targets().has_extra && i < n_sources; ++i) {
            body(i, n_targets, 0.0);
        }
    };
    begin_.assign(n_columns + 2, 0);
    for_each_entry([&](std::uint32_t source, std::uint32_t target, double c) {
        largest_ = std::max(largest_, std::abs(c));
        lowest_ = std::min(lowest_, c);
        begin_[(is_turned_ ? source : target) + 2] += c <= ceiling ? 1 : 0;
    });
    std::partial_sum(begin_.begin(), begin_.end(), begin_.begin());
    entry_rows_.resize(begin_.back());
    entry_costs_.resize(begin_.back());
    // begin_[j + 1] is where the next entry of column j goes, and at last where the column ends.
    for_each_entry([&](std::uint32_t source, std::uint32_t target, double c) {
        if (c <= ceiling) {
            const std::size_t k = begin_[(is_turned_ ? source : target) + 1]++;
            entry_rows_[k] = is_turned_ ? target : source;
            entry_costs_[k] = c;
        }
    });
    begin_.pop_back();
}

template void SparseNetwork::load(const SparseProblem<float, std::int32_t>&, double);
template void SparseNetwork::load(const SparseProblem<float, std::int64_t>&, double);
template void SparseNetwork::load(const SparseProblem<double, std::int32_t>&, double);
template void SparseNetwork::load(const SparseProblem<double, std::int64_t>&, double);

}  // namespace moverank
