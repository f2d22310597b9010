/// One-sided relaxations of transport: each is the value of a dual solution, hence a lower bound on the exact value.
///
///     query side      sum_i a_i min_j C_ij       drops the document's constraint; exact at capacity infinity
///     document side   sum_j b_j min_i C_ij       drops the query's constraint; a bound at capacity 1 only
///
/// Kusner, Sun, Kolkin, Weinberger, "From Word Embeddings To Document Distances", ICML 2015 (RWMD).
/// With cost -<x, y> and uniform a, the query side is minus MaxSim / n (Khattab, Zaharia, SIGIR 2020).
#pragma once

#include <span>

#include "moverank/views.hpp"

namespace moverank {

/// sum_i a_i min_j C_ij, accumulated in float64.
[[nodiscard]] double relaxed_query_side(MatrixView<const float> cost, std::span<const double> a);

/// sum_j b_j min_i C_ij. `column_minima` is scratch of cost.cols() entries.
[[nodiscard]] double relaxed_document_side(MatrixView<const float> cost, std::span<const double> b,
                                           std::span<float> column_minima);

/// The best of the sides that bound T_capacity: both at capacity 1, the query side above.
[[nodiscard]] double relaxed_bound(MatrixView<const float> cost, std::span<const double> a, std::span<const double> b,
                                   double capacity, std::span<float> column_minima);

}  // namespace moverank
