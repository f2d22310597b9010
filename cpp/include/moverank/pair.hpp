/// The distance of one pair of prepared sequences: cost matrix, bound, exact solve, over one reusable workspace.
#pragma once

#include <cstddef>
#include <limits>
#include <vector>

#include "moverank/exact.hpp"
#include "moverank/measure.hpp"
#include "moverank/prepared.hpp"
#include "moverank/views.hpp"

namespace moverank {

/// What a pair's evaluation came to.
enum class PairOutcome {
    evaluated,         ///< `distance` is the measure's value
    pruned_by_bound,   ///< the relaxed bound exceeds the cutoff; `distance` is that bound
    pruned_by_solver,  ///< the solver's dual value exceeds the cutoff; `distance` is that value
};

struct PairResult {
    double distance;
    PairOutcome outcome;
};

/// Owns what one thread needs to evaluate pairs; grows to the largest pair seen, then allocates no more.
class PairEvaluator {
  public:
    explicit PairEvaluator(const Measure& measure, Interrupt* interrupt = nullptr)
        : measure_(measure), interrupt_(interrupt) {}

    /// The measure's value, unless a lower bound proves that it exceeds `cutoff` first.
    PairResult distance(const PreparedSequence& query, const PreparedSequence& document,
                        double cutoff = std::numeric_limits<double>::infinity());

    /// A lower bound on what `distance` would return, rounding included, for the price of a cost matrix.
    double lower_bound(const PreparedSequence& query, const PreparedSequence& document);

    /// Cost matrix and solver of the latest `distance`, for those who want the plan.
    [[nodiscard]] MatrixView<const float> cost() const { return cost_; }
    [[nodiscard]] const ExactSolver& solver() const { return solver_; }

  private:
    void fill_cost(const PreparedSequence& query, const PreparedSequence& document);
    [[nodiscard]] double relaxed_value(const PreparedSequence& query, const PreparedSequence& document);
    [[nodiscard]] double pruning_slack() const;
    [[nodiscard]] bool relaxed_is_the_value() const;

    Measure measure_;
    Interrupt* interrupt_;
    ExactSolver solver_;
    std::vector<float> cost_storage_;
    std::vector<float> column_minima_;
    std::vector<float> positive_cost_;
    std::vector<double> positive_a_, positive_b_;
    MatrixView<const float> cost_;
};

}  // namespace moverank
