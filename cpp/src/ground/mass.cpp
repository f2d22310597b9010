#include "moverank/mass.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace moverank {

namespace {

[[nodiscard]] std::string described(std::size_t index, const char* fault, double weight) {
    char text[96];
    std::snprintf(text, sizeof text, "weight %zu is %s (%.3g)", index, fault, weight);
    return text;
}

}  // namespace

std::string fault_of(std::span<const double> weights) {
    double largest = 0.0;
    for (std::size_t t = 0; t < weights.size(); ++t) {
        if (!std::isfinite(weights[t])) {
            return described(t, "not finite", weights[t]);
        }
        if (weights[t] < 0.0) {
            return described(t, "negative", weights[t]);
        }
        largest = std::max(largest, weights[t]);
    }
    return largest > 0.0 ? "" : "total mass is zero";
}

void normalise(std::span<double> weights) {
    // Relative to the largest first: the sum of weights near either end of float64's range would leave it.
    const double largest = *std::max_element(weights.begin(), weights.end());
    double total = 0.0;
    for (double& x : weights) {
        x /= largest;
        total += x;
    }
    for (double& x : weights) {
        x /= total;
    }
}

}  // namespace moverank
