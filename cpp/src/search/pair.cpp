#include "moverank/pair.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <stdexcept>

#include "moverank/ground_cost.hpp"
#include "moverank/relaxed.hpp"

namespace moverank {

namespace {

[[nodiscard]] bool all_positive(std::span<const double> mass) {
    return std::all_of(mass.begin(), mass.end(), [](double x) { return x > 0.0; });
}

void keep_positive(std::span<const double> mass, std::vector<double>& kept) {
    kept.clear();
    std::copy_if(mass.begin(), mass.end(), std::back_inserter(kept), [](double x) { return x > 0.0; });
}

}  // namespace

void PairEvaluator::fill_cost(const PreparedSequence& query, const PreparedSequence& document) {
    const std::size_t n = query.size();
    const std::size_t m = document.size();
    if (cost_storage_.size() < n * m) {
        cost_storage_.resize(n * m);
    }
    const MatrixView<float> cost(cost_storage_.data(), n, m);
    cost_matrix(measure_.ground, query, document, cost);
    cost_ = cost;
}

/// The relaxed problem over the tokens that carry mass: the others offer no place to move to.
double PairEvaluator::relaxed_value(const PreparedSequence& query, const PreparedSequence& document) {
    column_minima_.resize(document.size());
    if (all_positive(query.mass) && all_positive(document.mass)) {
        return relaxed_bound(cost_, query.mass, document.mass, measure_.capacity, column_minima_);
    }
    positive_cost_.clear();
    for (std::size_t i = 0; i < query.size(); ++i) {
        for (std::size_t j = 0; j < document.size(); ++j) {
            if (query.mass[i] > 0.0 && document.mass[j] > 0.0) {
                positive_cost_.push_back(cost_(i, j));
            }
        }
    }
    keep_positive(query.mass, positive_a_);
    keep_positive(document.mass, positive_b_);
    const MatrixView<const float> cost(positive_cost_.data(), positive_a_.size(), positive_b_.size());
    return relaxed_bound(cost, positive_a_, positive_b_, measure_.capacity,
                         std::span(column_minima_).first(positive_b_.size()));
}

/// Bounds and values are sums in different orders over quantised masses; they are compared only beyond that error.
double PairEvaluator::pruning_slack() const {
    double max_cost = 0.0;
    for (std::size_t i = 0; i < cost_.rows(); ++i) {
        for (std::size_t j = 0; j < cost_.cols(); ++j) {
            max_cost = std::max(max_cost, static_cast<double>(std::abs(cost_(i, j))));
        }
    }
    return exact_value_error(cost_.rows() + 1, cost_.cols(), max_cost);
}

bool PairEvaluator::relaxed_is_the_value() const {
    return measure_.problem == Problem::relaxed || measure_.unlimited();
}

PairResult PairEvaluator::distance(const PreparedSequence& query, const PreparedSequence& document, double cutoff) {
    fill_cost(query, document);
    if (relaxed_is_the_value()) {
        return {relaxed_value(query, document), PairOutcome::evaluated};
    }
    if (cutoff < std::numeric_limits<double>::infinity()) {
        const double bound = relaxed_value(query, document) - pruning_slack();
        if (bound > cutoff) {
            return {bound, PairOutcome::pruned_by_bound};
        }
    }
    const SolveSummary summary =
        solver_.solve(TransportProblem<float>{cost_, query.mass, document.mass, measure_.capacity}, cutoff, interrupt_);
    if (summary.status == SolveStatus::above_cutoff) {
        return {summary.lower, PairOutcome::pruned_by_solver};
    }
    if (summary.status == SolveStatus::pivot_limit) {
        throw std::runtime_error("the exact solver reached its pivot limit");
    }
    return {summary.value, PairOutcome::evaluated};
}

double PairEvaluator::lower_bound(const PreparedSequence& query, const PreparedSequence& document) {
    fill_cost(query, document);
    const double value = relaxed_value(query, document);
    return relaxed_is_the_value() ? value : value - pruning_slack();
}

}  // namespace moverank
