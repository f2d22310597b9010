/// Facts about weightings, one row each: how a token without a weight of its own gets its mass.
#pragma once

#include <algorithm>
#include <iterator>
#include <stdexcept>

#include "moverank/measure.hpp"

namespace moverank {

/// What is not said of a weighting is false, or zero.
struct WeightingTraits {
    const char* name;  ///< what Python calls it
    Weighting weighting;
    bool needs_weights = false;  ///< a sequence without weights is an error
    /// Whether mass follows from vectors: then `mass` of a norm is what a token of that norm gets, before masses are
    /// divided by their total, and `slope` is its derivative. A zero vector gets none.
    bool needs_vectors = false;
    double (*mass)(double norm) = [](double) { return 1.0; };
    double (*slope)(double norm) = [](double) { return 0.0; };
};

inline constexpr WeightingTraits weightings[] = {
    {.name = "uniform", .weighting = Weighting::uniform},
    {.name = "norm",
     .weighting = Weighting::norm,
     .needs_vectors = true,
     .mass = [](double norm) { return norm; },
     .slope = [](double) { return 1.0; }},
    {.name = "given", .weighting = Weighting::given, .needs_weights = true},
};

/// The row of a weighting; std::invalid_argument for a value that names none.
[[nodiscard]] constexpr const WeightingTraits& traits(Weighting weighting) {
    const auto* const found = std::ranges::find(weightings, weighting, &WeightingTraits::weighting);
    if (found == std::end(weightings)) {
        throw std::invalid_argument("no such weighting");
    }
    return *found;
}

}  // namespace moverank
