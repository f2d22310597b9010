/// Multi-step top-k: candidates come in rising order of a lower bound, and the search stops when the next bound
/// exceeds the k-th best distance, which proves that nothing behind it can be in the answer.
///
/// Seidl, Kriegel, "Optimal multi-step k-nearest neighbor search", SIGMOD 1998.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "moverank/bag_bounds.hpp"
#include "moverank/codes.hpp"
#include "moverank/interrupt.hpp"
#include "moverank/joined.hpp"
#include "moverank/pair.hpp"
#include "moverank/prepared.hpp"
#include "moverank/vocabulary_costs.hpp"

namespace moverank {

/// One answer: a document by its position in the corpus.
struct Hit {
    double distance;
    std::int64_t position;
};

/// What is searched for: the k nearest of those within the radius.
struct SearchGoal {
    std::size_t k = 0;
    double radius = std::numeric_limits<double>::infinity();
    /// Candidates are dropped when (1 + slack) times their bound exceeds the k-th best distance, so that this is within
    /// (1 + slack) of the true one. For costs that are not negative.
    double slack = 0.0;
};

/// Work done so far, by the stage that settled each candidate; seconds are those of all threads together.
struct SearchCounts {
    std::int64_t seeds = 0;
    std::int64_t pruned_by_bound = 0;   ///< examined, and dropped by what the cost matrix says
    std::int64_t pruned_by_solver = 0;  ///< dropped by a dual value inside the exact solver
    std::int64_t exact_solves = 0;      ///< solved to the end, seeds included
    double seed_seconds = 0.0;
    double scan_seconds = 0.0;   ///< one-sided bounds
    double bound_seconds = 0.0;  ///< bounds from cost matrices, and documents dropped by them
    double solve_seconds = 0.0;  ///< all other documents
};

/// The state of one query's search. Feed it candidates until the answer is complete, or until the deadline of an
/// Interrupt has passed: what was solved by then is the answer, `floor` says what it is worth, and nothing is thrown.
class TopKSearch {
  public:
    /// `corpus` and what `query` views must outlive the search. k is capped at the corpus size. `codes` of the corpus,
    /// if there are any, take its place in `lower_bounds`.
    TopKSearch(const PreparedDocuments& corpus, const PreparedSequence& query, const SearchGoal& goal,
               const DocumentCodes* codes = nullptr);
    /// The same over bags of words: begins with the costs of all words.
    TopKSearch(const JoinedBags& bags, const PreparedSequence& query, const SearchGoal& goal, int n_threads,
               Interrupt& interrupt);

    /// Evaluate a few documents to the end, and keep the mean of their row potentials for bounds. Documents must not
    /// come twice, here or to `examine`, whether or not time was left for them.
    void seed(std::span<const std::int64_t> positions, int n_threads, Interrupt& interrupt);

    /// out[c] = a lower bound on the distance of document positions[c], at the price of a cost matrix: the relaxed
    /// problem's value, or, if that is larger, the dual value that the seeds' potentials have for it. Where the seeds
    /// resemble what the query's neighbours look like, it leaves little more than these. Minus infinity where time was
    /// over.
    void lower_bounds(std::span<const std::int64_t> positions, std::span<double> out, int n_threads,
                      Interrupt& interrupt);

    /// Whether documents are bags, and the measure has a one-sided bound.
    [[nodiscard]] bool has_one_sided_bounds();
    /// The cheaper, weaker bound that bags have: out[c] is about document positions[c].
    void one_sided_bounds(std::span<const std::int64_t> positions, std::span<double> out, int n_threads,
                          Interrupt& interrupt);

    /// Evaluate candidates, which come in rising order of `bounds`, unless their bounds prove that they cannot be in
    /// the answer. Throws std::invalid_argument, as all of these do, for a position that does not exist; here also if
    /// there is not one bound per position, or they fall.
    void examine(std::span<const std::int64_t> positions, std::span<const double> bounds, int n_threads,
                 Interrupt& interrupt);

    /// What a bound must exceed for its document to be dropped: the k-th best distance so far or the radius, less what
    /// slack allows.
    [[nodiscard]] double cutoff() const;
    /// No document that was seeded or examined and has no distance is nearer than this.
    [[nodiscard]] double floor() const { return floor_; }
    /// Whether a deadline kept anything from being done.
    [[nodiscard]] bool timed_out() const { return timed_out_; }
    /// The answer so far, nearest first, ties by position: the k nearest, and all others at the k-th distance, so that
    /// whoever has names for documents can say which of these to keep.
    [[nodiscard]] std::vector<Hit> hits() const;
    [[nodiscard]] const SearchCounts& counts() const { return counts_; }

  private:
    struct OverBags;

    template <class Body>
    double timed_for(std::size_t n_items, unsigned n_workers, std::size_t chunk, Interrupt& interrupt, Body body);
    [[nodiscard]] double threshold() const;
    void offer(const Hit& hit);
    [[nodiscard]] std::vector<PairEvaluator> evaluators_of(unsigned n_workers, Interrupt& interrupt) const;
    [[nodiscard]] const BagBounds& bag_bounds(OverBags& over) const;

    const PreparedDocuments& corpus_;
    const DocumentCodes* codes_;
    double query_norm_;  ///< of the longest token; read with codes only
    PreparedSequence query_;
    SearchGoal goal_;
    std::vector<Hit> heap_;  ///< the k nearest, a max-heap by distance
    std::vector<Hit> ties_;  ///< others as far away as the k-th
    double floor_ = std::numeric_limits<double>::infinity();
    bool timed_out_ = false;
    SearchCounts counts_;
    std::vector<double> potentials_;  ///< mean of the latest seeds'; empty where bounds cannot use any

    /// What a search over bags has besides.
    struct OverBags {
        const JoinedBags& bags;
        VocabularyCosts costs;
        std::vector<double> query_mass;   ///< of tokens with mass
        std::optional<BagBounds> bounds;  ///< with the latest potentials; made when first asked for
    };
    std::unique_ptr<OverBags> over_bags_;
};

}  // namespace moverank
