/// Transport problems given as numbers, with costs and masses of very different sizes in one problem.
///
/// `ExactSolver` is meant for costs computed from vectors: its tolerances are relative to the largest cost, and its
/// masses are quantised. This solver keeps the digits of every entry. Forbidden entries are +inf; a cost of 1e12 does
/// not reduce the accuracy of costs of 1; each mass is met to its last digits, however small; and an optimal plan is
/// optimal to `rounding_share` of the costs that it pays. Three ways are tried in turn, until one of them proves that:
/// ExactSolver; ExactSolver with very large costs lowered to a cost that no optimum pays; and a simplex in whole
/// numbers of any size, without any rounding. The first solves most problems. docs/numerics.md, "Costs and masses of
/// any sizes", has the proofs. Not thread-safe: one object per thread.
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

/// A plan counts as optimal if value - lower is at most this share of sum |C_ij| P_ij.
inline constexpr double rounding_share = 0x1p-36;

/// Why a problem has no plan.
struct Infeasibility {
    double mass = 0.0;                 ///< how much mass, at least, cannot move over permitted entries
    std::vector<std::size_t> sources;  ///< sources that have more mass than all targets that they may reach
    std::vector<std::size_t> targets;  ///< those targets; both empty if limits or a fraction make it less simple
};

/// Solves one problem at a time and keeps its result. See the top of this file.
class VerifiedSolver {
  public:
    VerifiedSolver();
    ~VerifiedSolver();
    VerifiedSolver(VerifiedSolver&&) noexcept;
    VerifiedSolver& operator=(VerifiedSolver&&) noexcept;

    /// Solve. Costs may be any finite number, or +inf. lower <= optimum <= value up to float64 rounding, at most
    /// `rounding_share` of the plan's cost; the masses are those given, up to the rounding of each. May stop early once
    /// a feasible dual value exceeds `cutoff`. `interrupt` may be null. Throws std::invalid_argument for costs that are
    /// NaN or -inf, or a problem that TransportProblem does not allow otherwise, and whatever `interrupt` throws.
    SolveSummary solve(const TransportProblem<float>& problem, Interrupt* interrupt = nullptr,
                       double cutoff = std::numeric_limits<double>::infinity());
    SolveSummary solve(const TransportProblem<double>& problem, Interrupt* interrupt = nullptr,
                       double cutoff = std::numeric_limits<double>::infinity());

    // Results of the latest solve, valid until the next one, with the same meaning as in ExactSolver:

    [[nodiscard]] std::span<const Flow> flows() const;
    [[nodiscard]] std::span<const double> f() const;
    [[nodiscard]] std::span<const double> g() const;
    [[nodiscard]] double multiplier() const;
    /// The reason, if the status is `infeasible`. There are no flows and no potentials then.
    [[nodiscard]] const Infeasibility& infeasibility() const;

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace moverank
