/// The exact solver: a primal network simplex for the dense transportation problem.
///
///     minimise sum_ij C_ij P_ij   subject to   P 1 = a,  P^T 1 <= kappa b,  P >= 0      (equality at kappa = 1)
///
/// kappa > 1 is balanced transport with one more source row of mass kappa - 1 and cost 0. Where only a fraction s of
/// the mass has to move, P 1 <= a and 1^T P 1 = s, there is one more column as well. Masses are 64-bit integers
/// carrying Orden's perturbation, so every basic flow is positive, no pivot is degenerate and none can cycle. The
/// spanning tree stores each node's descendants as a bit mask: a pivot updates masks along one path and potentials
/// under one mask, and never walks a subtree. Pivots run on costs and potentials in float32 first and finish on
/// float64, where the result is certified by its dual solution. Problems of more than 2048 rows and columns go to a
/// solver that pivots on shortlists of entries in a tree contracted to the rows or columns that are fewer, with the
/// same certificate and, where a solve has an interrupt, the same way to stop it: it is looked at every few hundred
/// pivots and every few million entries.
/// Memory O((n + m)^2 / 64 + n m) up to 2048 nodes; beyond, n m costs where they must be copied (masses of zero, a
/// capacity or fraction, a width that is not a multiple of 16, twice as many rows as columns), up to a third of them
/// for samples of the problem, and some 500 bytes a row or column. Not thread-safe: one object a thread, reusable
/// without allocating.
///
/// Ahuja, Magnanti, Orlin, Network Flows (1993), chapter 11; Orden, Management Science 2(3), 1956.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>

#include "moverank/cost_limit.hpp"
#include "moverank/interrupt.hpp"
#include "moverank/views.hpp"

namespace moverank {

/// One transport problem. `a` and `b` are non-negative and each sums to 1; no cost exceeds the limit in size. Solvers
/// throw std::invalid_argument for one that breaks this, or whose masses are not one per row and one per column.
template <class Cost>
struct TransportProblem {
    MatrixView<const Cost> cost;
    std::span<const double> a;
    std::span<const double> b;
    double capacity = 1.0;
    double fraction = 1.0;  ///< how much of the mass has to move, in (0, 1]
};

enum class SolveStatus {
    optimal,
    above_cutoff,  ///< stopped: `lower` proves that the value exceeds the cutoff
    pivot_limit,   ///< stopped: [lower, value] still brackets the optimum
    infeasible,    ///< of a VerifiedSolver: some mass cannot move over permitted entries
};

/// What a solve proved: lower <= optimum <= value, the latter to exact_value_error, as masses are rounded.
struct SolveSummary {
    /// <C, P> of the plan, in float64; an upper bound when above_cutoff. Infinite if a stopped solve of a fraction of
    /// the mass still moved more than that.
    double value = 0.0;
    double lower = 0.0;  ///< value of a feasible dual solution
    std::int64_t pivots = 0;
    SolveStatus status = SolveStatus::optimal;

    [[nodiscard]] double gap() const { return value > lower ? value - lower : 0.0; }
};

/// One entry of the plan.
struct Flow {
    std::size_t source;  ///< row of the cost matrix
    std::size_t target;  ///< column
    double mass;
};

/// An edge of the spanning tree that a solve ended with. Row a.size() is the slack, column b.size() the rest.
struct BasisEdge {
    std::size_t row, column;
};

/// How far quantised masses and float64 rounding can move a solved value from the optimum of its problem, when no cost
/// exceeds max_cost in size. Cutoffs and bounds that prune keep this distance. (A value may be above the optimum by its
/// gap besides.)
[[nodiscard]] double exact_value_error(std::size_t n_rows, std::size_t n_columns, double max_cost);

/// What flows add up to.
enum class FlowMass : std::uint8_t {
    quanta,  ///< the masses that the pivots had, whole numbers of quanta
    given,   ///< the masses of the problem, each to its last digits, where the tree that the solve ended with has such
};

class ExactSolver {
  public:
    ExactSolver();
    ~ExactSolver();
    ExactSolver(ExactSolver&&) noexcept;
    ExactSolver& operator=(ExactSolver&&) noexcept;

    /// Solve; may stop early once a feasible dual value exceeds `cutoff`. `interrupt` may be null. Value and flows are
    /// those of `mass`.
    SolveSummary solve(const TransportProblem<float>& problem, double cutoff = std::numeric_limits<double>::infinity(),
                       Interrupt* interrupt = nullptr, FlowMass mass = FlowMass::quanta);
    SolveSummary solve(const TransportProblem<double>& problem, double cutoff = std::numeric_limits<double>::infinity(),
                       Interrupt* interrupt = nullptr, FlowMass mass = FlowMass::quanta);
    /// The same over costs that already lie as the pivots read them: they are neither copied nor checked, unless some
    /// mass is zero.
    SolveSummary solve(const PaddedCosts& costs, std::span<const double> a, std::span<const double> b, double capacity,
                       double fraction = 1.0, double cutoff = std::numeric_limits<double>::infinity(),
                       Interrupt* interrupt = nullptr);

    // Of the latest solve, valid until the next one:

    /// The plan's positive entries, at most n + m of them, in no particular order.
    [[nodiscard]] std::span<const Flow> flows() const;
    /// Whether they add up to the masses given, which were asked for; if not, to quanta.
    [[nodiscard]] bool has_flows_of_given_mass() const;
    /// Potentials of the rows, f; zero-mass rows get theirs by the c-transform.
    [[nodiscard]] std::span<const double> f() const;
    /// Potentials of the columns, g; f_i + g_j <= C_ij to rounding, and g <= 0 when capacity > 1.
    [[nodiscard]] std::span<const double> g() const;
    /// What one more unit of mass to move would cost, where fraction < 1: no f_i exceeds it, and the optimum is
    /// <a, f> + kappa <b, g> - (1 - fraction) multiplier. 0 at fraction 1.
    [[nodiscard]] double multiplier() const;
    /// The tree of rows and columns with mass, and of what stands in for limits; empty after a closed form.
    [[nodiscard]] std::span<const BasisEdge> basis() const;

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace moverank
