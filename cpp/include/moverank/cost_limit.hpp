/// How large a cost may be: solvers refuse larger ones, and costs that only bounds read are lowered to the limit.
#pragma once

namespace moverank {

/// Largest absolute value of a cost of type `Cost`. Within the limit, a sum over all edges of a tree stays in the range
/// of float64, and twice a cost in the range of its own type. (Squared distances between vectors of norm `largest_norm`
/// are just under the limit of float32.)
template <class Cost>
inline constexpr double cost_limit = 0x1p960;
template <>
inline constexpr double cost_limit<float> = 0x1.8p126;

}  // namespace moverank
