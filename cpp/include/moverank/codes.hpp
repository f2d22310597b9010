/// A second, more compact copy of the tokens. The distance to the codes, less what coding can have changed, is a lower
/// bound on the distance to the tokens.
///
///     |c(x, y_j) - c(x, y'_j)| <= r_j  for every x,  hence  T(C) >= T(C') - rho
///
///     rho = min(kappa sum_j b_j r_j, max_j r_j)
///
/// where y'_j is the code of token y_j, and r_j is |y_j - y'_j| under euclidean, the same between directions under
/// cosine, and |x||y_j - y'_j| under dot. docs/numerics.md, "Codes", has the proof.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "moverank/aligned.hpp"
#include "moverank/interleaved_codes.hpp"
#include "moverank/prepared.hpp"
#include "moverank/views.hpp"

namespace moverank {

/// Whether bounds from codes of a type take less time than bounds from the tokens that they stand for: by measurement
/// on several instruction sets, which all agree (docs/benchmarks.md, "Bounds from codes"). Searches use no others.
/// Codes of few bits lie so far from their tokens that most documents are bounded by these as well.
[[nodiscard]] constexpr bool bounds_pay(TokenType codes) {
    return codes != TokenType::int4 && codes != TokenType::int2;
}

/// The codes of one document, with the masses of its tokens.
struct CodedSequence {
    PreparedSequence sequence;       ///< its tokens are the codes, unless these are int8
    InterleavedCodes interleaved;    ///< int8 codes
    std::span<const float> squares;  ///< one per token: its code's squared norm; of int8 codes under euclidean only

    [[nodiscard]] bool is_interleaved() const { return interleaved.data() != nullptr; }
    /// The codes as tokens. int8 codes are written into `rows`, which the result then views.
    [[nodiscard]] PreparedSequence in_rows(std::vector<std::int8_t>& rows) const;
};

/// The codes of a collection's documents, as a search reads them. Many threads may read them at the same time.
class DocumentCodes {
  public:
    virtual ~DocumentCodes() = default;

    /// The codes of document s. Throws std::invalid_argument if there is no such document.
    [[nodiscard]] virtual CodedSequence at(std::size_t s) const = 0;
    /// What has to be subtracted from a lower bound on the distance to the codes of document s to make it one on the
    /// distance to its tokens. Includes the rounding of costs. `query_norm`: norm of the query's longest token.
    [[nodiscard]] virtual double slack(std::size_t s, double query_norm) const = 0;
    /// Largest norm of any code.
    [[nodiscard]] virtual double largest_norm() const = 0;
    /// How codes are stored.
    [[nodiscard]] virtual TokenType type() const = 0;

  protected:
    DocumentCodes() = default;
    DocumentCodes(const DocumentCodes&) = default;
    DocumentCodes& operator=(const DocumentCodes&) = default;
};

/// The result of preparing codes, which an index keeps in a file beside them.
struct CodeArrays {
    std::span<const std::int8_t> interleaved;  ///< int8 codes, as InterleavedCodes has them; of other types none
    std::span<const float> inverse_norms;      ///< one per token; under cosine only
    std::span<const float> squares;            ///< one per token; for int8 codes under euclidean only
    std::span<const double> rho;               ///< one per document
    double largest_norm = 0.0;                 ///< of any code
};

/// Codes of prepared sequences, one per token. Both must outlive this object, except for int8 codes, of which it has a
/// copy: of these only the scales must.
class PreparedCodes final : public DocumentCodes {
  public:
    /// Throws std::invalid_argument under a ground cost without codes (sqeuclidean, where r would depend on the query)
    /// or if shapes differ, and SequenceError if a token with mass has a zero vector as its code under cosine.
    /// `interrupt` may be null.
    PreparedCodes(const PreparedSequences& sequences, const TokensView& codes, Interrupt* interrupt = nullptr);
    /// Reuse the result of an earlier preparation, which stays the caller's. Only sizes are checked. int8 `codes` are
    /// not read but for their scales, as `found` has them.
    PreparedCodes(const PreparedSequences& sequences, const TokensView& codes, const CodeArrays& found);
    PreparedCodes(const PreparedCodes&) = delete;
    PreparedCodes& operator=(const PreparedCodes&) = delete;

    [[nodiscard]] CodedSequence at(std::size_t s) const override;
    [[nodiscard]] double slack(std::size_t s, double query_norm) const override;
    [[nodiscard]] double largest_norm() const override { return found_.largest_norm; }
    [[nodiscard]] TokenType type() const override { return codes_.type(); }
    [[nodiscard]] const CodeArrays& arrays() const { return found_; }
    /// The sequences that these are the codes of.
    [[nodiscard]] const PreparedSequences& sequences() const { return sequences_; }

  private:
    void require_suitable() const;
    void take_token(std::size_t place, double norm);

    const PreparedSequences& sequences_;
    TokensView codes_;  ///< without data if they are interleaved
    AlignedVector<std::int8_t> interleaved_;
    std::vector<float> inverse_norms_, squares_;
    std::vector<double> rho_;
    CodeArrays found_;  ///< views of the vectors above, or of the caller's memory
};

}  // namespace moverank
