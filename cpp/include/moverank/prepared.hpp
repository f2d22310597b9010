/// Sequences made ready for one measure: checked, with normalised mass and known norms.
///
/// Preparation is the one place that reads raw input. Solvers and bounds rely on what it ensures: all components are
/// finite, masses sum to 1, no zero vector has mass if the measure needs a direction, and no vector is so long that a
/// cost would leave the range of float32.
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

/// Longest vector under ground costs that grow with length. Between two longer vectors a squared distance could
/// overflow float32.
inline constexpr double largest_norm = 0x1p62;

/// Thrown for a sequence that cannot be measured. Says which one, and why.
class SequenceError : public std::invalid_argument {
  public:
    /// `sequence`: its position in the batch. `fault`: what is wrong with it, as a phrase.
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

/// A checked sequence, as views of memory that somebody else owns.
struct PreparedSequence {
    TokensView tokens;                          ///< none if the sequence is made of `words`
    std::span<const double> mass;               ///< one per token or word, with sum 1
    std::span<const float> inverse_norms;       ///< one per token under the cosine ground cost, otherwise empty
    std::span<const std::uint32_t> words = {};  ///< rows of the table of vectors that a collection of bags shares
    bool unread = false;                        ///< whether nobody has looked at the tokens; see `prepare_unread`

    [[nodiscard]] std::size_t size() const { return mass.size(); }
};

/// Storage for one document that a collection hands out. Grows to the longest document. One per thread.
struct DocumentBuffer {
    std::vector<double> mass;
    std::vector<std::uint32_t> words;
    std::vector<float> tokens, inverse_norms;
};

/// A collection prepared for one measure, as a search reads it. Many threads may read it at the same time, each with
/// its own buffer.
class PreparedDocuments {
  public:
    virtual ~PreparedDocuments() = default;

    [[nodiscard]] virtual std::size_t size() const = 0;
    [[nodiscard]] virtual const Measure& measure() const = 0;
    /// Document s, valid until the buffer is used for another one. Throws std::invalid_argument if there is no such
    /// document.
    [[nodiscard]] virtual PreparedSequence at(std::size_t s, DocumentBuffer& buffer) const = 0;

  protected:
    PreparedDocuments() = default;
    PreparedDocuments(const PreparedDocuments&) = default;
    PreparedDocuments& operator=(const PreparedDocuments&) = default;
};

/// Check one sequence and write its masses and, under cosine, its inverse norms: one entry per token. The result views
/// them and the tokens. Throws SequenceError, which names the sequence by `index`, if it cannot be measured, and
/// std::invalid_argument if sizes differ or the measure has given costs.
PreparedSequence prepare(const SequenceView& sequence, const Measure& measure, std::span<double> mass,
                         std::span<float> inverse_norms, std::size_t index);

/// The same in two steps, where the tokens' norms are not needed: `prepare_unread` does not look at them, and
/// GroundCosts then finds their largest component on the way, instead of waiting for memory twice. Costs may be
/// infinite or NaN until `require_measurable` has decided. `scratch` has one entry per token.
PreparedSequence prepare_unread(const SequenceView& sequence, const Measure& measure, std::span<double> mass,
                                std::span<float> inverse_norms, std::size_t index);
/// Throws as `prepare` does for tokens that are not finite or too long.
void require_measurable(const SequenceView& sequence, const Measure& measure, float largest_component,
                        std::span<double> scratch, std::size_t index);

/// The result of preparing a batch, which an index keeps in a file beside the tokens.
struct PreparedArrays {
    std::span<const double> mass;          ///< one per token
    std::span<const float> inverse_norms;  ///< one per token under the cosine ground cost, otherwise empty
    double max_norm = 0.0;                 ///< largest Euclidean norm of any token
};

/// A ragged batch prepared once and kept, as in an index. Immutable. The tokens stay the caller's, and must outlive
/// this object.
class PreparedSequences final : public PreparedDocuments {
  public:
    /// Prepare all sequences. Throws as `prepare` does, and for offsets or weights that do not fit the tokens.
    /// `interrupt` may be null.
    PreparedSequences(const SequencesView& sequences, const Measure& measure, Interrupt* interrupt = nullptr);
    /// Reuse the result of an earlier preparation, which stays the caller's. Only sizes are checked.
    PreparedSequences(const SequencesView& sequences, const Measure& measure, const PreparedArrays& found);
    PreparedSequences(const PreparedSequences&) = delete;
    PreparedSequences& operator=(const PreparedSequences&) = delete;

    [[nodiscard]] std::size_t size() const override { return sequences_.size(); }
    [[nodiscard]] std::size_t dim() const { return sequences_.dim(); }
    [[nodiscard]] const Measure& measure() const override { return measure_; }
    [[nodiscard]] std::size_t n_tokens() const { return sequences_.tokens.rows(); }
    /// Position of the first token of sequence s among all tokens. Precondition: s < size().
    [[nodiscard]] std::size_t first_token(std::size_t s) const {
        return static_cast<std::size_t>(sequences_.offsets[s]);
    }
    /// Largest Euclidean norm of any token. Rounding margins scale with it.
    [[nodiscard]] double max_norm() const { return found_.max_norm; }
    [[nodiscard]] const PreparedArrays& arrays() const { return found_; }
    /// Sequence s. Throws std::invalid_argument if there is no such sequence.
    [[nodiscard]] PreparedSequence operator[](std::size_t s) const;
    [[nodiscard]] PreparedSequence at(std::size_t s, DocumentBuffer&) const override { return (*this)[s]; }

  private:
    SequencesView sequences_;
    Measure measure_;
    std::vector<double> mass_;
    std::vector<float> inverse_norms_;
    PreparedArrays found_;  ///< views of the two above, or of the caller's memory
};

/// Removes tokens of zero mass, to or from which nothing can move. Storage grows to the longest sequence seen. Not
/// thread-safe: one object per thread.
class PositivePart {
  public:
    /// The sequence itself if all its tokens have mass; otherwise a copy of those that do, valid until the next call.
    PreparedSequence of(const PreparedSequence& sequence);

  private:
    std::vector<float> tokens_;
    std::vector<std::uint32_t> words_;
    std::vector<double> mass_;
    std::vector<float> inverse_norms_;
};

/// Write the components of tokens as float32 numbers, in rows of tokens.cols() entries. Exact: every stored component
/// stands for a float32 number. Throws std::invalid_argument if `out` is too small.
void decode(const TokensView& tokens, std::span<float> out);

/// Largest Euclidean norm of any token of the sequence, in float64.
[[nodiscard]] double max_norm(const PreparedSequence& sequence);

}  // namespace moverank
