/// Facts about ground costs, one row per cost. The rest of the code asks this table, so that a new ground cost states
/// its facts in one place.
#pragma once

#include <cstddef>
#include <iterator>

#include "moverank/measure.hpp"
#include "moverank/traits.hpp"

namespace moverank {

/// The facts about one cost. A fact that a row does not mention is false.
struct GroundTraits {
    const char* name;  ///< its name in Python
    GroundCost ground;
    bool may_be_negative = false;         ///< for some tokens; whether given costs are depends on their table
    bool needs_directions = false;        ///< compares directions, which a zero vector does not have
    bool translation_invariant = false;   ///< adding one vector to all tokens changes no cost
    bool is_symmetric = false;            ///< c(x, y) = c(y, x)
    bool is_zero_between_equals = false;  ///< c(x, x) = 0
    bool is_squared = false;              ///< in squared units of the tokens
    bool has_codes = false;               ///< codes of tokens give a bound: their error does not depend on the query
    bool is_given = false;                ///< costs come from a table instead of vectors
    /// What the distance of two mean vectors (of directions, where the cost needs these) proves: no balanced measure is
    /// below. None where such distances prove nothing.
    double (*pooled_bound)(double distance) = nullptr;
};

/// All ground costs.
inline constexpr GroundTraits ground_costs[] = {
    {.name = "cosine",
     .ground = GroundCost::cosine,
     .needs_directions = true,
     .is_symmetric = true,
     .is_zero_between_equals = true,
     .has_codes = true,
     .pooled_bound = [](double distance) { return 0.5 * distance * distance; }},
    {.name = "euclidean",
     .ground = GroundCost::euclidean,
     .translation_invariant = true,
     .is_symmetric = true,
     .is_zero_between_equals = true,
     .has_codes = true,
     .pooled_bound = [](double distance) { return distance; }},
    {.name = "sqeuclidean",
     .ground = GroundCost::sqeuclidean,
     .translation_invariant = true,
     .is_symmetric = true,
     .is_zero_between_equals = true,
     .is_squared = true,
     .pooled_bound = [](double distance) { return distance * distance; }},
    {.name = "dot", .ground = GroundCost::dot, .may_be_negative = true, .is_symmetric = true, .has_codes = true},
    {.name = "given", .ground = GroundCost::given, .is_given = true},
};

/// How many costs are computed from vectors: all but the last, `given`.
inline constexpr std::size_t n_vector_costs = std::size(ground_costs) - 1;
static_assert(ground_costs[n_vector_costs].is_given);

/// The row of a cost. Throws std::invalid_argument for a value that is not one of GroundCost's.
[[nodiscard]] constexpr const GroundTraits& traits(GroundCost ground) {
    return row_of(ground_costs, &GroundTraits::ground, ground, "unknown ground cost");
}

}  // namespace moverank
