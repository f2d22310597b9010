/// Linear assignment: transport between as many rows as columns, all of the same mass.
///
/// By shortest augmenting paths (Jonker, Volgenant, A Shortest Augmenting Path Algorithm for Dense and Sparse Linear
/// Assignment Problems, Computing 38, 1987): columns take their cheapest rows, and rows that are left find a column by
/// Dijkstra's algorithm over reduced costs. Their rows do not bid for columns in between: over costs of token vectors
/// that took longer than the paths that it saved. There is no tree to keep, so small problems take less than half the
/// time of a simplex.
#pragma once

#include <cstddef>
#include <cstdint>

namespace moverank {

/// A problem of n rows and n columns, and what is kept while it is solved.
template <class Cost>
struct AssignmentBlock {
    const Cost* cost;    ///< n rows of `stride` finite entries, infinite after n
    std::size_t stride;  ///< a multiple of lane_padding
    std::size_t n;
    // the result
    std::uint32_t* column_of;  ///< n: by row
    double* g;                 ///< stride: potentials of columns; those of rows are f_i = min_j (C_ij - g_j)
    // scratch
    std::uint32_t* row_of;  ///< stride: by column
    std::uint32_t* passed;  ///< n: columns that a path goes through
    double* distance;       ///< stride: of a path to each column
    double* ahead;          ///< stride: the same, infinite once a column has been passed
    double* open_g;         ///< stride: g, infinitely low once a column has been passed
    double* previous;       ///< stride: the row from which a path reaches a column
};

/// Compiled once per instruction set. All levels give the same bits.
template <class Cost>
struct AssignmentKernels {
    /// Fill column_of and g with an assignment of least cost. Returns false if that takes too long.
    bool (*assign)(const AssignmentBlock<Cost>& block);
};

}  // namespace moverank
