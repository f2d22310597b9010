/// Repeated tokens made one: which are equal, what mass they have, and that no distance changes.
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "check.hpp"
#include "instances.hpp"
#include "moverank/distinct.hpp"
#include "moverank/pair.hpp"
#include "moverank/prepared.hpp"

using namespace moverank;

namespace {

/// `length` tokens of `n_words` vectors, each with its mass.
struct Text {
    Text(instances::Random& random, std::size_t length, std::size_t n_words, std::size_t dim)
        : words(length), tokens(length * dim), mass(length) {
        std::normal_distribution<double> normal;
        std::vector<float> vectors(n_words * dim);
        for (float& component : vectors) {
            component = static_cast<float>(normal(random));
        }
        for (std::size_t t = 0; t < length; ++t) {
            words[t] = t < n_words ? t : random() % n_words;
            std::copy_n(&vectors[words[t] * dim], dim, &tokens[t * dim]);
            mass[t] = 0.1 + std::abs(normal(random));
        }
        const double total = std::accumulate(mass.begin(), mass.end(), 0.0);
        for (double& part : mass) {
            part /= total;
        }
    }
    [[nodiscard]] PreparedSequence prepared(std::size_t dim) const {
        return {{tokens.data(), mass.size(), dim}, mass, {}};
    }

    std::vector<std::size_t> words;
    std::vector<float> tokens;
    std::vector<double> mass;
};

}  // namespace

TEST(equal_tokens_become_one_with_their_mass) {
    instances::Random random(3);
    DistinctTokens distinct;
    for (const std::size_t dim : {1, 2, 7, 8, 33, 300}) {
        for (const std::size_t n_words : {1, 6, 100}) {
            const Text text(random, 500, n_words, dim);
            const PreparedSequence found = distinct.of(text.prepared(dim));
            CHECK(found.size() == n_words);
            std::vector<double> mass(n_words, 0.0);
            for (std::size_t t = 0; t < text.words.size(); ++t) {
                CHECK(distinct.places()[t] == text.words[t]);
                mass[text.words[t]] += text.mass[t];
            }
            for (std::size_t w = 0; w < n_words; ++w) {
                CHECK_NEAR(found.mass[w], mass[w], 1e-15);
            }
        }
    }
}

TEST(tokens_that_only_look_alike_stay_apart) {
    // All begin with the same numbers: only a whole look tells the tokens apart.
    constexpr std::size_t dim = 400;
    constexpr std::size_t n = 300;
    std::vector<float> tokens(n * dim, 1.0F);
    const std::vector<double> mass(n, 1.0 / n);
    for (std::size_t t = 0; t < n; ++t) {
        tokens[t * dim + 5 + t % 150 / 2] = static_cast<float>(2 + t % 2);
    }
    DistinctTokens distinct;
    CHECK(distinct.of({{tokens.data(), n, dim}, mass, {}}).size() == 150);
}

TEST(sequences_that_are_short_or_hardly_repeat_are_left_alone) {
    instances::Random random(4);
    DistinctTokens distinct;
    for (const auto& [length, n_words] : {std::pair{127, 3}, std::pair{400, 400}, std::pair{400, 350}}) {
        const Text text(random, static_cast<std::size_t>(length), static_cast<std::size_t>(n_words), 16);
        const PreparedSequence found = distinct.of(text.prepared(16));
        CHECK(found.size() == text.words.size());
        CHECK(found.tokens.data() == text.tokens.data());
        CHECK(distinct.places().empty());
    }
}

TEST(distances_are_those_of_the_tokens_as_they_are) {
    instances::Random random(5);
    constexpr std::size_t dim = 12;
    for (const Measure& measure :
         {Measure{GroundCost::euclidean, Weighting::uniform}, Measure{GroundCost::euclidean, Weighting::uniform, 2.0},
          Measure{GroundCost::dot, Weighting::uniform, 1.0, Problem::exact, 0.6}}) {
        const Text query(random, 200, 9, dim);
        const Text document(random, 300, 20, dim);
        PairEvaluator evaluator(measure);
        evaluator.set_query(query.prepared(dim));
        const CertifiedDistance found = evaluator.certified(document.prepared(dim));
        CHECK(evaluator.distance(document.prepared(dim)).distance == found.value);
        // As the solver has it without the evaluator's help.
        GroundCosts costs(measure.ground);
        costs.set_query(query.prepared(dim));
        costs.compute(document.prepared(dim));
        ExactSolver solver;
        const double whole = solver
                                 .solve(costs.matrix(), query.mass, document.mass, measure.capacity, measure.fraction,
                                        std::numeric_limits<double>::infinity(), nullptr)
                                 .value;
        CHECK_NEAR(found.value, whole, 1e-9);
        CHECK(evaluator.lower_bound(document.prepared(dim)) <= found.value);
    }
}
