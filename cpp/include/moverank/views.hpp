/// Non-owning views that all layers pass around: a row-major matrix, stored tokens, and a ragged batch of sequences.
///
/// Like std::span, views do not check anything. Functions that take views do: they throw std::invalid_argument for
/// sizes or dimensions that do not fit together, malformed offsets, and positions that do not exist, before they read
/// or write there. The caller must ensure that memory is as large as its view says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

namespace moverank {

/// A row-major matrix over memory that somebody else owns. Rows start `stride` elements apart.
template <class T>
class MatrixView {
  public:
    constexpr MatrixView() = default;
    constexpr MatrixView(T* data, std::size_t rows, std::size_t cols) : MatrixView(data, rows, cols, cols) {}
    constexpr MatrixView(T* data, std::size_t rows, std::size_t cols, std::size_t stride)
        : data_(data), rows_(rows), cols_(cols), stride_(stride) {}
    /// A writable view converts to a read-only one.
    template <class U>
        requires std::is_same_v<const U, T>
    constexpr MatrixView(const MatrixView<U>& other)
        : MatrixView(other.data(), other.rows(), other.cols(), other.stride()) {}

    [[nodiscard]] constexpr T* data() const { return data_; }
    [[nodiscard]] constexpr std::size_t rows() const { return rows_; }
    [[nodiscard]] constexpr std::size_t cols() const { return cols_; }
    [[nodiscard]] constexpr std::size_t stride() const { return stride_; }
    [[nodiscard]] constexpr T* row(std::size_t i) const { return data_ + i * stride_; }
    [[nodiscard]] constexpr T& operator()(std::size_t i, std::size_t j) const { return row(i)[j]; }

  private:
    T* data_ = nullptr;
    std::size_t rows_ = 0;
    std::size_t cols_ = 0;
    std::size_t stride_ = 0;
};

/// A matrix of finite costs in the layout that kernels read, so that solvers need not copy it: row starts are aligned
/// to cache lines, rows are padded with infinite entries to a whole number of vectors, and one more row, of zeros,
/// follows the last.
struct PaddedCosts {
    MatrixView<const float> matrix;
    double largest;  ///< largest absolute value of an entry
};

/// How components of tokens are stored. Every stored component stands for a float32 number; compact types can represent
/// fewer of these. Codes of int4 and int2 are packed into bytes, the first component in the lowest bits; each row
/// begins in a byte of its own.
enum class TokenType : std::uint8_t {
    float32,
    float16,   ///< IEEE binary16
    bfloat16,  ///< the upper half of a float32
    int8,      ///< the code times the token's scale, rounded to float32
    int4,      ///< (code - 7.5) times the token's scale, rounded to float32; codes are 0 to 15
    int2,      ///< (code - 1.5) times the token's scale, rounded to float32; codes are 0 to 3
};

/// The name of a type in Python.
[[nodiscard]] constexpr const char* name_of(TokenType type) {
    switch (type) {
        case TokenType::float32: return "float32";
        case TokenType::float16: return "float16";
        case TokenType::bfloat16: return "bfloat16";
        case TokenType::int8: return "int8";
        case TokenType::int4: return "int4";
        case TokenType::int2: return "int2";
    }
    return "";
}

/// Bits per component.
[[nodiscard]] constexpr std::size_t component_bits(TokenType type) {
    switch (type) {
        case TokenType::float32: return 32;
        case TokenType::float16:
        case TokenType::bfloat16: return 16;
        case TokenType::int8: return 8;
        case TokenType::int4: return 4;
        case TokenType::int2: return 2;
    }
    return 0;
}

/// Bytes of a row of `cols` components.
[[nodiscard]] constexpr std::size_t row_bytes(TokenType type, std::size_t cols) {
    return (cols * component_bits(type) + 7) / 8;
}

/// Whether each token has a scale.
[[nodiscard]] constexpr bool has_scales(TokenType type) {
    return type == TokenType::int8 || type == TokenType::int4 || type == TokenType::int2;
}

/// Vectors near which tokens lie, and the number of each token's. What is stored of such a token is how it differs from
/// its anchor, which has to be added. Differences are smaller than tokens, so as many bits hold them more precisely.
struct AnchorsView {
    MatrixView<const float> anchors;         ///< contiguous rows of as many components as a token
    const std::uint16_t* nearest = nullptr;  ///< one per token; numbers beyond the last anchor mean none
};

/// Tokens as they are stored, over memory that somebody else owns: one per row.
class TokensView {
  public:
    constexpr TokensView() = default;
    /// Contiguous rows of float32.
    constexpr TokensView(const float* data, std::size_t rows, std::size_t cols)
        : TokensView(TokenType::float32, data, rows, cols) {}
    /// Contiguous rows. `scales`: one per token for types that have them, otherwise null.
    constexpr TokensView(TokenType type, const void* data, std::size_t rows, std::size_t cols,
                         const float* scales = nullptr)
        : TokensView(type, data, rows, cols, row_bytes(type, cols), scales) {}
    /// Rows start `stride` bytes apart.
    constexpr TokensView(TokenType type, const void* data, std::size_t rows, std::size_t cols, std::size_t stride,
                         const float* scales)
        : data_(data), scales_(scales), rows_(rows), cols_(cols), stride_(stride), type_(type) {}

    [[nodiscard]] constexpr TokenType type() const { return type_; }
    [[nodiscard]] constexpr std::size_t rows() const { return rows_; }
    [[nodiscard]] constexpr std::size_t cols() const { return cols_; }
    /// Bytes from the start of a row to that of the next.
    [[nodiscard]] constexpr std::size_t stride() const { return stride_; }
    [[nodiscard]] constexpr const void* data() const { return data_; }
    [[nodiscard]] constexpr const float* scales() const { return scales_; }
    /// The first byte of a token.
    [[nodiscard]] const std::byte* row(std::size_t t) const {
        return static_cast<const std::byte*>(data_) + t * stride_;
    }
    /// The `count` tokens from `first` on.
    [[nodiscard]] TokensView run(std::size_t first, std::size_t count) const {
        TokensView some(type_, row(first), count, cols_, stride_, scales_ == nullptr ? nullptr : scales_ + first);
        some.anchors_ = {anchors_.anchors, is_anchored() ? anchors_.nearest + first : nullptr};
        return some;
    }
    /// The same tokens, as differences from anchors; for types that have scales.
    [[nodiscard]] TokensView from(const AnchorsView& anchors) const {
        TokensView anchored = *this;
        anchored.anchors_ = anchors;
        return anchored;
    }
    [[nodiscard]] constexpr bool is_anchored() const { return anchors_.nearest != nullptr; }
    [[nodiscard]] constexpr const AnchorsView& anchors() const { return anchors_; }
    /// The anchor of a token; null if it has none.
    [[nodiscard]] const float* anchor(std::size_t t) const {
        return is_anchored() && anchors_.nearest[t] < anchors_.anchors.rows()
                   ? anchors_.anchors.row(anchors_.nearest[t])
                   : nullptr;
    }

  private:
    const void* data_ = nullptr;
    const float* scales_ = nullptr;
    std::size_t rows_ = 0;
    std::size_t cols_ = 0;
    std::size_t stride_ = 0;
    TokenType type_ = TokenType::float32;
    AnchorsView anchors_;
};

/// One sequence as the caller passed it: n tokens of dimension d and, optionally, their weights.
struct SequenceView {
    TokensView tokens;
    std::span<const double> weights;  ///< one per token; empty if the measure's weighting makes the mass
};

/// A ragged batch: sequence s owns the tokens [offsets[s], offsets[s + 1]).
struct SequencesView {
    TokensView tokens;
    std::span<const std::int64_t> offsets;  ///< size() + 1 non-decreasing entries
    std::span<const double> weights;        ///< one per token, or empty

    [[nodiscard]] std::size_t size() const { return offsets.empty() ? 0 : offsets.size() - 1; }
    [[nodiscard]] std::size_t dim() const { return tokens.cols(); }
    [[nodiscard]] SequenceView operator[](std::size_t s) const {
        const auto begin = static_cast<std::size_t>(offsets[s]);
        const auto length = static_cast<std::size_t>(offsets[s + 1]) - begin;
        return {tokens.run(begin, length), weights.empty() ? weights : weights.subspan(begin, length)};
    }
};

}  // namespace moverank
