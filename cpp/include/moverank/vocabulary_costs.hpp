/// Ground costs between one query's tokens and every word of a vocabulary.
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
#include "moverank/word_table.hpp"

namespace moverank {

/// A float32 table with one row per word, so that a document's cost matrix is a gather of whole rows. Entries are bit
/// for bit those that GroundCosts computes for a document with the same tokens. Many threads may read it at the same
/// time; computing it is not thread-safe.
class VocabularyCosts {
  public:
    VocabularyCosts() = default;
    VocabularyCosts(const JoinedBags& bags, const PreparedSequence& query, int n_threads, Interrupt& interrupt) {
        compute(bags, query, n_threads, interrupt);
    }
    /// Compute the costs between `query` and all words of `bags`, which must outlive all use. All tokens of `query`
    /// must have mass. Under given costs it is made of words instead, whose columns of the table are read. Storage
    /// grows to the largest query seen. Throws std::invalid_argument for a query of another dimension, and whatever
    /// `interrupt` throws.
    void compute(const JoinedBags& bags, const PreparedSequence& query, int n_threads, Interrupt& interrupt);
    /// Under given costs, compute only the rows of `document_words`; other rows must not be read.
    void compute(const JoinedBags& bags, const PreparedSequence& query, std::span<const std::uint32_t> document_words,
                 Interrupt& interrupt);

    /// Copy the costs of a query that consists of the words in `rows` of a table over the words of `bags`.
    void take(const JoinedBags& bags, const WordTable& table, std::span<const std::size_t> rows);

    /// Compute no entries, and only refer to the given costs. Entries must not be read afterwards, but `as_given`
    /// works, which is all that solves without bounds need.
    void refer_to(const JoinedBags& bags, const PreparedSequence& query);

    [[nodiscard]] std::size_t n_words() const { return n_words_; }
    /// Entries per row: one per query token, and infinite ones up to a whole number of vectors.
    [[nodiscard]] std::size_t stride() const { return stride_; }
    [[nodiscard]] const float* row(std::size_t word) const { return costs_.data() + word * stride_; }
    /// Largest absolute value of an entry.
    [[nodiscard]] double largest() const { return largest_; }

    /// Whether costs are given. Entries may then be rounded and lowered, so only bounds may use them.
    [[nodiscard]] bool are_given() const { return bags_ != nullptr && bags_->has_given_costs(); }
    /// Whether entries are rounded from given float64 costs.
    [[nodiscard]] bool in_double() const { return are_given() && bags_->costs().in_double(); }
    /// Given costs above this, +inf included, are lowered to it. Bounds over lowered costs are still bounds, and their
    /// margins need not cover costs that no plan pays. Infinite if nothing was lowered.
    [[nodiscard]] double ceiling() const { return ceiling_; }
    /// Write the given costs between the query (rows) and a document's words (columns), neither rounded nor lowered.
    /// `Cost` is the table's type, or double.
    template <class Cost>
    void as_given(std::span<const std::uint32_t> document_words, MatrixView<Cost> out) const;
    /// How far rounding to float32 can have moved an entry, and therefore the value of a problem over the entries.
    [[nodiscard]] double rounding() const;

  private:
    template <class Words>
    void take_given(const Words& words, Interrupt& interrupt);
    template <class Words>
    [[nodiscard]] double ceiling_for(const Words& words) const;
    void tabulate(const PreparedSequence& query, int n_threads, Interrupt& interrupt);

    const JoinedBags* bags_ = nullptr;
    std::vector<std::uint32_t> query_words_;  ///< the query's words, if it is made of words
    std::size_t n_words_ = 0, stride_ = 0;
    AlignedVector<float> costs_;
    double largest_ = 0.0;
    double ceiling_ = std::numeric_limits<double>::infinity();
};

}  // namespace moverank
