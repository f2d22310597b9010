#include "moverank/pack.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "../kernels/kernels.hpp"
#include "../preconditions.hpp"
#include "moverank/aligned.hpp"

namespace moverank {

namespace {

/// Components between two checks of the interrupt: about a millisecond.
constexpr std::size_t components_per_check = std::size_t{1} << 18U;

}  // namespace

void pack(TokenType type, const MatrixView<const float>& tokens, std::span<std::uint8_t> codes, std::span<float> scales,
          Interrupt* interrupt) {
    require(type == TokenType::int4 || type == TokenType::int2, "expected a type of packed codes");
    const std::size_t dim = tokens.cols();
    const std::size_t n_bytes = row_bytes(type, dim);
    require(codes.size() == tokens.rows() * n_bytes && scales.size() == tokens.rows(),
            "expected room for the codes of all tokens, and for one scale per token");
    const auto pack_one = type == TokenType::int4 ? kernels().packing.pack_4 : kernels().packing.pack_2;
    // Codes whose value is positive: times 0 that is +0.
    const auto positive = static_cast<std::uint8_t>(type == TokenType::int4 ? 0x88 : 0xAA);
    const auto unused_bits = static_cast<unsigned>(8 * n_bytes - dim * component_bits(type));
    AlignedVector<float> scaled(padded(dim, pack_padding));
    const std::size_t tokens_per_check = std::max<std::size_t>(components_per_check / std::max<std::size_t>(dim, 1), 1);
    for (std::size_t t = 0; t < tokens.rows(); ++t) {
        if (t % tokens_per_check == 0) {
            check(interrupt);
        }
        const std::span<std::uint8_t> own = codes.subspan(t * n_bytes, n_bytes);
        const float largest = kernels().scan.largest(tokens.row(t), dim);
        scales[t] = largest;
        if (largest > 0.0F && std::isfinite(largest)) {
            // A power of two leaves all digits, and room for squares and for reciprocals of steps. It may itself be
            // outside of float32's range, its root is not.
            int exponent = 0;
            const float fraction = std::frexp(largest, &exponent);
            const int first = -exponent / 2;
            const float step = pack_one({.token = tokens.row(t),
                                         .dim = dim,
                                         .factors = {std::ldexp(1.0F, first), std::ldexp(1.0F, -exponent - first)},
                                         .largest = fraction,
                                         .scaled = scaled.data(),
                                         .codes = own.data()});
            scales[t] = std::ldexp(step, exponent);
        }
        if (!(scales[t] > 0.0F && std::isfinite(scales[t])) && n_bytes > 0) {
            std::ranges::fill(own, positive);
            own.back() = static_cast<std::uint8_t>(positive & 0xFFU >> unused_bits);
        }
    }
}

}  // namespace moverank
