#include "moverank/pair.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <span>
#include <stdexcept>

#include "../preconditions.hpp"
#include "../transport/dual_bound.hpp"
#include "moverank/relaxed.hpp"
#include "moverank/vocabulary_costs.hpp"

namespace moverank {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Documents were checked when they were prepared, but a file that holds them may have been damaged since. Instead of
/// reading all of them again when an index is opened, each is checked for what solvers cannot handle before it is
/// solved.
void require_mass(const PreparedSequence& document) {
    const double total = std::reduce(document.mass.begin(), document.mass.end());  // in any order: faster
    if (!(std::abs(total - 1.0) < 1e-6)) {
        throw std::invalid_argument("the mass of a document is not 1");
    }
}

void require_finite(const PaddedCosts& costs, Interrupt* interrupt) {
    constexpr std::size_t rows_per_check = 64;
    constexpr std::uint32_t exponent = 0x7f800000;
    std::uint32_t not_finite = 0;  // no early exit, so that it vectorises
    for (std::size_t i = 0; i < costs.matrix.rows(); ++i) {
        if (i % rows_per_check == rows_per_check - 1) {
            check(interrupt);
        }
        for (const float cost : std::span(costs.matrix.row(i), costs.matrix.cols())) {
            not_finite |= static_cast<std::uint32_t>((std::bit_cast<std::uint32_t>(cost) & exponent) == exponent);
        }
    }
    if (not_finite != 0) {
        throw std::invalid_argument("a cost is not finite");
    }
}

}  // namespace

bool needs_entries(const Measure& measure) { return measure.problem != Problem::exact || measure.unlimited(); }

PairEvaluator::PairEvaluator(const Measure& measure, Interrupt* interrupt)
    : measure_(measure),
      interrupt_(interrupt),
      costs_(measure.ground, interrupt),
      dual_bound_(std::make_unique<DualBound<float>>()),
      self_costs_(measure.ground, interrupt) {}
PairEvaluator::~PairEvaluator() = default;
PairEvaluator::PairEvaluator(PairEvaluator&&) noexcept = default;
PairEvaluator& PairEvaluator::operator=(PairEvaluator&&) noexcept = default;

void PairEvaluator::set_query(const PreparedSequence& query, const VocabularyCosts* vocabulary) {
    // A table of costs to a vocabulary has one column per token of the query, repeated ones included.
    const PreparedSequence positive = positive_part_.of(query);
    const PreparedSequence tokens = vocabulary == nullptr ? without_repetitions(positive) : positive;
    query_mass_.assign(tokens.mass.begin(), tokens.mass.end());
    costs_.set_query(tokens, vocabulary);
    vocabulary_ = vocabulary;
    query_ = query;
    query_self_epsilon_ = 0.0;
    reused_.clear();
}

double PairEvaluator::relaxed_bound_of(const PreparedSequence& document) {
    return relaxed_bound(costs_.row_minima(), costs_.column_minima(), query_mass_, document.mass, measure_.capacity,
                         measure_.fraction, order_);
}

/// The value of the relaxed problem. Unlike a bound, it reads given costs as given, not rounded or lowered.
double PairEvaluator::relaxed_value(const PreparedSequence& document) {
    if (!reads_costs_as_given()) {
        return relaxed_bound_of(document);
    }
    const MatrixView<const double> costs = costs_as_given<double>(document);
    given_row_minima_.assign(costs.rows(), infinity);
    given_column_minima_.assign(costs.cols(), infinity);
    for (std::size_t i = 0; i < costs.rows(); ++i) {
        for (std::size_t j = 0; j < costs.cols(); ++j) {
            require(!std::isnan(costs(i, j)), "a cost is not a number");
            given_row_minima_[i] = std::min(given_row_minima_[i], costs(i, j));
            given_column_minima_[j] = std::min(given_column_minima_[j], costs(i, j));
        }
    }
    return relaxed_bound<double>(given_row_minima_, given_column_minima_, query_mass_, document.mass, measure_.capacity,
                                 measure_.fraction, order_);
}

/// Only exact problems gain by merging equal tokens: relaxed values take linear time anyway, and merging would change
/// the median cost that an entropic epsilon may be relative to.
PreparedSequence PairEvaluator::without_repetitions(const PreparedSequence& sequence) {
    return measure_.problem == Problem::exact && !measure_.unlimited() ? distinct_.of(sequence) : sequence;
}

bool PairEvaluator::has_given_costs() const { return vocabulary_ != nullptr && vocabulary_->are_given(); }

bool PairEvaluator::solves_without_bounds() const { return has_given_costs() && !needs_entries(measure_); }

/// Whether the entries of the vocabulary's table are rounded or lowered, so that only bounds may use them.
bool PairEvaluator::reads_costs_as_given() const {
    return has_given_costs() && (vocabulary_->in_double() || vocabulary_->ceiling() < infinity);
}

template <class Cost>
MatrixView<const Cost> PairEvaluator::costs_as_given(const PreparedSequence& document) {
    std::vector<Cost>& kept = std::get<std::vector<Cost>>(given_);
    kept.resize(query_mass_.size() * document.size());
    const MatrixView<Cost> costs(kept.data(), query_mass_.size(), document.size());
    vocabulary_->as_given(document.words, costs);
    return costs;
}

/// Call `use` with the problem over given costs in the table's own type, which decides in which precision it is solved.
template <class Use>
auto PairEvaluator::with_given_problem(const PreparedSequence& document, Use use) {
    if (vocabulary_->in_double()) {
        return use(TransportProblem<double>{costs_as_given<double>(document), query_mass_, document.mass,
                                            measure_.capacity, measure_.fraction});
    }
    return use(TransportProblem<float>{costs_as_given<float>(document), query_mass_, document.mass, measure_.capacity,
                                       measure_.fraction});
}

/// Bounds and values are sums in different orders, over quantised masses and perhaps over costs of different types. A
/// bound exceeds a cutoff only if it does so by more than this error: E of docs/numerics.md, "Exact solve", and
/// rounding.
double PairEvaluator::pruning_slack(const PreparedSequence& document) const {
    const double rounding = has_given_costs() ? vocabulary_->rounding() : 0.0;
    return exact_value_error(query_mass_.size() + 1, document.size() + 1, costs_.largest()) + rounding;
}

SolveSummary PairEvaluator::solve_exactly(const PreparedSequence& document, double cutoff) {
    SolveSummary summary;
    if (has_given_costs()) {
        // With lowered costs in the document, a dual bound is only as accurate as the rounding of these very large
        // costs, which may exceed its distance to the cutoff. Such documents are solved to the end.
        const bool has_lowered = cutoff < infinity && costs_.largest() >= vocabulary_->ceiling();
        summary = with_given_problem(document, [&](const auto& problem) {
            return verified_.solve(problem, interrupt_, has_lowered ? infinity : cutoff);
        });
        solved_f_ = verified_.f();
    } else {
        require_finite(costs_.matrix(), interrupt_);
        summary = solver_.solve(costs_.matrix(), query_mass_, document.mass, measure_.capacity, measure_.fraction,
                                cutoff, interrupt_);
        solved_f_ = solver_.f();
    }
    if (summary.status == SolveStatus::pivot_limit) {
        throw std::runtime_error("the exact solver reached its pivot limit");
    }
    return summary;
}

SinkhornSummary PairEvaluator::scale(const PreparedSequence& document) {
    SinkhornSummary summary;
    if (reads_costs_as_given()) {
        summary = with_given_problem(
            document, [&](const auto& problem) { return sinkhorn_.solve(problem, measure_.sinkhorn, interrupt_); });
        if (!summary.feasible) {
            summary.value = infinity;
            return summary;
        }
    } else {
        require_finite(costs_.matrix(), interrupt_);
        summary = sinkhorn_.solve(costs_.matrix(), query_mass_, document.mass, measure_.capacity, measure_.fraction,
                                  measure_.sinkhorn, interrupt_);
    }
    if (measure_.sinkhorn.debiased) {
        if (query_self_epsilon_ != summary.epsilon) {
            query_self_cost_ = self_cost(query_, summary.epsilon);
            query_self_epsilon_ = summary.epsilon;
        }
        summary.value -= (query_self_cost_ + self_cost(document, summary.epsilon)) / 2.0;
        if (measure_.ground != GroundCost::given) {
            // exp(-c / epsilon) is a positive definite kernel under all our costs, so the divergence is not negative
            // (Feydy et al., theorem 1); what is below 0 is what was left to converge, and rounding.
            summary.value = std::max(summary.value, 0.0);
        }
    }
    if (measure_.bounded_by_relaxation()) {
        // Before convergence, the dual value may be below the relaxed bound.
        summary.value = std::max(summary.value, relaxed_value(document));
    }
    return summary;
}

double PairEvaluator::self_cost(const PreparedSequence& sequence, double epsilon) {
    const PreparedSequence positive = self_part_.of(sequence);
    self_costs_.set_query(positive);
    self_costs_.compute(positive);
    Sinkhorn sinkhorn = measure_.sinkhorn;
    sinkhorn.epsilon = epsilon;
    sinkhorn.relative = false;
    return self_sinkhorn_.solve_symmetric(self_costs_.matrix(), positive.mass, sinkhorn, interrupt_).value;
}

PairResult PairEvaluator::distance(const PreparedSequence& document, double cutoff) {
    const PreparedSequence tokens = without_repetitions(positive_part_.of(document));
    require_mass(tokens);
    if (measure_.relaxed()) {
        costs_.compute_minima(tokens, measure_.capacity == 1.0);
        return {relaxed_value(tokens), PairOutcome::evaluated};
    }
    if (cutoff == infinity && solves_without_bounds()) {
        return {solve_exactly(tokens, infinity).value, PairOutcome::evaluated};
    }
    costs_.compute(tokens);
    if (cutoff < infinity && measure_.bounded_by_relaxation()) {
        const double bound = bound_from_matrix(tokens, cutoff);
        if (bound > cutoff) {
            return {bound, PairOutcome::pruned_by_bound};
        }
    }
    if (measure_.problem == Problem::entropic) {
        return {scale(tokens).value, PairOutcome::evaluated};
    }
    const double slack = pruning_slack(tokens);
    const SolveSummary summary = solve_exactly(tokens, cutoff + slack);
    if (summary.status == SolveStatus::above_cutoff) {
        return {summary.lower - slack, PairOutcome::pruned_by_solver};
    }
    return {summary.value, PairOutcome::evaluated};
}

CertifiedDistance PairEvaluator::certified(const PreparedSequence& document) {
    const PreparedSequence tokens = without_repetitions(positive_part_.of(document));
    require_mass(tokens);
    if (!solves_without_bounds()) {
        costs_.compute(tokens);
    }
    if (measure_.relaxed()) {
        const double value = relaxed_value(tokens);
        return {value, value, measure_.unlimited() ? value : infinity, 0, 0.0, true};
    }
    if (measure_.problem == Problem::entropic) {
        const SinkhornSummary summary = scale(tokens);
        if (!summary.feasible) {
            return {infinity, infinity, infinity, summary.iterations, summary.marginal_error, summary.converged};
        }
        const SinkhornBounds bounds = sinkhorn_.bounds();
        return {summary.value,      bounds.lower,           bounds.upper,
                summary.iterations, summary.marginal_error, summary.converged};
    }
    const SolveSummary summary = solve_exactly(tokens, infinity);
    return {summary.value, summary.lower, summary.value, summary.pivots, 0.0, true};
}

double PairEvaluator::lower_bound(const PreparedSequence& document, double cutoff) {
    if (!measure_.bounded_by_relaxation()) {
        return -infinity;
    }
    const PreparedSequence positive = positive_part_.of(document);
    require_mass(positive);
    if (reused_.empty()) {
        costs_.compute_minima(positive, measure_.capacity == 1.0);
        const double value = relaxed_bound_of(positive);
        return measure_.relaxed() && !reads_costs_as_given() ? value : value - pruning_slack(positive);
    }
    costs_.compute(positive);
    return bound_from_matrix(positive, cutoff);
}

double PairEvaluator::lower_bound(const CodedSequence& document, double largest_code, double cutoff) {
    if (!measure_.bounded_by_relaxation()) {
        return -infinity;
    }
    // Tokens without mass can only lower minima, and a lower bound stays valid: they need not be removed.
    const PreparedSequence& sequence = document.sequence;
    if (!reused_.empty() || measure_.capacity == 1.0) {
        require_mass(sequence);  // else it is not read, which would take a twentieth of the time
    }
    // Minima alone take half of the time of a matrix and what potentials say of it, and drop most documents.
    double bound = -infinity;
    if (reused_.empty() || cutoff < infinity) {
        costs_.compute_code_minima(document, measure_.capacity == 1.0);
        bound = relaxed_bound_of(sequence) - pruning_slack(sequence) - lost_to_query_codes(largest_code);
    }
    if (reused_.empty() || bound > cutoff) {
        return bound;
    }
    costs_.compute_codes(document);
    return bound_from_matrix(sequence, infinity) - lost_to_query_codes(largest_code);
}

/// What coding the query changed in the latest costs: sum_i a_i r_i, or the largest r_i if one query token may take all
/// the mass, as in the document side of a relaxed problem, which also bounds entropic ones (docs/numerics.md, "Codes").
double PairEvaluator::lost_to_query_codes(double largest_code) const {
    const std::span<const double> radii = costs_.query_code_radii();
    if (radii.empty()) {
        return 0.0;
    }
    const double rounded = measure_.problem == Problem::exact
                               ? std::inner_product(radii.begin(), radii.end(), query_mass_.begin(), 0.0)
                               : *std::ranges::max_element(radii);
    return rounded * (measure_.ground == GroundCost::dot ? largest_code : 1.0);
}

/// The larger of the bounds from minima and from reused potentials, with their rounding subtracted. Potentials are not
/// asked if minima tell enough.
double PairEvaluator::bound_from_matrix(const PreparedSequence& document, double cutoff) {
    const double slack = pruning_slack(document);
    double bound = relaxed_bound_of(document);
    if (!reused_.empty() && !(bound - slack > cutoff)) {
        const PaddedCosts costs = costs_.matrix();
        bound = std::max(bound, dual_bound_->value({.cost = costs.matrix.data(),
                                                    .stride = costs.matrix.stride(),
                                                    .largest = costs.largest,
                                                    .a = query_mass_,
                                                    .b = document.mass,
                                                    .capacity = measure_.capacity,
                                                    .fraction = measure_.fraction},
                                                   reused_));
    }
    return bound - slack;
}

/// Not for entropic problems: before convergence, their value may be below the dual bound on the exact value. It is
/// never below the relaxed bound.
bool PairEvaluator::can_reuse_potentials() const { return measure_.problem == Problem::exact && !measure_.unlimited(); }

void PairEvaluator::reuse_potentials(std::span<const double> f) {
    require(f.empty() || can_reuse_potentials(), "bounds under this measure use no potentials");
    require(f.empty() || f.size() == query_mass_.size(), "expected one potential per distinct token of the query");
    reused_.assign(f.begin(), f.end());
}

std::span<const double> PairEvaluator::potentials() {
    // In balanced transport f + c, g - c is the same dual solution for every c, so each solve has an arbitrary c.
    // Centring makes <a, f> = 0, and potentials of different documents comparable.
    const std::span<const double> f = solved_f_;
    centred_.assign(f.begin(), f.end());
    if (measure_.balanced()) {
        const double mean = std::inner_product(f.begin(), f.end(), query_mass_.begin(), 0.0);
        for (double& potential : centred_) {
            potential -= mean;
        }
    }
    return centred_;
}

}  // namespace moverank
