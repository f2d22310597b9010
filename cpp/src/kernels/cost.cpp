#include "cost.hpp"

#include <limits>

#include "decode.hpp"
#include "moverank/measure.hpp"
#include "products.hpp"
#include "simd.hpp"

namespace moverank::MOVERANK_LEVEL {

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

// ---- products ------------------------------------------------------------------------------------------------------

/// Fill the tile for up to tokens_per_tile tokens from `first` on.
template <GroundCost ground>
MOVERANK_INLINE void fill_tile(const CostBlock& block, std::size_t first, std::size_t count) {
    const float* tokens[tokens_per_tile];
    float* rows[tokens_per_tile];
    for (std::size_t t = 0; t < tokens_per_tile; ++t) {
        const std::size_t token = t < count ? t : count - 1;
        if (block.tokens.type() == TokenType::float32) {
            tokens[t] = reinterpret_cast<const float*>(block.tokens.row(first + token));
        } else {
            tokens[t] = block.decoded + token * block.dim;
            if (t < count) {
                decode_components(block.tokens, first + t, 0, block.dim, block.decoded + t * block.dim);
            }
        }
        rows[t] = block.tile + t * block.n_padded;
    }
    sum_all_terms<ground>({block.packed, block.n, block.n_padded, block.dim}, tokens, rows, count);
}

// ---- costs ---------------------------------------------------------------------------------------------------------

template <GroundCost ground>
MOVERANK_INLINE Floats cost_of(Floats sum, Floats query_inverse_norms, float document_inverse_norm) {
    if constexpr (ground == GroundCost::cosine) {
        const Floats cosine = sum * (query_inverse_norms * splat(document_inverse_norm));
        return max(min<float>(splat(1.0F) - cosine, splat(2.0F)), Floats{});
    } else if constexpr (ground == GroundCost::dot) {
        return -sum;
    } else if constexpr (ground == GroundCost::euclidean) {
        return square_root(sum);
    } else {
        return sum;
    }
}

/// Costs of a document token against the query tokens from i on, from the tile.
template <GroundCost ground>
struct FromTile {
    const CostBlock& block;
    std::size_t first;

    MOVERANK_INLINE Floats operator()(std::size_t token, std::size_t i) const {
        const Floats inverse_norms = ground == GroundCost::cosine ? load(block.query_inverse_norms + i) : Floats{};
        const float inverse_norm = ground == GroundCost::cosine ? block.document_inverse_norms[first + token] : 1.0F;
        return cost_of<ground>(load(block.tile + token * block.n_padded + i), inverse_norms, inverse_norm);
    }
};

/// The same from costs that were tabulated before.
struct FromTable {
    const CostBlock& block;
    std::size_t first;

    MOVERANK_INLINE Floats operator()(std::size_t token, std::size_t i) const {
        return load(block.table + std::size_t{block.words[first + token]} * block.n_padded + i);
    }
};

/// The lanes from i on that hold query tokens.
MOVERANK_INLINE Bits real_lanes(const CostBlock& block, std::size_t i) {
    const std::size_t n_here = i + width < block.n ? width : block.n - i;
    return static_cast<Bits>((std::uint64_t{1} << n_here) - 1);
}

/// Minima of up to tokens_per_tile tokens from `first` on, and rows of the matrix.
template <class CostAt>
MOVERANK_INLINE void finish_tile(const CostBlock& block, std::size_t first, std::size_t count, CostAt cost_at,
                                 Floats& largest) {
    for (std::size_t i = 0; i < block.n; i += width) {
        const Bits real = real_lanes(block, i);
        Floats row_minima = load(block.row_minima + i);
        for (std::size_t group = 0; group < tokens_per_tile; group += width) {
            Floats cost[width];
#pragma GCC unroll 16
            for (std::size_t t = 0; t < width; ++t) {
                const std::size_t token = group + t;
                cost[t] = splat(infinity);
                if (token < count) {
                    const Floats c = cost_at(token, i);
                    largest = max(largest, where<float>(real, max(c, -c), Floats{}));
                    cost[t] = where<float>(real, c, splat(infinity));
                    row_minima = min<float>(row_minima, cost[t]);
                }
            }
            if (block.column_minima != nullptr) {
                float* const minima = block.column_minima + first + group;
                store(minima, min<float>(load(minima), min_each<float>(cost)));
            }
            if (block.cost != nullptr) {
                transpose<float>(cost);
                for (std::size_t l = 0; l < width && i + l < block.n; ++l) {
                    store(block.cost + (i + l) * block.stride + first + group, cost[l]);
                }
            }
        }
        store(block.row_minima + i, row_minima);
    }
}

/// Call `each(first, count, largest)` for each tile of the document, between the minima's start and the largest's end.
template <class Each>
MOVERANK_INLINE void for_each_tile(CostBlock& block, Each each) {
    if (block.first == 0) {
        for (std::size_t i = 0; i < block.n_padded; i += width) {
            store(block.row_minima + i, splat(infinity));
        }
        for (std::size_t j = 0; block.column_minima != nullptr && j < block.stride; j += width) {
            store(block.column_minima + j, splat(infinity));
        }
    }
    Floats largest = splat(block.largest);
    for (std::size_t first = block.first; first < block.end; first += tokens_per_tile) {
        const std::size_t count = first + tokens_per_tile < block.end ? tokens_per_tile : block.end - first;
        each(first, count, largest);
    }
    block.largest = -reduce_min<float>(-largest);
}

template <GroundCost ground>
void fill(CostBlock& block) {
    for_each_tile(block, [&](std::size_t first, std::size_t count, Floats& largest) {
        fill_tile<ground>(block, first, count);
        finish_tile(block, first, count, FromTile<ground>{block, first}, largest);
    });
}

void gather(CostBlock& block) {
    for_each_tile(block, [&](std::size_t first, std::size_t count, Floats& largest) {
        finish_tile(block, first, count, FromTable{block, first}, largest);
    });
}

template <GroundCost ground>
void tabulate(CostBlock& block) {
    for_each_tile(block, [&](std::size_t first, std::size_t count, Floats& largest) {
        fill_tile<ground>(block, first, count);
        const FromTile<ground> cost_at{block, first};
        for (std::size_t token = 0; token < count; ++token) {
            float* const row = block.cost + (first + token) * block.n_padded;
            for (std::size_t i = 0; i < block.n_padded; i += width) {
                Floats cost = splat(infinity);
                if (i < block.n) {
                    const Bits real = real_lanes(block, i);
                    const Floats c = cost_at(token, i);
                    largest = max(largest, where<float>(real, max(c, -c), Floats{}));
                    cost = where<float>(real, c, cost);
                }
                store(row + i, cost);
            }
        }
    });
}

// ---- whole numbers -------------------------------------------------------------------------------------------------

#if defined(__AVX512F__)
#define MOVERANK_HAS_CODES 1
// The one instruction beyond the level: whoever calls makes sure that the processor has it.
#define MOVERANK_BYTES [[gnu::target("avx512vnni")]]

/// Inner products of a tile's codes with 16 query tokens from i on, as float.
template <std::size_t n_tokens>
MOVERANK_BYTES MOVERANK_INLINE void multiply_codes(const CodeBlock& block, std::size_t i,
                                                   const std::int8_t* const* tokens, const std::int32_t* sums,
                                                   float* const* rows) {
    const CostBlock& costs = block.costs;
    __m512i total[n_tokens];
#pragma GCC unroll 16
    for (std::size_t t = 0; t < n_tokens; ++t) {
        total[t] = _mm512_setzero_si512();
    }
    const auto add = [&](std::size_t t, __m512i query, std::int32_t group)
                         __attribute__((always_inline, target("avx512vnni"))) {
                             total[t] = _mm512_dpbusd_epi32(total[t], query, _mm512_set1_epi32(group));
                         };
    std::size_t k = 0;
    for (; k + code_group <= costs.dim; k += code_group) {
        const __m512i query = _mm512_loadu_si512(block.packed + k * costs.n_padded + i * code_group);
#pragma GCC unroll 16
        for (std::size_t t = 0; t < n_tokens; ++t) {
            std::int32_t group;
            __builtin_memcpy(&group, tokens[t] + k, code_group);
            add(t, query, group);
        }
    }
    if (k < costs.dim) {
        const __m512i query = _mm512_loadu_si512(block.packed + k * costs.n_padded + i * code_group);
        for (std::size_t t = 0; t < n_tokens; ++t) {
            std::int32_t group = 0;
            __builtin_memcpy(&group, tokens[t] + k, costs.dim - k);
            add(t, query, group);
        }
    }
#pragma GCC unroll 16
    for (std::size_t t = 0; t < n_tokens; ++t) {
        // Query components came with 128 added to them.
        const __m512i product = _mm512_sub_epi32(total[t], _mm512_slli_epi32(_mm512_set1_epi32(sums[t]), 7));
        store(rows[t] + i, (Floats)_mm512_cvtepi32_ps(product));
    }
}

/// Inner products, or squared distances under euclidean, of up to tokens_per_tile tokens from `first` on.
template <GroundCost ground>
MOVERANK_BYTES void fill_tile_of_codes(const CodeBlock& block, std::size_t first, std::size_t count) {
    const CostBlock& costs = block.costs;
    const std::int8_t* tokens[tokens_per_tile];
    std::int32_t sums[tokens_per_tile];
    float* rows[tokens_per_tile];
    for (std::size_t t = 0; t < tokens_per_tile; ++t) {
        const std::size_t token = first + (t < count ? t : count - 1);
        tokens[t] = reinterpret_cast<const std::int8_t*>(costs.tokens.row(token));
        sums[t] = block.sums[token];
        rows[t] = costs.tile + t * costs.n_padded;
    }
    for (std::size_t i = 0; i < costs.n; i += width) {
        multiply_codes<tokens_per_tile>(block, i, tokens, sums, rows);
        const Floats query_scales = load(block.query_scales + i);
        for (std::size_t t = 0; t < count; ++t) {
            // One scale after the other: a whole number of either is no finer than float32, their product may be.
            Floats value = load(rows[t] + i) * query_scales * splat(costs.tokens.scales()[first + t]);
            if constexpr (ground == GroundCost::euclidean) {
                const Floats squares = load(block.query_squares + i) + splat(block.squares[first + t]);
                const Floats error = multiply_add(squares, splat(code_expansion_error), splat(code_underflow_error));
                value = max(squares - (value + value) - error, Floats{});
            }
            store(rows[t] + i, value);
        }
    }
}

template <GroundCost ground>
void fill_codes(CodeBlock& block) {
    for_each_tile(block.costs, [&](std::size_t first, std::size_t count, Floats& largest) {
        fill_tile_of_codes<ground>(block, first, count);
        finish_tile(block.costs, first, count, FromTile<ground>{block.costs, first}, largest);
    });
}
#endif

// ---- norms ---------------------------------------------------------------------------------------------------------

/// Add up by halves.
template <std::size_t n>
MOVERANK_INLINE double sum_of(Vector<double>* sums) {
    if constexpr (n == 1) {
        return reduce_add<double>(sums[0]);
    } else {
#pragma GCC unroll 4
        for (std::size_t s = 0; s < n / 2; ++s) {
            sums[s] += sums[s + n / 2];
        }
        return sum_of<n / 2>(sums);
    }
}

/// Sixteen partial sums on every level, added up by halves, so that their number of registers does not show. Squares of
/// float32 are exact in float64, so neither does whether they are rounded before they are added.
constexpr std::size_t n_sums = 16 / lanes<double>;

MOVERANK_INLINE void add_squares(const float* x, Vector<double>* sums) {
#pragma GCC unroll 8
    for (std::size_t s = 0; s < n_sums; ++s) {
        const Vector<double> component = load_as<double>(x + s * lanes<double>);
        sums[s] = multiply_add(component, component, sums[s]);
    }
}

void squared_norms(const TokensView& tokens, double* squared) {
    constexpr std::size_t piece = 256;
    float decoded[piece];
    const bool compact = tokens.type() != TokenType::float32;
    for (std::size_t t = 0; t < tokens.rows(); ++t) {
        Vector<double> sums[n_sums] = {};
        double rest = 0.0;
        for (std::size_t start = 0; start < tokens.cols(); start += piece) {
            const std::size_t count = start + piece < tokens.cols() ? piece : tokens.cols() - start;
            const float* components = decoded;
            if (compact) {
                decode_components(tokens, t, start, count, decoded);
            } else {
                components = reinterpret_cast<const float*>(tokens.row(t)) + start;
            }
            std::size_t k = 0;
            for (; k + 16 <= count; k += 16) {
                add_squares(components + k, sums);
            }
            for (; k < count; ++k) {
                rest += static_cast<double>(components[k]) * static_cast<double>(components[k]);
            }
        }
        squared[t] = sum_of<n_sums>(sums) + rest;
    }
}

void decode(const TokensView& tokens, float* to) {
    for (std::size_t t = 0; t < tokens.rows(); ++t) {
        decode_components(tokens, t, 0, tokens.cols(), to + t * tokens.cols());
    }
}

}  // namespace

extern const CostKernels cost;
const CostKernels cost{
    {&fill<GroundCost::cosine>, &fill<GroundCost::euclidean>, &fill<GroundCost::sqeuclidean>, &fill<GroundCost::dot>},
    {&tabulate<GroundCost::cosine>, &tabulate<GroundCost::euclidean>, &tabulate<GroundCost::sqeuclidean>,
     &tabulate<GroundCost::dot>},
    &gather,
#ifdef MOVERANK_HAS_CODES
    {&fill_codes<GroundCost::cosine>, &fill_codes<GroundCost::euclidean>, nullptr, &fill_codes<GroundCost::dot>},
#else
    {},
#endif
    &squared_norms,
    &decode};

}  // namespace moverank::MOVERANK_LEVEL
