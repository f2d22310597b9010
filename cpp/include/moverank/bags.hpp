/// Documents as bags of words: rows of one table of vectors, each with a count.
///
/// Costs then depend on the query and the word alone, so one pass over the vocabulary gives those of every document,
/// and a document takes a few bytes a word.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "moverank/interrupt.hpp"
#include "moverank/measure.hpp"
#include "moverank/prepared.hpp"
#include "moverank/views.hpp"

namespace moverank {

/// A ragged batch: bag s owns the words [offsets[s], offsets[s + 1]).
struct BagsView {
    TokensView vectors;                     ///< of the words
    std::span<const std::uint32_t> words;   ///< rows of `vectors`
    std::span<const std::int64_t> offsets;  ///< size() + 1 non-decreasing entries
    std::span<const float> counts;          ///< how often each word occurs, above 0; empty: once

    [[nodiscard]] std::size_t size() const { return offsets.empty() ? 0 : offsets.size() - 1; }
};

/// What preparation finds of bags: an index keeps it in a file. Words have numbers here: those of collections that
/// stand before this one come first, then those that are new with it.
struct BagArrays {
    TokensView vectors;                     ///< of the new words, in float32
    std::span<const std::uint32_t> words;   ///< of the bags
    std::span<const std::int64_t> offsets;  ///< size() + 1 non-decreasing entries
    std::span<const float> counts;          ///< empty: all are 1
    std::span<const double> totals;         ///< of each bag, the sum of counts times word masses
    std::size_t first_word = 0;             ///< number of the first new word
};

/// Bags prepared once and kept, as an index does. Offsets and counts stay the caller's; words and vectors are copied,
/// as the vocabulary is cut down to the words in use.
class PreparedBags {
  public:
    /// `known`: rows of the table that have numbers already, in their order; as far as bags use them, their vectors
    /// must be what they were. Throws SequenceError for a bag that cannot be measured; a word outside the table is one.
    /// `interrupt` may be null.
    PreparedBags(const BagsView& bags, const Measure& measure, std::span<const std::uint32_t> known = {},
                 Interrupt* interrupt = nullptr);
    /// The same from what was found before, which stays the caller's. Throws std::invalid_argument if sizes do not fit
    /// or a word has no vector; what is no array's size or a place in another is not checked.
    PreparedBags(const BagArrays& found, const Measure& measure);
    PreparedBags(const PreparedBags&) = delete;
    PreparedBags& operator=(const PreparedBags&) = delete;

    [[nodiscard]] std::size_t size() const { return found_.offsets.empty() ? 0 : found_.offsets.size() - 1; }
    [[nodiscard]] std::size_t dim() const { return found_.vectors.cols(); }
    [[nodiscard]] const Measure& measure() const { return measure_; }
    [[nodiscard]] const BagArrays& arrays() const { return found_; }
    /// Rows of the caller's table that the new words are; not known of stored bags.
    [[nodiscard]] std::span<const std::uint32_t> new_rows() const { return new_rows_; }

    /// Of each new word.
    [[nodiscard]] std::span<const double> norms() const { return norms_; }
    /// Words that bag s is made of.
    [[nodiscard]] std::span<const std::uint32_t> words(std::size_t s) const { return part_of(found_.words, s); }
    /// Of bag s; empty: all are 1.
    [[nodiscard]] std::span<const float> counts(std::size_t s) const {
        return found_.counts.empty() ? found_.counts : part_of(found_.counts, s);
    }
    /// The sum of counts times word masses.
    [[nodiscard]] double total(std::size_t s) const { return found_.totals[s]; }
    [[nodiscard]] std::size_t longest() const { return longest_; }

  private:
    template <class T>
    [[nodiscard]] std::span<const T> part_of(std::span<const T> all, std::size_t s) const {
        const auto begin = static_cast<std::size_t>(found_.offsets[s]);
        return all.subspan(begin, static_cast<std::size_t>(found_.offsets[s + 1]) - begin);
    }
    void take_words(const BagsView& bags, std::span<const std::uint32_t> known, Interrupt* interrupt);
    [[nodiscard]] double total_of(const BagsView& bags, std::size_t s, std::span<const double> norms_of_rows) const;
    void find_longest();

    Measure measure_;
    std::vector<std::uint32_t> new_rows_;
    std::vector<std::uint32_t> words_;
    std::vector<float> vectors_;
    std::vector<double> norms_;
    std::vector<double> totals_;
    BagArrays found_;  ///< of the vectors above, or the caller's
    std::size_t longest_ = 0;
};

}  // namespace moverank
