#include "moverank/pair.hpp"

#include <stdexcept>

#include "moverank/relaxed.hpp"

namespace moverank {

void PairEvaluator::set_query(const PreparedSequence& query) {
    const PreparedSequence positive = positive_part_.of(query);
    query_mass_.assign(positive.mass.begin(), positive.mass.end());
    costs_.set_query(positive);
}

double PairEvaluator::relaxed_value(const PreparedSequence& document) const {
    return relaxed_bound(costs_.row_minima(), costs_.column_minima(), query_mass_, document.mass, measure_.capacity);
}

/// Bounds and values are sums in different orders over quantised masses; they are compared only beyond that error.
double PairEvaluator::pruning_slack(const PreparedSequence& document) const {
    return exact_value_error(query_mass_.size() + 1, document.size(), costs_.largest());
}

bool PairEvaluator::relaxed_is_the_value() const {
    return measure_.problem == Problem::relaxed || measure_.unlimited();
}

PairResult PairEvaluator::distance(const PreparedSequence& document, double cutoff) {
    const PreparedSequence positive = positive_part_.of(document);
    if (relaxed_is_the_value()) {
        costs_.compute_minima(positive, measure_.balanced());
        return {relaxed_value(positive), PairOutcome::evaluated};
    }
    costs_.compute(positive);
    if (cutoff < std::numeric_limits<double>::infinity()) {
        const double bound = relaxed_value(positive) - pruning_slack(positive);
        if (bound > cutoff) {
            return {bound, PairOutcome::pruned_by_bound};
        }
    }
    const SolveSummary summary =
        solver_.solve(costs_.matrix(), query_mass_, positive.mass, measure_.capacity, cutoff, interrupt_);
    if (summary.status == SolveStatus::above_cutoff) {
        return {summary.lower, PairOutcome::pruned_by_solver};
    }
    if (summary.status == SolveStatus::pivot_limit) {
        throw std::runtime_error("the exact solver reached its pivot limit");
    }
    return {summary.value, PairOutcome::evaluated};
}

double PairEvaluator::lower_bound(const PreparedSequence& document) {
    const PreparedSequence positive = positive_part_.of(document);
    costs_.compute_minima(positive, measure_.balanced());
    const double value = relaxed_value(positive);
    return relaxed_is_the_value() ? value : value - pruning_slack(positive);
}

}  // namespace moverank
