/// Documents as bags of words: rows of one table of vectors, each with a count.
///
/// Costs then depend on the query and the word alone, so one pass over the vocabulary gives those of every document,
/// and a document takes a few bytes a word.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

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

/// Bags prepared once and kept, as an index does. Offsets and counts stay the caller's; words and vectors are copied,
/// as the vocabulary is cut down to the words in use.
class PreparedBags final : public PreparedDocuments {
  public:
    /// Throws SequenceError for a bag that cannot be measured; a word outside the vocabulary is one.
    PreparedBags(const BagsView& bags, const Measure& measure);

    [[nodiscard]] std::size_t size() const override { return offsets_.empty() ? 0 : offsets_.size() - 1; }
    [[nodiscard]] std::size_t dim() const { return dim_; }
    [[nodiscard]] const Measure& measure() const override { return measure_; }
    [[nodiscard]] PreparedSequence at(std::size_t s, DocumentBuffer& buffer) const override;

    /// Of the words in use.
    [[nodiscard]] TokensView vectors() const { return {vectors_.data(), vectors_.size() / dim_, dim_}; }
    /// A word; empty but under the cosine ground cost.
    [[nodiscard]] std::span<const float> inverse_norms() const { return inverse_norms_; }
    /// What one occurrence of a word weighs: 1, or its norm. Empty: 1 everywhere.
    [[nodiscard]] std::span<const double> word_mass() const { return word_mass_; }
    /// Rows of `vectors` that bag s is made of.
    [[nodiscard]] std::span<const std::uint32_t> words(std::size_t s) const {
        return part_of<std::uint32_t>(words_, s);
    }
    /// Of bag s; empty: all are 1.
    [[nodiscard]] std::span<const float> counts(std::size_t s) const {
        return counts_.empty() ? counts_ : part_of(counts_, s);
    }
    /// The sum of counts times word masses.
    [[nodiscard]] double total(std::size_t s) const { return totals_[s]; }
    [[nodiscard]] std::size_t longest() const { return longest_; }

  private:
    template <class T>
    [[nodiscard]] std::span<const T> part_of(std::span<const T> all, std::size_t s) const {
        const auto begin = static_cast<std::size_t>(offsets_[s]);
        return all.subspan(begin, static_cast<std::size_t>(offsets_[s + 1]) - begin);
    }
    [[nodiscard]] PreparedSequence with_tokens(std::span<const std::uint32_t> own_words, DocumentBuffer& buffer) const;
    void take_words(const BagsView& bags, std::span<const std::uint32_t> rows);
    void measure_bag(std::size_t s, std::span<const double> norms, std::span<const std::uint32_t> rows);

    Measure measure_;
    std::size_t dim_;
    std::span<const std::int64_t> offsets_;
    std::span<const float> counts_;
    std::vector<std::uint32_t> words_;
    std::vector<float> vectors_;
    std::vector<double> word_mass_;
    std::vector<float> inverse_norms_;
    std::vector<double> totals_;
    std::size_t longest_ = 0;
};

}  // namespace moverank
