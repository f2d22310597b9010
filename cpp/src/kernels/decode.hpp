/// Stored components into float32, exactly: every stored component stands for a float32 number.
#pragma once

#include <cstring>

#include "moverank/views.hpp"
#include "simd.hpp"

namespace moverank::MOVERANK_LEVEL {

template <TokenType type>
struct ComponentOf;
template <>
struct ComponentOf<TokenType::float32> {
    using stored = float;
};
template <>
struct ComponentOf<TokenType::float16> {
    using stored = std::uint16_t;
};
template <>
struct ComponentOf<TokenType::bfloat16> {
    using stored = std::uint16_t;
};
template <>
struct ComponentOf<TokenType::int8> {
    using stored = std::int8_t;
};

/// `count` components from `first` on of token t.
template <TokenType type>
MOVERANK_INLINE void decode_components(const TokensView& tokens, std::size_t t, std::size_t first, std::size_t count,
                                       float* to) {
    using Stored = typename ComponentOf<type>::stored;
    const Stored* from = static_cast<const Stored*>(tokens.data()) + t * tokens.stride() + first;
    const float scale = type == TokenType::int8 ? tokens.scales()[t] : 1.0F;
    const auto convert = [scale](const Stored* stored) {
        if constexpr (type == TokenType::float32) {
            return load(stored);
        } else if constexpr (type == TokenType::float16) {
            return load_float16(stored);
        } else if constexpr (type == TokenType::bfloat16) {
            return load_bfloat16(stored);
        } else {
            return load_int8(stored) * splat(scale);
        }
    };
    std::size_t k = 0;
    for (; k + lanes<float> <= count; k += lanes<float>) {
        store(to + k, convert(from + k));
    }
    // The tail goes through a buffer, as a whole register might reach beyond the caller's memory.
    if (k < count) {
        Stored rest[lanes<float>] = {};
        float converted[lanes<float>];
        std::memcpy(rest, from + k, (count - k) * sizeof(Stored));
        store(converted, convert(rest));
        std::memcpy(to + k, converted, (count - k) * sizeof(float));
    }
}

MOVERANK_INLINE void decode_components(const TokensView& tokens, std::size_t t, std::size_t first, std::size_t count,
                                       float* to) {
    switch (tokens.type()) {
        case TokenType::float32: return decode_components<TokenType::float32>(tokens, t, first, count, to);
        case TokenType::float16: return decode_components<TokenType::float16>(tokens, t, first, count, to);
        case TokenType::bfloat16: return decode_components<TokenType::bfloat16>(tokens, t, first, count, to);
        case TokenType::int8: return decode_components<TokenType::int8>(tokens, t, first, count, to);
    }
}

}  // namespace moverank::MOVERANK_LEVEL
