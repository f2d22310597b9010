#include "bags.hpp"

#include <limits>

#include "simd.hpp"

namespace moverank::MOVERANK_LEVEL {

namespace {

constexpr std::size_t width = lanes<float>;
using Floats = Vector<float>;

/// As many rows at a time as a register has lanes, so that the minima of one vector of rows form a register to store.
void row_minima(const float* table, std::size_t n_words, std::size_t stride, const float* addend, float* out) {
    const float* rows[width];
    std::size_t v = 0;
    for (; v + width <= n_words; v += width) {
        for (std::size_t l = 0; l < width; ++l) {
            rows[l] = table + (v + l) * stride;
        }
        store(out + v, min_of_rows<float, float>(rows, addend, stride));
    }
    if (v < n_words) {
        for (std::size_t l = 0; l < width; ++l) {
            rows[l] = table + (v + l < n_words ? v + l : n_words - 1) * stride;
        }
        const Floats minima = min_of_rows<float, float>(rows, addend, stride);
        for (std::size_t l = 0; v + l < n_words; ++l) {
            out[v + l] = minima[l];
        }
    }
}

/// Both minima over the words of a bag, for n_vectors registers of query tokens: of C_iw, and of C_iw - g_w, whose
/// values are f' of the two-sided bound. A few registers at a time, so that the running minima stay in registers.
template <std::size_t n_vectors>
MOVERANK_INLINE void minima_of(const float* table, std::size_t stride, const std::uint32_t* words, std::size_t m,
                               const float* g, float* direct, float* reduced) {
    Floats least[n_vectors];
    Floats least_reduced[n_vectors];
#pragma GCC unroll 4
    for (std::size_t k = 0; k < n_vectors; ++k) {
        least[k] = least_reduced[k] = splat(std::numeric_limits<float>::infinity());
    }
    for (std::size_t j = 0; j < m; ++j) {
        const float* row = table + std::size_t{words[j]} * stride;
        const Floats of_word = splat(g[words[j]]);
#pragma GCC unroll 4
        for (std::size_t k = 0; k < n_vectors; ++k) {
            const Floats cost = load(row + k * width);
            least[k] = min<float>(least[k], cost);
            least_reduced[k] = min<float>(least_reduced[k], cost - of_word);
        }
    }
#pragma GCC unroll 4
    for (std::size_t k = 0; k < n_vectors; ++k) {
        store(direct + k * width, least[k]);
        store(reduced + k * width, least_reduced[k]);
    }
}

void bag_minima(const float* table, std::size_t stride, const std::uint32_t* words, std::size_t m, const float* g,
                float* direct, float* reduced) {
    // Rows are padded to whole registers, so there is no scalar tail.
    std::size_t i = 0;
    for (; i + 4 * width <= stride; i += 4 * width) {
        minima_of<4>(table + i, stride, words, m, g, direct + i, reduced + i);
    }
    for (; i < stride; i += width) {
        minima_of<1>(table + i, stride, words, m, g, direct + i, reduced + i);
    }
}

void weighted_sums(const float* worth, const std::uint32_t* words, const float* mass, std::size_t m, float* out) {
    constexpr std::size_t n_vectors = bags_at_once / width;
    Floats total[n_vectors] = {};
    for (std::size_t j = 0; j < m; ++j) {
#pragma GCC unroll 4
        for (std::size_t v = 0; v < n_vectors; ++v) {
            const std::size_t place = j * bags_at_once + v * width;
            total[v] = multiply_add(load(mass + place), gather(worth, words + place), total[v]);
        }
    }
    for (std::size_t v = 0; v < n_vectors; ++v) {
        store(out + v * width, total[v]);
    }
}

void minima(const float* const* from, std::size_t n, std::size_t count, float* out) {
    for (std::size_t v = 0; v < count; v += width) {
        Floats least = splat(std::numeric_limits<float>::infinity());
        for (std::size_t i = 0; i < n; ++i) {
            least = min<float>(least, load(from[i] + v));
        }
        store(out + v, least);
    }
}

/// A square of registers at a time.
void interleave(const float* const* from, std::size_t n, std::size_t count, std::size_t stride, float* out) {
    for (std::size_t v = 0; v < count; v += width) {
        const std::size_t n_here = v + width < count ? width : count - v;
        for (std::size_t i = 0; i < stride; i += width) {
            Floats square[width];
#pragma GCC unroll 16
            for (std::size_t l = 0; l < width; ++l) {
                square[l] = i + l < n ? load(from[i + l] + v) : splat(std::numeric_limits<float>::infinity());
            }
            transpose<float>(square);
            for (std::size_t l = 0; l < n_here; ++l) {
                store(out + (v + l) * stride + i, square[l]);
            }
        }
    }
}

}  // namespace

extern const BagKernels bags;
const BagKernels bags{&row_minima, &bag_minima, &weighted_sums, &minima, &interleave};

}  // namespace moverank::MOVERANK_LEVEL
