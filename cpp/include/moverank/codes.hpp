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

/// Codes of prepared sequences, token for token. Both must outlive this.
class PreparedCodes {
  public:
    /// Throws std::invalid_argument under sqeuclidean, where r would depend on the query, or if shapes differ, and
    /// SequenceError for codes that cannot be measured.
    PreparedCodes(const PreparedSequences& sequences, const TokensView& codes);

    [[nodiscard]] CodedSequence operator[](std::size_t s) const;
    /// What a lower bound on the distance to the codes of document s has to give up to be one on the distance to its
    /// tokens, rounding of costs included. `query_norm`: of the query's longest token.
    [[nodiscard]] double slack(std::size_t s, double query_norm) const;
    /// Of all codes.
    [[nodiscard]] double largest_norm() const { return largest_norm_; }

  private:
    void take_token(std::size_t place, std::span<const float> code, double norm);

    const PreparedSequences& sequences_;
    TokensView codes_;
    std::vector<float> inverse_norms_, squares_;
    std::vector<std::int32_t> sums_;
    std::vector<double> rho_;
    double largest_norm_ = 0.0;
};

}  // namespace moverank
