/// The distance between one query and documents, one at a time: costs, bound, exact solve, in one reusable workspace.
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

/// How the evaluation of a pair ended.
enum class PairOutcome {
    evaluated,         ///< `distance` is the measure's value
    pruned_by_bound,   ///< a bound from minima or reused potentials exceeds the cutoff; `distance` is that bound
    pruned_by_solver,  ///< the solver's dual value exceeds the cutoff; `distance` is a bound on the value
};

/// A distance, or a lower bound on it.
struct PairResult {
    double distance;  ///< in units of the ground cost
    PairOutcome outcome;
};

/// A distance with a proven interval.
struct CertifiedDistance {
    double value;             ///< the measure's value, in units of the ground cost
    double lower, upper;      ///< around the transport cost without entropy and without relaxation
    std::int64_t iterations;  ///< pivots, or sweeps of Sinkhorn's algorithm
    double marginal_error;    ///< L1; 0 unless the problem is entropic
    bool converged;           ///< false only for an entropic problem that ran out of iterations
};

/// Whether distances under given costs read the float32 entries of VocabularyCosts. If not, they read only the table
/// that it refers to. Bounds and cutoffs read entries under any measure.
[[nodiscard]] bool needs_entries(const Measure& measure);

/// Evaluates pairs. Owns the workspace of one thread, which grows to the largest pair seen and then allocates no more.
/// Not thread-safe: one object per thread.
class PairEvaluator {
  public:
    /// `interrupt` may be null, and must outlive the object.
    explicit PairEvaluator(const Measure& measure, Interrupt* interrupt = nullptr);
    ~PairEvaluator();
    PairEvaluator(PairEvaluator&&) noexcept;
    PairEvaluator& operator=(PairEvaluator&&) noexcept;

    /// Set the query of all following calls. Under a debiased measure, the memory that the sequence views must outlive
    /// them. If documents are made of words, `vocabulary` holds the costs between them and the query's tokens with
    /// mass, and must outlive the calls. Given costs are solved as they were given, without rounding; a distance is
    /// infinite if they forbid every plan.
    void set_query(const PreparedSequence& query, const VocabularyCosts* vocabulary = nullptr);

    // Each call below throws std::invalid_argument for a document of another dimension than the query's, without
    // exactly one mass per token, or with masses or costs that are not finite, as a damaged file may have; and whatever
    // the interrupt throws.

    /// The measure's value, unless a lower bound first proves that it exceeds `cutoff`. An entropic value is that of
    /// the dual problem at the last iterate, or the relaxed bound if that is larger.
    PairResult distance(const PreparedSequence& document, double cutoff = std::numeric_limits<double>::infinity());

    /// The measure's value with a proven interval.
    CertifiedDistance certified(const PreparedSequence& document);

    /// A lower bound on what `distance` would return, with its rounding subtracted, at the price of a cost matrix: the
    /// relaxed problem's value or, if that is larger, the dual value that reused potentials give. Minus infinity if
    /// nothing is known. If the relaxed problem's value exceeds `cutoff`, potentials are not asked.
    double lower_bound(const PreparedSequence& document, double cutoff = std::numeric_limits<double>::infinity());

    /// A lower bound on the distance between the query and a document's codes. `largest_code`: largest norm of a code.
    double lower_bound(const CodedSequence& document, double largest_code,
                       double cutoff = std::numeric_limits<double>::infinity());

    /// Whether potentials can improve bounds: for exact problems, unless capacity is unlimited, where the relaxed bound
    /// is already the value.
    [[nodiscard]] bool can_reuse_potentials() const;
    /// Number of tokens by which the query is compared: the distinct ones with mass, or, if it is compared with bags,
    /// all with mass.
    [[nodiscard]] std::size_t n_query_tokens() const { return query_mass_.size(); }
    /// Row potentials of the latest exact solve, one per distinct query token with mass. They are centred, so that
    /// those of different documents can be averaged.
    [[nodiscard]] std::span<const double> potentials();
    /// See GroundCosts::largest_component.
    [[nodiscard]] float largest_component() const { return costs_.largest_component(); }

    /// Set row potentials for all following bounds, such as the mean over documents solved before. Columns change with
    /// the document but the query's constraints do not, so any potentials give valid bounds. `set_query` clears them.
    /// Throws std::invalid_argument unless there are none, or as many as `potentials` has, and they can improve bounds.
    void reuse_potentials(std::span<const double> f);

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
    [[nodiscard]] PreparedSequence without_repetitions(const PreparedSequence& sequence);
    double bound_from_matrix(const PreparedSequence& document, double cutoff);
    [[nodiscard]] double lost_to_query_codes(double largest_code) const;
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
    VerifiedSolver verified_;           ///< for given costs
    std::span<const double> solved_f_;  ///< row potentials of the latest exact solve
    std::tuple<std::vector<float>, std::vector<double>> given_;
    std::vector<double> given_row_minima_, given_column_minima_;
    std::unique_ptr<DualBound<float>> dual_bound_;
    // debiased only
    PreparedSequence query_;
    PositivePart self_part_;
    GroundCosts self_costs_;
    SinkhornSolver self_sinkhorn_;
    double query_self_cost_ = 0.0;
    double query_self_epsilon_ = 0.0;  ///< epsilon that query_self_cost_ was computed with; 0: not computed yet
};

}  // namespace moverank
