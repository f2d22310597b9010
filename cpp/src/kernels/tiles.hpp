/// What follows the sums of a tile of document tokens, however they were computed: costs, minima, rows of the matrix.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "cost.hpp"
#include "moverank/measure.hpp"
#include "products.hpp"
#include "simd.hpp"

namespace moverank::MOVERANK_LEVEL {

inline constexpr float infinity = std::numeric_limits<float>::infinity();

/// Costs from sums: inner products, of directions under cosine, or squared distances.
template <GroundCost ground>
MOVERANK_INLINE Floats cost_of(Floats sum) {
    if constexpr (ground == GroundCost::cosine) {
        return max(min<float>(splat(1.0F) - sum, splat(2.0F)), Floats{});
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
        Floats sum = load(block.tile + token * block.n_padded + i);
        if constexpr (ground == GroundCost::cosine) {
            sum *= load(block.query_inverse_norms + i) * splat(block.document_inverse_norms[first + token]);
        }
        return cost_of<ground>(sum);
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

/// The lanes that hold something, if so much is left.
MOVERANK_INLINE Bits real_lanes(std::size_t n_left) {
    return static_cast<Bits>((std::uint64_t{1} << (n_left < width ? n_left : width)) - 1);
}

/// Minima of up to tokens_per_tile tokens from `first` on, and rows of the matrix.
template <class CostAt>
MOVERANK_INLINE void finish_tile(const CostBlock& block, std::size_t first, std::size_t count, CostAt cost_at,
                                 Floats& largest) {
    for (std::size_t i = 0; i < block.n; i += width) {
        const Bits real = real_lanes(block.n - i);
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

}  // namespace moverank::MOVERANK_LEVEL
