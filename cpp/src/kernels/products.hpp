/// Sums over the components of packed vectors and of others that stream through: what costs are made of, and how the
/// nearest centroid is found.
#pragma once

#include <cstddef>

#include "cost.hpp"
#include "moverank/measure.hpp"
#include "simd.hpp"

namespace moverank::MOVERANK_LEVEL {

inline constexpr std::size_t width = lanes<float>;
using Floats = Vector<float>;

/// Vectors, transposed: dim rows with the same component of all of them.
struct Packed {
    const float* components;
    std::size_t n, n_padded, dim;
};

/// Memory that is read after the vectors of a tile, whatever it holds. It is fetched while these are multiplied, so
/// that no product has to wait.
struct Ahead {
    const std::byte* from;
    std::size_t stride;          ///< bytes per vector
    std::size_t bytes_per_step;  ///< per component of a whole tile
};

/// Vectors that stream through.
struct Streamed {
    const float* vectors[tokens_per_tile];
    Ahead ahead;
};

/// The term that one component adds to the sum of a cost.
template <GroundCost ground>
MOVERANK_INLINE Floats add_term(Floats query, Floats document, Floats sum) {
    if constexpr (ground == GroundCost::cosine || ground == GroundCost::dot) {
        return multiply_add(query, document, sum);
    } else {
        // By differences: the expansion of the square cancels near zero, where nearest neighbours live.
        const Floats difference = query - document;
        return multiply_add(difference, difference, sum);
    }
}

/// Sums of terms for n_vectors vectors of query tokens and n_tokens document tokens, into rows of the tile.
template <GroundCost ground, std::size_t n_vectors, std::size_t n_tokens>
MOVERANK_INLINE void sum_terms(const Packed& packed, std::size_t query_start, const Streamed& streamed,
                               std::size_t first, float* const* rows) {
    const float* const* const tokens = streamed.vectors + first;
    const std::byte* ahead = streamed.ahead.from + first * streamed.ahead.stride;
    const std::size_t step = streamed.ahead.bytes_per_step * n_tokens / tokens_per_tile;
    Floats total[n_tokens][n_vectors] = {};
    for (std::size_t start = 0; start < packed.dim; start += product_run) {
        const std::size_t end = start + product_run < packed.dim ? start + product_run : packed.dim;
        Floats sum[n_tokens][n_vectors] = {};
        const float* query = packed.components + start * packed.n_padded + query_start;
        for (std::size_t k = start; k < end; ++k, query += packed.n_padded) {
            Floats component[n_vectors];
#pragma GCC unroll 4
            for (std::size_t v = 0; v < n_vectors; ++v) {
                component[v] = load(query + v * width);
            }
            __builtin_prefetch(ahead, 0, 2);  // no nearer than the second cache: the first is full with the tile
            ahead += step;
#pragma GCC unroll 16
            for (std::size_t t = 0; t < n_tokens; ++t) {
                const Floats document = load_splat(tokens[t] + k);
#pragma GCC unroll 4
                for (std::size_t v = 0; v < n_vectors; ++v) {
                    sum[t][v] = add_term<ground>(component[v], document, sum[t][v]);
                }
            }
        }
#pragma GCC unroll 16
        for (std::size_t t = 0; t < n_tokens; ++t) {
#pragma GCC unroll 4
            for (std::size_t v = 0; v < n_vectors; ++v) {
                total[t][v] += sum[t][v];
            }
        }
    }
#pragma GCC unroll 16
    for (std::size_t t = 0; t < n_tokens; ++t) {
#pragma GCC unroll 4
        for (std::size_t v = 0; v < n_vectors; ++v) {
            store(rows[first + t] + query_start + v * width, total[t][v]);
        }
    }
}

/// Enough chains of additions to hide their latency, few enough to stay in registers.
inline constexpr std::size_t tokens_with_two_vectors = width == 16 ? 8 : 6;
inline constexpr std::size_t tokens_with_one_vector = width == 16 ? 16 : 8;

template <std::size_t n_vectors, std::size_t n_tokens, class Sum>
MOVERANK_INLINE void sum_in_steps(std::size_t query_start, std::size_t count, const Sum& sum) {
    std::size_t t = 0;
    for (; t + n_tokens <= count; t += n_tokens) {
        sum.template operator()<n_vectors, n_tokens>(query_start, t);
    }
    // The tile's pointers repeat the last token, so a few too many do no harm.
    if constexpr (n_tokens > 4) {
        for (; t < count; t += 4) {
            sum.template operator()<n_vectors, 4>(query_start, t);
        }
    } else if (t < count) {
        sum.template operator()<n_vectors, n_tokens>(query_start, t);
    }
}

/// Call sum<n_vectors, n_tokens>(query_start, token), which computes that many sums, until `n` packed vectors have met
/// `count` tokens of a tile. The last call may go beyond either.
template <class Sum>
MOVERANK_INLINE void sum_all(std::size_t n, std::size_t count, const Sum& sum) {
    std::size_t i = 0;
    for (; i + width < n; i += 2 * width) {
        sum_in_steps<2, tokens_with_two_vectors>(i, count, sum);
    }
    for (; i < n; i += width) {
        sum_in_steps<1, tokens_with_one_vector>(i, count, sum);
    }
}

template <GroundCost ground>
struct SumTerms {
    const Packed& packed;
    const Streamed& streamed;
    float* const* rows;

    template <std::size_t n_vectors, std::size_t n_tokens>
    MOVERANK_INLINE void operator()(std::size_t query_start, std::size_t t) const {
        sum_terms<ground, n_vectors, n_tokens>(packed, query_start, streamed, t, rows);
    }
};

/// Sums of terms for all packed vectors and up to tokens_per_tile tokens, one row each. Pointers after `count` must be
/// valid, too: they repeat the last.
template <GroundCost ground>
MOVERANK_INLINE void sum_all_terms(const Packed& packed, const Streamed& streamed, float* const* rows,
                                   std::size_t count) {
    sum_all(packed.n, count, SumTerms<ground>{packed, streamed, rows});
}

}  // namespace moverank::MOVERANK_LEVEL
