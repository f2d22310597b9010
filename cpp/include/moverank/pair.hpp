/// The distance of one query to documents, one at a time: costs, bound, exact solve, over one reusable workspace.
#pragma once

#include <limits>
#include <vector>

#include "moverank/exact.hpp"
#include "moverank/ground_cost.hpp"
#include "moverank/measure.hpp"
#include "moverank/prepared.hpp"

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
        : measure_(measure), interrupt_(interrupt), costs_(measure.ground) {}

    /// The query of all that follows. The sequence need not outlive the call.
    void set_query(const PreparedSequence& query);

    /// The measure's value, unless a lower bound proves that it exceeds `cutoff` first.
    PairResult distance(const PreparedSequence& document, double cutoff = std::numeric_limits<double>::infinity());

    /// A lower bound on what `distance` would return, rounding included, for the price of the costs.
    double lower_bound(const PreparedSequence& document);

  private:
    [[nodiscard]] double relaxed_value(const PreparedSequence& document) const;
    [[nodiscard]] double pruning_slack(const PreparedSequence& document) const;
    [[nodiscard]] bool relaxed_is_the_value() const;

    Measure measure_;
    Interrupt* interrupt_;
    std::vector<double> query_mass_;
    PositivePart positive_part_;
    GroundCosts costs_;
    ExactSolver solver_;
};

}  // namespace moverank
