#include <cstdint>
#include <numeric>
#include <vector>

#include "check.hpp"
#include "instances.hpp"
#include "moverank/gradient.hpp"
#include "moverank/pair_plans.hpp"

using namespace moverank;

namespace {

constexpr std::size_t dim = 3;

/// Sequences of a few tokens each, one of which has no mass.
struct Texts {
    std::vector<float> tokens;
    std::vector<double> weights;
    std::vector<std::int64_t> offsets{0};

    Texts(instances::Random& random, const std::vector<std::size_t>& lengths) {
        std::normal_distribution<float> normal;
        for (const std::size_t length : lengths) {
            for (const double mass : instances::masses(random, length)) {
                weights.push_back(3.0 * mass + 0.1);
            }
            offsets.push_back(offsets.back() + static_cast<std::int64_t>(length));
        }
        tokens.resize(weights.size() * dim);
        for (float& x : tokens) {
            x = normal(random);
        }
        weights[1] = 0.0;
    }
    [[nodiscard]] SequencesView view() const { return {{tokens.data(), weights.size(), dim}, offsets, weights}; }
    [[nodiscard]] std::size_t size() const { return offsets.size() - 1; }
    [[nodiscard]] std::size_t begin(std::size_t s) const { return static_cast<std::size_t>(offsets[s]); }
};

/// Derivatives of one side.
struct Found {
    std::vector<float> tokens;
    std::vector<double> mass;
    explicit Found(const Texts& texts) : tokens(texts.tokens.size(), -1.0F), mass(texts.weights.size(), -1.0) {}
    [[nodiscard]] MatrixView<float> view() { return {tokens.data(), mass.size(), dim}; }
};

/// The same by `GradientEvaluator`, one pair at a time.
struct Summed {
    std::vector<double> tokens, mass;
    explicit Summed(const Texts& texts) : tokens(texts.tokens.size()), mass(texts.weights.size()) {}

    void add(const Texts& texts, std::size_t s, double factor, const std::vector<double>& by_token,
             const std::vector<double>& by_weight) {
        const std::size_t first = texts.begin(s);
        const double total = std::accumulate(&texts.weights[first], &texts.weights[first] + by_weight.size(), 0.0);
        for (std::size_t k = 0; k < by_token.size(); ++k) {
            tokens[first * dim + k] += factor * by_token[k];
        }
        for (std::size_t t = 0; t < by_weight.size(); ++t) {
            mass[first + t] += factor * total * by_weight[t];
        }
    }
};

void check_against_single_pairs(const Measure& measure, instances::Random& random) {
    const Texts x(random, {4, 3, 6, 2});
    const Texts y(random, {5, 1, 7});
    const std::vector<std::int64_t> left{0, 0, 2, 2, 0, 3};
    const std::vector<std::int64_t> right{1, 0, 0, 2, 1, 2};
    const std::vector<double> upstream{1.0, -0.5, 2.0, 0.0, 0.25, 1.5};
    Interrupt interrupt;
    const PreparedSequences queries(x.view(), measure);
    const PreparedSequences documents(y.view(), measure);
    const PairPlans plans(queries, documents, left, right, 1, interrupt);
    Found by_x(x);
    Found by_y(y);
    plans.derivatives(upstream, PlanSide::query, by_x.view(), by_x.mass, 1, interrupt);
    plans.derivatives(upstream, PlanSide::document, by_y.view(), by_y.mass, 1, interrupt);

    const std::vector<double> wide_x(x.tokens.begin(), x.tokens.end());
    const std::vector<double> wide_y(y.tokens.begin(), y.tokens.end());
    Summed of_x(x);
    Summed of_y(y);
    GradientEvaluator evaluator(measure);
    for (std::size_t p = 0; p < left.size(); ++p) {
        const auto s = static_cast<std::size_t>(left[p]);
        const auto d = static_cast<std::size_t>(right[p]);
        const std::size_t n = x.begin(s + 1) - x.begin(s);
        const std::size_t m = y.begin(d + 1) - y.begin(d);
        std::vector<double> dx(n * dim);
        std::vector<double> dy(m * dim);
        std::vector<double> da(n);
        std::vector<double> db(m);
        const double value =
            evaluator.evaluate({{&wide_x[x.begin(s) * dim], n, dim}, std::span(x.weights).subspan(x.begin(s), n)},
                               {{&wide_y[y.begin(d) * dim], m, dim}, std::span(y.weights).subspan(y.begin(d), m)},
                               {{dx.data(), n, dim}, da}, {{dy.data(), m, dim}, db});
        CHECK_NEAR(plans.values()[p], value, 3e-6);
        of_x.add(x, s, upstream[p], dx, da);
        of_y.add(y, d, upstream[p], dy, db);
    }
    for (const auto& [found, expected] : {std::pair{&by_x, &of_x}, std::pair{&by_y, &of_y}}) {
        for (std::size_t k = 0; k < expected->tokens.size(); ++k) {
            CHECK_NEAR(found->tokens[k], expected->tokens[k], 2e-5);
        }
        for (std::size_t t = 0; t < expected->mass.size(); ++t) {
            CHECK_NEAR(found->mass[t], expected->mass[t], 2e-5);
        }
    }

    const PairPlans again(queries, documents, left, right, 3, interrupt);
    Found threaded(x);
    again.derivatives(upstream, PlanSide::query, threaded.view(), threaded.mass, 3, interrupt);
    CHECK(threaded.tokens == by_x.tokens);
    CHECK(threaded.mass == by_x.mass);
    // What is not asked for is left out, and changes nothing.
    Found alone(x);
    again.derivatives(upstream, PlanSide::query, {}, alone.mass, 1, interrupt);
    again.derivatives(upstream, PlanSide::query, alone.view(), {}, 1, interrupt);
    CHECK(alone.tokens == by_x.tokens);
    CHECK(alone.mass == by_x.mass);
}

}  // namespace

TEST(derivatives_of_a_batch_are_sums_of_those_of_its_pairs) {
    instances::Random random(1);
    const Sinkhorn sinkhorn{.epsilon = 1.0, .relative = false, .tolerance = 1e-10, .max_iterations = 100000};
    Sinkhorn priced = sinkhorn;
    priced.marginal_penalty = 0.7;
    Sinkhorn debiased = sinkhorn;
    debiased.debiased = true;
    for (const GroundCost ground :
         {GroundCost::cosine, GroundCost::euclidean, GroundCost::sqeuclidean, GroundCost::dot}) {
        for (const double capacity : {1.0, 2.5, unlimited_capacity}) {
            check_against_single_pairs({ground, Weighting::norm, capacity}, random);
        }
        check_against_single_pairs({ground, Weighting::norm, 1.0, Problem::exact, 0.47}, random);
        for (const Sinkhorn& how : {sinkhorn, priced, debiased}) {
            check_against_single_pairs({ground, Weighting::uniform, 1.0, Problem::entropic, 1.0, how}, random);
        }
    }
}

TEST(batches_that_do_not_fit_are_refused) {
    instances::Random random(2);
    const Measure measure{GroundCost::cosine, Weighting::norm};
    const Texts texts(random, {2, 3});
    const PreparedSequences own(texts.view(), measure);
    const PreparedSequences other(texts.view(), {GroundCost::euclidean, Weighting::norm});
    const Measure relaxed{GroundCost::cosine, Weighting::norm, 1.0, Problem::relaxed};
    const PreparedSequences without_derivatives(texts.view(), relaxed);
    Interrupt interrupt;
    const std::vector<std::int64_t> one{0};
    const auto refused = [&](const PreparedSequences& x, const PreparedSequences& y,
                             const std::vector<std::int64_t>& left, const std::vector<std::int64_t>& right) {
        CHECK_THROWS_AS(PairPlans(x, y, left, right, 1, interrupt), std::invalid_argument);
    };
    refused(own, own, {2}, {0});
    refused(own, own, {0}, {-1});
    refused(own, own, {0, 1}, {0});
    refused(own, other, one, one);
    refused(without_derivatives, without_derivatives, one, one);
    const PairPlans plans(own, own, one, one, 1, interrupt);
    Found found(texts);
    const std::vector<double> upstream{1.0};
    CHECK_THROWS_AS(plans.derivatives({}, PlanSide::query, found.view(), found.mass, 1, interrupt),
                    std::invalid_argument);
    CHECK_THROWS_AS(
        plans.derivatives(upstream, PlanSide::query, {found.tokens.data(), 2, dim}, found.mass, 1, interrupt),
        std::invalid_argument);
    CHECK_THROWS_AS(
        plans.derivatives(upstream, PlanSide::query, found.view(), std::span(found.mass).first(1), 1, interrupt),
        std::invalid_argument);
}

TEST(no_pairs_have_no_values_and_derivatives_of_nought) {
    instances::Random random(3);
    const Texts texts(random, {2, 3});
    const PreparedSequences own(texts.view(), {GroundCost::cosine, Weighting::norm});
    Interrupt interrupt;
    const PairPlans plans(own, own, {}, {}, 1, interrupt);
    CHECK(plans.values().empty());
    Found found(texts);
    plans.derivatives({}, PlanSide::document, found.view(), found.mass, 1, interrupt);
    CHECK(found.tokens == std::vector<float>(found.tokens.size()));
    CHECK(found.mass == std::vector<double>(found.mass.size()));
}
