/// The nearest of some centroids, for many vectors: by products, as |x - c|^2 = |x|^2 + 2 (|c|^2 / 2 - <x, c>).
#pragma once

#include <cstddef>
#include <cstdint>

namespace moverank {

/// Centroids that are packed together: one row of a group's components is at most two registers, on every level.
inline constexpr std::size_t centroid_group = 16;

/// Centroids, padded to whole groups.
struct CentroidBlock {
    const float* packed;        ///< groups of `dim` rows of centroid_group components
    const float* half_squares;  ///< n_padded: half the squared length of each; infinite after the last centroid
    std::size_t n_padded, dim;
};

/// Compiled once per instruction set.
struct CentroidKernels {
    /// The `n_nearest` nearest centroids of each of `count` vectors, nearest first, of equal ones the first:
    /// count * n_nearest numbers, with |c|^2 / 2 - <x, c> of each as its score. There must be as many centroids, and
    /// at most tokens_per_tile vectors. `scratch`: tokens_per_tile * n_padded. Of a vector that is not finite, any.
    void (*nearest)(const CentroidBlock& centroids, const float* const* vectors, std::size_t count,
                    std::size_t n_nearest, float* scratch, float* scores, std::uint32_t* numbers);
};

}  // namespace moverank
