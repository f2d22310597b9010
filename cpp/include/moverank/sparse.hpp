/// Transport problems whose cost matrix is sparse: an entry that is not stored is forbidden.
///
/// A network simplex over the stored entries alone, in time and memory that grow with their number. What a dense
/// problem states by +inf is not there at all, and what cannot move goes over edges of a kind of their own, which no
/// cost outweighs: so it is known whether there is a plan, without a large number in place of the missing costs. The
/// certificate is that of `VerifiedSolver`, and so are the three ways that are tried in turn: the simplex in float64;
/// once more without the costs that no optimum pays; and whole numbers of any size. docs/numerics.md, "Sparse costs".
/// Not thread-safe: one object per thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "moverank/exact.hpp"
#include "moverank/interrupt.hpp"
#include "moverank/verified.hpp"

namespace moverank {

/// Compressed sparse rows: row i has the entries begin[i] to begin[i + 1], in any order, each at most once. A stored 0
/// is a cost; a stored +inf forbids like an entry that is not stored.
template <class Cost, class Index>
struct SparseCosts {
    std::size_t n_rows = 0, n_columns = 0;
    std::span<const Index> begin;    ///< n_rows + 1
    std::span<const Index> columns;  ///< by entry
    std::span<const Cost> costs;     ///< by entry
};

/// As `TransportProblem`, but for the costs.
template <class Cost, class Index>
struct SparseProblem {
    SparseCosts<Cost, Index> cost;
    std::span<const double> a;  ///< masses of the sources, of total 1
    std::span<const double> b;  ///< masses of the targets, of total 1
    double capacity = 1.0;      ///< kappa >= 1, may be infinite: target j takes at most kappa b_j
    double fraction = 1.0;      ///< s: how much of the mass has to move, in (0, 1]
};

/// Solves one problem at a time and keeps its result. See the top of this file.
class SparseSolver {
  public:
    SparseSolver();
    ~SparseSolver();
    SparseSolver(SparseSolver&&) noexcept;
    SparseSolver& operator=(SparseSolver&&) noexcept;

    /// Solve, as VerifiedSolver does. `interrupt` may be null. Throws std::invalid_argument, naming the entry, for a
    /// cost that is NaN or -inf, an entry that is stored twice or that lies outside of the matrix, and for what
    /// TransportProblem does not allow otherwise; and whatever `interrupt` throws.
    template <class Cost, class Index>
    SolveSummary solve(const SparseProblem<Cost, Index>& problem, Interrupt* interrupt = nullptr);

    // Results of the latest solve, valid until the next one, with the same meaning as in VerifiedSolver. Row and
    // column potentials are feasible over the stored entries; where no stored entry limits one, it is 0.

    [[nodiscard]] std::span<const Flow> flows() const;
    [[nodiscard]] std::span<const double> f() const;
    [[nodiscard]] std::span<const double> g() const;
    [[nodiscard]] double multiplier() const;
    [[nodiscard]] const Infeasibility& infeasibility() const;

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

extern template SolveSummary SparseSolver::solve(const SparseProblem<float, std::int32_t>&, Interrupt*);
extern template SolveSummary SparseSolver::solve(const SparseProblem<float, std::int64_t>&, Interrupt*);
extern template SolveSummary SparseSolver::solve(const SparseProblem<double, std::int32_t>&, Interrupt*);
extern template SolveSummary SparseSolver::solve(const SparseProblem<double, std::int64_t>&, Interrupt*);

}  // namespace moverank
