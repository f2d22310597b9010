/// Ground costs between the words of two lists.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "moverank/aligned.hpp"
#include "moverank/interrupt.hpp"
#include "moverank/joined.hpp"
#include "moverank/measure.hpp"

namespace moverank {

/// Vectors of some words, one after the other.
struct WordList {
    std::vector<float> vectors, inverse_norms;  ///< the latter under the cosine ground cost
    std::size_t size = 0, dim = 0;

    /// Words of bags that have vectors, as bags number them. Throws std::invalid_argument for words that do not exist.
    static WordList of(const JoinedBags& bags, std::span<const std::uint32_t> words);
};

/// Costs that are computed once for many queries which consist of the same words. Entries are bit for bit those of
/// `VocabularyCosts`. Many threads may read it at the same time.
class WordTable {
  public:
    /// Compute the costs between all words of two lists: a row for each of the first, a column for each of the second.
    /// Storage grows to the largest table. Throws std::invalid_argument if their dimensions differ, and whatever
    /// `interrupt` throws.
    void compute(GroundCost ground, const WordList& rows, const WordList& columns, int n_threads, Interrupt& interrupt);

    [[nodiscard]] std::size_t n_columns() const { return n_columns_; }
    /// Largest absolute value of an entry.
    [[nodiscard]] double largest() const { return largest_; }

    /// out[c] = the least cost of column c to some rows. `out` needs room for `padded(n_columns())` numbers.
    void minima(std::span<const std::size_t> rows, float* out) const;
    /// One row per column: its costs to some rows, then infinity up to `stride`, a multiple of lane_padding.
    void interleave(std::span<const std::size_t> rows, std::size_t stride, float* out) const;

  private:
    /// Call `use(rows from a column on, first column, number of columns)` for some columns after the other.
    template <class Use>
    void for_each_chunk(std::span<const std::size_t> rows, Use use) const;

    std::size_t n_rows_ = 0, n_columns_ = 0;
    AlignedVector<float> costs_;  ///< some columns after the other, of each a row per row
    double largest_ = 0.0;
};

}  // namespace moverank
