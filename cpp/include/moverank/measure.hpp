/// What a distance measures: ground cost, weighting, capacity and problem, as one value.
#pragma once

#include <cstdint>
#include <limits>

namespace moverank {

/// Cost c(x, y) of moving one unit of mass from token x to token y.
enum class GroundCost {
    cosine,       ///< 1 - cos(x, y), in [0, 2]
    euclidean,    ///< |x - y|
    sqeuclidean,  ///< |x - y|^2
    dot,          ///< -<x, y>
    given,        ///< read from a table; for bags only, whose words have costs instead of vectors
};

/// How a sequence without weights of its own gets its mass.
enum class Weighting {
    uniform,  ///< the same for every token
    norm,     ///< proportional to |x| (Yokoi et al., "Word Rotator's Distance", EMNLP 2020)
    given,    ///< not at all: each sequence must have weights
};

/// Which value is computed.
enum class Problem {
    exact,     ///< the optimum of the transport problem
    relaxed,   ///< its one-sided relaxation: a lower bound (RWMD), exact where capacity is infinite
    entropic,  ///< the optimum with an entropy term, by Sinkhorn's algorithm
};

/// Capacity without a limit: each query token moves to its nearest document token.
inline constexpr double unlimited_capacity = std::numeric_limits<double>::infinity();

/// How an entropic problem is posed, and when its solution is good enough.
struct Sinkhorn {
    double epsilon = 0.05;  ///< weight of the entropy, above 0; see `relative` for its unit
    /// Whether epsilon is in units of the median absolute cost of the problem (of the largest if that is 0, of 1 if
    /// both are 0) instead of units of the cost.
    bool relative = true;
    double tolerance = 1e-4;             ///< on the L1 error of the marginals, which have total 1
    std::int64_t max_iterations = 1000;  ///< sweeps over both sides
    double marginal_penalty = std::numeric_limits<double>::infinity();  ///< rho; infinite: marginals are met
    /// Whether half of the cost of each side against itself is subtracted: the Sinkhorn divergence (Feydy et al.,
    /// AISTATS 2019), which is 0 between equal sequences.
    bool debiased = false;

    friend bool operator==(const Sinkhorn&, const Sinkhorn&) = default;
};

/// The distance between a query of masses a and a document of masses b, with costs C between their tokens:
///
///     T_kappa(a, b, C) = min <C, P>  subject to  P 1 = a,  P^T 1 <= kappa b,  P >= 0   (equality at kappa = 1)
///
/// If only a fraction s of the mass has to move, P 1 <= a and 1^T P 1 = s replace P 1 = a, and columns have limits even
/// at kappa = 1. Values are in units of the ground cost, as masses have total 1; smaller is nearer.
struct Measure {
    GroundCost ground = GroundCost::cosine;
    Weighting weighting = Weighting::norm;
    double capacity = 1.0;  ///< kappa >= 1; unlimited_capacity leaves the document's mass free
    Problem problem = Problem::exact;
    double fraction = 1.0;   ///< s, in (0, 1]
    Sinkhorn sinkhorn = {};  ///< read under Problem::entropic only

    friend bool operator==(const Measure&, const Measure&) = default;
    /// Whether all mass of both sides has to move.
    [[nodiscard]] bool balanced() const { return capacity == 1.0 && fraction == 1.0; }
    /// Whether the document's mass is free.
    [[nodiscard]] bool unlimited() const { return capacity == unlimited_capacity; }
    /// Whether the value follows from the least costs of tokens alone: what is not exact, or has no limit to meet.
    [[nodiscard]] bool relaxed() const {
        return problem == Problem::relaxed || (problem == Problem::exact && unlimited());
    }
    /// Whether the value is never below that of the relaxed problem. Entropy only adds to a value, but a price on
    /// unmoved mass (marginal_penalty) and subtracted self-costs (debiased) can lower it.
    [[nodiscard]] bool bounded_by_relaxation() const {
        return problem != Problem::entropic ||
               (!sinkhorn.debiased && sinkhorn.marginal_penalty == std::numeric_limits<double>::infinity());
    }
};

}  // namespace moverank
