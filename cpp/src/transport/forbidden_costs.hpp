/// Forbidden entries, +inf, for a solver of finite costs.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <limits>
#include <span>
#include <vector>

#include "moverank/finite.hpp"
#include "moverank/sinkhorn.hpp"
#include "moverank/verified.hpp"

namespace moverank {

/// Stands a finite cost in for +inf that changes no optimum: above 2 min(n, m) times the largest size of a permitted
/// cost no exact optimum pays it (docs/numerics.md), and so far above the potentials that e^(-cost / epsilon) is 0.
template <class Cost>
class ForbiddenCosts {
  public:
    /// No entry is forbidden.
    void clear() { substitute_ = std::numeric_limits<Cost>::infinity(); }

    [[nodiscard]] static bool any_in(const TransportProblem<Cost>& problem) {
        const MatrixView<const Cost> cost = problem.cost;
        for (std::size_t i = 0; i < cost.rows(); ++i) {
            if (!all_finite(std::span(cost.row(i), cost.cols()))) {
                return true;
            }
        }
        return false;
    }

    /// Whether the mass can move over permitted entries.
    [[nodiscard]] bool has_plan(const TransportProblem<Cost>& problem, Interrupt* interrupt) {
        copy(problem, [](Cost c) { return std::isinf(c) ? c : Cost{0}; });
        TransportProblem<Cost> free = problem;
        free.cost = view(problem);
        return VerifiedSolver().solve(free, interrupt).status != SolveStatus::infeasible;
    }

    /// Relative epsilon counts permitted costs alone.
    [[nodiscard]] Sinkhorn in_units_of_the_cost(const TransportProblem<Cost>& problem, Sinkhorn sinkhorn) {
        sizes_.clear();
        largest_ = 0.0;
        for (std::size_t i = 0; i < problem.cost.rows(); ++i) {
            for (std::size_t j = 0; j < problem.cost.cols(); ++j) {
                const double size = std::abs(static_cast<double>(problem.cost(i, j)));
                if (std::isfinite(size) && problem.a[i] > 0.0 && problem.b[j] > 0.0) {
                    sizes_.push_back(size);
                    largest_ = std::max(largest_, size);
                }
            }
        }
        if (sinkhorn.relative) {
            double unit = 0.0;
            if (!sizes_.empty()) {
                const auto middle = sizes_.begin() + static_cast<std::ptrdiff_t>(sizes_.size() / 2);
                std::nth_element(sizes_.begin(), middle, sizes_.end());
                unit = *middle > 0.0 ? *middle : largest_;
            }
            sinkhorn.epsilon *= unit > 0.0 ? unit : 1.0;
            sinkhorn.relative = false;
        }
        return sinkhorn;
    }

    /// The problem with the finite cost in place; after in_units_of_the_cost.
    [[nodiscard]] TransportProblem<Cost> replace(const TransportProblem<Cost>& problem, const Sinkhorn& sinkhorn) {
        const auto shorter = static_cast<double>(std::min(problem.cost.rows(), problem.cost.cols()) + 1);
        const double price = std::isfinite(sinkhorn.marginal_penalty) ? sinkhorn.marginal_penalty : 0.0;
        const double prohibitive = 4.0 * shorter * largest_ + 1500.0 * (shorter * sinkhorn.epsilon + 2.0 * price);
        substitute_ = static_cast<Cost>(std::min(prohibitive, static_cast<double>(cost_limit<Cost>)));
        copy(problem, [this](Cost c) { return std::isinf(c) ? substitute_ : c; });
        n_columns_ = problem.cost.cols();
        TransportProblem<Cost> finite = problem;
        finite.cost = view(problem);
        return finite;
    }

    /// Nothing moves over forbidden entries, not even what rounding puts there.
    void empty_in(MatrixView<double> plan) const {
        if (std::isinf(substitute_)) {
            return;
        }
        for (std::size_t i = 0; i < plan.rows(); ++i) {
            for (std::size_t j = 0; j < n_columns_; ++j) {
                plan(i, j) = costs_[i * n_columns_ + j] == substitute_ ? 0.0 : plan(i, j);
            }
        }
    }

  private:
    template <class Change>
    void copy(const TransportProblem<Cost>& problem, Change change) {
        costs_.clear();
        for (std::size_t i = 0; i < problem.cost.rows(); ++i) {
            std::transform(problem.cost.row(i), problem.cost.row(i) + problem.cost.cols(), std::back_inserter(costs_),
                           change);
        }
    }
    [[nodiscard]] MatrixView<const Cost> view(const TransportProblem<Cost>& problem) const {
        return {costs_.data(), problem.cost.rows(), problem.cost.cols()};
    }

    std::vector<Cost> costs_;
    std::vector<double> sizes_;
    double largest_ = 0.0;
    Cost substitute_ = std::numeric_limits<Cost>::infinity();
    std::size_t n_columns_ = 0;
};

}  // namespace moverank
