/// Entropic transport by matrix scaling, with an interval around the value that it approximates.
///
///     T_eps = min <C, P> + eps KL(P | a b^T)   subject to the constraints of TransportProblem
///
/// with KL(P | Q) = sum P log(P / Q) - P + Q. A finite `marginal_penalty` rho replaces P 1 = a and P^T 1 = b by the
/// prices rho KL(P 1 | a) and rho KL(P^T 1 | b): unbalanced transport.
///
/// The scaling runs in float32 on float32 costs unless the tolerance asks for more, on a kernel matrix around
/// potentials that absorb the factors before these leave their range; no epsilon makes it overflow or divide by zero.
/// Whatever state it stops in, its potentials make a dual solution of the exact problem and its plan rounds to a
/// feasible one: the exact value lies between theirs. Memory O(n m). Not thread-safe: one object a thread, reusable
/// without allocating.
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

/// What a scaling came to.
struct SinkhornSummary {
    double value = 0.0;    ///< of the dual at the last potentials; T_eps when converged
    double epsilon = 0.0;  ///< in units of the cost
    /// L1 distance of the plan's marginals from where the next sweep would put them, or from the constraints if these
    /// are farther.
    double marginal_error = 0.0;
    std::int64_t iterations = 0;  ///< sweeps over both sides
    bool converged = false;       ///< to the tolerance
    bool feasible = true;         ///< whether any plan has the marginals over permitted entries
};

/// Bounds on the optimum without entropy, and the plan's own cost.
struct SinkhornBounds {
    double lower = 0.0;
    double upper = 0.0;
    double plan_cost = 0.0;  ///< <C, P> of the entropic plan
};

class SinkhornSolver {
  public:
    SinkhornSolver();
    ~SinkhornSolver();
    SinkhornSolver(SinkhornSolver&&) noexcept;
    SinkhornSolver& operator=(SinkhornSolver&&) noexcept;

    /// Scale until the marginals are right or the iterations used up. `interrupt` may be null.
    SinkhornSummary solve(const TransportProblem<float>& problem, const Sinkhorn& sinkhorn,
                          Interrupt* interrupt = nullptr);
    SinkhornSummary solve(const TransportProblem<double>& problem, const Sinkhorn& sinkhorn,
                          Interrupt* interrupt = nullptr);
    /// The same over costs that already lie as the kernels read them.
    SinkhornSummary solve(const PaddedCosts& costs, std::span<const double> a, std::span<const double> b,
                          double capacity, double fraction, const Sinkhorn& sinkhorn, Interrupt* interrupt = nullptr);
    /// T_eps(a, a, C) of symmetric costs, in fewer iterations. Balanced or with a marginal penalty.
    SinkhornSummary solve_symmetric(const PaddedCosts& costs, std::span<const double> a, const Sinkhorn& sinkhorn,
                                    Interrupt* interrupt = nullptr);

    // Of the latest solve, valid until the next one:

    /// lower <= optimum without entropy <= upper, rounding included, at every epsilon and number of iterations.
    [[nodiscard]] SinkhornBounds bounds();
    /// The entropic plan, over all rows and columns.
    void plan(MatrixView<double> out) const;
    /// Potentials f and g of the entropic problem; zero-mass tokens get theirs by the c-transform.
    [[nodiscard]] std::span<const double> f() const;
    [[nodiscard]] std::span<const double> g() const;
    /// The price of the last unit of mass, where fraction < 1; else 0.
    [[nodiscard]] double multiplier() const;

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace moverank
