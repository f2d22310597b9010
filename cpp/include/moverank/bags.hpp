/// Documents as bags of words: rows of one table of vectors, each with a count.
///
/// The cost between a query token and a word does not depend on the document. One pass over the vocabulary therefore
/// gives the costs of all documents, and a document takes a few bytes per word. Instead of vectors, words may come with
/// a table of costs.
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

/// How often each word occurs, or any other positive factor of its mass, as a view of float32 or float64 numbers.
/// Empty: every word counts once.
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
    /// Call `read` with the counts as a span of their own type.
    template <class Read>
    constexpr decltype(auto) visit(Read read) const {
        return counts_.empty() ? read(exact_counts_) : read(counts_);
    }

  private:
    std::span<const float> counts_;
    std::span<const double> exact_counts_;
};

/// A ragged batch of bags over memory that somebody else owns: bag s owns the words [offsets[s], offsets[s + 1]).
struct BagsView {
    TokensView vectors;                     ///< one row per word of the vocabulary; none under given costs
    std::span<const std::uint32_t> words;   ///< rows of `vectors` or of `costs`
    std::span<const std::int64_t> offsets;  ///< size() + 1 non-decreasing entries
    Counts counts;                          ///< one per entry of `words`, above 0; or empty
    CostTable costs = {};                   ///< one row per word of the vocabulary, under given costs

    [[nodiscard]] std::size_t size() const { return offsets.empty() ? 0 : offsets.size() - 1; }
};

/// The result of preparing bags, which an index keeps in a file. Words are numbered: first those of the collections
/// before this one, then those that are new in it.
struct BagArrays {
    TokensView vectors;                     ///< one float32 row per new word; none under given costs
    std::span<const std::uint32_t> words;   ///< numbers of the words of all bags
    std::span<const std::int64_t> offsets;  ///< size() + 1 non-decreasing entries
    Counts counts;                          ///< empty: all are 1
    std::span<const double> totals;         ///< one per bag: the sum of counts times word masses
    std::size_t first_word = 0;             ///< number of the first new word
    CostTable costs = {};                   ///< one row per new word, under given costs
};

/// Bags prepared once and kept, as in an index. Immutable: any number of threads may read it.
///
/// The vocabulary is cut down to the words in use, so words and vectors are copied; offsets and counts stay views of
/// the caller's memory. Under given costs the vocabulary stays whole, words keep their numbers, and nothing is copied.
/// The caller's memory must outlive this object.
class PreparedBags {
  public:
    /// Check `bags` and number their words. `known` lists the rows of the table that earlier collections have numbered,
    /// in the order of their numbers; the vectors of those that occur again must not have changed. Under given costs
    /// either all rows are known or none. Throws SequenceError for a bag that cannot be measured, for example one with
    /// a word outside the table, and std::invalid_argument if sizes do not fit or the measure cannot be used with given
    /// costs. `interrupt` may be null.
    PreparedBags(const BagsView& bags, const Measure& measure, std::span<const std::uint32_t> known = {},
                 Interrupt* interrupt = nullptr);
    /// Reuse the result of an earlier preparation, which stays the caller's. Throws std::invalid_argument if sizes do
    /// not fit or a word has no vector; vectors, counts, totals and costs themselves are not checked again.
    PreparedBags(const BagArrays& found, const Measure& measure);
    PreparedBags(const PreparedBags&) = delete;
    PreparedBags& operator=(const PreparedBags&) = delete;

    [[nodiscard]] std::size_t size() const { return found_.offsets.empty() ? 0 : found_.offsets.size() - 1; }
    /// Dimension of the vectors; under given costs, the number of words that queries can contain.
    [[nodiscard]] std::size_t dim() const { return has_given_costs() ? found_.costs.cols() : found_.vectors.cols(); }
    [[nodiscard]] bool has_given_costs() const { return measure_.ground == GroundCost::given; }
    [[nodiscard]] const Measure& measure() const { return measure_; }
    [[nodiscard]] const BagArrays& arrays() const { return found_; }
    /// Row of each new word in the caller's table; empty if this was made from an earlier preparation.
    [[nodiscard]] std::span<const std::uint32_t> new_rows() const { return new_rows_; }

    /// Euclidean norm of each new word's vector; empty under given costs.
    [[nodiscard]] std::span<const double> norms() const { return norms_; }
    [[nodiscard]] std::size_t n_new_words() const { return has_given_costs() ? found_.costs.rows() : norms_.size(); }
    /// Numbers of the words of bag s. Precondition of this and what follows: s < size().
    [[nodiscard]] std::span<const std::uint32_t> words(std::size_t s) const { return part_of(found_.words, s); }
    /// Counts of the words of bag s; empty: all are 1.
    [[nodiscard]] Counts counts(std::size_t s) const {
        const auto begin = static_cast<std::size_t>(found_.offsets[s]);
        return found_.counts.empty() ? Counts() : found_.counts.subspan(begin, words(s).size());
    }
    /// Sum of counts times word masses of bag s; its masses are divided by this.
    [[nodiscard]] double total(std::size_t s) const { return found_.totals[s]; }
    /// Number of words of the longest bag.
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
    BagArrays found_;  ///< views of the vectors above, or of the caller's memory
    std::size_t longest_ = 0;
};

/// Check a query made of words, for use under given costs, and write its mass: one entry per word, of total 1. All
/// words must be below `n_words`. Empty `weights`: every word weighs the same. The result views `words` and `mass`.
/// Throws SequenceError, which names the query by `index`, for words or weights that cannot be measured, and
/// std::invalid_argument if sizes differ.
PreparedSequence prepare_words(std::span<const std::uint32_t> words, std::span<const double> weights,
                               std::size_t n_words, std::span<double> mass, std::size_t index);

}  // namespace moverank
