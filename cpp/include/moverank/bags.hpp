/// Documents as bags of words: rows of one table of vectors, each with a count.
///
/// Costs then depend on the query and the word alone, so one pass over the vocabulary gives those of every document,
/// and a document takes a few bytes a word. In place of vectors words may come with a table of costs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "moverank/cost_table.hpp"
#include "moverank/interrupt.hpp"
#include "moverank/measure.hpp"
#include "moverank/prepared.hpp"
#include "moverank/views.hpp"

namespace moverank {

/// How often words occur, or what else multiplies their mass, in float32 or float64; empty: once.
class Counts {
  public:
    constexpr Counts() = default;
    constexpr Counts(std::span<const float> counts) : counts_(counts) {}
    constexpr Counts(const std::vector<float>& counts) : counts_(counts) {}
    constexpr Counts(std::span<const double> counts) : exact_counts_(counts) {}
    constexpr Counts(const std::vector<double>& counts) : exact_counts_(counts) {}

    [[nodiscard]] constexpr std::size_t size() const { return counts_.size() + exact_counts_.size(); }
    [[nodiscard]] constexpr bool empty() const { return size() == 0; }
    [[nodiscard]] constexpr double operator[](std::size_t j) const {
        return counts_.empty() ? exact_counts_[j] : static_cast<double>(counts_[j]);
    }
    [[nodiscard]] constexpr Counts subspan(std::size_t begin, std::size_t length) const {
        return counts_.empty() ? Counts(exact_counts_.subspan(begin, length)) : Counts(counts_.subspan(begin, length));
    }
    /// Call `read` with the counts in their own type.
    template <class Read>
    constexpr decltype(auto) visit(Read read) const {
        return counts_.empty() ? read(exact_counts_) : read(counts_);
    }

  private:
    std::span<const float> counts_;
    std::span<const double> exact_counts_;
};

/// A ragged batch: bag s owns the words [offsets[s], offsets[s + 1]).
struct BagsView {
    TokensView vectors;                     ///< of the words; none under given costs
    std::span<const std::uint32_t> words;   ///< rows of `vectors` or of `costs`
    std::span<const std::int64_t> offsets;  ///< size() + 1 non-decreasing entries
    Counts counts;                          ///< above 0
    CostTable costs = {};                   ///< of the words, under given costs

    [[nodiscard]] std::size_t size() const { return offsets.empty() ? 0 : offsets.size() - 1; }
};

/// What preparation finds of bags: an index keeps it in a file. Words have numbers here: those of collections that
/// stand before this one come first, then those that are new with it.
struct BagArrays {
    TokensView vectors;                     ///< of the new words, in float32; none under given costs
    std::span<const std::uint32_t> words;   ///< of the bags
    std::span<const std::int64_t> offsets;  ///< size() + 1 non-decreasing entries
    Counts counts;                          ///< empty: all are 1
    std::span<const double> totals;         ///< of each bag, the sum of counts times word masses
    std::size_t first_word = 0;             ///< number of the first new word
    CostTable costs = {};                   ///< of the new words, under given costs
};

/// Bags prepared once and kept, as an index does. Offsets and counts stay the caller's; words and vectors are copied,
/// as the vocabulary is cut down to the words in use. Under given costs the vocabulary stays whole, words keep their
/// numbers, and all stays the caller's.
class PreparedBags {
  public:
    /// `known`: rows of the table that have numbers already, in their order; as far as bags use them, their vectors
    /// must be what they were. Under given costs all rows are known or none. Throws SequenceError for a bag that cannot
    /// be measured; a word outside the table is one; std::invalid_argument for a measure that bags of given costs do
    /// not have. `interrupt` may be null.
    PreparedBags(const BagsView& bags, const Measure& measure, std::span<const std::uint32_t> known = {},
                 Interrupt* interrupt = nullptr);
    /// The same from what was found before, which stays the caller's. Throws std::invalid_argument if sizes do not fit
    /// or a word has no vector; what is no array's size or a place in another is not checked.
    PreparedBags(const BagArrays& found, const Measure& measure);
    PreparedBags(const PreparedBags&) = delete;
    PreparedBags& operator=(const PreparedBags&) = delete;

    [[nodiscard]] std::size_t size() const { return found_.offsets.empty() ? 0 : found_.offsets.size() - 1; }
    /// Of the vectors; under given costs, words that queries are made of.
    [[nodiscard]] std::size_t dim() const { return has_given_costs() ? found_.costs.cols() : found_.vectors.cols(); }
    [[nodiscard]] bool has_given_costs() const { return measure_.ground == GroundCost::given; }
    [[nodiscard]] const Measure& measure() const { return measure_; }
    [[nodiscard]] const BagArrays& arrays() const { return found_; }
    /// Rows of the caller's table that the new words are; not known of stored bags.
    [[nodiscard]] std::span<const std::uint32_t> new_rows() const { return new_rows_; }

    /// Of each new word; none under given costs.
    [[nodiscard]] std::span<const double> norms() const { return norms_; }
    [[nodiscard]] std::size_t n_new_words() const { return has_given_costs() ? found_.costs.rows() : norms_.size(); }
    /// Words that bag s is made of.
    [[nodiscard]] std::span<const std::uint32_t> words(std::size_t s) const { return part_of(found_.words, s); }
    /// Of bag s; empty: all are 1.
    [[nodiscard]] Counts counts(std::size_t s) const {
        const auto begin = static_cast<std::size_t>(found_.offsets[s]);
        return found_.counts.empty() ? Counts() : found_.counts.subspan(begin, words(s).size());
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
    void take_costs(const BagsView& bags, std::span<const std::uint32_t> known, Interrupt* interrupt);
    void take_totals(const BagsView& bags, std::span<const double> norms_of_rows, Interrupt* interrupt);
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

/// Check a query made of words that given costs are about, and write its mass, one entry a word. All words must be
/// below `n_words`; `weights` empty: the same for each. `index` names the query in the SequenceError that a bad one
/// throws.
PreparedSequence prepare_words(std::span<const std::uint32_t> words, std::span<const double> weights,
                               std::size_t n_words, std::span<double> mass, std::size_t index);

}  // namespace moverank
