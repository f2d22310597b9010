/// Multi-step top-k, step by step: candidates come in increasing order of a lower bound. The search stops when the next
/// bound exceeds the k-th best distance, which proves that no later candidate can be in the answer. `search` in
/// search.hpp takes the steps in the order that usually costs least; this class is for callers that need another order.
///
/// Seidl, Kriegel, "Optimal multi-step k-nearest neighbor search", SIGMOD 1998.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
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

/// Work done so far: how many candidates each stage has settled.
struct SearchCounts {
    std::int64_t seeds = 0;             ///< solved by `seed`
    std::int64_t pruned_by_bound = 0;   ///< examined, and dropped by a bound from the cost matrix
    std::int64_t pruned_by_solver = 0;  ///< dropped by a dual value inside the exact solver
    std::int64_t exact_solves = 0;      ///< solved to the end, seeds included
};

/// The state of one query's search. Pass it candidates until the answer is complete, or until the deadline of an
/// Interrupt has passed. A deadline does not throw: the answer then consists of what was solved in time, and `floor`
/// says how good it is. Each step returns its cost in seconds, summed over all threads, and throws
/// std::invalid_argument for a position that does not exist. Used by one thread at a time.
class TopKSearch {
  public:
    /// `corpus`, and the memory that `query` views, must outlive the search. k is reduced to the corpus size.
    TopKSearch(const Searchable& corpus, const PreparedSequence& query, const Wanted& wanted, int n_threads,
               Interrupt& interrupt);
    /// Search sequences. If there are `codes` of the corpus, and bounds from them pay, `lower_bounds` reads them
    /// instead.
    TopKSearch(const PreparedDocuments& corpus, const PreparedSequence& query, const Wanted& wanted,
               const DocumentCodes* codes = nullptr);
    /// Search bags of words. Computes the costs between the query and all words.
    TopKSearch(const JoinedBags& bags, const PreparedSequence& query, const Wanted& wanted, int n_threads,
               Interrupt& interrupt);

    /// Solve a few documents to the end, and keep the mean of their row potentials for bounds. No document may be
    /// passed twice, here or to `examine`, whether or not it was solved before the deadline.
    double seed(std::span<const std::int64_t> positions, int n_threads, Interrupt& interrupt);

    /// The mean of the row potentials of the documents that `seed` solved last, and how many these were.
    [[nodiscard]] const std::vector<double>& potentials() const { return potentials_; }
    [[nodiscard]] std::int64_t n_with_potentials() const { return n_with_potentials_; }
    /// Use other row potentials for bounds, such as the mean over several collections that were asked the same query.
    /// Throws std::invalid_argument unless all are finite and there are `n_potentials`, or none.
    void reuse(std::span<const double> potentials);
    [[nodiscard]] std::size_t n_potentials() const { return query_->n_potentials(); }
    /// Want only documents at most this far away; see Nearest::lower_radius.
    void lower_radius(double radius) { nearest_.lower_radius(radius); }

    /// The bounds of the corpus, cheapest first, best last.
    [[nodiscard]] LowerBounds bounds() const { return query_->bounds(); }
    /// Compute one of these; see LowerBound::compute.
    double lower_bounds(LowerBound& bound, std::span<const std::int64_t> positions, std::span<double> out,
                        int n_threads, Interrupt& interrupt, double cutoff = std::numeric_limits<double>::infinity());
    /// Compute the best, which is the last. Over sequences and bags, that is the relaxed problem's value or, if that is
    /// larger, the dual value that the seeds' potentials give. If the seeds resemble the query's neighbours, few other
    /// documents have bounds below the k-th distance.
    double lower_bounds(std::span<const std::int64_t> positions, std::span<double> out, int n_threads,
                        Interrupt& interrupt);

    /// Solve candidates, which come in increasing order of `bounds`, unless a bound proves that they cannot be in the
    /// answer. Throws std::invalid_argument unless there is one bound per position and bounds do not fall.
    Examined examine(std::span<const std::int64_t> positions, std::span<const double> bounds, int n_threads,
                     Interrupt& interrupt);

    /// What a bound must exceed for its document to be dropped; see Nearest.
    [[nodiscard]] double cutoff() const { return nearest_.cutoff(); }
    /// No document that was seeded or examined without getting a distance is nearer than this.
    [[nodiscard]] double floor() const { return nearest_.floor(); }
    /// The answer so far; see Nearest.
    [[nodiscard]] std::vector<Hit> hits() const { return nearest_.hits(); }
    /// Whether a deadline has left anything undone.
    [[nodiscard]] bool timed_out() const { return timed_out_; }
    [[nodiscard]] const SearchCounts& counts() const { return counts_; }

  private:
    TopKSearch(std::unique_ptr<CorpusQuery> query, std::size_t corpus_size, const Wanted& wanted);
    double record(const Spent& spent);

    std::unique_ptr<CorpusQuery> query_;
    Nearest nearest_;
    std::vector<double> potentials_;
    std::int64_t n_with_potentials_ = 0;
    bool timed_out_ = false;
    SearchCounts counts_;
};

}  // namespace moverank
