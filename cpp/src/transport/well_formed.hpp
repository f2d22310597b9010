/// What solvers ask of a problem: see ../preconditions.hpp.
#pragma once

#include <cmath>
#include <cstddef>
#include <span>

#include "../preconditions.hpp"
#include "moverank/exact.hpp"

namespace moverank {

/// One mass per row and per column, each side of total 1; limits as TransportProblem has them.
inline void require_well_formed(std::span<const double> a, std::size_t n_rows, std::span<const double> b,
                                std::size_t n_columns, double capacity, double fraction) {
    require(a.size() == n_rows, "expected one mass per row of the cost matrix");
    require(b.size() == n_columns, "expected one mass per column of the cost matrix");
    require(capacity >= 1.0, "capacity must be at least 1");
    require(fraction > 0.0 && fraction <= 1.0, "fraction must be above 0 and at most 1");
    for (const std::span<const double> masses : {a, b}) {
        double total = 0.0;
        bool is_negative = false;  // no early exit, so that it vectorises
        for (const double mass : masses) {
            total += mass;
            is_negative |= mass < 0.0;
        }
        // A NaN makes the total one.
        require(!is_negative && std::abs(total - 1.0) < 1e-6, "masses must be non-negative and sum to 1 on each side");
    }
}

template <class Cost>
void require_well_formed(const TransportProblem<Cost>& problem) {
    const MatrixView<const Cost>& cost = problem.cost;
    require(cost.rows() > 0 && cost.cols() > 0, "expected a cost matrix with at least one row and one column");
    require(cost.stride() >= cost.cols(), "rows of the cost matrix overlap");
    require_well_formed(problem.a, cost.rows(), problem.b, cost.cols(), problem.capacity, problem.fraction);
}

}  // namespace moverank
