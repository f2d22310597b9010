/// Entropic transport by matrix scaling, with an interval around the value that it approximates.
///
///     T_eps = min <C, P> + eps KL(P | a b^T)   subject to the constraints of TransportProblem
///
/// with KL(P | Q) = sum P log(P / Q) - P + Q. A finite `marginal_penalty` rho replaces P 1 = a and P^T 1 = b by the
/// prices rho KL(P 1 | a) and rho KL(P^T 1 | b): unbalanced transport.
///
/// Float32 costs are scaled in float32 unless the tolerance needs float64. The kernel matrix is kept relative to
/// potentials that absorb the scaling factors before these leave their range, so no epsilon causes overflow or division
/// by zero. Wherever the iteration stops, its potentials give a dual solution of the exact problem and its plan can be
/// rounded to a feasible one: the exact value lies between their two values. docs/numerics.md, "Sinkhorn's algorithm",
/// proves the interval. Memory O(n m). Not thread-safe: one object per thread, reusable without allocating.
///
/// Cuturi, "Sinkhorn Distances", NIPS 2013. Schmitzer, "Stabilized Sparse Scaling Algorithms for Entropy Regularized
/// Transport Problems", SIAM J. Sci. Comput. 41(3), 2019 (absorption). Chizat, Peyre, Schmitzer, Vialard, "Scaling
/// Algorithms for Unbalanced Optimal Transport Problems", Math. Comp. 87, 2018. Altschuler, Weed, Rigollet,
/// "Near-linear time approximation algorithms for optimal transport via Sinkhorn iteration", NIPS 2017 (rounding).
/// Lehmann, von Renesse, Sambale, Uschmajew, "A note on overrelaxation in the Sinkhorn algorithm", Optim. Lett. 16,
/// 2022.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "moverank/exact.hpp"
#include "moverank/interrupt.hpp"
#include "moverank/measure.hpp"
#include "moverank/views.hpp"

namespace moverank {

/// The result of a solve.
struct SinkhornSummary {
    double value = 0.0;    ///< dual value at the last potentials, in units of the cost; T_eps if converged
    double epsilon = 0.0;  ///< the epsilon used, in units of the cost
    /// L1 distance of the plan's marginals from those that the next sweep would give, or from the constraints,
    /// whichever is larger. Marginals have total 1.
    double marginal_error = 0.0;
    std::int64_t iterations = 0;  ///< sweeps over both sides
    bool converged = false;       ///< whether the marginal error is within the tolerance
    bool feasible = true;         ///< whether any plan over permitted entries has the marginals
};

/// Bounds on the optimum without entropy, and the plan's own cost, in units of the cost.
struct SinkhornBounds {
    double lower = 0.0;
    double upper = 0.0;
    double plan_cost = 0.0;  ///< <C, P> of the entropic plan
};

/// Solves one problem at a time and keeps its result. See the top of this file.
class SinkhornSolver {
  public:
    SinkhornSolver();
    ~SinkhornSolver();
    SinkhornSolver(SinkhornSolver&&) noexcept;
    SinkhornSolver& operator=(SinkhornSolver&&) noexcept;

    /// Iterate until the marginals are within the tolerance, or the iterations are used up. `interrupt` may be null.
    /// Throws std::invalid_argument for a problem that TransportProblem does not allow, and whatever `interrupt`
    /// throws.
    SinkhornSummary solve(const TransportProblem<float>& problem, const Sinkhorn& sinkhorn,
                          Interrupt* interrupt = nullptr);
    SinkhornSummary solve(const TransportProblem<double>& problem, const Sinkhorn& sinkhorn,
                          Interrupt* interrupt = nullptr);
    /// Solve over costs that are already laid out as kernels read them, without a copy.
    SinkhornSummary solve(const PaddedCosts& costs, std::span<const double> a, std::span<const double> b,
                          double capacity, double fraction, const Sinkhorn& sinkhorn, Interrupt* interrupt = nullptr);
    /// T_eps(a, a, C) for symmetric costs, in fewer iterations. Capacity and fraction are 1; a marginal penalty is
    /// allowed.
    SinkhornSummary solve_symmetric(const PaddedCosts& costs, std::span<const double> a, const Sinkhorn& sinkhorn,
                                    Interrupt* interrupt = nullptr);

    // Results of the latest solve, valid until the next one:

    /// lower <= optimum without entropy <= upper, with rounding accounted for, at every epsilon and number of
    /// iterations.
    [[nodiscard]] SinkhornBounds bounds();
    /// Write the entropic plan over all rows and columns, also those of zero mass.
    void plan(MatrixView<double> out) const;
    /// Potentials f and g of the entropic problem, in units of the cost. Rows and columns of zero mass get theirs by
    /// the c-transform.
    [[nodiscard]] std::span<const double> f() const;
    [[nodiscard]] std::span<const double> g() const;
    /// The cost of moving one more unit of mass, if fraction < 1; else 0.
    [[nodiscard]] double multiplier() const;

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace moverank
