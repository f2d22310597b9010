/// BagBounds against values, whatever the potentials.
#include "moverank/bags.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "moverank/bag_bounds.hpp"
#include "moverank/pair.hpp"
#include "moverank/vocabulary_costs.hpp"
#include "target.hpp"

namespace adversary {

using namespace moverank;

namespace {

class BagTarget final : public Target {
  public:
    BagTarget(bool two_sided, double teeth)
        : Target(two_sided ? "bags, two-sided" : "bags, one-sided", teeth), two_sided_(two_sided) {}

    Genome begin(Random& random) override {
        constexpr GroundCost grounds[] = {GroundCost::cosine, GroundCost::euclidean, GroundCost::sqeuclidean,
                                          GroundCost::dot};
        constexpr double capacities[] = {1.0, 1.0, 1.5, 8.0};
        Genome genome{.measure = {grounds[choose(random, 4)], random() % 2 == 0 ? Weighting::uniform : Weighting::norm,
                                  capacities[choose(random, 4)]},
                      .n = 1 + choose(random, 4),
                      .m = 1 + choose(random, 5),
                      .dim = 1 + choose(random, 4)};
        fill_tokens(genome, random, random() % 3 == 0 ? power_of_ten(random, -20.0, 15.0) : 1.0);
        fill_weights(genome, random);
        if (random() % 5 == 0) {
            genome.measure.fraction = random() % 2 == 0 ? 1.0 : 0.1 + 0.9 * share(random);
            return genome;
        }
        // Potentials of the very document, shifted and shaken.
        genome.knobs.assign(genome.n, 0.0);
        try {
            const PreparedPair pair(genome, genome.tokens, false);
            PairEvaluator evaluator(genome.measure);
            evaluator.set_query(pair.query());
            const double value = evaluator.distance(pair.document()).distance;
            const std::span<const double> f = evaluator.potentials();
            const double shift = random() % 2 == 0 ? 0.0 : value * power_of_ten(random, -1.0, 6.0);
            const double shaking = random() % 2 == 0 ? 0.0 : value * power_of_ten(random, -9.0, 1.0);
            for (std::size_t i = 0; i < f.size() && f.size() == genome.n; ++i) {
                genome.knobs[i] = f[i] + shift + shaking * (share(random) - 0.5);
            }
        } catch (const SequenceError&) {
            return genome;  // it will be refused again, and another one begun
        }
        return genome;
    }

    std::optional<double> used(const Genome& genome) override {
        const std::size_t query_size = genome.n * genome.dim;
        const TokensView vectors(genome.tokens.data() + query_size, genome.m, genome.dim);
        std::vector<std::uint32_t> words(genome.m);
        std::iota(words.begin(), words.end(), 0U);
        const std::vector<std::int64_t> offsets{0, static_cast<std::int64_t>(genome.m)};
        std::vector<float> counts(genome.m);
        for (std::size_t j = 0; j < genome.m; ++j) {
            counts[j] = std::max(static_cast<float>(genome.weights[genome.n + j]), 1e-20F);
        }
        return unless_refused([&]() -> std::optional<double> {
            const PreparedBags prepared(BagsView{vectors, words, offsets, counts}, genome.measure);
            const JoinedBags bags({&prepared});
            std::vector<double> mass(genome.n);
            std::vector<float> inverse_norms(genome.n);
            const PreparedSequence query =
                prepare({{genome.tokens.data(), genome.n, genome.dim}, {}}, genome.measure, mass, inverse_norms, 0);
            if (std::ranges::any_of(query.mass, [](double x) { return x == 0.0; })) {
                return std::nullopt;
            }
            Interrupt interrupt;
            const VocabularyCosts table(bags, query, 1, interrupt);
            double largest_f = 0.0;
            for (const double f : genome.knobs) {
                largest_f = std::max(largest_f, std::abs(f));
            }
            const BagBounds bounds(bags, table, query.mass, genome.knobs);
            if (largest_f + table.largest() > 0x1p100 || (!two_sided_ && !bounds.has_one_sided())) {
                return std::nullopt;
            }
            BagBounds::Scratch scratch;
            const double bound = two_sided_ ? bounds.two_sided(0, scratch) : bounds.one_sided(0);
            PairEvaluator evaluator(genome.measure);
            evaluator.set_query(query, &table);
            DocumentBuffer buffer;
            const double value = evaluator.distance(bags.at(0, buffer)).distance;
            return 1.0 + (bound - value) / margin(genome, table.largest(), largest_f);
        });
    }

  private:
    [[nodiscard]] static double margin(const Genome& genome, double largest, double largest_f) {
        const double size = largest + 1.001 * largest_f;
        const double weight = genome.knobs.empty() ? 1.0 : genome.measure.capacity;
        const auto n_terms = static_cast<double>(genome.n + genome.m + 16);
        return 0x1p-24 * (weight + 2.0) * 1.001 * size +
               4.0 * n_terms * std::numeric_limits<double>::epsilon() * (weight + 1.0) * size +
               exact_value_error(genome.n + 1, genome.m + 1, largest);
    }

    bool two_sided_;
};

}  // namespace

void add_bags(Targets& targets) {
    targets.push_back(std::make_unique<BagTarget>(false, 0.15));
    targets.push_back(std::make_unique<BagTarget>(true, 0.2));
}

}  // namespace adversary
