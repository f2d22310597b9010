/// Claims about the exact solver, and float64 bounds that keep its distance.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "dual.hpp"
#include "moverank/exact.hpp"
#include "moverank/pair.hpp"
#include "reference.hpp"
#include "target.hpp"

namespace adversary {

using namespace moverank;

namespace {

constexpr double epsilon = std::numeric_limits<double>::epsilon();

/// Costs of a genome made by fill_costs, as its measure has them.
[[nodiscard]] std::vector<double> costs_of(const Genome& genome) {
    std::vector<double> costs(genome.n * genome.m);
    for (std::size_t i = 0; i < genome.n; ++i) {
        for (std::size_t j = 0; j < genome.m; ++j) {
            costs[i * genome.m + j] = -static_cast<double>(genome.tokens[(genome.n + j) * genome.dim + i]);
        }
    }
    return costs;
}

[[nodiscard]] double largest_of(const std::vector<double>& costs) {
    return std::abs(*std::ranges::max_element(costs, {}, [](double c) { return std::abs(c); }));
}

/// Makes genomes of costs; keeps their query's tokens, which mutations touch, as they have to be.
class SolveTarget : public Target {
  public:
    using Target::Target;

    Genome begin(Random& random) override {
        constexpr double capacities[] = {1.0, 1.0, 1.5, 8.0};
        Genome genome{.measure = {GroundCost::dot, Weighting::given, capacities[choose(random, 4)], Problem::exact,
                                  random() % 4 == 0 ? 0.1 + 0.9 * share(random) : 1.0},
                      .n = 2 + choose(random, 5),
                      .m = 2 + choose(random, random() % 3 == 0 ? 40 : 6)};
        fill_costs(genome, random);
        fill_weights(genome, random);
        genome.knobs.resize(genome.n + 1);
        const double size = random() % 2 == 0 ? 1.0 : power_of_ten(random, -3.0, 8.0);
        std::ranges::generate(genome.knobs, [&] { return size * (2.0 * share(random) - 1.0); });
        return genome;
    }

    std::optional<double> used(const Genome& genome) final {
        Genome sound = genome;
        for (std::size_t k = 0; k < genome.n * genome.n; ++k) {
            sound.tokens[k] = k % genome.n == k / genome.n ? 1.0F : 0.0F;
        }
        return unless_refused([&]() -> std::optional<double> {
            const PreparedPair pair(sound, sound.tokens, true);
            const std::vector<double> costs = costs_of(sound);
            const double largest = largest_of(costs);
            return largest > 0.0 ? used_of(sound, pair, costs, largest) : std::optional<double>();
        });
    }

  protected:
    [[nodiscard]] virtual std::optional<double> used_of(const Genome& genome, const PreparedPair& pair,
                                                        const std::vector<double>& costs, double largest) = 0;

    [[nodiscard]] static long double optimum_of(const Genome& genome, const PreparedPair& pair,
                                                const std::vector<double>& costs) {
        return optimum(costs, pair.query().mass, pair.document().mass, genome.measure.capacity,
                       genome.measure.fraction);
    }
    [[nodiscard]] static double value_error(const Genome& genome, double largest) {
        return exact_value_error(genome.n + 1, genome.m + 1, largest);
    }
};

/// exact_value_error, from either side.
class ValueTarget final : public SolveTarget {
  public:
    ValueTarget(bool above, double teeth)
        : SolveTarget(above ? "exact value, too large" : "exact value, too small", teeth), above_(above) {}

  private:
    std::optional<double> used_of(const Genome& genome, const PreparedPair& pair, const std::vector<double>& costs,
                                  double largest) override {
        PairEvaluator evaluator(genome.measure);
        evaluator.set_query(pair.query());
        const double value = evaluator.distance(pair.document()).distance;
        const long double truth = optimum_of(genome, pair, costs);
        const double error = value_error(genome, largest);
        // Reduced costs may be that much below zero in every column, in proportion to what it may take.
        double limits = 1.0 - genome.measure.fraction;
        for (const double mass : pair.document().mass) {
            limits += std::min(genome.measure.capacity * mass, 2.0);
        }
        return above_ ? excess(value, truth, largest) / (error + 1e-12 * largest * limits)
                      : excess(truth, value, largest) / error;
    }

    bool above_;
};

/// The certificate's lower end against the optimum; the margin is a share of it, so balanced problems are taken, whose
/// potentials are those that it was made of.
class LowerTarget final : public SolveTarget {
  public:
    explicit LowerTarget(double teeth) : SolveTarget("exact, lower", teeth) {}

    Genome begin(Random& random) override {
        Genome genome = SolveTarget::begin(random);
        genome.measure.capacity = genome.measure.fraction = 1.0;
        return genome;
    }

  private:
    std::optional<double> used_of(const Genome& genome, const PreparedPair& pair, const std::vector<double>& costs,
                                  double largest) override {
        ExactSolver solver;
        const std::span<const double> a = pair.query().mass;
        const std::span<const double> b = pair.document().mass;
        const SolveSummary summary = solver.solve(TransportProblem<double>{{costs.data(), genome.n, genome.m}, a, b});
        double size = 0.0;
        for (std::size_t i = 0; i < genome.n; ++i) {
            size += a[i] > 0.0 ? a[i] * std::abs(solver.f()[i]) : 0.0;
        }
        for (std::size_t j = 0; j < genome.m; ++j) {
            size += b[j] > 0.0 ? b[j] * std::abs(solver.g()[j]) : 0.0;
        }
        const double margin = static_cast<double>(genome.n + genome.m + 4) * epsilon * size;
        const double above = excess(summary.lower, optimum_of(genome, pair, costs), largest);
        return margin > 0.0 ? std::optional(1.0 + above / margin) : std::nullopt;
    }
};

/// What a solve that was cut off proved, against the value to the end.
class CutoffTarget final : public SolveTarget {
  public:
    explicit CutoffTarget(double teeth) : SolveTarget("exact, cut off", teeth) {}

  private:
    std::optional<double> used_of(const Genome& genome, const PreparedPair& pair, const std::vector<double>&,
                                  double largest) override {
        PairEvaluator evaluator(genome.measure);
        evaluator.set_query(pair.query());
        const double value = evaluator.distance(pair.document()).distance;
        const double error = value_error(genome, largest);
        double worst = 0.0;
        for (const double below : {0.0, 1.0, 3.0, 1e3, 1e6}) {
            const PairResult result = evaluator.distance(pair.document(), value - below * error);
            if (result.outcome == PairOutcome::pruned_by_solver) {
                worst = std::max(worst, 1.0 + (result.distance - value) / error);
            }
        }
        return worst;
    }
};

/// Bounds from minima, or from potentials, against the value: they keep exact_value_error from it.
class BoundTarget final : public SolveTarget {
  public:
    BoundTarget(bool by_potentials, double teeth)
        : SolveTarget(by_potentials ? "tokens, reused potentials" : "tokens, relaxed", teeth),
          by_potentials_(by_potentials) {}

  private:
    std::optional<double> used_of(const Genome& genome, const PreparedPair& pair, const std::vector<double>&,
                                  double largest) override {
        PairEvaluator evaluator(genome.measure);
        evaluator.set_query(pair.query());
        const double value = evaluator.distance(pair.document()).distance;
        const std::span<const double> f = evaluator.potentials();
        if (by_potentials_) {
            // The document's own potentials, shifted, which are the best, and then any.
            std::vector<double> potentials(f.begin(), f.end());
            for (std::size_t i = 0; i < potentials.size(); ++i) {
                potentials[i] += genome.knobs[0] < 0.0 ? genome.knobs[0] : genome.knobs[1 + i];
            }
            evaluator.reuse_potentials(potentials);
        }
        const double error = value_error(genome, largest);
        return 1.0 + (evaluator.lower_bound(pair.document()) - value) / error;
    }

    bool by_potentials_;
};

/// DualBound::value, whose margin is for rounding alone, against the optimum.
class DualTarget final : public SolveTarget {
  public:
    explicit DualTarget(double teeth) : SolveTarget("dual value", teeth) {}

  private:
    std::optional<double> used_of(const Genome& genome, const PreparedPair& pair, const std::vector<double>& costs,
                                  double largest) override {
        const std::vector<double> a(pair.query().mass.begin(), pair.query().mass.end());
        const std::vector<double> b(pair.document().mass.begin(), pair.document().mass.end());
        if (std::ranges::count(a, 0.0) + std::ranges::count(b, 0.0) > 0) {
            return std::nullopt;
        }
        PairEvaluator evaluator(genome.measure);
        evaluator.set_query(pair.query());
        (void)evaluator.distance(pair.document());
        std::vector<double> f(evaluator.potentials().begin(), evaluator.potentials().end());
        for (std::size_t i = 0; i < f.size(); ++i) {
            f[i] += genome.knobs[0] < 0.0 ? genome.knobs[0] : genome.knobs[1 + i];
        }
        PosedDual<float> dual(costs, a, b, genome.measure);
        const double value = dual.value(f);
        const double margin = dual.margin(value);
        return margin > 0.0 ? std::optional(1.0 + excess(value, optimum_of(genome, pair, costs), largest) / margin)
                            : std::nullopt;
    }
};

}  // namespace

void add_solves(Targets& targets) {
    targets.push_back(std::make_unique<ValueTarget>(false, 0.05));
    targets.push_back(std::make_unique<ValueTarget>(true, 0.01));
    targets.push_back(std::make_unique<LowerTarget>(0.1));
    targets.push_back(std::make_unique<CutoffTarget>(0.03));
    targets.push_back(std::make_unique<BoundTarget>(false, 0.05));
    targets.push_back(std::make_unique<BoundTarget>(true, 0.05));
    targets.push_back(std::make_unique<DualTarget>(0.03));
}

}  // namespace adversary
