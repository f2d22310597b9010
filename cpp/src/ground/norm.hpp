#pragma once

#include <cmath>
#include <span>

namespace moverank {

/// Length of a token, its squares summed in float64 in the order of its components.
[[nodiscard]] inline double norm_of(std::span<const float> token) {
    double squared = 0.0;
    for (const float component : token) {
        squared += static_cast<double>(component) * static_cast<double>(component);
    }
    return std::sqrt(squared);
}

}  // namespace moverank
