#include "codes.hpp"

#include <limits>
#include <utility>

#include "simd.hpp"
#include "tiles.hpp"

// A register has one group of components, as many as fill 32 bits, of each of `width` document tokens, which lie beside
// each other. A group of one query token is the same for all of them. So no lane is empty unless it is beyond the
// document, however few rows there are, and the costs of a row come out beside each other.
//
// x86 multiplies bytes of which one side has no sign: the document's, to which 128 is added by turning one bit, and
// that comes off the sums again. Sums of two products stay within 16 bits, as a query's codes are small: 255 * 63 + 255
// * 63.
#if defined(__SSE4_2__)
#define MOVERANK_DOCUMENTS_ARE_UNSIGNED
#endif

#define MOVERANK_TEXT_OF(name) #name
#define MOVERANK_NAME_OF(name) MOVERANK_TEXT_OF(name)

namespace moverank::MOVERANK_LEVEL {

namespace {

using Ints = Vector<std::int32_t>;
using Unsigned = Vector<std::uint32_t>;

/// As many components as fill 32 bits.
using Group = std::int32_t;
constexpr std::size_t group_size = sizeof(Group);
static_assert(group_size == code_group);

/// Rows of the query that share one pass over the document: as many sums as registers hold besides what else is needed,
/// and enough to hide the latency of products.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr std::size_t most_rows = 12;
#else
constexpr std::size_t most_rows = 8;
#endif

// ---- the query -----------------------------------------------------------------------------------------------------

/// Call each(first, count) for blocks of rows, all of nearly the same size.
template <class Each>
MOVERANK_INLINE void for_each_block(std::size_t n, Each each) {
    const std::size_t n_blocks = (n + most_rows - 1) / most_rows;
    for (std::size_t b = 0, first = 0; b < n_blocks; ++b) {
        const std::size_t count = n / n_blocks + (b < n % n_blocks ? 1 : 0);
        each(first, count);
        first += count;
    }
}

MOVERANK_INLINE std::size_t n_groups_of(std::size_t dim) { return (dim + group_size - 1) / group_size; }

/// Block after block; in a block, group after group, each of all its rows.
void pack(const std::int8_t* codes, std::size_t n, std::size_t dim, std::byte* packed) {
    const std::size_t n_groups = n_groups_of(dim);
    for_each_block(n, [&](std::size_t first, std::size_t count) {
        auto* const to = reinterpret_cast<std::int8_t*>(packed) + first * n_groups * group_size;
        for (std::size_t k = 0; k < n_groups * group_size; ++k) {
            for (std::size_t r = 0; r < count; ++r) {
                to[(k / group_size * count + r) * group_size + k % group_size] =
                    k < dim ? codes[(first + r) * dim + k] : std::int8_t{0};
            }
        }
    });
}

// ---- the document --------------------------------------------------------------------------------------------------

/// Groups of `width` document tokens: those of the first group, then, `stride` further on, of the next, and so on. What
/// is beyond the document would be read with its last groups, so these are in a copy, `width` groups each.
struct DocumentGroups {
    const std::int8_t* first;
    std::size_t stride;  ///< in bytes
    std::size_t n_here, n_groups;
    const std::int8_t* last;

    /// Lanes beyond the document's tokens have bytes of other ones.
    DocumentGroups(const CodeBlock& block, std::size_t first_token) {
        const CostBlock& costs = block.costs;
        n_groups = n_groups_of(costs.dim);
        const std::size_t beside = first_token - first_token % tokens_beside;
        const std::size_t count = costs.m - beside < tokens_beside ? costs.m - beside : tokens_beside;
        const std::size_t lane = first_token - beside;
        stride = count * group_size;
        first = block.codes + (beside * n_groups + lane) * group_size;
        n_here = n_groups;
        last = nullptr;
        if (lane + width > count) {
            const std::size_t beyond = (lane + width - count + count - 1) / count;
            n_here = beyond < n_groups ? n_groups - beyond : 0;
            // The last token is beside itself there, as often as needed.
            auto* const copy = reinterpret_cast<std::int8_t*>(costs.decoded);
            for (std::size_t g = n_here; g < n_groups; ++g) {
                for (std::size_t l = 0; l < width; ++l) {
                    const std::size_t t = lane + l < count ? l : count - 1 - lane;
                    __builtin_memcpy(copy + ((g - n_here) * width + l) * group_size,
                                     first + g * stride + t * group_size, group_size);
                }
            }
            last = copy;
        }
    }
};

/// Documents are fetched this many bytes ahead, into the first cache. A scan reads documents as they lie, but too
/// much else between two lines for processors to see it. Nothing faults beyond the last document.
constexpr std::size_t asked_ahead = 4096;

/// Groups of `width` tokens beside each other, in the order that `add_products` wants.
MOVERANK_INLINE Ints in_order(Ints groups) {
#if defined(MOVERANK_DOCUMENTS_ARE_UNSIGNED)
    return groups ^ splat(static_cast<std::int32_t>(0x80808080U));
#elif defined(__aarch64__) && !defined(__ARM_FEATURE_DOTPROD)
    // One half has the first two components of all tokens.
    using Pairs [[gnu::vector_size(16)]] = std::int16_t;
    return (Ints)__builtin_shufflevector((Pairs)groups, (Pairs)groups, 0, 2, 4, 6, 1, 3, 5, 7);
#else
    return groups;
#endif
}

// ---- products ------------------------------------------------------------------------------------------------------

/// sum + the products of a group of each document token with that of a query token.
MOVERANK_INLINE Ints add_products(Ints sum, Ints documents, Group query) {
#if defined(__AVX512VNNI__)
    return (Ints)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)documents, _mm512_set1_epi32(query));
#elif defined(__AVXVNNI__) && !defined(__AVX512F__)
    // No processor that we had has this, nor does qemu: checked by reading what compilers make of it.
    return (Ints)_mm256_dpbusd_avx_epi32((__m256i)sum, (__m256i)documents, _mm256_set1_epi32(query));
#elif defined(__AVX512F__)
    const __m512i pairs = _mm512_maddubs_epi16((__m512i)documents, _mm512_set1_epi32(query));
    return sum + (Ints)_mm512_madd_epi16(pairs, _mm512_set1_epi16(1));
#elif defined(__AVX2__)
    const __m256i pairs = _mm256_maddubs_epi16((__m256i)documents, _mm256_set1_epi32(query));
    return sum + (Ints)_mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
#elif defined(__SSE4_2__)
    const __m128i pairs = _mm_maddubs_epi16((__m128i)documents, _mm_set1_epi32(query));
    return sum + (Ints)_mm_madd_epi16(pairs, _mm_set1_epi16(1));
#elif defined(__ARM_FEATURE_DOTPROD)
    return vdotq_s32(sum, vreinterpretq_s8_s32(documents), vreinterpretq_s8_s32(vdupq_n_s32(query)));
#elif defined(__aarch64__)
    const int16x4_t both = vreinterpret_s16_s32(vdup_n_s32(query));
    const int8x8_t low = vreinterpret_s8_s16(vdup_lane_s16(both, 0));
    const int8x8_t high = vreinterpret_s8_s16(vdup_lane_s16(both, 1));
    const int8x16_t codes = vreinterpretq_s8_s32(documents);
    return vpadalq_s16(sum, vmlal_s8(vmull_s8(vget_low_s8(codes), low), vget_high_s8(codes), high));
#else
    for (int shift = 0; shift < 32; shift += 8) {
        const auto code = static_cast<std::int8_t>(query >> shift);
        sum += (documents << (24 - shift) >> 24) * splat(std::int32_t{code});
    }
    return sum;
#endif
}

/// What `in_order` has added to every component of a document.
MOVERANK_INLINE int document_offset() {
#ifdef MOVERANK_DOCUMENTS_ARE_UNSIGNED
    return 128;
#else
    return 0;
#endif
}

/// Sums of products of some rows with `width` document tokens. Of long codes they wrap around while they are made.
template <std::size_t n_rows>
void multiply(const Group* query, const std::int32_t* query_sums, const DocumentGroups& document, Ints* sums) {
    Ints sum[n_rows];
#pragma GCC unroll 16
    for (std::size_t r = 0; r < n_rows; ++r) {
        sum[r] = splat(-document_offset() * query_sums[r]);
    }
    const auto add_group = [&](const std::int8_t* groups) {
        const Ints own = in_order(load(reinterpret_cast<const Group*>(groups)));
#pragma GCC unroll 16
        for (std::size_t r = 0; r < n_rows; ++r) {
            sum[r] = add_products(sum[r], own, query[r]);
        }
        query += n_rows;
    };
    const std::int8_t* groups = document.first;
    for (std::size_t g = 0; g < document.n_here; ++g, groups += document.stride) {
        __builtin_prefetch(groups + asked_ahead, 0, 3);
        add_group(groups);
    }
    groups = document.last;
    for (std::size_t g = document.n_here; g < document.n_groups; ++g, groups += width * group_size) {
        add_group(groups);
    }
#pragma GCC unroll 16
    for (std::size_t r = 0; r < n_rows; ++r) {
        sums[r] = sum[r];
    }
}

using Multiply = void (*)(const Group* query, const std::int32_t* query_sums, const DocumentGroups& document,
                          Ints* sums);

/// `multiply`, by the number of rows less one.
struct ByRows {
    Multiply multiply_with[most_rows];
};
template <std::size_t... below>
constexpr ByRows by_rows(std::index_sequence<below...>) {
    return {{&multiply<below + 1>...}};
}

// ---- costs ---------------------------------------------------------------------------------------------------------

/// Values of `width` document tokens from `first` on, of which there are `count`: the last one is repeated.
MOVERANK_INLINE Floats values_at(const float* all, std::size_t first, std::size_t count) {
    if (count >= width) {
        return load(all + first);
    }
    float some[width];
    for (std::size_t l = 0; l < width; ++l) {
        some[l] = all[first + (l < count ? l : count - 1)];
    }
    return load(some);
}

/// A document token's part of the scale of products. The product of two scales may be too small for float32, so each
/// side is multiplied by its own.
template <GroundCost ground>
MOVERANK_INLINE Floats document_scales(const CodeBlock& block, std::size_t first, std::size_t count) {
    const Floats scales = values_at(block.scales, first, count);
    if constexpr (ground == GroundCost::cosine) {
        return scales * values_at(block.costs.document_inverse_norms, first, count);
    }
    return scales;
}

/// Squared distances of tokens from their inner products and the sums of their squared lengths.
MOVERANK_INLINE Floats squared_distances(Floats products, Floats squares) {
    const Floats error = squares * splat(code_expansion_error) + splat(code_underflow_error);
    return max(squares - (products + products) - error, Floats{});
}

/// Inner products of all rows with `width` document tokens from `first` on, of which there are `count`: each(i,
/// products). They have the document's part of their scale, not the query's.
template <GroundCost ground, class Each>
MOVERANK_INLINE void for_each_row(const CodeBlock& block, std::size_t first, std::size_t count, Each each) {
    const CostBlock& costs = block.costs;
    const DocumentGroups document(block, first);
    const Floats scales = document_scales<ground>(block, first, count);
    for_each_block(costs.n, [&](std::size_t first_row, std::size_t n_rows) {
        static constexpr ByRows rows = by_rows(std::make_index_sequence<most_rows>{});
        Ints sums[most_rows];
        rows.multiply_with[n_rows - 1](reinterpret_cast<const Group*>(block.packed) + first_row * document.n_groups,
                                       block.query_sums + first_row, document, sums);
        for (std::size_t r = 0; r < n_rows; ++r) {
            each(first_row + r, __builtin_convertvector(sums[r], Floats) * scales);
        }
    });
}

/// Costs of all rows against `width` document tokens from `first` on, of which there are `count`.
template <GroundCost ground>
MOVERANK_INLINE void fill_columns(CodeBlock& block, std::size_t first, std::size_t count, Floats& largest) {
    CostBlock& costs = block.costs;
    const Bits real = real_lanes(count);
    const Floats squares = ground == GroundCost::euclidean ? values_at(block.squares, first, count) : Floats{};
    Floats column_minima = splat(infinity);
    for_each_row<ground>(block, first, count, [&](std::size_t i, Floats scaled) {
        Floats sum = scaled * splat(block.query_scales[i]);
        if constexpr (ground == GroundCost::euclidean) {
            sum = squared_distances(sum, squares + splat(block.query_squares[i]));
        }
        const Floats c = cost_of<ground>(sum);
        largest = max(largest, where<float>(real, max(c, -c), Floats{}));
        const Floats cost = where<float>(real, c, splat(infinity));
        column_minima = min<float>(column_minima, cost);
        float* const row_minima = costs.tile + i * width;
        store(row_minima, min<float>(load(row_minima), cost));
        if (costs.cost != nullptr) {
            store(costs.cost + i * costs.stride + first, cost);
        }
    });
    if (costs.column_minima != nullptr) {
        store(costs.column_minima + first, column_minima);
    }
}

/// Keep the least of each row, wherever it is.
MOVERANK_INLINE void keep_row_minimum(CostBlock& costs, std::size_t i, float least) {
    costs.row_minima[i] = least < costs.row_minima[i] ? least : costs.row_minima[i];
}

template <GroundCost ground>
MOVERANK_INLINE void fill_all(CodeBlock& block) {
    CostBlock& costs = block.costs;
    for (std::size_t i = 0; i < costs.n; ++i) {
        store(costs.tile + i * width, splat(infinity));
    }
    for_each_tile(costs, [&](std::size_t first, std::size_t count, Floats& largest) {
        for (std::size_t group = 0; group < tokens_per_tile; group += width) {
            if (group < count) {
                fill_columns<ground>(block, first + group, count - group, largest);
                continue;
            }
            for (std::size_t i = 0; i < costs.n && costs.cost != nullptr; ++i) {
                store(costs.cost + i * costs.stride + first + group, splat(infinity));
            }
        }
    });
    for (std::size_t i = 0; i < costs.n; ++i) {
        keep_row_minimum(costs, i, reduce_min<float>(load(costs.tile + i * width)));
    }
}

/// Only the least cost of each row, which is that of its largest product, and a size that no cost exceeds.
template <GroundCost ground>
MOVERANK_INLINE void fill_row_minima(CodeBlock& block) {
    CostBlock& costs = block.costs;
    // Of lanes beyond the document. Not infinite: a query token of zeros has scale 0.
    constexpr float lowest = std::numeric_limits<float>::lowest();
    for (std::size_t i = 0; i < costs.n; ++i) {
        store(costs.tile + i * width, splat(lowest));
    }
    Floats longest = splat(0.0F);
    for_each_tile(costs, [&](std::size_t first, std::size_t count, Floats&) {
        for (std::size_t group = 0; group < count; group += width) {
            const Bits real = real_lanes(count - group);
            for_each_row<ground>(block, first + group, count - group, [&](std::size_t i, Floats scaled) {
                float* const greatest = costs.tile + i * width;
                store(greatest, max(load(greatest), where<float>(real, scaled, splat(lowest))));
            });
            if constexpr (ground == GroundCost::dot) {
                longest = max(longest, document_scales<ground>(block, first + group, count - group));
            }
        }
    });
    const float longest_code =
        -reduce_min<float>(-longest) * static_cast<float>(costs.dim) * (query_code_limit * 128.0F);
    for (std::size_t i = 0; i < costs.n; ++i) {
        const float scale = block.query_scales[i];
        const float largest = ground == GroundCost::dot ? scale * longest_code : 2.0F;
        costs.largest = largest > costs.largest ? largest : costs.largest;
        keep_row_minimum(costs, i, reduce_min<float>(cost_of<ground>(load(costs.tile + i * width) * splat(scale))));
    }
}

template <GroundCost ground>
void fill(CodeBlock& block) {
    if (ground != GroundCost::euclidean && block.costs.cost == nullptr && block.costs.column_minima == nullptr) {
        fill_row_minima<ground>(block);
    } else {
        fill_all<ground>(block);
    }
}

}  // namespace

extern const CodeKernels codes;
const CodeKernels codes{MOVERANK_NAME_OF(MOVERANK_LEVEL),
                        &pack,
                        {&fill<GroundCost::cosine>, &fill<GroundCost::euclidean>, nullptr, &fill<GroundCost::dot>}};

}  // namespace moverank::MOVERANK_LEVEL
