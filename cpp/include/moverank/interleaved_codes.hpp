/// int8 codes in the order in which products read them, so that none has to be brought there while a search waits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "moverank/views.hpp"

namespace moverank {

/// Components of one token that stay together: as many as fill 32 bits.
inline constexpr std::size_t code_group = 4;

/// Tokens of one document that lie beside each other.
inline constexpr std::size_t tokens_beside = 16;

/// int8 codes of whole documents, over memory that somebody else owns. Each document takes bytes_per_token(dim) for
/// each token. Of its first 16 tokens, the first four components lie beside each other, token by token; then the
/// next four of all of them, and so on. The next 16 tokens follow. The last ones may be fewer, and lie closer; zeros
/// follow the last components.
class InterleavedCodes {
  public:
    constexpr InterleavedCodes() = default;
    /// `scales`: one per token.
    constexpr InterleavedCodes(const std::int8_t* data, const float* scales, std::size_t n_tokens, std::size_t dim)
        : data_(data), scales_(scales), n_tokens_(n_tokens), dim_(dim) {}

    [[nodiscard]] constexpr const std::int8_t* data() const { return data_; }
    [[nodiscard]] constexpr const float* scales() const { return scales_; }
    [[nodiscard]] constexpr std::size_t n_tokens() const { return n_tokens_; }
    [[nodiscard]] constexpr std::size_t dim() const { return dim_; }
    /// The documents of `count` tokens from `first` on. Where a document begins or ends within them, the result has no
    /// meaning.
    [[nodiscard]] constexpr InterleavedCodes run(std::size_t first, std::size_t count) const {
        return {data_ + first * bytes_per_token(dim_), scales_ + first, count, dim_};
    }

    [[nodiscard]] static constexpr std::size_t bytes_per_token(std::size_t dim) {
        return (dim + code_group - 1) / code_group * code_group;
    }

  private:
    const std::int8_t* data_ = nullptr;
    const float* scales_ = nullptr;
    std::size_t n_tokens_ = 0;
    std::size_t dim_ = 0;
};

/// Interleave the codes of one document, which are int8 tokens. `out` has bytes_per_token for each. Throws
/// std::invalid_argument for another type or another size.
void interleave(const TokensView& document, std::span<std::int8_t> out);

/// Write the codes of one document in rows of dim bytes: what was interleaved. Throws std::invalid_argument if `rows`
/// has another size.
void separate(const InterleavedCodes& document, std::span<std::int8_t> rows);

}  // namespace moverank
