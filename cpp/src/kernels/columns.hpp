/// Looks at whole columns of a cost matrix: what the solver of large problems prices by.
#pragma once

#include <cstddef>
#include <cstdint>

namespace moverank {

/// Columns that are looked at together: their minima stay in the first cache while rows stream past.
inline constexpr std::size_t column_block = 128;

/// Columns [first, first + width) of a matrix, width at most column_block and a multiple of lane_padding.
template <class Cost>
struct ColumnBlock {
    const Cost* cost;  ///< entry (0, first)
    std::size_t stride;
    std::size_t n_rows;
    std::size_t width;
    const double* f;  ///< by row
};

/// Compiled once per instruction set. All levels give the same bits.
template <class Cost>
struct ColumnKernels {
    /// The smallest C_ij - f_i of each column, and the first row that has it.
    void (*best_rows)(const ColumnBlock<Cost>& block, double* least, std::int64_t* row);
    /// The `length` <= n_rows rows of smallest C_ij - f_i of each column, in no order, starting the search at row
    /// The search begins at row `start`, which decides among equal entries. `rows` and `least` hold `length` entries
    /// per column.
    void (*shortlist)(const ColumnBlock<Cost>& block, std::size_t start, std::size_t length, double* least,
                      std::uint32_t* rows);
};

}  // namespace moverank
