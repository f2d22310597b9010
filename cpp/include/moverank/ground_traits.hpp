/// Facts about ground costs, one row each: what the rest of the code asks, so that a new cost answers in one place.
#pragma once

#include <algorithm>
#include <iterator>
#include <stdexcept>

#include "moverank/measure.hpp"

namespace moverank {

/// What is not said of a cost is false.
struct GroundTraits {
    const char* name;  ///< what Python calls it
    GroundCost ground;
    bool may_be_negative = false;         ///< whatever the tokens are; of given costs, the table says
    bool needs_directions = false;        ///< compares tokens by direction, which zero vectors have none of
    bool translation_invariant = false;   ///< moving all tokens by one vector changes nothing
    bool is_symmetric = false;            ///< c(x, y) = c(y, x)
    bool is_zero_between_equals = false;  ///< c(x, x) = 0
    bool is_squared = false;              ///< in units of the square of tokens
    bool has_codes = false;               ///< how far codes of tokens can be off does not depend on the query
    bool has_pooled_bound = false;        ///< distances between mean vectors bound balanced measures from below
    bool is_given = false;                ///< a table of costs between words stands in place of vectors
};

inline constexpr GroundTraits ground_costs[] = {
    {.name = "cosine",
     .ground = GroundCost::cosine,
     .needs_directions = true,
     .is_symmetric = true,
     .is_zero_between_equals = true,
     .has_codes = true,
     .has_pooled_bound = true},
    {.name = "euclidean",
     .ground = GroundCost::euclidean,
     .translation_invariant = true,
     .is_symmetric = true,
     .is_zero_between_equals = true,
     .has_codes = true,
     .has_pooled_bound = true},
    {.name = "sqeuclidean",
     .ground = GroundCost::sqeuclidean,
     .translation_invariant = true,
     .is_symmetric = true,
     .is_zero_between_equals = true,
     .is_squared = true,
     .has_pooled_bound = true},
    {.name = "dot", .ground = GroundCost::dot, .may_be_negative = true, .is_symmetric = true, .has_codes = true},
    {.name = "given", .ground = GroundCost::given, .is_given = true},
};

/// The row of a cost; std::invalid_argument for a value that names none.
[[nodiscard]] constexpr const GroundTraits& traits(GroundCost ground) {
    const auto* const found = std::ranges::find(ground_costs, ground, &GroundTraits::ground);
    if (found == std::end(ground_costs)) {
        throw std::invalid_argument("no such ground cost");
    }
    return *found;
}

}  // namespace moverank
