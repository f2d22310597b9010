/// Looking for NaN, infinity and what is too large in large arrays.
#pragma once

#include <cstddef>
#include <span>

namespace moverank {

/// Largest size of any value; not finite if one is not.
[[nodiscard]] float largest_size(std::span<const float> values);
[[nodiscard]] double largest_size(std::span<const double> values);

[[nodiscard]] bool all_finite(std::span<const float> values);
[[nodiscard]] bool all_finite(std::span<const double> values);

}  // namespace moverank
