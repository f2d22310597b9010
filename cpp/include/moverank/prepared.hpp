/// Sequences made ready for one measure: checked, their mass normalised, their norms known.
///
/// Preparation is the one place that looks at raw input. What passes it is finite, has positive mass, no zero vector
/// with mass where the measure needs a direction, and no vector so long that a cost would leave float32's range;
/// solvers and bounds rely on that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "moverank/interrupt.hpp"
#include "moverank/measure.hpp"
#include "moverank/views.hpp"

namespace moverank {

/// Longer vectors are refused under ground costs that grow with length: squares of float32 sums of two such overflow.
inline constexpr double largest_norm = 0x1p62;

/// A sequence that cannot be measured, and where the fault lies.
class SequenceError : public std::invalid_argument {
  public:
    SequenceError(std::size_t sequence, const std::string& fault)
        : std::invalid_argument("sequence " + std::to_string(sequence) + ": " + fault),
          sequence_(sequence),
          fault_(fault) {}
    [[nodiscard]] std::size_t sequence() const { return sequence_; }
    [[nodiscard]] const std::string& fault() const { return fault_; }

  private:
    std::size_t sequence_;
    std::string fault_;
};

/// A checked sequence: sum of `mass` is 1; `inverse_norms` is filled only under the cosine ground cost.
struct PreparedSequence {
    TokensView tokens;  ///< none where `words` stand for them
    std::span<const double> mass;
    std::span<const float> inverse_norms;
    std::span<const std::uint32_t> words = {};  ///< rows of the table of vectors that a collection of bags shares

    [[nodiscard]] std::size_t size() const { return mass.size(); }
};

/// What handing out one document of a collection may need; storage grows to the longest.
struct DocumentBuffer {
    std::vector<double> mass;
    std::vector<std::uint32_t> words;
    std::vector<float> tokens, inverse_norms;
};

/// A collection prepared for one measure, as a search reads it.
class PreparedDocuments {
  public:
    virtual ~PreparedDocuments() = default;

    [[nodiscard]] virtual std::size_t size() const = 0;
    [[nodiscard]] virtual const Measure& measure() const = 0;
    /// Document s, valid as long as the buffer is not used for another one.
    [[nodiscard]] virtual PreparedSequence at(std::size_t s, DocumentBuffer& buffer) const = 0;

  protected:
    PreparedDocuments() = default;
    PreparedDocuments(const PreparedDocuments&) = default;
    PreparedDocuments& operator=(const PreparedDocuments&) = default;
};

/// Check one sequence and write its mass (and, under cosine, inverse norms): each span has one entry a token.
/// `index` names the sequence in the SequenceError that a bad one throws.
PreparedSequence prepare(const SequenceView& sequence, const Measure& measure, std::span<double> mass,
                         std::span<float> inverse_norms, std::size_t index);

/// What preparation finds: an index keeps it in a file, beside the tokens.
struct PreparedArrays {
    std::span<const double> mass;          ///< one a token
    std::span<const float> inverse_norms;  ///< one a token; empty but under the cosine ground cost
    double max_norm = 0.0;
};

/// A ragged batch prepared once and kept, as an index does. The tokens stay the caller's.
class PreparedSequences final : public PreparedDocuments {
  public:
    /// `interrupt` may be null.
    PreparedSequences(const SequencesView& sequences, const Measure& measure, Interrupt* interrupt = nullptr);
    /// The same from what was found before, of which only the sizes are checked; it stays the caller's.
    PreparedSequences(const SequencesView& sequences, const Measure& measure, const PreparedArrays& found);
    PreparedSequences(const PreparedSequences&) = delete;
    PreparedSequences& operator=(const PreparedSequences&) = delete;

    [[nodiscard]] std::size_t size() const override { return sequences_.size(); }
    [[nodiscard]] std::size_t dim() const { return sequences_.dim(); }
    [[nodiscard]] const Measure& measure() const override { return measure_; }
    [[nodiscard]] std::size_t n_tokens() const { return sequences_.tokens.rows(); }
    /// Place of sequence s's first token among all tokens.
    [[nodiscard]] std::size_t first_token(std::size_t s) const {
        return static_cast<std::size_t>(sequences_.offsets[s]);
    }
    /// Largest Euclidean norm of any token: rounding margins scale with it.
    [[nodiscard]] double max_norm() const { return found_.max_norm; }
    [[nodiscard]] const PreparedArrays& arrays() const { return found_; }
    [[nodiscard]] PreparedSequence operator[](std::size_t s) const;
    [[nodiscard]] PreparedSequence at(std::size_t s, DocumentBuffer&) const override { return (*this)[s]; }

  private:
    SequencesView sequences_;
    Measure measure_;
    std::vector<double> mass_;
    std::vector<float> inverse_norms_;
    PreparedArrays found_;  ///< of the two above, or the caller's
};

/// A sequence without its tokens of zero mass, which offer no place to move to. Storage grows to the longest seen.
class PositivePart {
  public:
    /// The sequence itself where all its tokens have mass; otherwise a copy of the others, valid until the next call.
    PreparedSequence of(const PreparedSequence& sequence);

  private:
    std::vector<float> tokens_;
    std::vector<std::uint32_t> words_;
    std::vector<double> mass_;
    std::vector<float> inverse_norms_;
};

/// Components of tokens in float32: `out` has rows of tokens.cols() entries.
void decode(const TokensView& tokens, std::span<float> out);

/// Largest Euclidean norm of any token of the sequence.
[[nodiscard]] double max_norm(const PreparedSequence& sequence);

}  // namespace moverank
