/// Bounds from codes against distances to tokens: the rounding of costs alone, where codes hold tokens exactly, and the
/// whole slack, where they do not.
#include "moverank/codes.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "moverank/ground_cost.hpp"
#include "moverank/pair.hpp"
#include "target.hpp"

namespace adversary {

using namespace moverank;

namespace {

constexpr int largest_code = 127;

struct Coded {
    std::vector<std::int8_t> codes;
    std::vector<float> scales;
    std::vector<float> tokens;
};

/// Codes out of the bits of components, and the tokens that they stand for: no digit of a product of a code and a scale
/// is lost, and the query finds the same codes for itself.
[[nodiscard]] Coded exactly_coded(const Genome& genome) {
    Coded coded{std::vector<std::int8_t>(genome.tokens.size()), std::vector<float>(genome.n + genome.m),
                std::vector<float>(genome.tokens.size())};
    for (std::size_t t = 0; t < coded.scales.size(); ++t) {
        const auto scale = static_cast<float>(std::abs(genome.knobs[t]));
        coded.scales[t] = std::bit_cast<float>(std::bit_cast<std::uint32_t>(scale) & 0xFFFFFF00U);
        for (std::size_t k = t * genome.dim; k < (t + 1) * genome.dim; ++k) {
            const auto byte = static_cast<int>(std::bit_cast<std::uint32_t>(genome.tokens[k]) >> 12U & 0xFFU);
            const int code = k == t * genome.dim ? largest_code : std::max(byte - 128, -largest_code);
            coded.codes[k] = static_cast<std::int8_t>(code);
            coded.tokens[k] = static_cast<float>(code) * coded.scales[t];
        }
    }
    return coded;
}

/// Each component to the nearest multiple of a step, of which its token's longest has so many.
[[nodiscard]] Coded nearest_codes(const Genome& genome, int levels) {
    Coded coded{std::vector<std::int8_t>(genome.tokens.size()), std::vector<float>(genome.n + genome.m), genome.tokens};
    for (std::size_t t = 0; t < coded.scales.size(); ++t) {
        float longest = 0.0F;
        for (std::size_t k = t * genome.dim; k < (t + 1) * genome.dim; ++k) {
            longest = std::max(longest, std::abs(genome.tokens[k]));
        }
        coded.scales[t] = longest / static_cast<float>(levels);
        for (std::size_t k = t * genome.dim; k < (t + 1) * genome.dim && coded.scales[t] > 0.0F; ++k) {
            const float code = std::round(genome.tokens[k] / coded.scales[t]);
            coded.codes[k] = static_cast<std::int8_t>(std::clamp(code, -127.0F, 127.0F));
        }
    }
    return coded;
}

class CodesTarget final : public Target {
  public:
    CodesTarget(const char* name, GroundCost ground, bool exact, double teeth)
        : Target(std::string("codes, ") + (exact ? "rounding" : "whole slack") + ", " + name, teeth),
          ground_(ground),
          exact_(exact) {}

    Genome begin(Random& random) override {
        constexpr std::size_t dims[] = {1, 2, 3, 4, 7, 16, 64, 130, 1024};
        constexpr double capacities[] = {1.0, 2.0, unlimited_capacity};
        Genome genome{.measure = {ground_, Weighting::uniform, capacities[choose(random, 3)],
                                  random() % 4 == 0 ? Problem::relaxed : Problem::exact},
                      .n = 1 + choose(random, 2),
                      .m = 1 + choose(random, 2),
                      .dim = dims[choose(random, std::size(dims))]};
        fill_tokens(genome, random, random() % 3 == 0 ? power_of_ten(random, -30.0, 16.0) : 1.0);
        genome.knobs.resize(genome.n + genome.m);
        const double size = random() % 3 == 0 ? power_of_ten(random, -30.0, 14.0) : 1.0;
        std::ranges::generate(genome.knobs, [&] { return size * (0.5 + share(random)); });
        return genome;
    }

    std::optional<double> used(const Genome& genome) override {
        const Coded coded = exact_ ? exactly_coded(genome) : nearest_codes(genome, largest_code);
        const TokensView view(TokenType::int8, coded.codes.data(), coded.scales.size(), genome.dim,
                              coded.scales.data());
        return unless_refused([&] {
            const PreparedPair pair(genome, coded.tokens, false);
            const PreparedCodes codes(pair.both(), view);
            PairEvaluator evaluator(genome.measure);
            evaluator.set_query(pair.query());
            const double value = evaluator.distance(pair.document()).distance;
            const double slack = codes.slack(1, max_norm(pair.query()));
            const double bound = evaluator.lower_bound(codes.at(1), codes.largest_norm()) - slack;
            return 1.0 + (bound - value) / (slack + query_slack(genome, pair, codes));
        });
    }

  private:
    /// What rounding the query to codes takes off.
    [[nodiscard]] double query_slack(const Genome& genome, const PreparedPair& pair, const PreparedCodes& codes) {
        costs_.set_query(pair.query());
        costs_.compute_codes(codes.at(1));
        const std::span<const double> radii = costs_.query_code_radii();
        if (radii.empty()) {
            return 0.0;
        }
        const double rounded = genome.measure.problem == Problem::relaxed
                                   ? *std::ranges::max_element(radii)
                                   : std::inner_product(radii.begin(), radii.end(), pair.query().mass.begin(), 0.0);
        return rounded * (ground_ == GroundCost::dot ? codes.largest_norm() : 1.0);
    }

    GroundCost ground_;
    bool exact_;
    GroundCosts costs_{ground_};
};

}  // namespace

void add_codes(Targets& targets) {
    // Without an instruction for whole numbers, tokens that codes hold exactly have the very same costs.
    for (const auto& [exact, teeth] : {std::pair(true, 0.0), std::pair(false, 0.9)}) {
        targets.push_back(std::make_unique<CodesTarget>("cosine", GroundCost::cosine, exact, teeth));
        targets.push_back(std::make_unique<CodesTarget>("euclidean", GroundCost::euclidean, exact, teeth));
        targets.push_back(std::make_unique<CodesTarget>("dot", GroundCost::dot, exact, teeth));
    }
}

}  // namespace adversary
