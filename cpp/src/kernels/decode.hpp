/// Stored components into float32: every stored component stands for a float32 number. That of an anchored token is its
/// difference from the anchor's, and the sum is rounded to float32, alike on every level.
#pragma once

#include <cstring>
#include <type_traits>

#include "moverank/views.hpp"
#include "packed.hpp"
#include "simd.hpp"

namespace moverank::MOVERANK_LEVEL {

/// Reads a register of components.
template <TokenType type>
struct Components {
    static constexpr std::size_t bytes = lanes<float> * component_bits(type) / 8;
    float scale;

    MOVERANK_INLINE Vector<float> operator()(const std::byte* from) const {
        if constexpr (type == TokenType::float32) {
            return load(reinterpret_cast<const float*>(from));
        } else if constexpr (type == TokenType::float16) {
            return load_float16(reinterpret_cast<const std::uint16_t*>(from));
        } else if constexpr (type == TokenType::bfloat16) {
            return load_bfloat16(reinterpret_cast<const std::uint16_t*>(from));
        } else {
            return load_int8(reinterpret_cast<const std::int8_t*>(from)) * splat(scale);
        }
    }
};

MOVERANK_INLINE void add_components(const float* anchor, std::size_t count, float* to) {
    std::size_t k = 0;
    for (; k + lanes<float> <= count; k += lanes<float>) {
        store(to + k, load(to + k) + load(anchor + k));
    }
    for (; k < count; ++k) {
        to[k] += anchor[k];
    }
}

/// `count` components from `first` on of token t. `first` begins a byte.
template <TokenType type>
MOVERANK_INLINE void decode_components(const TokensView& tokens, std::size_t t, std::size_t first, std::size_t count,
                                       float* to) {
    constexpr std::size_t bits = component_bits(type);
    using Reader = std::conditional_t<(bits < 8), PackedCodes<bits>, Components<type>>;
    const Reader read{has_scales(type) ? tokens.scales()[t] : 1.0F};
    const std::byte* from = tokens.row(t) + first * bits / 8;
    std::size_t k = 0;
    for (; k + lanes<float> <= count; k += lanes<float>) {
        store(to + k, read(from + k * bits / 8));
    }
    // The tail goes through a buffer, as a whole register might reach beyond the caller's memory.
    if (k < count) {
        alignas(float) std::byte rest[Reader::bytes] = {};
        float converted[lanes<float>];
        std::memcpy(rest, from + k * bits / 8, row_bytes(type, count - k));
        store(converted, read(rest));
        std::memcpy(to + k, converted, (count - k) * sizeof(float));
    }
    if (const float* anchor = tokens.anchor(t); anchor != nullptr) {
        add_components(anchor + first, count, to);
    }
}

MOVERANK_INLINE void decode_components(const TokensView& tokens, std::size_t t, std::size_t first, std::size_t count,
                                       float* to) {
    switch (tokens.type()) {
        case TokenType::float32: return decode_components<TokenType::float32>(tokens, t, first, count, to);
        case TokenType::float16: return decode_components<TokenType::float16>(tokens, t, first, count, to);
        case TokenType::bfloat16: return decode_components<TokenType::bfloat16>(tokens, t, first, count, to);
        case TokenType::int8: return decode_components<TokenType::int8>(tokens, t, first, count, to);
        case TokenType::int4: return decode_components<TokenType::int4>(tokens, t, first, count, to);
        case TokenType::int2: return decode_components<TokenType::int2>(tokens, t, first, count, to);
    }
}

}  // namespace moverank::MOVERANK_LEVEL
