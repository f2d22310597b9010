/// Ground costs of one query's tokens against every word of a vocabulary.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "moverank/aligned.hpp"
#include "moverank/interrupt.hpp"
#include "moverank/joined.hpp"
#include "moverank/prepared.hpp"

namespace moverank {

/// A row a word, so that a document's costs are a gather of whole rows. Entries are bit for bit those that GroundCosts
/// computes for a document with that token. Read by many threads at once.
class VocabularyCosts {
  public:
    VocabularyCosts() = default;
    VocabularyCosts(const JoinedBags& bags, const PreparedSequence& query, int n_threads, Interrupt& interrupt) {
        compute(bags, query, n_threads, interrupt);
    }
    /// Costs to the words of `bags`, which must outlive what follows. All tokens of `query` must have mass; where costs
    /// are given it is made of words instead, whose rows of the table are read. Storage grows to the largest seen.
    void compute(const JoinedBags& bags, const PreparedSequence& query, int n_threads, Interrupt& interrupt);
    /// The same of the words in `document_words` alone, where costs are given; other rows are not to be read.
    void compute(const JoinedBags& bags, const PreparedSequence& query, std::span<const std::uint32_t> document_words,
                 Interrupt& interrupt);

    /// No entries at all, but `as_given`: of given costs, for solves without bounds.
    void refer(const JoinedBags& bags, const PreparedSequence& query);

    [[nodiscard]] std::size_t n_words() const { return n_words_; }
    /// Entries a row: the query's tokens, and infinite ones up to a whole number of vectors.
    [[nodiscard]] std::size_t stride() const { return stride_; }
    [[nodiscard]] const float* row(std::size_t word) const { return costs_.data() + word * stride_; }
    /// Largest size of an entry.
    [[nodiscard]] double largest() const { return largest_; }

    /// Whether costs are given: entries serve for bounds then, as they may be rounded and lowered.
    [[nodiscard]] bool are_given() const { return bags_ != nullptr && bags_->has_given_costs(); }
    /// Whether entries are rounded from costs in float64.
    [[nodiscard]] bool in_double() const { return are_given() && bags_->costs().in_double(); }
    /// Entries are lowered to this where costs are dearer, forbidden ones of +inf among them: bounds stay bounds, and
    /// their margins need not cover costs that no plan pays. Infinite where nothing was lowered.
    [[nodiscard]] double ceiling() const { return ceiling_; }
    /// What a document's words cost as given. `Cost` is the table's type, or double.
    template <class Cost>
    void as_given(std::span<const std::uint32_t> document_words, MatrixView<Cost> out) const;
    /// How far rounding can have moved an entry, and so the value of a problem over them.
    [[nodiscard]] double rounding() const;

  private:
    template <class Words>
    void take_given(const Words& words, Interrupt& interrupt);
    template <class Words>
    [[nodiscard]] double ceiling_for(const Words& words) const;
    void tabulate(const PreparedSequence& query, int n_threads, Interrupt& interrupt);

    const JoinedBags* bags_ = nullptr;
    std::vector<std::uint32_t> query_words_;  ///< of a query that is made of words
    std::size_t n_words_ = 0, stride_ = 0;
    AlignedVector<float> costs_;
    double largest_ = 0.0;
    double ceiling_ = std::numeric_limits<double>::infinity();
};

}  // namespace moverank
