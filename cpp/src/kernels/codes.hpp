/// Ground costs of a query against the int8 codes of a document, by products of whole numbers.
///
/// The query is rounded to codes as well. Sums of products of codes are exact, and what follows them is the same on
/// every level, so costs of codes agree to the last bit whatever the instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cost.hpp"
#include "moverank/interleaved_codes.hpp"

namespace moverank {

/// Query and document in whole numbers, each token with a scale: x_i = scale_i q_i, y_j = scale_j d_j.
struct CodeBlock {
    CostBlock costs;  ///< without tokens; its packed query is not read
    // the query
    const std::byte* packed;         ///< q, as `CodeKernels::pack` wrote it
    const float* query_scales;       ///< n; under cosine those of unit vectors
    const float* query_squares;      ///< n: squared lengths; read under euclidean only
    const std::int32_t* query_sums;  ///< n: of all q_ik
    // the document
    const std::int8_t* codes;  ///< d, as InterleavedCodes has it
    const float* scales;       ///< m
    const float* squares;      ///< m: squared lengths; read under euclidean only
};

/// Codes of a query are whole numbers from -query_code_limit to query_code_limit, so that two products with any bytes
/// add up within 16 bits. Those of documents may be any.
inline constexpr int query_code_limit = 63;

/// Up to so many components their sum of products stays within 32 bits.
inline constexpr std::size_t longest_code = 1U << 17U;

/// Of squared lengths of two tokens: more than what rounding can add to the expansion of their squared distance, which
/// is lowered by it.
inline constexpr float code_expansion_error = 0x1p-20F;
/// What rounding can add to it besides, where it is near the end of float32's range.
inline constexpr float code_underflow_error = 0x1p-146F;

/// Compiled once per instruction set, and once more per extension that multiplies bytes.
struct CodeKernels {
    const char* name;  ///< the level, and the extension if there is one: "avx2", "avx2_vnni"
    /// Arrange codes of n query tokens as `fill` reads them. `codes` has a row of dim bytes per token, and `packed`
    /// room for n * padded(dim, code_group).
    void (*pack)(const std::int8_t* codes, std::size_t n, std::size_t dim, std::byte* packed);
    /// Fill a block, as `CostKernels::fill` does; in the order of GroundCost, null under sqeuclidean. Rounding may
    /// lower Euclidean costs further than it does elsewhere, and raises none. If only minima of rows are wanted, the
    /// largest cost is one that none exceeds.
    void (*fill[n_vector_costs])(CodeBlock& block);
};

}  // namespace moverank
