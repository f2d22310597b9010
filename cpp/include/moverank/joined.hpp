/// Collections that stand one after the other, searched as one: what an index that grows is made of. A position at or
/// after the end is std::invalid_argument.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "moverank/bags.hpp"
#include "moverank/codes.hpp"
#include "moverank/prepared.hpp"

namespace moverank {

/// Where each of several collections begins among all documents.
class Joints {
  public:
    struct Place {
        std::size_t part, position;
    };

    void append(std::size_t size) { ends_.push_back(this->size() + size); }
    /// Of all documents.
    [[nodiscard]] std::size_t size() const { return ends_.empty() ? 0 : ends_.back(); }
    [[nodiscard]] Place operator()(std::size_t s) const;

  private:
    std::vector<std::size_t> ends_;
};

/// The parts must outlive this, be of one measure and one dimension, and be one at least.
class JoinedSequences final : public PreparedDocuments {
  public:
    explicit JoinedSequences(std::vector<const PreparedSequences*> parts);

    [[nodiscard]] std::size_t size() const override { return joints_.size(); }
    [[nodiscard]] std::size_t dim() const { return parts_.front()->dim(); }
    [[nodiscard]] const Measure& measure() const override { return parts_.front()->measure(); }
    /// Largest Euclidean norm of any token.
    [[nodiscard]] double max_norm() const { return max_norm_; }
    [[nodiscard]] PreparedSequence at(std::size_t s, DocumentBuffer& buffer) const override;

  private:
    std::vector<const PreparedSequences*> parts_;
    Joints joints_;
    double max_norm_ = 0.0;
};

/// Codes of joined sequences, part by part.
class JoinedCodes final : public DocumentCodes {
  public:
    JoinedCodes(const std::vector<const PreparedSequences*>& sequences, std::vector<const PreparedCodes*> codes);

    [[nodiscard]] CodedSequence at(std::size_t s) const override;
    [[nodiscard]] double slack(std::size_t s, double query_norm) const override;
    [[nodiscard]] double largest_norm() const override { return largest_norm_; }

  private:
    std::vector<const PreparedCodes*> parts_;
    Joints joints_;
    double largest_norm_ = 0.0;
};

/// The parts must outlive this, be of one measure and one dimension, and be one at least; the new words of each must
/// begin where those of the one before it end.
class JoinedBags final : public PreparedDocuments {
  public:
    explicit JoinedBags(std::vector<const PreparedBags*> parts);

    [[nodiscard]] std::size_t size() const override { return joints_.size(); }
    /// Of the vectors; under given costs, words that queries are made of.
    [[nodiscard]] std::size_t dim() const { return parts_.front()->dim(); }
    [[nodiscard]] const Measure& measure() const override { return parts_.front()->measure(); }
    [[nodiscard]] PreparedSequence at(std::size_t s, DocumentBuffer& buffer) const override;
    /// Bag s as a query: with tokens, or with words where costs are given.
    [[nodiscard]] PreparedSequence query(std::size_t s, DocumentBuffer& buffer) const;

    [[nodiscard]] bool has_given_costs() const { return parts_.front()->has_given_costs(); }
    /// Of all words, where they are given.
    [[nodiscard]] const CostTable& costs() const { return parts_.front()->arrays().costs; }
    [[nodiscard]] std::size_t n_words() const { return n_words_; }
    /// A table a part: of the words that are new with it.
    [[nodiscard]] std::size_t n_tables() const { return parts_.size(); }
    [[nodiscard]] TokensView table(std::size_t part) const { return parts_[part]->arrays().vectors; }
    [[nodiscard]] std::size_t first_word(std::size_t part) const { return parts_[part]->arrays().first_word; }
    /// A word; empty but under the cosine ground cost.
    [[nodiscard]] std::span<const float> inverse_norms() const { return inverse_norms_; }
    /// What one occurrence of a word weighs: 1, or its norm. Empty: 1 everywhere.
    [[nodiscard]] std::span<const double> word_mass() const { return word_mass_; }
    [[nodiscard]] std::size_t longest() const { return longest_; }

    /// One bag, as its part has it.
    struct Bag {
        std::span<const std::uint32_t> words;
        Counts counts;  ///< empty: all are 1
        double total;   ///< the sum of counts times word masses
    };
    [[nodiscard]] Bag operator[](std::size_t s) const {
        const auto [part, position] = joints_(s);
        const PreparedBags& bags = *parts_[part];
        return {bags.words(position), bags.counts(position), bags.total(position)};
    }

  private:
    [[nodiscard]] PreparedSequence with_tokens(std::span<const std::uint32_t> words, DocumentBuffer& buffer) const;

    std::vector<const PreparedBags*> parts_;
    Joints joints_;
    std::size_t n_words_ = 0;
    std::vector<float> inverse_norms_;
    std::vector<double> word_mass_;
    std::size_t longest_ = 0;
};

}  // namespace moverank
