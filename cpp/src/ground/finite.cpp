#include "moverank/finite.hpp"

#include <cmath>

#include "../kernels/kernels.hpp"

namespace moverank {

bool all_finite(std::span<const float> values) {
    return std::isfinite(kernels().scan.largest(values.data(), values.size()));
}

bool all_finite(std::span<const double> values) {
    return std::isfinite(kernels().scan.largest(values.data(), values.size()));
}

}  // namespace moverank
