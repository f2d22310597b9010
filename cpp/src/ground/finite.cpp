#include "moverank/finite.hpp"

#include <cmath>

#include "../kernels/kernels.hpp"

namespace moverank {

float largest_size(std::span<const float> values) { return kernels().scan.largest(values.data(), values.size()); }
double largest_size(std::span<const double> values) { return kernels().scan.largest(values.data(), values.size()); }

bool all_finite(std::span<const float> values) { return std::isfinite(largest_size(values)); }
bool all_finite(std::span<const double> values) { return std::isfinite(largest_size(values)); }

}  // namespace moverank
