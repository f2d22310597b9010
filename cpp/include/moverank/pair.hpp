/// The distance of one query to documents, one at a time: costs, bound, exact solve, over one reusable workspace.
#pragma once

#include <limits>
#include <memory>
#include <span>
#include <tuple>
#include <vector>

#include "moverank/codes.hpp"
#include "moverank/distinct.hpp"
#include "moverank/exact.hpp"
#include "moverank/ground_cost.hpp"
#include "moverank/measure.hpp"
#include "moverank/prepared.hpp"
#include "moverank/sinkhorn.hpp"
#include "moverank/verified.hpp"

namespace moverank {

template <class Cost>
class DualBound;

/// What a pair's evaluation came to.
enum class PairOutcome {
    evaluated,         ///< `distance` is the measure's value
    pruned_by_bound,   ///< a bound from minima or reused potentials exceeds the cutoff; `distance` is that bound
    pruned_by_solver,  ///< the solver's dual value exceeds the cutoff; `distance` bounds what it would have solved to
};

struct PairResult {
    double distance;
    PairOutcome outcome;
};

/// A distance with what is known of it.
struct CertifiedDistance {
    double value;
    double lower, upper;      ///< around the transport cost without entropy and without relaxation
    std::int64_t iterations;  ///< pivots, or sweeps
    double marginal_error;    ///< 0 but for entropic problems
    bool converged;
};

/// Whether distances under given costs take entries of VocabularyCosts, rather than what these refer to alone. Bounds
/// and cutoffs do under any measure.
[[nodiscard]] bool needs_entries(const Measure& measure);

/// Owns what one thread needs to evaluate pairs; grows to the largest pair seen, then allocates no more.
class PairEvaluator {
  public:
    explicit PairEvaluator(const Measure& measure, Interrupt* interrupt = nullptr);
    ~PairEvaluator();
    PairEvaluator(PairEvaluator&&) noexcept;
    PairEvaluator& operator=(PairEvaluator&&) noexcept;

    /// The query of all that follows. What the sequence views must outlive them under a debiased measure. Where
    /// documents are made of words, `vocabulary` has the costs of the query's tokens with mass to these; given costs
    /// are solved as they were given. A distance is infinite where these forbid every plan.
    void set_query(const PreparedSequence& query, const VocabularyCosts* vocabulary = nullptr);

    // Each call throws std::invalid_argument for a document of another dimension than the query's, or with other than
    // one mass per token.

    /// The measure's value, unless a lower bound proves that it exceeds `cutoff` first. An entropic value is that of
    /// the dual at the last iterate, or the relaxed bound where that is larger.
    PairResult distance(const PreparedSequence& document, double cutoff = std::numeric_limits<double>::infinity());

    /// The measure's value with an interval.
    CertifiedDistance certified(const PreparedSequence& document);

    /// A lower bound on what `distance` would return, rounding included, for the price of the costs: the relaxed
    /// problem, and the dual solution that reused potentials make, if there are any.
    double lower_bound(const PreparedSequence& document);

    /// The same of a document's codes: a lower bound on the distance to them of the query as it is. `largest_code`:
    /// the norm of the longest.
    double lower_bound(const CodedSequence& document, double largest_code);

    /// Whether bounds gain by potentials: of exact problems that are not relaxed ones by themselves.
    [[nodiscard]] bool can_reuse_potentials() const;
    /// Row potentials of the latest exact solve, over the query's different tokens with mass, centred so that those of
    /// different documents can be averaged.
    [[nodiscard]] std::span<const double> potentials();
    /// Row potentials for bounds on all that follows, such as the mean over documents solved before: columns come and
    /// go with the document, but the query's constraints stay, so any potentials serve. Forgotten with the query.
    void reuse_potentials(std::span<const double> f) { reused_.assign(f.begin(), f.end()); }

  private:
    [[nodiscard]] double relaxed_bound_of(const PreparedSequence& document);
    [[nodiscard]] double relaxed_value(const PreparedSequence& document);
    [[nodiscard]] bool has_given_costs() const;
    [[nodiscard]] bool solves_without_bounds() const;
    [[nodiscard]] bool reads_costs_as_given() const;
    template <class Cost>
    [[nodiscard]] MatrixView<const Cost> costs_as_given(const PreparedSequence& document);
    template <class Use>
    auto with_given_problem(const PreparedSequence& document, Use use);
    [[nodiscard]] double pruning_slack(const PreparedSequence& document) const;
    [[nodiscard]] bool relaxed_is_the_value() const;
    [[nodiscard]] PreparedSequence without_repetitions(const PreparedSequence& sequence);
    double bound_from_matrix(const PreparedSequence& document);
    SolveSummary solve_exactly(const PreparedSequence& document, double cutoff);
    SinkhornSummary scale(const PreparedSequence& document);
    double self_cost(const PreparedSequence& sequence, double epsilon);

    Measure measure_;
    Interrupt* interrupt_;
    std::vector<double> query_mass_;
    PositivePart positive_part_;
    DistinctTokens distinct_;
    GroundCosts costs_;
    ExactSolver solver_;
    SinkhornSolver sinkhorn_;
    std::vector<std::size_t> order_;
    std::vector<double> reused_, centred_;
    const VocabularyCosts* vocabulary_ = nullptr;
    VerifiedSolver verified_;           ///< for costs that are given
    std::span<const double> solved_f_;  ///< of the latest exact solve
    std::tuple<std::vector<float>, std::vector<double>> given_;
    std::vector<double> given_row_minima_, given_column_minima_;
    std::unique_ptr<DualBound<float>> dual_bound_;
    // debiased only
    PreparedSequence query_;
    PositivePart self_part_;
    GroundCosts self_costs_;
    SinkhornSolver self_sinkhorn_;
    double query_self_cost_ = 0.0;
    double query_self_epsilon_ = 0.0;  ///< what query_self_cost_ was made with; 0: not yet
};

}  // namespace moverank
