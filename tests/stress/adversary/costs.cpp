/// cost_error_bound against costs in long double.
#include <algorithm>
#include <cmath>
#include <span>

#include "moverank/ground_cost.hpp"
#include "target.hpp"

namespace adversary {

using namespace moverank;

namespace {

[[nodiscard]] long double true_cost(GroundCost ground, std::span<const float> x, std::span<const float> y) {
    long double xy = 0.0L;
    long double xx = 0.0L;
    long double yy = 0.0L;
    long double squared = 0.0L;
    for (std::size_t k = 0; k < x.size(); ++k) {
        const auto a = static_cast<long double>(x[k]);
        const auto b = static_cast<long double>(y[k]);
        xy += a * b;
        xx += a * a;
        yy += b * b;
        squared += (a - b) * (a - b);
    }
    switch (ground) {
        case GroundCost::cosine: return 1.0L - xy / std::sqrt(xx) / std::sqrt(yy);
        case GroundCost::euclidean: return std::sqrt(squared);
        case GroundCost::sqeuclidean: return squared;
        case GroundCost::dot: return -xy;
        case GroundCost::given: break;
    }
    return 0.0L;
}

/// One token per side, as norms of others could only widen the bound.
class CostTarget final : public Target {
  public:
    CostTarget(const char* name, GroundCost ground, double teeth)
        : Target(std::string("cost, ") + name, teeth), ground_(ground) {}

    Genome begin(Random& random) override {
        constexpr std::size_t dims[] = {1, 2, 3, 7, 16, 32, 63, 64, 65, 128, 200, 768, 1024};
        Genome genome{.measure = {ground_, Weighting::uniform}, .dim = dims[choose(random, std::size(dims))]};
        // Most of the range at which costs are normal, and some of its ends.
        fill_tokens(genome, random, random() % 4 == 0 ? power_of_ten(random, -40.0, 18.0) : 1.0);
        return genome;
    }

    std::optional<double> used(const Genome& genome) override {
        return unless_refused([&] {
            const PreparedPair pair(genome, genome.tokens, false);
            costs_.set_query(pair.query());
            costs_.compute(pair.document());
            const double margin =
                cost_error_bound(ground_, genome.dim, max_norm(pair.query()), max_norm(pair.document()));
            const std::span<const float> tokens(genome.tokens);
            const long double truth = true_cost(ground_, tokens.first(genome.dim), tokens.last(genome.dim));
            const long double error = static_cast<long double>(costs_.matrix().matrix(0, 0)) - truth;
            return static_cast<double>(std::abs(error) / static_cast<long double>(margin));
        });
    }

  private:
    GroundCost ground_;
    GroundCosts costs_{ground_};
};

}  // namespace

void add_costs(Targets& targets) {
    targets.push_back(std::make_unique<CostTarget>("cosine", GroundCost::cosine, 0.3));
    targets.push_back(std::make_unique<CostTarget>("euclidean", GroundCost::euclidean, 0.3));
    targets.push_back(std::make_unique<CostTarget>("sqeuclidean", GroundCost::sqeuclidean, 0.4));
    targets.push_back(std::make_unique<CostTarget>("dot", GroundCost::dot, 0.4));
}

}  // namespace adversary
