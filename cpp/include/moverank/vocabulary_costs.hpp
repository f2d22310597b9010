/// Ground costs of one query's tokens against every word of a vocabulary.
#pragma once

#include <cstddef>

#include "moverank/aligned.hpp"
#include "moverank/interrupt.hpp"
#include "moverank/joined.hpp"
#include "moverank/prepared.hpp"

namespace moverank {

/// A row a word, so that a document's costs are a gather of whole rows. Entries are bit for bit those that GroundCosts
/// computes for a document with that token. Read by many threads at once.
class VocabularyCosts {
  public:
    /// Costs to the words of `bags`. All tokens of `query` must have mass.
    VocabularyCosts(const JoinedBags& bags, const PreparedSequence& query, int n_threads, Interrupt& interrupt);

    [[nodiscard]] std::size_t n_words() const { return n_words_; }
    /// Entries a row: the query's tokens, and infinite ones up to a whole number of vectors.
    [[nodiscard]] std::size_t stride() const { return stride_; }
    [[nodiscard]] const float* row(std::size_t word) const { return costs_.data() + word * stride_; }
    /// Largest size of an entry.
    [[nodiscard]] double largest() const { return largest_; }

  private:
    std::size_t n_words_, stride_;
    AlignedVector<float> costs_;
    double largest_ = 0.0;
};

}  // namespace moverank
