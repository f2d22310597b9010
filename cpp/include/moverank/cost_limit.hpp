/// How large a cost may be: what solvers refuse, and what bounds are cut down to.
#pragma once

namespace moverank {

/// Solvers refuse costs of a larger size: sums of as many as a tree has edges stay within float64, twice one within its
/// own type. (Squared distances of vectors of `largest_norm` are just under the limit of float32.)
template <class Cost>
inline constexpr double cost_limit = 0x1p960;
template <>
inline constexpr double cost_limit<float> = 0x1.8p126;

}  // namespace moverank
