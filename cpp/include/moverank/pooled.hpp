/// Pooled vectors, one per sequence, and the lower bound between them, which lets a vector index prefilter.
///
///     euclidean    T_1 >=     | sum_i a_i x_i  - sum_j b_j y_j  |
///     sqeuclidean  T_1 >=     | sum_i a_i x_i  - sum_j b_j y_j  |^2
///     cosine       T_1 >= 1/2 | sum_i a_i x^_i - sum_j b_j y^_j |^2      x^ = x / |x|
///
/// by Jensen's inequality over any coupling. Only at capacity 1: above it, the mean of the mass that a document takes
/// is not fixed. docs/numerics.md, "Pooled vectors", derives the margin for rounding. Rubner, Tomasi, Guibas, "A metric
/// for distributions", ICCV 1998.
#pragma once

#include <cstddef>
#include <span>

#include "moverank/measure.hpp"
#include "moverank/prepared.hpp"

namespace moverank {

/// Whether pooled vectors bound this measure from below.
[[nodiscard]] bool has_pooled_bound(const Measure& measure);

/// Write the mass-weighted mean of the tokens (of their directions under cosine), summed in float64 and rounded once.
/// Throws std::invalid_argument if `pooled` does not have the dimension of the tokens.
void pool(GroundCost ground, const PreparedSequence& sequence, std::span<float> pooled);

/// Turns a float32 squared distance between pooled vectors into a bound that holds under rounding.
class PooledBound {
  public:
    /// `max_pooled_norm`: largest norm of any pooled vector on either side. `cost_error`: the measure's
    /// cost_error_bound.
    PooledBound(GroundCost ground, std::size_t dim, double max_pooled_norm, double cost_error);

    /// A lower bound on the distance over the float32 cost matrix. `squared_distance` may be a sum of squared
    /// differences or |p|^2 + |q|^2 - 2<p, q>, since faiss may choose either. Non-decreasing in its argument. Minus
    /// infinity under ground costs without a pooled bound.
    [[nodiscard]] double operator()(float squared_distance) const;

  private:
    double (*bound_)(double distance);  ///< of the ground cost; nullptr if it has none
    double relative_error_;
    double expansion_error_;
    double rounding_error_;
    double cost_error_;
};

}  // namespace moverank
