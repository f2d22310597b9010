/// Facts about weightings, one row each: how a token without a weight of its own gets its mass.
#pragma once

#include "moverank/measure.hpp"
#include "moverank/traits.hpp"

namespace moverank {

/// The facts about one weighting. A fact that a row does not mention is false or zero.
struct WeightingTraits {
    const char* name;  ///< its name in Python
    Weighting weighting;
    bool needs_weights = false;  ///< a sequence without weights is an error
    /// Whether mass follows from vectors. If so, `mass` maps a token's norm to its mass before masses are divided by
    /// their total, and `slope` is the derivative. A zero vector gets no mass.
    bool needs_vectors = false;
    double (*mass)(double norm) = [](double) { return 1.0; };
    double (*slope)(double norm) = [](double) { return 0.0; };
};

/// All weightings.
inline constexpr WeightingTraits weightings[] = {
    {.name = "uniform", .weighting = Weighting::uniform},
    {.name = "norm",
     .weighting = Weighting::norm,
     .needs_vectors = true,
     .mass = [](double norm) { return norm; },
     .slope = [](double) { return 1.0; }},
    {.name = "given", .weighting = Weighting::given, .needs_weights = true},
};

/// The row of a weighting. Throws std::invalid_argument for a value that is not one of Weighting's.
[[nodiscard]] constexpr const WeightingTraits& traits(Weighting weighting) {
    return row_of(weightings, &WeightingTraits::weighting, weighting, "unknown weighting");
}

}  // namespace moverank
