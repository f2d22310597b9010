/// Multi-step top-k: candidates come in rising order of a lower bound, and the search stops when the next bound
/// exceeds the k-th best distance, which proves that nothing behind it can be in the answer.
///
/// Seidl, Kriegel, "Optimal multi-step k-nearest neighbor search", SIGMOD 1998.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "moverank/interrupt.hpp"
#include "moverank/pair.hpp"
#include "moverank/prepared.hpp"

namespace moverank {

/// One answer: a document by its position in the corpus.
struct Hit {
    double distance;
    std::int64_t position;
};

/// Work done so far, by the stage that settled each candidate.
struct SearchCounts {
    std::int64_t examined = 0;          ///< candidates whose cost matrix was computed
    std::int64_t pruned_by_bound = 0;   ///< dropped by the relaxed bound
    std::int64_t pruned_by_solver = 0;  ///< dropped by a dual value inside the exact solver
    std::int64_t exact_solves = 0;      ///< solved to the end
};

/// The state of one query's search. Feed it candidates until `examine` says that the answer is complete.
class TopKSearch {
  public:
    /// `corpus` and `query` must outlive the search. `tie_ranks`, one a document, orders equal distances; empty
    /// means by position. k is capped at the corpus size.
    TopKSearch(const PreparedSequences& corpus, const PreparedSequence& query, std::size_t k,
               std::span<const std::int64_t> tie_ranks);

    /// Evaluate a few documents that are likely near, to the end, and keep the mean of their row potentials for
    /// `lower_bounds`. Once, before all else; `examine` must not bring them again.
    void seed(std::span<const std::int64_t> positions, int n_threads, Interrupt& interrupt);

    /// out[c] = a lower bound on the distance of document positions[c], at the price of a cost matrix: the relaxed
    /// problem's value, or, if that is larger, the dual value that the seeds' potentials have for it. Where the seeds
    /// resemble what the query's neighbours look like, it leaves little more than these.
    void lower_bounds(std::span<const std::int64_t> positions, std::span<double> out, int n_threads,
                      Interrupt& interrupt) const;

    /// Evaluate candidates in rising order of `bounds`; all later calls must bring bounds no lower. Returns true
    /// once a candidate's bound exceeded the k-th best distance: no later candidate can enter, and none was lost.
    bool examine(std::span<const std::int64_t> positions, std::span<const double> bounds, int n_threads,
                 Interrupt& interrupt);

    /// The k-th best distance so far; infinity while fewer than k are known.
    [[nodiscard]] double threshold() const;
    /// The answer so far, nearest first, ties by rank.
    [[nodiscard]] std::vector<Hit> hits() const;
    [[nodiscard]] const SearchCounts& counts() const { return counts_; }

  private:
    [[nodiscard]] bool nearer(const Hit& x, const Hit& y) const;
    void offer(const Hit& hit);
    [[nodiscard]] std::vector<PairEvaluator> evaluators_of(unsigned n_workers, Interrupt& interrupt) const;

    const PreparedSequences& corpus_;
    PreparedSequence query_;
    std::size_t k_;
    std::span<const std::int64_t> tie_ranks_;
    std::vector<Hit> heap_;  ///< max-heap by (distance, rank)
    SearchCounts counts_;
    std::vector<double> potentials_;  ///< mean of the seeds'; empty where bounds cannot use any
};

}  // namespace moverank
