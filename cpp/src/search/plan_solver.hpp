/// What derivatives of a distance are made of: the plan of one pair, and what mass is worth.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <numeric>
#include <span>
#include <stdexcept>
#include <vector>

#include "../transport/dual_bound.hpp"
#include "moverank/exact.hpp"
#include "moverank/interrupt.hpp"
#include "moverank/measure.hpp"
#include "moverank/sinkhorn.hpp"

namespace moverank {

/// By the envelope theorem, the derivative of an optimum with respect to the costs is the plan, and with respect to the
/// masses it is what the potentials say one more unit is worth. Keeps both for the latest problem. Not thread-safe.
class PlanSolver {
  public:
    explicit PlanSolver(const Measure& measure, Interrupt* interrupt) : measure_(measure), interrupt_(interrupt) {}

    /// Solve; returns the value. `problem` is what both solvers take: a TransportProblem, or padded costs, masses,
    /// capacity and fraction.
    template <class... Given>
    double solve(std::span<const double> a, std::span<const double> b, const Given&... problem) {
        if (measure_.problem != Problem::entropic) {
            const SolveSummary summary = exact_.solve(problem..., std::numeric_limits<double>::infinity(), interrupt_);
            if (summary.status == SolveStatus::pivot_limit) {
                throw std::runtime_error("the exact solver reached its pivot limit");
            }
            flows_.assign(exact_.flows().begin(), exact_.flows().end());
            // At unlimited capacity the masses of the document do not matter as long as they are positive.
            take_potentials(exact_.f(), exact_.g(), measure_.unlimited() ? 0.0 : measure_.capacity);
            return summary.value;
        }
        const SinkhornSummary summary = sinkhorn_.solve(problem..., measure_.sinkhorn, interrupt_);
        take_flows(a.size(), b.size());
        take_potentials(sinkhorn_.f(), sinkhorn_.g(), measure_.unlimited() ? 1.0 : measure_.capacity);
        finish(a, b, summary.epsilon);
        return summary.value;
    }

    /// Positive entries of the plan.
    [[nodiscard]] std::span<const Flow> flows() const { return flows_; }
    /// Derivatives of the value with respect to both masses. Let V(a, b) = max <a, f> + kappa <b, g>: at the optimum
    /// dV/da = f and dV/db = kappa g.
    [[nodiscard]] std::span<const double> query_worth() const { return query_worth_; }
    [[nodiscard]] std::span<const double> document_worth() const { return document_worth_; }

  private:
    void take_potentials(std::span<const double> f, std::span<const double> g, double capacity) {
        query_worth_.assign(f.begin(), f.end());
        document_worth_.resize(g.size());
        std::ranges::transform(g, document_worth_.begin(),
                               [capacity](double potential) { return potential == 0.0 ? 0.0 : capacity * potential; });
    }

    void take_flows(std::size_t n, std::size_t m) {
        plan_.assign(n * m, 0.0);
        sinkhorn_.plan({plan_.data(), n, m});
        flows_.clear();
        for (std::size_t entry = 0; entry < plan_.size(); ++entry) {
            if (plan_[entry] > 0.0) {
                flows_.push_back({entry / m, entry % m, plan_[entry]});
            }
        }
    }

    /// The entropy is relative to a b^T, so d/da_i also contains -epsilon (marginal_i / a_i - 1): 0 once marginals are
    /// met.
    void finish(std::span<const double> a, std::span<const double> b, double epsilon) {
        row_sums_.assign(a.size(), 0.0);
        column_sums_.assign(b.size(), 0.0);
        for (const Flow& flow : flows_) {
            row_sums_[flow.source] += flow.mass;
            column_sums_[flow.target] += flow.mass;
        }
        const double penalty = measure_.sinkhorn.marginal_penalty;
        const auto finish_side = [&](std::vector<double>& worth, std::span<const double> mass,
                                     std::span<const double> sums) {
            for (std::size_t t = 0; t < mass.size(); ++t) {
                if (penalty < std::numeric_limits<double>::infinity()) {
                    worth[t] = unbalanced_worth(worth[t], penalty);
                }
                if (mass[t] > 0.0) {
                    worth[t] -= epsilon * (sums[t] / mass[t] - 1.0);
                }
            }
        };
        finish_side(query_worth_, a, row_sums_);
        finish_side(document_worth_, b, column_sums_);
    }

    Measure measure_;
    Interrupt* interrupt_;
    ExactSolver exact_;
    SinkhornSolver sinkhorn_;
    std::vector<Flow> flows_;
    std::vector<double> query_worth_, document_worth_, plan_, row_sums_, column_sums_;
};

/// to += factor x
template <class T>
void add_scaled(T factor, const T* x, std::size_t dim, T* to) {
    for (std::size_t k = 0; k < dim; ++k) {
        to[k] += factor * x[k];
    }
}

/// Factors of the two tokens in the derivatives of a cost, times the mass that moves: dC/dx = own_x x + other y, and
/// dC/dy = own_y y + other x.
struct CostSlope {
    double own_x = 0.0, own_y = 0.0, other = 0.0;
};

/// `inverse_x` and `inverse_y` are one over the norms of the tokens; only the cosine cost reads them.
[[nodiscard]] inline CostSlope slope_of(GroundCost ground, double moved, double cost, double inverse_x,
                                        double inverse_y) {
    switch (ground) {
        case GroundCost::cosine: {
            // d/dx (1 - <x, y> / |x||y|) = -y / |x||y| + cos(x, y) x / |x|^2
            const double along = moved * (1.0 - cost);
            return {along * inverse_x * inverse_x, along * inverse_y * inverse_y, -moved * inverse_x * inverse_y};
        }
        case GroundCost::euclidean: {
            // (x - y) / |x - y|; between equal tokens, 0 is one of the subgradients.
            const double factor = cost > 0.0 ? moved / cost : 0.0;
            return {factor, factor, -factor};
        }
        case GroundCost::sqeuclidean: return {2.0 * moved, 2.0 * moved, -2.0 * moved};
        case GroundCost::dot: return {0.0, 0.0, -moved};
        case GroundCost::given: break;
    }
    return {};
}

/// Throws std::invalid_argument for measures without derivatives.
void require_derivatives(const Measure& measure);

}  // namespace moverank
