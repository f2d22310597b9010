#include "centroids.hpp"

#include <limits>

#include "cost.hpp"
#include "products.hpp"
#include "simd.hpp"

namespace moverank::MOVERANK_LEVEL {

namespace {

/// Number of the first entry that is equal to the least.
MOVERANK_INLINE std::uint32_t first_equal(const float* row, std::size_t n, float least) {
    for (std::size_t i = 0; i < n; i += width) {
        const Bits equal = equal_lanes<float>(load(row + i), splat(least));
        if (equal != 0) {
            return static_cast<std::uint32_t>(i + first_bit(equal));
        }
    }
    return 0;  // not a number
}

void nearest(const CentroidBlock& centroids, const float* const* vectors, std::size_t count, std::size_t n_nearest,
             float* scratch, float* scores, std::uint32_t* numbers) {
    Streamed repeated{{}, {reinterpret_cast<const std::byte*>(vectors[0]), 0, 0}};  // they are at hand
    float* rows[tokens_per_tile];
    for (std::size_t t = 0; t < tokens_per_tile; ++t) {
        repeated.vectors[t] = vectors[t < count ? t : count - 1];
        rows[t] = scratch + t * centroids.n_padded;
    }
    for (std::size_t first = 0; first < centroids.n_padded; first += centroid_group) {
        const Packed group{centroids.packed + first * centroids.dim, centroid_group, centroid_group, centroids.dim};
        sum_all_terms<GroundCost::dot>(group, repeated, rows, count);
        for (float*& row : rows) {
            row += centroid_group;
        }
    }
    for (std::size_t t = 0; t < count; ++t) {
        float* const row = scratch + t * centroids.n_padded;
        Floats best = splat(std::numeric_limits<float>::infinity());
        for (std::size_t i = 0; i < centroids.n_padded; i += width) {
            const Floats score = load(centroids.half_squares + i) - load(row + i);
            store(row + i, score);
            best = min<float>(best, score);
        }
        for (std::size_t place = 0;; ++place) {
            const float least = reduce_min<float>(best);
            const std::uint32_t number = first_equal(row, centroids.n_padded, least);
            scores[t * n_nearest + place] = least;
            numbers[t * n_nearest + place] = number;
            if (place + 1 == n_nearest) {
                break;
            }
            row[number] = std::numeric_limits<float>::infinity();
            best = splat(std::numeric_limits<float>::infinity());
            for (std::size_t i = 0; i < centroids.n_padded; i += width) {
                best = min<float>(best, load(row + i));
            }
        }
    }
}

}  // namespace

extern const CentroidKernels centroids;
const CentroidKernels centroids{&nearest};

}  // namespace moverank::MOVERANK_LEVEL
