/// Tokens stored a second time, more compactly: distances to codes, less what coding can have changed, bound distances
/// to the tokens.
///
///     |c(x, y) - c(x, y')| <= r    for every x    hence    T(C) >= T(C') - rho,    rho = min(kappa sum_j b_j r_j,
///     max_j r_j)
///
/// r is |y - y'| under euclidean, that of the directions under cosine, and times |x| under dot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "moverank/prepared.hpp"
#include "moverank/views.hpp"

namespace moverank {

/// One document's codes, with the mass of its tokens.
struct CodedSequence {
    PreparedSequence sequence;
    // of int8 codes, for products of whole numbers; otherwise empty
    std::span<const std::int32_t> sums;  ///< of each token's components
    std::span<const float> squares;      ///< of each token's length; under euclidean only
};

/// Codes of a collection's documents, as a search reads them.
class DocumentCodes {
  public:
    virtual ~DocumentCodes() = default;

    [[nodiscard]] virtual CodedSequence at(std::size_t s) const = 0;
    /// What a lower bound on the distance to the codes of document s has to give up to be one on the distance to its
    /// tokens, rounding of costs included. `query_norm`: of the query's longest token.
    [[nodiscard]] virtual double slack(std::size_t s, double query_norm) const = 0;
    /// Of all codes.
    [[nodiscard]] virtual double largest_norm() const = 0;

  protected:
    DocumentCodes() = default;
    DocumentCodes(const DocumentCodes&) = default;
    DocumentCodes& operator=(const DocumentCodes&) = default;
};

/// What preparation finds of codes: an index keeps it in a file, beside them.
struct CodeArrays {
    std::span<const float> inverse_norms;  ///< one a token; under cosine only
    std::span<const float> squares;        ///< one a token; of int8 codes under euclidean only
    std::span<const std::int32_t> sums;    ///< one a token; of int8 codes only
    std::span<const double> rho;           ///< one a document
    double largest_norm = 0.0;
};

/// Codes of prepared sequences, token for token. Both must outlive this.
class PreparedCodes final : public DocumentCodes {
  public:
    /// Throws std::invalid_argument under sqeuclidean, where r would depend on the query, or if shapes differ, and
    /// SequenceError for codes that cannot be measured. `interrupt` may be null.
    PreparedCodes(const PreparedSequences& sequences, const TokensView& codes, Interrupt* interrupt = nullptr);
    /// The same from what was found before, of which only the sizes are checked; it stays the caller's.
    PreparedCodes(const PreparedSequences& sequences, const TokensView& codes, const CodeArrays& found);
    PreparedCodes(const PreparedCodes&) = delete;
    PreparedCodes& operator=(const PreparedCodes&) = delete;

    [[nodiscard]] CodedSequence at(std::size_t s) const override;
    [[nodiscard]] double slack(std::size_t s, double query_norm) const override;
    [[nodiscard]] double largest_norm() const override { return found_.largest_norm; }
    [[nodiscard]] const CodeArrays& arrays() const { return found_; }
    /// Whose codes these are.
    [[nodiscard]] const PreparedSequences& sequences() const { return sequences_; }

  private:
    void require_suitable() const;
    void take_token(std::size_t place, std::span<const float> code, double norm);

    const PreparedSequences& sequences_;
    TokensView codes_;
    std::vector<float> inverse_norms_, squares_;
    std::vector<std::int32_t> sums_;
    std::vector<double> rho_;
    CodeArrays found_;  ///< of the vectors above, or the caller's
};

}  // namespace moverank
