#include "codes.hpp"

#include "products.hpp"
#include "simd.hpp"
#include "tiles.hpp"

// Wherever a processor multiplies and adds up bytes, that takes a quarter of the instructions that floats take.
// Without, AVX2 and its like multiply 16-bit numbers and add up pairs: half of the instructions. Their product of
// bytes, vpmaddubsw, is of no use: it wants one side unsigned and adds up within 16 bits, which 255 * 127 + 255 * 127
// leaves, and to keep it from that takes as many instructions as pairs do.
#if defined(__AVX512VNNI__) || (defined(__AVXVNNI__) && !defined(__AVX512F__))
#define MOVERANK_BYTES_ARE_UNSIGNED
#elif !defined(__aarch64__)
#define MOVERANK_PAIRS
#endif

#define MOVERANK_TEXT_OF(name) #name
#define MOVERANK_NAME_OF(name) MOVERANK_TEXT_OF(name)

namespace moverank::MOVERANK_LEVEL {

namespace {

using Ints = Vector<std::int32_t>;
using Unsigned = Vector<std::uint32_t>;

// ---- products ------------------------------------------------------------------------------------------------------

#ifdef MOVERANK_PAIRS
/// A component of a token as it is multiplied, and how many of them an instruction adds up: as many as fill 32 bits.
using Component = std::int16_t;
#else
using Component = std::int8_t;
#endif
constexpr std::size_t group_size = sizeof(std::int32_t) / sizeof(Component);
using Group = std::int32_t;

/// Where a register of groups, one per query token, keeps component k of the group of token l.
MOVERANK_INLINE std::size_t place_in_register(std::size_t l, std::size_t k) {
#if defined(__aarch64__) && !defined(__ARM_FEATURE_DOTPROD)
    return k / 2 * (2 * width) + 2 * l + k % 2;  // one half has the first two components of all tokens
#else
    return l * group_size + k;
#endif
}

/// What is added to a component of the query, so that it is not negative.
MOVERANK_INLINE int query_offset() {
#ifdef MOVERANK_BYTES_ARE_UNSIGNED
    return 128;
#else
    return 0;
#endif
}

/// sum + the products of a group of components of each query token with that of a document token.
MOVERANK_INLINE Ints add_products(Ints sum, Vector<Component> query, Group document) {
#if defined(__AVX512VNNI__)
    return (Ints)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)query, _mm512_set1_epi32(document));
#elif defined(MOVERANK_BYTES_ARE_UNSIGNED)
    // No processor that we had has this, nor does qemu: checked by reading what compilers make of it.
    return (Ints)_mm256_dpbusd_avx_epi32((__m256i)sum, (__m256i)query, _mm256_set1_epi32(document));
#elif defined(__AVX512F__)
    return sum + (Ints)_mm512_madd_epi16((__m512i)query, _mm512_set1_epi32(document));
#elif defined(__AVX2__)
    return sum + (Ints)_mm256_madd_epi16((__m256i)query, _mm256_set1_epi32(document));
#elif defined(__SSE4_2__)
    return sum + (Ints)_mm_madd_epi16((__m128i)query, _mm_set1_epi32(document));
#elif defined(__ARM_FEATURE_DOTPROD)
    return vdotq_s32(sum, query, vreinterpretq_s8_s32(vdupq_n_s32(document)));
#elif defined(__aarch64__)
    // Two products of codes stay within 16 bits: 127 * 128 + 127 * 128.
    const int16x4_t both = vreinterpret_s16_s32(vdup_n_s32(document));
    const int8x8_t low = vreinterpret_s8_s16(vdup_lane_s16(both, 0));
    const int8x8_t high = vreinterpret_s8_s16(vdup_lane_s16(both, 1));
    return vpadalq_s16(sum, vmlal_s8(vmull_s8(vget_low_s8(query), low), vget_high_s8(query), high));
#else
    const Ints both = (Ints)query;
    const auto low = static_cast<std::int16_t>(document);
    return sum + (both << 16 >> 16) * splat(std::int32_t{low}) + (both >> 16) * splat(document >> 16);
#endif
}

void pack(const std::int8_t* codes, std::size_t n_padded, std::size_t dim, std::byte* packed) {
    auto* to = reinterpret_cast<Component*>(packed);
    for (std::size_t k = 0; k < dim + (group_size - dim % group_size) % group_size; ++k) {
        Component* const groups = to + k / group_size * group_size * n_padded;
        for (std::size_t i = 0; i < n_padded; ++i) {
            const int code = k < dim ? codes[i * dim + k] + query_offset() : 0;
            groups[i / width * width * group_size + place_in_register(i % width, k % group_size)] =
                static_cast<Component>(code);
        }
    }
}

/// A tile of codes as components, and where what is made of it goes.
struct Tile {
    const Component* tokens[tokens_per_tile];
    float* rows[tokens_per_tile];
    float scales[tokens_per_tile];
    float squares[tokens_per_tile];
    std::int32_t sums[tokens_per_tile];
};

#ifdef MOVERANK_PAIRS
/// Components of a code, from bytes.
MOVERANK_INLINE void widen(const std::int8_t* code, std::size_t dim, std::int16_t* to) {
    constexpr std::size_t n = lanes<std::int16_t>;
    using Bytes [[gnu::vector_size(n), gnu::aligned(1), gnu::may_alias]] = std::int8_t;
    std::size_t k = 0;
    for (; k + n <= dim; k += n) {
        store(to + k, __builtin_convertvector(*reinterpret_cast<const Bytes*>(code + k), Vector<std::int16_t>));
    }
    for (; k < dim; ++k) {
        to[k] = code[k];
    }
}
#endif

template <GroundCost ground>
struct SumProducts {
    const CodeBlock& block;
    const Tile& tile;

    /// Inner products, or squared distances under euclidean.
    template <std::size_t n_vectors, std::size_t n_tokens>
    MOVERANK_INLINE void operator()(std::size_t i, std::size_t first) const {
        const std::size_t dim = block.costs.dim;
        Ints sum[n_tokens][n_vectors] = {};
        const auto* query = reinterpret_cast<const Component*>(block.packed) + i * group_size;
        std::size_t k = 0;
#pragma GCC unroll 2
        for (; k + group_size <= dim; k += group_size, query += group_size * block.costs.n_padded) {
            add_group<n_vectors, n_tokens>(query, first, k, group_size, sum);
        }
        if (k < dim) {
            add_group<n_vectors, n_tokens>(query, first, k, dim - k, sum);
        }
#pragma GCC unroll 16
        for (std::size_t t = 0; t < n_tokens; ++t) {
#pragma GCC unroll 2
            for (std::size_t v = 0; v < n_vectors; ++v) {
                store(tile.rows[first + t] + i + v * width, in_floats(sum[t][v], i + v * width, first + t));
            }
        }
    }

  private:
    template <std::size_t n_vectors, std::size_t n_tokens>
    MOVERANK_INLINE void add_group(const Component* query, std::size_t first, std::size_t k, std::size_t count,
                                   Ints (*sum)[n_vectors]) const {
        Vector<Component> components[n_vectors];
#pragma GCC unroll 2
        for (std::size_t v = 0; v < n_vectors; ++v) {
            components[v] = load(query + v * width * group_size);
        }
#pragma GCC unroll 16
        for (std::size_t t = 0; t < n_tokens; ++t) {
            Group document = 0;
            __builtin_memcpy(&document, tile.tokens[first + t] + k, count * sizeof(Component));
#pragma GCC unroll 2
            for (std::size_t v = 0; v < n_vectors; ++v) {
                sum[t][v] = add_products(sum[t][v], components[v], document);
            }
        }
    }

    MOVERANK_INLINE Floats in_floats(Ints sum, std::size_t i, std::size_t t) const {
        // The sum wraps around with long codes, and is right again less the offset: so without a sign.
        const auto product = (Ints)((Unsigned)sum - (Unsigned)splat(query_offset() * tile.sums[t]));
        // One scale after the other: a whole number of either is no finer than float32, their product may be.
        Floats value = __builtin_convertvector(product, Floats) * load(block.query_scales + i) * splat(tile.scales[t]);
        if constexpr (ground == GroundCost::euclidean) {
            const Floats squares = load(block.query_squares + i) + splat(tile.squares[t]);
            const Floats error = squares * splat(code_expansion_error) + splat(code_underflow_error);
            value = max(squares - (value + value) - error, Floats{});
        }
        return value;
    }
};

template <GroundCost ground>
MOVERANK_INLINE void fill_tile(const CodeBlock& block, std::size_t first, std::size_t count) {
    const CostBlock& costs = block.costs;
    Tile tile;
    for (std::size_t t = 0; t < tokens_per_tile; ++t) {
        const std::size_t own = t < count ? t : count - 1;
        const auto* code = reinterpret_cast<const std::int8_t*>(costs.tokens.row(first + own));
#ifdef MOVERANK_PAIRS
        auto* const widened = reinterpret_cast<std::int16_t*>(costs.decoded) + own * costs.dim;
        if (t < count) {
            widen(code, costs.dim, widened);
        }
        tile.tokens[t] = widened;
#else
        tile.tokens[t] = code;
#endif
        tile.rows[t] = costs.tile + t * costs.n_padded;
        tile.scales[t] = costs.tokens.scales()[first + own];
        tile.sums[t] = block.sums[first + own];
        tile.squares[t] = ground == GroundCost::euclidean ? block.squares[first + own] : 0.0F;
    }
    sum_all(costs.n, count, SumProducts<ground>{block, tile});
}

// ---- costs ---------------------------------------------------------------------------------------------------------

template <GroundCost ground>
void fill(CodeBlock& block) {
    for_each_tile(block.costs, [&](std::size_t first, std::size_t count, Floats& largest) {
        fill_tile<ground>(block, first, count);
        finish_tile(block.costs, first, count, FromTile<ground>{block.costs, first}, largest);
    });
}

}  // namespace

extern const CodeKernels codes;
const CodeKernels codes{MOVERANK_NAME_OF(MOVERANK_LEVEL),
                        &pack,
                        {&fill<GroundCost::cosine>, &fill<GroundCost::euclidean>, nullptr, &fill<GroundCost::dot>}};

}  // namespace moverank::MOVERANK_LEVEL
