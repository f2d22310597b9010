/// Ground costs of one packed query against the tokens of one document, with row and column minima on the way.
///
/// A query is packed once, transposed, so that a vector holds the same component of several query tokens; document
/// tokens stream through as they lie, or are decoded by the tile. A sum runs over the components in order, in runs of
/// `product_run` that are added up, so it depends neither on the width of a register nor on which side is called the
/// query.
#pragma once

#include <cstddef>
#include <cstdint>

#include "moverank/ground_traits.hpp"
#include "moverank/views.hpp"

namespace moverank {

/// Terms summed in one run.
inline constexpr std::size_t product_run = 64;

/// Document tokens that share one pass over the packed query.
inline constexpr std::size_t tokens_per_tile = 16;

/// One document's costs, by one call or by several that each do some of its tokens, in order. Rows are query tokens,
/// columns document tokens; n_padded = padded(n).
struct CostBlock {
    // the query
    const float* packed;               ///< dim rows of n_padded components
    const float* query_inverse_norms;  ///< n_padded; read under cosine only
    std::size_t n, n_padded, dim;
    // the document
    TokensView tokens;
    std::size_t m;
    std::size_t first = 0;                ///< this call does tokens [first, end): whole tiles, but for the last
    std::size_t end = m;                  ///< the minima and the largest cost of those before `first` count on
    const float* document_inverse_norms;  ///< m; read under cosine only
    const float* table;                   ///< gather: rows of n_padded costs, one per word
    const std::uint32_t* words;           ///< gather: m, instead of tokens
    // the results
    float* cost;           ///< n rows of `stride` entries, infinite after m; null where only minima are wanted
    std::size_t stride;    ///< padded(m)
    float* row_minima;     ///< n_padded
    float* column_minima;  ///< stride; null where they are not wanted
    float* tile;           ///< scratch: tokens_per_tile * n_padded
    float* decoded;        ///< scratch for compact tokens: tokens_per_tile * dim
    float largest = 0.0F;  ///< largest size of a cost
    float* largest_component = nullptr;  ///< raised to the largest size of a component, NaN above all; null if known
};

/// Compiled once per instruction set.
struct CostKernels {
    /// Fill a block; in the order of GroundCost.
    void (*fill[n_vector_costs])(CostBlock& block);
    /// Costs by document token: `cost` has m rows of n_padded entries, infinite after n; no minima. As in `fill`.
    void (*tabulate[n_vector_costs])(CostBlock& block);
    /// As `fill`, from costs that were tabulated before.
    void (*gather)(CostBlock& block);
    /// Squared Euclidean norms of tokens, in float64.
    void (*squared_norms)(const TokensView& tokens, double* squared);
    /// Components in float32, row after row.
    void (*decode)(const TokensView& tokens, float* to);
};

}  // namespace moverank
