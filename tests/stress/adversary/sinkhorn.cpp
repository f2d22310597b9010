/// The interval of an entropic solve against the optimum without entropy.
#include "moverank/sinkhorn.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "dual.hpp"
#include "reference.hpp"
#include "target.hpp"

namespace adversary {

using namespace moverank;

namespace {

constexpr double epsilon = std::numeric_limits<double>::epsilon();

/// Knobs: logarithms of epsilon and of the number of iterations, and which arithmetic scales.
class IntervalTarget final : public Target {
  public:
    IntervalTarget(bool upper, double teeth)
        : Target(upper ? "entropic, upper" : "entropic, lower", teeth), upper_(upper) {}

    Genome begin(Random& random) override {
        constexpr double capacities[] = {1.0, 1.0, 1.5, 8.0};
        Genome genome{.measure = {GroundCost::dot, Weighting::given, capacities[choose(random, 4)], Problem::exact,
                                  random() % 4 == 0 ? 0.1 + 0.9 * share(random) : 1.0},
                      .n = 1 + choose(random, 5),
                      .m = 1 + choose(random, 6)};
        fill_costs(genome, random);
        fill_weights(genome, random);
        genome.knobs = {-8.0 * share(random), 3.0 * share(random), share(random)};
        return genome;
    }

    std::optional<double> used(const Genome& genome) override {
        return unless_refused([&]() -> std::optional<double> {
            const PreparedPair pair(genome, genome.tokens, true);
            const std::span<const double> a = pair.query().mass;
            const std::span<const double> b = pair.document().mass;
            std::vector<double> costs(genome.n * genome.m);
            double largest = 0.0;
            for (std::size_t k = 0; k < costs.size(); ++k) {
                costs[k] = -static_cast<double>(genome.tokens[(genome.n + k % genome.m) * genome.dim + k / genome.m]);
                largest = std::max(largest, std::abs(costs[k]));
            }
            const double iterations = std::pow(10.0, std::clamp(genome.knobs[1], 0.0, 3.0)) - 1.0;
            const Sinkhorn sinkhorn{.epsilon = std::pow(10.0, std::clamp(genome.knobs[0], -30.0, 3.0)) * largest,
                                    .relative = false,
                                    .tolerance = genome.knobs[2] < 0.3 ? 1e-4 : 1e-15,
                                    .max_iterations = static_cast<std::int64_t>(iterations)};
            if (!(largest > 0.0) || std::ranges::count(a, 0.0) + std::ranges::count(b, 0.0) > 0) {
                return std::nullopt;
            }
            return genome.knobs[2] < 0.6 ? used_in<float>(genome, sinkhorn, costs, a, b, largest)
                                         : used_in<double>(genome, sinkhorn, costs, a, b, largest);
        });
    }

  private:
    template <class Cost>
    [[nodiscard]] std::optional<double> used_in(const Genome& genome, const Sinkhorn& sinkhorn,
                                                std::span<const double> costs, std::span<const double> a,
                                                std::span<const double> b, double largest) {
        const std::vector<Cost> given(costs.begin(), costs.end());
        const auto [capacity, fraction] = std::pair(genome.measure.capacity, genome.measure.fraction);
        solver_.solve(TransportProblem<Cost>{{given.data(), genome.n, genome.m}, a, b, capacity, fraction}, sinkhorn);
        const SinkhornBounds bounds = solver_.bounds();
        const long double truth = optimum(costs, a, b, capacity, fraction);
        if (upper_) {
            const double margin = static_cast<double>(genome.n + genome.m + 16) * 4.0 * epsilon * largest;
            return 1.0 + excess(truth, bounds.upper, largest) / margin;
        }
        PosedDual<Cost> dual(costs, a, b, genome.measure);
        const double margin = dual.margin(dual.value(solver_.f()));
        return margin > 0.0 ? std::optional(1.0 + excess(bounds.lower, truth, largest) / margin) : std::nullopt;
    }

    bool upper_;
    SinkhornSolver solver_;
};

/// Priced marginals of one token per side, whose optimum is known: mass p at cost c, log p = -c / (2 rho).
class PricedTarget final : public Target {
  public:
    PricedTarget(bool upper, double teeth)
        : Target(upper ? "priced marginals, upper" : "priced marginals, lower", teeth), upper_(upper) {}

    Genome begin(Random& random) override {
        return {.tokens = {1.0F},
                .knobs = {600.0 * share(random) - 400.0, 0.5 + share(random), -14.0 + 14.0 * share(random),
                          1.0 + 2.5 * share(random)}};
    }

    std::optional<double> used(const Genome& genome) override {
        const double penalty = std::abs(genome.knobs[1]);
        const double cost = genome.knobs[0] * penalty;
        if (!(penalty > 1e-100 && penalty < 1e100 && std::abs(genome.knobs[0]) < 1000.0)) {
            return std::nullopt;
        }
        const std::vector<double> one{1.0};
        const double iterations = std::pow(10.0, std::clamp(genome.knobs[3], 0.0, 3.5));
        solver_.solve(TransportProblem<double>{{&cost, 1, 1}, one, one},
                      {.epsilon = std::pow(10.0, std::clamp(genome.knobs[2], -15.0, 1.0)) * penalty,
                       .relative = false,
                       .tolerance = 1e-15,
                       .max_iterations = static_cast<std::int64_t>(iterations),
                       .marginal_penalty = penalty});
        const SinkhornBounds bounds = solver_.bounds();
        const auto twice = 2.0L * static_cast<long double>(penalty);
        const auto half = static_cast<long double>(cost) / twice;
        const long double value = -twice * std::expm1(-half);
        const double steepness = 1.0 + std::max(0.0, -static_cast<double>(half));
        const double moved = static_cast<double>(std::exp(-half));
        const double margin = upper_ ? 18.0 * 4.0 * epsilon *
                                           (std::abs(cost) * std::max(1.0, moved) +
                                            2.0 * penalty * (moved * static_cast<double>(std::abs(half)) + moved + 1.0))
                                     : 10.0 * 2.0 * epsilon * std::abs(static_cast<double>(value)) * steepness;
        const auto excess = upper_ ? static_cast<double>(value - static_cast<long double>(bounds.upper))
                                   : static_cast<double>(static_cast<long double>(bounds.lower) - value);
        return margin > 0.0 && std::isfinite(margin) ? std::optional(1.0 + excess / margin) : std::nullopt;
    }

  private:
    bool upper_;
    SinkhornSolver solver_;
};

}  // namespace

void add_sinkhorn(Targets& targets) {
    targets.push_back(std::make_unique<IntervalTarget>(false, 0.03));
    targets.push_back(std::make_unique<IntervalTarget>(true, 0.01));
    targets.push_back(std::make_unique<PricedTarget>(false, 0.02));
    targets.push_back(std::make_unique<PricedTarget>(true, 0.002));
}

}  // namespace adversary
