#include <cmath>
#include <random>

#include "check.hpp"
#include "instances.hpp"
#include "moverank/ground_cost.hpp"
#include "moverank/pair.hpp"
#include "moverank/pooled.hpp"

using namespace moverank;

namespace {

constexpr GroundCost grounds[] = {GroundCost::cosine, GroundCost::euclidean, GroundCost::sqeuclidean};

/// The bound must hold for every pair; returns the mean of bound / value, so that no margin hides behind its size.
double check_bound(const instances::Batch& batch, GroundCost ground, Weighting weighting) {
    const Measure measure{ground, weighting};
    const PreparedSequences prepared(batch.view(), measure);
    PairEvaluator evaluator(measure);
    evaluator.set_query(prepared[0]);
    double tightness = 0.0;
    for (std::size_t s = 1; s < prepared.size(); ++s) {
        std::vector<float> p(batch.dim);
        std::vector<float> q(batch.dim);
        pool(ground, prepared[0], p);
        pool(ground, prepared[s], q);
        double largest = 0.0;
        for (const std::vector<float>& v : {p, q}) {
            double squared = 0.0;
            for (const float x : v) {
                squared += static_cast<double>(x) * static_cast<double>(x);
            }
            largest = std::max(largest, std::sqrt(squared));
        }
        const PooledBound bound(ground, batch.dim, largest,
                                cost_error_bound(ground, batch.dim, max_norm(prepared[0]), prepared.max_norm()));
        const double value = evaluator.distance(prepared[s]).distance;
        const instances::SquaredDistances squared(p, q);
        CHECK(bound(squared.direct) <= value);
        CHECK(bound(squared.expanded) <= value);
        tightness += value > 0.0 ? bound(squared.direct) / value : 0.0;
    }
    return tightness / static_cast<double>(prepared.size() - 1);
}

}  // namespace

TEST(only_balanced_convex_measures_have_the_bound) {
    CHECK(has_pooled_bound({GroundCost::cosine, Weighting::norm}));
    CHECK(!has_pooled_bound({GroundCost::dot, Weighting::uniform}));
    CHECK(!has_pooled_bound({GroundCost::cosine, Weighting::norm, 2.0}));
    CHECK(!has_pooled_bound({GroundCost::cosine, Weighting::norm, 1.0, Problem::relaxed}));
}

TEST(the_pooled_bound_never_exceeds_the_exact_value) {
    instances::Random random(1);
    for (const std::size_t dim : {1, 2, 5, 16, 100, 768}) {
        const instances::Batch batch(random, 60, 9, dim);
        for (const GroundCost ground : grounds) {
            check_bound(batch, ground, Weighting::uniform);
            check_bound(batch, ground, Weighting::norm);
        }
    }
}

TEST(the_margins_hold_far_from_the_origin_and_for_near_duplicates) {
    instances::Random random(2);
    std::normal_distribution<float> normal;
    for (const std::size_t dim : {1, 3, 64, 300}) {
        instances::Batch batch(random, 60, 6, dim);
        for (std::size_t k = 0; k < batch.tokens.size(); ++k) {
            batch.tokens[k] = 500.0F + static_cast<float>(k % dim) + 1e-3F * normal(random);
        }
        for (const GroundCost ground : grounds) {
            check_bound(batch, ground, Weighting::norm);
        }
    }
}

TEST(the_margins_hold_where_products_leave_float32) {
    instances::Random random(4);
    for (const std::size_t dim : {1, 2, 8, 64}) {
        for (const float size : {1e-18F, 1e-21F, 1e-22F, 3e-23F, 1e-23F, 1e-30F}) {
            for (const std::size_t longest : {1, 4}) {
                instances::Batch batch(random, 300, longest, dim);
                for (float& x : batch.tokens) {
                    x *= size;
                }
                for (const GroundCost ground : {GroundCost::euclidean, GroundCost::sqeuclidean}) {
                    check_bound(batch, ground, Weighting::uniform);
                }
            }
        }
    }
}

TEST(single_tokens_make_the_bound_tight) {
    // With one token on each side the pooled distance is the cost itself: the margins are all that separates them.
    instances::Random random(3);
    const instances::Batch batch(random, 80, 1, 128);
    for (const GroundCost ground : grounds) {
        CHECK(check_bound(batch, ground, Weighting::uniform) > 0.999);
    }
}
