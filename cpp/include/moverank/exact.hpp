/// The exact solver: a primal network simplex for the dense transportation problem.
///
///     minimise sum_ij C_ij P_ij   subject to   P 1 = a,  P^T 1 <= kappa b,  P >= 0      (equality at kappa = 1)
///
/// kappa > 1 is balanced transport with one more source row, the slack, of mass kappa - 1 and cost 0. If only a
/// fraction s of the mass has to move, P 1 <= a and 1^T P 1 = s, there is one more column as well, the rest.
///
/// Masses are 64-bit integers that carry Orden's perturbation, so every basic flow is positive, no pivot is degenerate,
/// and the solver cannot cycle. The spanning tree is kept as sets of numbered edges, one bit per edge: small trees keep
/// the set of edges on each node's path to the root, larger ones the transpose, the set of nodes below each edge.
/// The cycle of an entering edge is the exclusive or of two paths, and exchanging edges is a row operation over GF(2)
/// (src/kernels/simplex.hpp). Pivots run on float32 costs and potentials first and finish in float64, where the dual
/// solution certifies the result; docs/numerics.md, "Exact solve", proves the error bounds.
///
/// Equal masses on as many rows as columns, up to 1024, are an assignment, which needs no tree: shortest augmenting
/// paths, in float64, with the same certificate.
///
/// Problems of more than 2048 rows and columns together go to another solver. It pivots on shortlists of entries, in a
/// tree contracted to the rows or the columns, whichever are fewer, and returns the same certificate. An interrupt is
/// checked every few hundred pivots and every few million entries.
///
/// Memory is O((n + m)^2 / 64 + n m) up to 2048 nodes. Beyond, it is n m costs if they have to be copied (zero masses,
/// a capacity or fraction, a width that is not a multiple of 16, twice as many rows as columns), up to a third of that
/// for samples of the problem, and some 500 bytes per row and column. Solvers are not thread-safe: use one object per
/// thread. They are reusable without allocating.
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

/// One transport problem. `a` and `b` are non-negative and each sums to 1; no cost exceeds `cost_limit` in size.
/// Solvers throw std::invalid_argument for a problem that breaks this, or that does not have one mass per row and per
/// column.
template <class Cost>
struct TransportProblem {
    MatrixView<const Cost> cost;  ///< n x m, in any unit
    std::span<const double> a;    ///< n masses of the sources
    std::span<const double> b;    ///< m masses of the targets
    double capacity = 1.0;        ///< kappa >= 1, may be infinite: target j takes at most kappa b_j
    double fraction = 1.0;        ///< s: how much of the mass has to move, in (0, 1]
};

/// How a solve ended.
enum class SolveStatus {
    optimal,
    above_cutoff,  ///< stopped: `lower` proves that the value exceeds the cutoff
    pivot_limit,   ///< stopped: [lower, value] still brackets the optimum
    infeasible,    ///< from VerifiedSolver only: some mass cannot move over permitted entries
};

/// What a solve proved: lower <= optimum <= value, in units of the cost. The second inequality holds to
/// exact_value_error, because masses are quantised.
struct SolveSummary {
    /// Cost <C, P> of the plan, in float64; an upper bound if the status is above_cutoff. Infinite if a solve of a
    /// fraction of the mass was stopped while its plan still moved more than that.
    double value = 0.0;
    double lower = 0.0;  ///< value of a feasible dual solution, less its rounding
    std::int64_t pivots = 0;
    SolveStatus status = SolveStatus::optimal;

    /// How far the value can be above the optimum.
    [[nodiscard]] double gap() const { return value > lower ? value - lower : 0.0; }
};

/// One positive entry of the plan.
struct Flow {
    std::size_t source;  ///< row of the cost matrix
    std::size_t target;  ///< column
    double mass;
};

/// An edge of the spanning tree at the end of a solve. Row a.size() is the slack, column b.size() the rest.
struct BasisEdge {
    std::size_t row, column;
};

/// How far quantised masses and float64 rounding can move a solved value from the optimum of its problem, if no cost
/// exceeds max_cost in size: E in docs/numerics.md, "Exact solve". Cutoffs and bounds that prune keep this distance.
/// (In addition, a value may exceed the optimum by its gap.) Count the slack row and the rest column if there are any.
[[nodiscard]] double exact_value_error(std::size_t n_rows, std::size_t n_columns, double max_cost);

/// Which masses the flows add up to.
enum class FlowMass : std::uint8_t {
    quanta,  ///< the quantised masses that the pivots used
    given,   ///< the masses of the problem, each to its last digits, if the final tree has such flows
};

/// Solves one problem at a time and keeps its result. See the top of this file.
class ExactSolver {
  public:
    ExactSolver();
    ~ExactSolver();
    ExactSolver(ExactSolver&&) noexcept;
    ExactSolver& operator=(ExactSolver&&) noexcept;

    /// Solve. May stop early once a feasible dual value exceeds `cutoff`. `interrupt` may be null. Value and flows are
    /// computed from the masses that `mass` names. Throws std::invalid_argument for a problem that TransportProblem
    /// does not allow, and whatever `interrupt` throws.
    SolveSummary solve(const TransportProblem<float>& problem, double cutoff = std::numeric_limits<double>::infinity(),
                       Interrupt* interrupt = nullptr, FlowMass mass = FlowMass::quanta);
    SolveSummary solve(const TransportProblem<double>& problem, double cutoff = std::numeric_limits<double>::infinity(),
                       Interrupt* interrupt = nullptr, FlowMass mass = FlowMass::quanta);
    /// Solve over costs that are already laid out as pivots read them. They are neither copied nor checked, unless some
    /// mass is zero; all must be finite.
    SolveSummary solve(const PaddedCosts& costs, std::span<const double> a, std::span<const double> b, double capacity,
                       double fraction = 1.0, double cutoff = std::numeric_limits<double>::infinity(),
                       Interrupt* interrupt = nullptr);

    // Results of the latest solve, valid until the next one:

    /// The plan's positive entries, at most n + m of them, in no particular order.
    [[nodiscard]] std::span<const Flow> flows() const;
    /// Whether the flows add up to the given masses, as FlowMass::given asked; if not, they add up to quanta.
    [[nodiscard]] bool has_flows_of_given_mass() const;
    /// Potentials f of the rows, in units of the cost. Rows of zero mass get theirs by the c-transform.
    [[nodiscard]] std::span<const double> f() const;
    /// Potentials g of the columns: f_i + g_j <= C_ij to rounding, and g <= 0 if capacity > 1.
    [[nodiscard]] std::span<const double> g() const;
    /// The cost of moving one more unit of mass, if fraction < 1: no f_i exceeds it, and the optimum is
    /// <a, f> + kappa <b, g> - (1 - fraction) multiplier. 0 at fraction 1.
    [[nodiscard]] double multiplier() const;
    /// The final tree, over rows and columns with mass, slack and rest; empty if there was none: a closed form or an
    /// assignment.
    [[nodiscard]] std::span<const BasisEdge> basis() const;

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace moverank
