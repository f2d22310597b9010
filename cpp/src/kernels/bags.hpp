/// Minima over tables of costs that have one row per word.
#pragma once

#include <cstddef>
#include <cstdint>

namespace moverank {

/// Bags whose sums are taken together.
inline constexpr std::size_t bags_at_once = 16;

/// Compiled once per instruction set. Rows have `stride` entries, a multiple of lane_padding.
struct BagKernels {
    /// out[v] = min_i (table[v][i] + addend[i]) over n_words rows.
    void (*row_minima)(const float* table, std::size_t n_words, std::size_t stride, const float* addend, float* out);
    /// Over the rows that m words name: direct[i] = min_j table[w_j][i], reduced[i] = min_j (table[w_j][i] - g[w_j]).
    void (*bag_minima)(const float* table, std::size_t stride, const std::uint32_t* words, std::size_t m,
                       const float* g, float* direct, float* reduced);
    /// out[l] = sum_j mass[j][l] worth[words[j][l]] over m rows of `bags_at_once` entries.
    void (*weighted_sums)(const float* worth, const std::uint32_t* words, const float* mass, std::size_t m, float* out);
    /// out[v] = min_i from[i][v] over n rows of `count` entries, a multiple of lane_padding.
    void (*minima)(const float* const* from, std::size_t n, std::size_t count, float* out);
    /// out[v][i] = from[i][v] for n rows of `count` entries, and infinity for i from n on. Rows may be read up to a
    /// whole register; only `count` rows are written.
    void (*interleave)(const float* const* from, std::size_t n, std::size_t count, std::size_t stride, float* out);
};

}  // namespace moverank
