/// Balanced problems whose masses are all the same.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "../kernels/kernels.hpp"
#include "moverank/aligned.hpp"

namespace moverank {

/// One problem at a time, in a workspace that only grows.
template <class Cost>
class Assignment {
  public:
    /// Assignments of more rows are left to the simplex, which checks the interrupt.
    static constexpr std::size_t max_rows = 1024;

    [[nodiscard]] static bool fits(std::span<const double> supplies, std::span<const double> demands) {
        if (supplies.size() != demands.size() || supplies.size() > max_rows) {
            return false;
        }
        double different = 0.0;  // no early exit, so that it vectorises
        for (std::size_t i = 0; i < supplies.size(); ++i) {
            different += std::abs(supplies[i] - supplies[0]) + std::abs(demands[i] - supplies[0]);
        }
        return different == 0.0;
    }

    /// `cost`: rows of `stride` entries, infinite after n. Returns false if it would take longer than a simplex, as
    /// over costs that are products of a number per row and one per column.
    bool solve(const Cost* cost, std::size_t stride, std::size_t n) {
        for (auto* numbers : {&column_of_, &row_of_, &passed_}) {
            grow(*numbers, stride);
        }
        for (auto* values : {&g_, &distance_, &ahead_, &open_g_, &previous_}) {
            grow(*values, stride);
        }
        return kernels().assignment<Cost>().assign({.cost = cost,
                                                    .stride = stride,
                                                    .n = n,
                                                    .column_of = column_of_.data(),
                                                    .g = g_.data(),
                                                    .row_of = row_of_.data(),
                                                    .passed = passed_.data(),
                                                    .distance = distance_.data(),
                                                    .ahead = ahead_.data(),
                                                    .open_g = open_g_.data(),
                                                    .previous = previous_.data()});
    }

    /// The column that a row is assigned to.
    [[nodiscard]] std::size_t column_of(std::size_t row) const { return column_of_[row]; }
    /// Potential of a column. That of a row is what remains of its cost.
    [[nodiscard]] double g(std::size_t column) const { return g_[column]; }

  private:
    AlignedVector<std::uint32_t> column_of_, row_of_, passed_;
    AlignedVector<double> g_, distance_, ahead_, open_g_, previous_;
};

}  // namespace moverank
