/// What is being measured: ground cost, weighting, capacity and problem, as one value.
#pragma once

#include <limits>

namespace moverank {

/// Cost c(x, y) of moving one unit of mass from token x to token y.
enum class GroundCost {
    cosine,       ///< 1 - cos(x, y), in [0, 2]
    euclidean,    ///< |x - y|
    sqeuclidean,  ///< |x - y|^2
    dot,          ///< -<x, y>
};

/// How a sequence without weights of its own gets its mass.
enum class Weighting {
    uniform,  ///< the same for every token
    norm,     ///< proportional to |x|, as in Word Rotator's Distance
    given,    ///< none: the sequence must bring its weights
};

/// Which value is asked for.
enum class Problem {
    exact,    ///< the optimum of the transport problem
    relaxed,  ///< its one-sided relaxation: a lower bound (RWMD), exact where capacity is infinite
};

inline constexpr double unlimited_capacity = std::numeric_limits<double>::infinity();

/// T_kappa(a, b, C) = min <C, P>  subject to  P 1 = a,  P^T 1 <= kappa b,  P >= 0   (equality at kappa = 1).
struct Measure {
    GroundCost ground = GroundCost::cosine;
    Weighting weighting = Weighting::norm;
    double capacity = 1.0;  ///< kappa >= 1; unlimited_capacity leaves the document's mass free
    Problem problem = Problem::exact;

    [[nodiscard]] bool balanced() const { return capacity == 1.0; }
    [[nodiscard]] bool unlimited() const { return capacity == unlimited_capacity; }
};

}  // namespace moverank
