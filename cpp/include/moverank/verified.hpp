/// Transport problems that are given as numbers, of whatever sizes side by side.
///
/// `ExactSolver` answers for costs that are computed from vectors: its tolerances are shares of the largest cost, its
/// masses whole numbers of quanta. Here each entry has digits of its own. Forbidden entries are +inf; a cost of 1e12
/// beside costs of 1 takes nothing from these; each mass is met to its last digits, however small; what is called
/// optimal is so to `rounding_share` of the costs that the plan pays. A solve goes three ways in turn, until one of
/// them proves that: `ExactSolver`; the same with dear costs lowered to what no optimum pays; whole numbers of any
/// size, with no rounding at all. Most problems end with the first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "moverank/exact.hpp"
#include "moverank/interrupt.hpp"

namespace moverank {

/// A plan counts as optimal where value - lower is no more than this share of sum |C_ij| P_ij.
inline constexpr double rounding_share = 0x1p-36;

/// Why a problem has no plan.
struct Infeasibility {
    double mass = 0.0;                 ///< that cannot move over permitted entries, at the least
    std::vector<std::size_t> sources;  ///< with more mass than all targets that they may reach
    std::vector<std::size_t> targets;  ///< these; both empty where limits or a fraction make it less simple
};

class VerifiedSolver {
  public:
    VerifiedSolver();
    ~VerifiedSolver();
    VerifiedSolver(VerifiedSolver&&) noexcept;
    VerifiedSolver& operator=(VerifiedSolver&&) noexcept;

    /// Costs may have any finite size, or be +inf. lower <= optimum <= value to float64 rounding, `rounding_share` at
    /// most; the masses of the optimum are those given, to rounding of each. May stop early once a feasible dual value
    /// exceeds `cutoff`. Throws std::invalid_argument at costs that are NaN or -inf.
    SolveSummary solve(const TransportProblem<float>& problem, Interrupt* interrupt = nullptr,
                       double cutoff = std::numeric_limits<double>::infinity());
    SolveSummary solve(const TransportProblem<double>& problem, Interrupt* interrupt = nullptr,
                       double cutoff = std::numeric_limits<double>::infinity());

    // Of the latest solve, valid until the next one, as those of ExactSolver:

    [[nodiscard]] std::span<const Flow> flows() const;
    [[nodiscard]] std::span<const double> f() const;
    [[nodiscard]] std::span<const double> g() const;
    [[nodiscard]] double multiplier() const;
    /// Where the status is `infeasible`; there are no flows and potentials then.
    [[nodiscard]] const Infeasibility& infeasibility() const;

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace moverank
