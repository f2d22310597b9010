/// Several collections in a row, searched as one: an index that grows consists of these. Every function that takes a
/// position throws std::invalid_argument if there is no such document. Joined collections are immutable, so any number
/// of threads may read them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "moverank/bags.hpp"
#include "moverank/codes.hpp"
#include "moverank/prepared.hpp"

namespace moverank {

/// Maps positions among all documents to positions in the collection that holds the document.
class Joints {
  public:
    /// A collection, and a position in it.
    struct Place {
        std::size_t part, position;
    };

    /// Add a collection of `size` documents at the end.
    void append(std::size_t size) { ends_.push_back(this->size() + size); }
    /// Number of documents in all collections.
    [[nodiscard]] std::size_t size() const { return ends_.empty() ? 0 : ends_.back(); }
    /// Where document s is. Takes logarithmic time in the number of collections, constant time in the first.
    [[nodiscard]] Place operator()(std::size_t s) const;

  private:
    std::vector<std::size_t> ends_;
};

/// Prepared sequences in a row. The parts must outlive this object.
class JoinedSequences final : public PreparedDocuments {
  public:
    /// Throws std::invalid_argument unless there is at least one part, and all have the same measure and dimension.
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

/// Codes of joined sequences, part by part. The parts must outlive this object.
class JoinedCodes final : public DocumentCodes {
  public:
    /// Throws std::invalid_argument unless codes[p] are the codes of sequences[p], for every part p.
    JoinedCodes(const std::vector<const PreparedSequences*>& sequences, std::vector<const PreparedCodes*> codes);

    [[nodiscard]] CodedSequence at(std::size_t s) const override;
    [[nodiscard]] double slack(std::size_t s, double query_norm) const override;
    [[nodiscard]] double largest_norm() const override { return largest_norm_; }
    [[nodiscard]] TokenType type() const override { return type_; }

  private:
    std::vector<const PreparedCodes*> parts_;
    Joints joints_;
    double largest_norm_ = 0.0;
    TokenType type_ = TokenType::float32;  ///< of the first part
};

/// Prepared bags in a row, over one numbering of words. The parts must outlive this object.
class JoinedBags final : public PreparedDocuments {
  public:
    /// Throws std::invalid_argument unless there is at least one part, all have the same measure and dimension, and the
    /// numbers of each part's new words follow those of the part before. Under given costs only the first part may have
    /// new words.
    explicit JoinedBags(std::vector<const PreparedBags*> parts);

    [[nodiscard]] std::size_t size() const override { return joints_.size(); }
    /// Dimension of the vectors; under given costs, the number of words that queries can contain.
    [[nodiscard]] std::size_t dim() const { return parts_.front()->dim(); }
    [[nodiscard]] const Measure& measure() const override { return parts_.front()->measure(); }
    /// Bag s, made of words; under a debiased measure, of tokens. Also throws std::invalid_argument if its masses are
    /// not positive numbers, which a damaged file can cause.
    [[nodiscard]] PreparedSequence at(std::size_t s, DocumentBuffer& buffer) const override;
    /// Bag s as a query: made of tokens, or, under given costs, of words.
    [[nodiscard]] PreparedSequence query(std::size_t s, DocumentBuffer& buffer) const {
        return as_query(at(s, buffer), buffer);
    }
    /// The same of what `at` returned for this buffer.
    [[nodiscard]] PreparedSequence as_query(const PreparedSequence& bag, DocumentBuffer& buffer) const;

    [[nodiscard]] bool has_given_costs() const { return parts_.front()->has_given_costs(); }
    /// The given costs of all words.
    [[nodiscard]] const CostTable& costs() const { return parts_.front()->arrays().costs; }
    [[nodiscard]] std::size_t n_words() const { return n_words_; }
    /// Number of tables of vectors: one per part, with the words that are new in it.
    [[nodiscard]] std::size_t n_tables() const { return parts_.size(); }
    [[nodiscard]] TokensView table(std::size_t part) const { return parts_[part]->arrays().vectors; }
    /// Number of the first word in the table of `part`.
    [[nodiscard]] std::size_t first_word(std::size_t part) const { return parts_[part]->arrays().first_word; }
    /// One per word under the cosine ground cost, otherwise empty.
    [[nodiscard]] std::span<const float> inverse_norms() const { return inverse_norms_; }
    /// Mass of one occurrence of each word before normalisation, if that is the word's norm. Empty: 1 everywhere.
    [[nodiscard]] std::span<const double> word_mass() const { return word_mass_; }
    /// Number of words of the longest bag.
    [[nodiscard]] std::size_t longest() const { return longest_; }

    /// One bag, as views of its part.
    struct Bag {
        std::span<const std::uint32_t> words;
        Counts counts;  ///< empty: all are 1
        double total;   ///< the sum of counts times word masses
    };
    /// Bag s, without checks of its masses.
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
