/// Pooled vectors and the lower bound between them: what a vector index can prefilter with.
///
///     euclidean    T_1 >=     | sum_i a_i x_i  - sum_j b_j y_j  |
///     sqeuclidean  T_1 >=     | sum_i a_i x_i  - sum_j b_j y_j  |^2
///     cosine       T_1 >= 1/2 | sum_i a_i x^_i - sum_j b_j y^_j |^2      x^ = x / |x|
///
/// by Jensen's inequality over any coupling; capacity 1 only, since above it the document's mean is not fixed.
/// Rubner, Tomasi, Guibas, "A metric for distributions", ICCV 1998.
#pragma once

#include <cstddef>
#include <span>

#include "moverank/measure.hpp"
#include "moverank/prepared.hpp"

namespace moverank {

/// Whether pooled vectors bound this measure from below.
[[nodiscard]] bool has_pooled_bound(const Measure& measure);

/// The mass-weighted mean of the tokens (of their directions under cosine), summed in float64, rounded once.
void pool(GroundCost ground, const PreparedSequence& sequence, std::span<float> pooled);

/// Turns a float32 squared distance between pooled vectors into a bound that holds under rounding.
class PooledBound {
  public:
    /// `max_pooled_norm`: of any pooled vector on either side; `cost_error`: cost_error_bound of the measure.
    PooledBound(GroundCost ground, std::size_t dim, double max_pooled_norm, double cost_error);

    /// Lower bound on the value over the float32 cost matrix. `squared_distance` may come from a direct sum of
    /// squares or from |p|^2 + |q|^2 - 2<p, q>, as faiss chooses between both. Non-decreasing in its argument.
    [[nodiscard]] double operator()(float squared_distance) const;

  private:
    GroundCost ground_;
    double relative_error_;
    double expansion_error_;
    double rounding_error_;
    double cost_error_;
};

}  // namespace moverank
