/// Finds NaN, infinity and the largest number in large arrays.
#pragma once

#include <cstddef>
#include <span>

namespace moverank {

/// Largest absolute value, or a number that is not finite if any value is not. 0 if there are no values.
[[nodiscard]] float largest_size(std::span<const float> values);
[[nodiscard]] double largest_size(std::span<const double> values);

/// Whether no value is NaN or infinite.
[[nodiscard]] bool all_finite(std::span<const float> values);
[[nodiscard]] bool all_finite(std::span<const double> values);

}  // namespace moverank
