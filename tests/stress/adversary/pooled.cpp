/// PooledBound against values, by both formulas for the squared distance and in several orders of summation.
#include "moverank/pooled.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <utility>
#include <vector>

#include "moverank/ground_cost.hpp"
#include "moverank/pair.hpp"
#include "target.hpp"

namespace adversary {

using namespace moverank;

namespace {

/// A float32 sum of products in so many chains, as vector units make it: fused or not.
template <std::size_t chains, bool fused>
[[nodiscard]] float inner_product(std::span<const float> x, std::span<const float> y) {
    std::array<float, chains> sums{};
    for (std::size_t k = 0; k < x.size(); ++k) {
        float& sum = sums[k % chains];
        sum = fused ? std::fma(x[k], y[k], sum) : sum + x[k] * y[k];
    }
    float total = 0.0F;
    for (const float sum : sums) {
        total += sum;
    }
    return total;
}

[[nodiscard]] double norm(std::span<const float> x) {
    double squared = 0.0;
    for (const float component : x) {
        squared += static_cast<double>(component) * static_cast<double>(component);
    }
    return std::sqrt(squared);
}

class PooledTarget final : public Target {
  public:
    PooledTarget(const char* name, GroundCost ground, bool by_expansion, double teeth)
        : Target(std::string("pooled, ") + (by_expansion ? "expansion" : "direct") + ", " + name, teeth),
          ground_(ground),
          by_expansion_(by_expansion) {}

    Genome begin(Random& random) override {
        constexpr std::size_t dims[] = {1, 2, 3, 8, 16, 64, 128, 300, 1024};
        constexpr Weighting weightings[] = {Weighting::uniform, Weighting::norm, Weighting::given};
        Genome genome{.measure = {ground_, weightings[choose(random, 3)]},
                      .n = 1 + choose(random, 3),
                      .m = 1 + choose(random, 3),
                      .dim = dims[choose(random, std::size(dims))]};
        fill_tokens(genome, random, random() % 3 == 0 ? power_of_ten(random, -25.0, 18.0) : 1.0);
        fill_weights(genome, random);
        return genome;
    }

    std::optional<double> used(const Genome& genome) override {
        return unless_refused([&] {
            const PreparedPair pair(genome, genome.tokens, genome.measure.weighting == Weighting::given);
            PairEvaluator evaluator(genome.measure);
            evaluator.set_query(pair.query());
            const double value = evaluator.distance(pair.document()).distance;
            std::vector<float> p(genome.dim);
            std::vector<float> q(genome.dim);
            pool(ground_, pair.query(), p);
            pool(ground_, pair.document(), q);
            const double longest = std::max(norm(p), norm(q));
            const double cost_error =
                cost_error_bound(ground_, genome.dim, max_norm(pair.query()), max_norm(pair.document()));
            const PooledBound bound(ground_, genome.dim, longest, cost_error);
            double worst = 0.0;
            for (const float squared : {squared_distance<1, false>(p, q), squared_distance<8, true>(p, q),
                                        squared_distance<16, true>(p, q), squared_distance<4, false>(p, q)}) {
                // Bisect for the multiple; the product's own bound says whether that is under 1.
                double low = 0.0;
                double high = 2.0;
                for (int step = 0; step < 30; ++step) {
                    const double middle = (low + high) / 2.0;
                    const bool holds = scaled_bound(squared, middle, genome.dim, longest, cost_error) <= value;
                    (holds ? high : low) = middle;
                }
                worst = std::max(worst, bound(squared) <= value ? std::min(high, 1.0) : std::max(high, 1.001));
            }
            return worst;
        });
    }

  private:
    template <std::size_t chains, bool fused>
    [[nodiscard]] float squared_distance(std::span<const float> p, std::span<const float> q) const {
        if (by_expansion_) {
            return std::max(0.0F, inner_product<chains, fused>(p, p) + inner_product<chains, fused>(q, q) -
                                      2.0F * inner_product<chains, fused>(p, q));
        }
        std::vector<float> difference(p.size());
        std::ranges::transform(p, q, difference.begin(), std::minus{});
        return inner_product<chains, fused>(difference, difference);
    }

    /// The bound with its margins so many times as large.
    [[nodiscard]] double scaled_bound(float squared, double times, std::size_t dim, double longest,
                                      double cost_error) const {
        const auto d = static_cast<double>(dim);
        const double gamma = (d + 2.0) * 0x1p-24 / (1.0 - (d + 2.0) * 0x1p-24);
        const double expansion = 8.0 * gamma * longest * longest + d * 0x1p-148;
        const double pooling = 0x1p-22 * longest + std::sqrt(d) * 0x1p-149;
        const double least = static_cast<double>(squared) * (1.0 - times * gamma) - times * expansion;
        const double distance = std::max(0.0, std::sqrt(std::max(0.0, least)) - times * pooling);
        return (ground_ == GroundCost::euclidean ? distance : distance * distance) *
                   (ground_ == GroundCost::cosine ? 0.5 : 1.0) -
               times * cost_error;
    }

    GroundCost ground_;
    bool by_expansion_;
};

}  // namespace

void add_pooled(Targets& targets) {
    for (const bool by_expansion : {false, true}) {
        targets.push_back(std::make_unique<PooledTarget>("cosine", GroundCost::cosine, by_expansion, 0.05));
        targets.push_back(std::make_unique<PooledTarget>("euclidean", GroundCost::euclidean, by_expansion, 0.05));
        targets.push_back(std::make_unique<PooledTarget>("sqeuclidean", GroundCost::sqeuclidean, by_expansion, 0.05));
    }
}

}  // namespace adversary
