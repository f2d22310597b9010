/// The dual bound posed from plain costs, and the margin that its value claims to keep.
#pragma once

#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "moverank/aligned.hpp"
#include "moverank/measure.hpp"
#include "transport/dual_bound.hpp"

namespace adversary {

template <class Cost>
class PosedDual {
  public:
    /// All of a and b must have mass; both must outlive this.
    PosedDual(std::span<const double> costs, std::span<const double> a, std::span<const double> b,
              const moverank::Measure& measure)
        : stride_(moverank::padded(b.size())),
          rows_(a.size() * stride_, std::numeric_limits<Cost>::infinity()),
          problem_{.cost = rows_.data(),
                   .stride = stride_,
                   .largest = 0.0,
                   .a = a,
                   .b = b,
                   .capacity = measure.capacity,
                   .fraction = measure.fraction} {
        for (std::size_t k = 0; k < costs.size(); ++k) {
            rows_[k / b.size() * stride_ + k % b.size()] = static_cast<Cost>(costs[k]);
            problem_.largest = std::max(problem_.largest, std::abs(costs[k]));
        }
    }

    [[nodiscard]] double value(std::span<const double> f) { return bound_.value(problem_, f); }

    /// Of the latest value: n + m + 8 units of float64, twice, of the size of what is summed.
    [[nodiscard]] double margin(double value) const {
        double of_rows = 0.0;
        for (std::size_t i = 0; i < problem_.a.size(); ++i) {
            of_rows += problem_.a[i] * std::abs(bound_.f()[i]);
        }
        double of_columns = 0.0;
        for (std::size_t j = 0; j < problem_.b.size(); ++j) {
            of_columns += problem_.capacity * problem_.b[j] * std::abs(bound_.g()[j]);
        }
        if (problem_.fraction < 1.0) {
            of_rows = std::abs(value + of_columns) + problem_.largest;
        }
        return static_cast<double>(problem_.a.size() + problem_.b.size() + 8) * 2.0 *
               std::numeric_limits<double>::epsilon() * (of_rows + of_columns);
    }

  private:
    std::size_t stride_;
    moverank::AlignedVector<Cost> rows_;
    moverank::DualProblem<Cost> problem_;
    moverank::DualBound<Cost> bound_;
};

}  // namespace adversary
