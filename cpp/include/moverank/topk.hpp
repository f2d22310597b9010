/// Multi-step top-k, step by step: candidates come in rising order of a lower bound, and the search stops when the next
/// bound exceeds the k-th best distance, which proves that nothing after it can be in the answer. `search` in
/// search.hpp takes the steps in the order that costs least; this is for who has an order of their own.
///
/// Seidl, Kriegel, "Optimal multi-step k-nearest neighbor search", SIGMOD 1998.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "moverank/codes.hpp"
#include "moverank/interrupt.hpp"
#include "moverank/joined.hpp"
#include "moverank/nearest.hpp"
#include "moverank/prepared.hpp"
#include "moverank/searchable.hpp"

namespace moverank {

/// Work done so far, by the stage that settled each candidate.
struct SearchCounts {
    std::int64_t seeds = 0;
    std::int64_t pruned_by_bound = 0;   ///< examined, and dropped by what the cost matrix says
    std::int64_t pruned_by_solver = 0;  ///< dropped by a dual value inside the exact solver
    std::int64_t exact_solves = 0;      ///< solved to the end, seeds included
};

/// The state of one query's search. Feed it candidates until the answer is complete, or until the deadline of an
/// Interrupt has passed: what was solved by then is the answer, `floor` says what it is worth, and nothing is thrown.
/// Each step returns what it cost, in seconds of all threads together.
class TopKSearch {
  public:
    /// `corpus` and what `query` views must outlive the search. k is capped at the corpus size.
    TopKSearch(const Searchable& corpus, const PreparedSequence& query, const Wanted& wanted, int n_threads,
               Interrupt& interrupt);
    /// Over sequences. `codes` of the corpus, if there are any, take its place in `lower_bounds`.
    TopKSearch(const PreparedDocuments& corpus, const PreparedSequence& query, const Wanted& wanted,
               const DocumentCodes* codes = nullptr);
    /// Over bags of words: begins with the costs of all words.
    TopKSearch(const JoinedBags& bags, const PreparedSequence& query, const Wanted& wanted, int n_threads,
               Interrupt& interrupt);

    /// Evaluate a few documents to the end, and keep the mean of their row potentials for bounds. Documents must not
    /// come twice, here or to `examine`, whether or not time was left for them.
    double seed(std::span<const std::int64_t> positions, int n_threads, Interrupt& interrupt);

    /// out[c] = a lower bound on the distance of document positions[c], at the price of a cost matrix: the relaxed
    /// problem's value, or, if that is larger, the dual value that the seeds' potentials have for it. Where the seeds
    /// resemble what the query's neighbours look like, it leaves little more than these. Minus infinity where time was
    /// over.
    double lower_bounds(std::span<const std::int64_t> positions, std::span<double> out, int n_threads,
                        Interrupt& interrupt);

    /// Whether documents are bags, and the measure has a one-sided bound.
    [[nodiscard]] bool has_one_sided_bounds() { return query_->has_one_sided_bounds(); }
    /// The cheaper, weaker bound that bags have: out[c] is about document positions[c].
    double one_sided_bounds(std::span<const std::int64_t> positions, std::span<double> out, int n_threads,
                            Interrupt& interrupt);

    /// Evaluate candidates, which come in rising order of `bounds`, unless their bounds prove that they cannot be in
    /// the answer. Throws std::invalid_argument, as all of these do, for a position that does not exist; here also if
    /// there is not one bound per position, or they fall.
    Examined examine(std::span<const std::int64_t> positions, std::span<const double> bounds, int n_threads,
                     Interrupt& interrupt);

    /// See Nearest.
    [[nodiscard]] double cutoff() const { return nearest_.cutoff(); }
    /// No document that was seeded or examined and has no distance is nearer than this.
    [[nodiscard]] double floor() const { return nearest_.floor(); }
    [[nodiscard]] std::vector<Hit> hits() const { return nearest_.hits(); }
    /// Whether a deadline kept anything from being done.
    [[nodiscard]] bool timed_out() const { return timed_out_; }
    [[nodiscard]] const SearchCounts& counts() const { return counts_; }

  private:
    TopKSearch(std::unique_ptr<CorpusQuery> query, std::size_t corpus_size, const Wanted& wanted);
    double taken(const Spent& spent);

    std::unique_ptr<CorpusQuery> query_;
    Nearest nearest_;
    bool timed_out_ = false;
    SearchCounts counts_;
};

}  // namespace moverank
