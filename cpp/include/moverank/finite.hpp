/// Looking for NaN and infinity in large arrays.
#pragma once

#include <cstddef>
#include <span>

namespace moverank {

[[nodiscard]] bool all_finite(std::span<const float> values);
[[nodiscard]] bool all_finite(std::span<const double> values);

}  // namespace moverank
