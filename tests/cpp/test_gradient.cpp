#include <cmath>
#include <vector>

#include "check.hpp"
#include "instances.hpp"
#include "moverank/gradient.hpp"

using namespace moverank;

namespace {

struct Sequence {
    std::vector<double> tokens, weights;
    std::vector<double> token_gradient, weight_gradient;
    std::size_t dim;

    Sequence(instances::Random& random, std::size_t n, std::size_t dimension, bool weighted) : dim(dimension) {
        std::normal_distribution<double> normal;
        tokens.resize(n * dim);
        for (double& x : tokens) {
            x = normal(random);
        }
        if (weighted) {
            weights = instances::masses(random, n);
            for (double& w : weights) {
                w = 3.0 * w + 0.1;
            }
        }
        token_gradient.resize(tokens.size());
        weight_gradient.resize(weights.size());
    }
    [[nodiscard]] DifferentiableSequence view() const { return {{tokens.data(), tokens.size() / dim, dim}, weights}; }
    [[nodiscard]] SequenceGradient gradient() {
        return {{token_gradient.data(), tokens.size() / dim, dim}, weight_gradient};
    }
};

void check_against_differences(const Measure& measure, instances::Random& random, bool weighted, double tolerance) {
    Sequence x(random, 5, 3, weighted);
    Sequence y(random, 7, 3, weighted);
    GradientEvaluator evaluator(measure);
    evaluator.evaluate(x.view(), y.view(), x.gradient(), y.gradient());
    const auto expect = [&](std::vector<double>& numbers, const std::vector<double>& gradient) {
        const std::vector<double> claimed = gradient;
        for (std::size_t k = 0; k < numbers.size(); ++k) {
            const double step = 1e-6;
            const double before = numbers[k];
            Sequence scratch_x = x;
            Sequence scratch_y = y;
            const auto value_at = [&](double at) {
                numbers[k] = at;
                return evaluator.evaluate(x.view(), y.view(), scratch_x.gradient(), scratch_y.gradient());
            };
            const double difference = (value_at(before + step) - value_at(before - step)) / (2.0 * step);
            numbers[k] = before;
            CHECK_NEAR(claimed[k], difference, tolerance);
        }
    };
    expect(x.tokens, x.token_gradient);
    expect(y.tokens, y.token_gradient);
    expect(x.weights, x.weight_gradient);
    expect(y.weights, y.weight_gradient);
}

}  // namespace

TEST(derivatives_are_limits_of_differences) {
    instances::Random random(1);
    // Few sweeps per value: thousands of values are computed.
    const Sinkhorn sinkhorn{.epsilon = 2.0, .relative = false, .tolerance = 1e-13, .max_iterations = 100000};
    Sinkhorn priced = sinkhorn;
    priced.marginal_penalty = 0.7;
    Sinkhorn debiased = sinkhorn;
    debiased.debiased = true;
    for (const GroundCost ground :
         {GroundCost::cosine, GroundCost::euclidean, GroundCost::sqeuclidean, GroundCost::dot}) {
        for (const Weighting weighting : {Weighting::uniform, Weighting::norm}) {
            for (const bool weighted : {false, true}) {
                check_against_differences({ground, weighting}, random, weighted, 1e-6);
                check_against_differences({ground, weighting, 2.5}, random, weighted, 1e-6);
                check_against_differences({ground, weighting, unlimited_capacity}, random, weighted, 1e-6);
                check_against_differences({ground, weighting, 1.0, Problem::exact, 0.47}, random, weighted, 1e-6);
                check_against_differences({ground, weighting, 1.0, Problem::entropic, 1.0, sinkhorn}, random, weighted,
                                          1e-5);
                check_against_differences({ground, weighting, 1.7, Problem::entropic, 1.0, sinkhorn}, random, weighted,
                                          1e-5);
                check_against_differences({ground, weighting, 1.7, Problem::entropic, 0.6, sinkhorn}, random, weighted,
                                          1e-5);
                check_against_differences({ground, weighting, 1.0, Problem::entropic, 1.0, priced}, random, weighted,
                                          1e-5);
                check_against_differences({ground, weighting, 1.0, Problem::entropic, 1.0, debiased}, random, weighted,
                                          1e-5);
            }
        }
    }
}

TEST(measures_without_derivatives_are_refused) {
    CHECK_THROWS_AS(GradientEvaluator({GroundCost::cosine, Weighting::norm, 1.0, Problem::entropic}),
                    std::invalid_argument);
    CHECK_THROWS_AS(GradientEvaluator({GroundCost::cosine, Weighting::norm, 1.0, Problem::relaxed}),
                    std::invalid_argument);
}
