#include "moverank/pooled.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "../preconditions.hpp"
#include "moverank/ground_traits.hpp"
#include "well_formed.hpp"

namespace moverank {

namespace {

constexpr double unit = 0x1p-24;  // unit roundoff of float32

}  // namespace

// Jensen's inequality needs a cost that is convex in x - y and a plan whose marginals are a and b: balanced, exact
// problems. For cosine, 1 - cos(x, y) is half the squared distance between directions.
bool has_pooled_bound(const Measure& measure) {
    return measure.balanced() && measure.problem == Problem::exact && traits(measure.ground).pooled_bound != nullptr;
}

void pool(GroundCost ground, const PreparedSequence& sequence, std::span<float> pooled) {
    require_well_formed(sequence, GroundCost::dot);  // inverse norms are not read
    require(pooled.size() == sequence.tokens.cols(), "the pooled vector must have the dimension of the tokens");
    std::vector<double> sum(pooled.size(), 0.0);
    std::vector<float> token(pooled.size());
    for (std::size_t t = 0; t < sequence.size(); ++t) {
        if (sequence.mass[t] == 0.0) {
            continue;
        }
        decode(sequence.tokens.run(t, 1), token);
        double share = sequence.mass[t];
        if (ground == GroundCost::cosine) {
            double squared = 0.0;  // not from inverse_norms: their float32 rounding would need a margin of its own
            for (std::size_t k = 0; k < sum.size(); ++k) {
                squared += static_cast<double>(token[k]) * static_cast<double>(token[k]);
            }
            share /= std::sqrt(squared);
        }
        for (std::size_t k = 0; k < sum.size(); ++k) {
            sum[k] += share * static_cast<double>(token[k]);
        }
    }
    std::ranges::transform(sum, pooled.begin(), [](double x) { return static_cast<float>(x); });
}

PooledBound::PooledBound(GroundCost ground, std::size_t dim, double max_pooled_norm, double cost_error)
    : bound_(traits(ground).pooled_bound), cost_error_(cost_error) {
    const double n = static_cast<double>(dim) + 2.0;
    const double gamma = n * unit / (1.0 - n * unit);
    const double reach = 2.0 * max_pooled_norm;
    // With S the squared distance as faiss computes it, |p - q|^2 >= S (1 - gamma) - 2 gamma (2P)^2 - 4 d h under
    // either of its formulas: docs/numerics.md, "Pooled vectors".
    relative_error_ = gamma;
    // Each of the 4 d products may also be off by half of float32's smallest step.
    expansion_error_ = 2.0 * gamma * reach * reach + static_cast<double>(dim) * 0x1p-148;
    // Twice the distance by which rounding to float32 can move both pooled vectors; the excess covers their float64
    // sums.
    rounding_error_ = 2.0 * unit * reach + std::sqrt(static_cast<double>(dim)) * 0x1p-149;
}

double PooledBound::operator()(float squared_distance) const {
    const double squared = static_cast<double>(squared_distance) * (1.0 - relative_error_) - expansion_error_;
    const double distance = std::max(0.0, std::sqrt(std::max(0.0, squared)) - rounding_error_);
    // cost_error_ exceeds the error of costs by two units of float32. That covers the effect of quantised masses on the
    // value of a balanced problem of up to 2^16 tokens per side.
    return bound_ == nullptr ? -std::numeric_limits<double>::infinity() : bound_(distance) - cost_error_;
}

}  // namespace moverank
