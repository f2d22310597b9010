/// Rounding a token to packed codes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace moverank {

/// Components of a token are padded to a multiple of this many for packing.
inline constexpr std::size_t pack_padding = 16;

/// A token to be packed.
struct PackBlock {
    const float* token;  ///< finite
    std::size_t dim;
    float factors[2];     ///< powers of two: components times both, one after the other, are at most 1 in size
    float largest;        ///< size of the largest component then, between 1/2 and 1
    float* scaled;        ///< scratch: dim, padded to a multiple of pack_padding
    std::uint8_t* codes;  ///< the result; unused bits become 0
};

/// Compiled once per instruction set. The same bits on every level.
struct PackKernels {
    /// Codes of 4 and of 2 bits; returns the step between their values, for components times both factors.
    float (*pack_4)(const PackBlock& block);
    float (*pack_2)(const PackBlock& block);
};

}  // namespace moverank
