/// What a search needs of a corpus. The search never sees a document: it hands out arrays of positions and gets arrays
/// of numbers back, so that a corpus may lie on another machine, in several shards or on an accelerator.
///
/// A corpus of shards passes each position on to the shard that has it, with the shard's own positions; it weighs the
/// potentials of the shards by how many documents each solved, and hands all of them the mean.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "moverank/codes.hpp"
#include "moverank/interrupt.hpp"
#include "moverank/joined.hpp"
#include "moverank/measure.hpp"
#include "moverank/nearest.hpp"
#include "moverank/prepared.hpp"

namespace moverank {

/// What a call cost, and whether a deadline cut it short.
struct Spent {
    double seconds = 0.0;  ///< of all threads together
    bool timed_out = false;
};

/// What solving documents found besides their distances.
struct Solved {
    /// The mean of the row potentials of the documents solved; empty where bounds cannot use any.
    std::vector<double> potentials;
    std::int64_t count = 0;
    Spent spent;
};

/// What became of candidates, and what that cost.
struct Examined {
    std::int64_t solved = 0;            ///< to the end
    std::int64_t pruned_by_bound = 0;   ///< dropped by what the cost matrix says
    std::int64_t pruned_by_solver = 0;  ///< dropped by a dual value inside the exact solver
    double bound_seconds = 0.0;         ///< documents dropped by cost matrices
    double solve_seconds = 0.0;         ///< all others
    bool timed_out = false;
};

/// One query on a corpus. A deadline never throws: what it left undone is said in what is returned. All other
/// interrupts throw. Positions outside the corpus, and numbers that are NaN, are std::invalid_argument.
class CorpusQuery {
  public:
    virtual ~CorpusQuery() = default;
    CorpusQuery(const CorpusQuery&) = delete;
    CorpusQuery& operator=(const CorpusQuery&) = delete;

    /// Solve documents to the end: distances[c] is that of positions[c], or NaN where time was over.
    virtual Solved solve(std::span<const std::int64_t> positions, std::span<double> distances, int n_threads,
                         Interrupt& interrupt) = 0;
    /// Row potentials for all bounds that follow, such as the mean of those of documents solved before.
    virtual void reuse(std::span<const double> potentials) = 0;

    /// out[c] = a lower bound on the distance of positions[c]; minus infinity where time was over, or nothing is known.
    virtual Spent lower_bounds(std::span<const std::int64_t> positions, std::span<double> out, int n_threads,
                               Interrupt& interrupt) = 0;
    /// Whether there is a cheaper and weaker bound that is worth asking for first.
    [[nodiscard]] virtual bool has_one_sided_bounds() { return false; }
    /// That bound; std::logic_error where there is none.
    virtual Spent one_sided_bounds(std::span<const std::int64_t> positions, std::span<double> out, int n_threads,
                                   Interrupt& interrupt);

    /// Take candidates in the order given, which is that of their rising bounds. Each whose bound does not exceed the
    /// cutoff of `nearest` is solved and offered to it, or left there with a bound that exceeds the cutoff.
    virtual Examined examine(std::span<const std::int64_t> positions, std::span<const double> bounds, Nearest& nearest,
                             int n_threads, Interrupt& interrupt) = 0;

  protected:
    CorpusQuery() = default;
};

/// A corpus that can be searched. Used by several searches at once.
class Searchable {
  public:
    virtual ~Searchable() = default;

    [[nodiscard]] virtual std::size_t size() const = 0;
    [[nodiscard]] virtual const Measure& measure() const = 0;
    /// Whether bounds cost so little beside a solve that every document can have one, as those of bags do.
    [[nodiscard]] virtual bool has_cheap_bounds() const { return false; }
    /// Whether ground costs may be below 0.
    [[nodiscard]] virtual bool has_negative_costs() const;
    /// Begin with a query. The corpus, and what `query` views, must outlive what is returned.
    [[nodiscard]] virtual std::unique_ptr<CorpusQuery> ask(const PreparedSequence& query, int n_threads,
                                                           Interrupt& interrupt) const = 0;

  protected:
    Searchable() = default;
    Searchable(const Searchable&) = default;
    Searchable& operator=(const Searchable&) = default;
};

/// Sequences, with compact codes for bounds if there are any. Both must outlive this.
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

/// Bags of words of one vocabulary, with vectors or given costs. They must outlive this.
class SearchableBags final : public Searchable {
  public:
    explicit SearchableBags(const JoinedBags& bags) : bags_(bags) {}

    [[nodiscard]] std::size_t size() const override { return bags_.size(); }
    [[nodiscard]] const Measure& measure() const override { return bags_.measure(); }
    [[nodiscard]] bool has_cheap_bounds() const override { return true; }
    [[nodiscard]] bool has_negative_costs() const override;
    /// Computes the costs of all words.
    [[nodiscard]] std::unique_ptr<CorpusQuery> ask(const PreparedSequence& query, int n_threads,
                                                   Interrupt& interrupt) const override;

  private:
    const JoinedBags& bags_;
    mutable std::once_flag read_;
    mutable bool has_negative_costs_ = false;  ///< of a table, which is read when this is first asked for
};

}  // namespace moverank
