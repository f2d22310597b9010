/// What a search needs of a corpus. The search never sees a document: it passes arrays of positions and gets arrays of
/// numbers back. A corpus may therefore be on another machine, in several shards, or on an accelerator.
///
/// A corpus of shards passes each position on to the shard that has the document, as a position in that shard. It
/// averages the potentials of the shards, weighted by how many documents each has solved, and passes the mean to all.
/// Each of its bounds asks the shards for theirs of the same name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "moverank/codes.hpp"
#include "moverank/interrupt.hpp"
#include "moverank/joined.hpp"
#include "moverank/lower_bound.hpp"
#include "moverank/measure.hpp"
#include "moverank/nearest.hpp"
#include "moverank/prepared.hpp"

namespace moverank {

/// What solving documents found besides their distances.
struct Solved {
    /// Mean of the row potentials of the solved documents; empty if bounds cannot use any.
    std::vector<double> potentials;
    std::int64_t count = 0;  ///< number of documents solved
    Spent spent;
};

/// What became of candidates, and the cost.
struct Examined {
    std::int64_t solved = 0;            ///< solved to the end
    std::int64_t pruned_by_bound = 0;   ///< dropped by a bound from the cost matrix
    std::int64_t pruned_by_solver = 0;  ///< dropped by a dual value inside the exact solver
    double bound_seconds = 0.0;         ///< for documents dropped by cost matrices, summed over all threads
    double solve_seconds = 0.0;         ///< for all others
    bool timed_out = false;
};

/// One query on a corpus. A deadline never throws: the result says what was left undone. All other interrupts throw.
/// Throws std::invalid_argument for positions outside the corpus, outputs of another size, and numbers that are NaN.
/// Used by one thread at a time; calls start `n_threads` threads themselves (0: all cores).
class CorpusQuery {
  public:
    virtual ~CorpusQuery() = default;
    CorpusQuery(const CorpusQuery&) = delete;
    CorpusQuery& operator=(const CorpusQuery&) = delete;

    /// Solve documents to the end: distances[c] is that of positions[c], or NaN if the deadline passed before.
    virtual Solved solve(std::span<const std::int64_t> positions, std::span<double> distances, int n_threads,
                         Interrupt& interrupt) = 0;
    /// Set row potentials for all following bounds, such as the mean over documents solved before.
    virtual void reuse(std::span<const double> potentials) = 0;
    /// How many row potentials there are; 0 if bounds cannot use any.
    [[nodiscard]] virtual std::size_t n_potentials() const = 0;

    /// The ladder of bounds that a search climbs: cheapest first, best last. May be empty: every document is solved
    /// then.
    [[nodiscard]] LowerBounds bounds() const { return bounds_; }

    /// Examine candidates, which come in increasing order of `bounds`. If a candidate's bound exceeds the cutoff of
    /// `nearest`, it is left there with that bound. Otherwise it is solved and offered to `nearest`, or left there with
    /// a better bound, found on the way, that exceeds the cutoff. Throws std::invalid_argument if bounds fall.
    virtual Examined examine(std::span<const std::int64_t> positions, std::span<const double> bounds, Nearest& nearest,
                             int n_threads, Interrupt& interrupt) = 0;

  protected:
    CorpusQuery() = default;
    /// Called in constructors, once per bound, cheapest first.
    void add_bound(std::unique_ptr<LowerBound> bound) { bounds_.push_back(std::move(bound)); }

  private:
    std::vector<std::unique_ptr<LowerBound>> bounds_;
};

/// A corpus that can be searched. Several searches may use it at the same time, so const members must be thread-safe.
class Searchable {
  public:
    virtual ~Searchable() = default;

    [[nodiscard]] virtual std::size_t size() const = 0;
    [[nodiscard]] virtual const Measure& measure() const = 0;
    /// Whether the first bound costs so little compared with a solve that every document can have one, as with bags.
    [[nodiscard]] virtual bool has_cheap_bounds() const { return false; }
    /// Whether ground costs may be below 0.
    [[nodiscard]] virtual bool has_negative_costs() const;
    /// Start a query. The corpus, and the memory that `query` views, must outlive the result.
    [[nodiscard]] virtual std::unique_ptr<CorpusQuery> ask(const PreparedSequence& query, int n_threads,
                                                           Interrupt& interrupt) const = 0;

  protected:
    Searchable() = default;
    Searchable(const Searchable&) = default;
    Searchable& operator=(const Searchable&) = default;
};

/// Sequences in memory, with bounds from compact codes if there are any that pay (`bounds_pay`). Both must outlive this
/// object.
class SearchableSequences final : public Searchable {
  public:
    explicit SearchableSequences(const PreparedDocuments& documents, const DocumentCodes* codes = nullptr)
        : documents_(documents), codes_(codes) {}

    [[nodiscard]] std::size_t size() const override { return documents_.size(); }
    [[nodiscard]] const Measure& measure() const override { return documents_.measure(); }
    [[nodiscard]] std::unique_ptr<CorpusQuery> ask(const PreparedSequence& query, int n_threads,
                                                   Interrupt& interrupt) const override;

  private:
    const PreparedDocuments& documents_;
    const DocumentCodes* codes_;
};

/// Bags of words of one vocabulary, with vectors or given costs. They must outlive this object.
class SearchableBags final : public Searchable {
  public:
    explicit SearchableBags(const JoinedBags& bags) : bags_(bags) {}

    [[nodiscard]] std::size_t size() const override { return bags_.size(); }
    [[nodiscard]] const Measure& measure() const override { return bags_.measure(); }
    [[nodiscard]] bool has_cheap_bounds() const override { return true; }
    [[nodiscard]] bool has_negative_costs() const override;
    /// Computes the costs between the query and all words.
    [[nodiscard]] std::unique_ptr<CorpusQuery> ask(const PreparedSequence& query, int n_threads,
                                                   Interrupt& interrupt) const override;

  private:
    const JoinedBags& bags_;
    mutable std::once_flag read_;
    mutable bool has_negative_costs_ = false;  ///< known once the table of costs has been read, at the first call
};

}  // namespace moverank
