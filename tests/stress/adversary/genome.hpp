/// What an attack changes: the numbers that one bound is computed from.
#pragma once

#include <cstddef>
#include <random>
#include <vector>

#include "moverank/measure.hpp"

namespace adversary {

using Random = std::mt19937_64;

struct Genome {
    moverank::Measure measure = {};
    std::size_t n = 1, m = 1, dim = 1;  ///< tokens of query and document, and their dimension
    std::vector<float> tokens = {};     ///< rows of dim: those of the query, then those of the document
    std::vector<double> weights = {};   ///< one per token, in the same order
    std::vector<double> knobs = {};     ///< potentials, or whatever else a target reads
};

/// A number between 0 and 1.
[[nodiscard]] double share(Random& random);
/// One of so many.
[[nodiscard]] std::size_t choose(Random& random, std::size_t count);
/// 10 to some power between these.
[[nodiscard]] double power_of_ten(Random& random, double least, double most);

/// n + m tokens by one of several recipes, the longest of a norm near `size`: plain, near duplicates, far from the
/// origin, antiparallel, one long component among many of half a unit in its last place, of many magnitudes.
void fill_tokens(Genome& genome, Random& random, double size);
/// A query of unit vectors and a document of costs: under the dot ground cost any matrix of n x m can be posed.
void fill_costs(Genome& genome, Random& random);
/// Weights of all tokens, equal or over few or many orders of magnitude.
void fill_weights(Genome& genome, Random& random);

/// Change a few numbers: bits, signs, units in the last place, copies of others, powers of two.
void mutate(Genome& genome, Random& random);

}  // namespace adversary
