/// Minima over tables of costs that have one row per word.
#pragma once

#include <cstddef>
#include <cstdint>

namespace moverank {

/// Compiled once per instruction set. Rows have `stride` entries, a multiple of lane_padding.
struct BagKernels {
    /// out[v] = min_i (table[v][i] + addend[i]) over n_words rows.
    void (*row_minima)(const float* table, std::size_t n_words, std::size_t stride, const float* addend, float* out);
    /// Over the rows that m words name: direct[i] = min_j table[w_j][i], reduced[i] = min_j (table[w_j][i] - g[w_j]).
    void (*bag_minima)(const float* table, std::size_t stride, const std::uint32_t* words, std::size_t m,
                       const float* g, float* direct, float* reduced);
};

}  // namespace moverank
