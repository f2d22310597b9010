/// What is being measured: ground cost, weighting, capacity and problem, as one value.
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
    given,        ///< whatever a table says: of bags only, whose words have costs in place of vectors
};

/// How a sequence without weights of its own gets its mass.
enum class Weighting {
    uniform,  ///< the same for every token
    norm,     ///< proportional to |x|, as in Word Rotator's Distance
    given,    ///< none: the sequence must bring its weights
};

/// Which value is asked for.
enum class Problem {
    exact,     ///< the optimum of the transport problem
    relaxed,   ///< its one-sided relaxation: a lower bound (RWMD), exact where capacity is infinite
    entropic,  ///< the optimum with an entropy term, by Sinkhorn's algorithm
};

inline constexpr double unlimited_capacity = std::numeric_limits<double>::infinity();

/// How an entropic problem is posed, and when its solution is good enough.
struct Sinkhorn {
    double epsilon = 0.05;  ///< weight of the entropy, in units of the cost
    /// Whether epsilon is in units of the median size of the problem's costs instead. (Where that is 0, their largest
    /// size; where that is 0 as well, 1.)
    bool relative = true;
    double tolerance = 1e-4;  ///< on the L1 error of the marginals
    std::int64_t max_iterations = 1000;
    double marginal_penalty = std::numeric_limits<double>::infinity();  ///< rho; infinite: marginals are met
    /// Whether half of what each side costs against itself is taken off: the Sinkhorn divergence (Feydy et al., AISTATS
    /// 2019), which is 0 between equal sequences.
    bool debiased = false;

    friend bool operator==(const Sinkhorn&, const Sinkhorn&) = default;
};

/// T_kappa(a, b, C) = min <C, P>  subject to  P 1 = a,  P^T 1 <= kappa b,  P >= 0   (equality at kappa = 1). Where only
/// a fraction s has to move, P 1 <= a and 1^T P 1 = s take the place of P 1 = a, and columns have limits at kappa = 1
/// too.
struct Measure {
    GroundCost ground = GroundCost::cosine;
    Weighting weighting = Weighting::norm;
    double capacity = 1.0;  ///< kappa >= 1; unlimited_capacity leaves the document's mass free
    Problem problem = Problem::exact;
    double fraction = 1.0;   ///< s, in (0, 1]
    Sinkhorn sinkhorn = {};  ///< read under Problem::entropic only

    friend bool operator==(const Measure&, const Measure&) = default;
    [[nodiscard]] bool balanced() const { return capacity == 1.0 && fraction == 1.0; }
    [[nodiscard]] bool unlimited() const { return capacity == unlimited_capacity; }
    /// Whether its value is never below that of the relaxed problem. Entropy only adds to it, but mass that need not
    /// move and self-costs that are taken off do not.
    [[nodiscard]] bool bounded_by_relaxation() const {
        return problem != Problem::entropic ||
               (!sinkhorn.debiased && sinkhorn.marginal_penalty == std::numeric_limits<double>::infinity());
    }
};

}  // namespace moverank
