/// Ground costs between the tokens of two prepared sequences, in float32, and how far they can be off.
#pragma once

#include <cstddef>

#include "moverank/measure.hpp"
#include "moverank/prepared.hpp"
#include "moverank/views.hpp"

namespace moverank {

/// cost(i, j) = c(x_i, y_j). `cost` has query.size() rows and document.size() columns; bitwise equal tokens cost
/// exactly 0 under euclidean and sqeuclidean, and cosine costs are clipped to [0, 2].
void cost_matrix(GroundCost ground, const PreparedSequence& query, const PreparedSequence& document,
                 MatrixView<float> cost);

/// eta with |computed - true| <= eta for every entry between tokens of at most these norms and this dimension;
/// hence also |value on the float32 matrix - value on the real one|, as the moved mass sums to 1.
/// Higham, Accuracy and Stability of Numerical Algorithms (2002), chapter 3.
[[nodiscard]] double cost_error_bound(GroundCost ground, std::size_t dim, double query_max_norm,
                                      double document_max_norm);

}  // namespace moverank
