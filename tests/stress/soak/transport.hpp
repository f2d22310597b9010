/// What is held against problems whose costs are given: exact solves, Sinkhorn's intervals, batches of both.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "moverank/exact.hpp"
#include "moverank/sinkhorn.hpp"
#include "moverank/verified.hpp"
#include "problems.hpp"
#include "random.hpp"
#include "report.hpp"

namespace soak {

/// One thread's solvers: the same for all problems, so that what one leaves behind is seen in the next.
struct Solvers {
    moverank::ExactSolver exact;
    moverank::VerifiedSolver verified;
    moverank::SinkhornSolver sinkhorn;
};

/// A problem as the latest solve left it, or as a planted flaw made it: what proofs look at.
class Solution {
  public:
    Solution() = default;
    Solution(const moverank::ExactSolver& solver, const moverank::SolveSummary& found)
        : summary(found),
          flows_(solver.flows().begin(), solver.flows().end()),
          f_(solver.f().begin(), solver.f().end()),
          g_(solver.g().begin(), solver.g().end()),
          multiplier_(solver.multiplier()) {}
    void spoil(const Report& report, double largest);

    [[nodiscard]] std::span<const moverank::Flow> flows() const { return flows_; }
    [[nodiscard]] std::span<const double> f() const { return f_; }
    [[nodiscard]] std::span<const double> g() const { return g_; }
    [[nodiscard]] double multiplier() const { return multiplier_; }
    void digest(Report& report) const;

    moverank::SolveSummary summary;

  private:
    std::vector<moverank::Flow> flows_;
    std::vector<double> f_, g_;
    double multiplier_ = 0.0;
};

/// How far a value may be below the optimum, or a lower bound above it: what is stated, with the slack row and the rest
/// column that capacities and fractions add.
[[nodiscard]] inline double stated_error(std::size_t n, std::size_t m, double largest) {
    return moverank::exact_value_error(n + 1, m + 1, largest);
}

/// An entropic problem as callers pose it. `largest`: the largest cost.
[[nodiscard]] moverank::Sinkhorn draw_sinkhorn(Random& random, double largest, std::size_t n_entries);

/// Some scalings of a problem whose optimum is known.
template <class Cost>
void check_sinkhorn(Random& random, Solvers& solvers, const Instance<Cost>& problem, const Solution& solution,
                    Report& report);

void check_transport(Random& random, Solvers& solvers, Report& report);
void check_batch(Random& random, Solvers& solvers, Report& report);

}  // namespace soak
