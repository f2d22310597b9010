#include <cmath>
#include <limits>
#include <random>

#include "check.hpp"
#include "instances.hpp"
#include "moverank/ground_cost.hpp"

using namespace moverank;

namespace {

constexpr std::size_t dims[] = {1, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 384};
constexpr GroundCost grounds[] = {GroundCost::cosine, GroundCost::euclidean, GroundCost::sqeuclidean, GroundCost::dot};

double reference(GroundCost ground, const float* x, const float* y, std::size_t dim) {
    double xy = 0.0;
    double xx = 0.0;
    double yy = 0.0;
    double squared = 0.0;
    for (std::size_t k = 0; k < dim; ++k) {
        const auto a = static_cast<double>(x[k]);
        const auto b = static_cast<double>(y[k]);
        xy += a * b;
        xx += a * a;
        yy += b * b;
        squared += (a - b) * (a - b);
    }
    switch (ground) {
        case GroundCost::cosine: return 1.0 - xy / std::sqrt(xx * yy);
        case GroundCost::euclidean: return std::sqrt(squared);
        case GroundCost::sqeuclidean: return squared;
        case GroundCost::dot: return -xy;
    }
    return 0.0;
}

/// Compare every entry with float64 and hold the stated error bound to its word.
void check_costs(const std::vector<float>& tokens, std::size_t dim) {
    const std::size_t n = tokens.size() / dim;
    const std::vector<std::int64_t> offsets{0, static_cast<std::int64_t>(n / 2), static_cast<std::int64_t>(n)};
    const SequencesView view{{tokens.data(), n, dim}, offsets, {}};
    for (const GroundCost ground : grounds) {
        const PreparedSequences prepared(view, {ground, Weighting::uniform});
        const PreparedSequence x = prepared[0];
        const PreparedSequence y = prepared[1];
        std::vector<float> storage(x.size() * y.size());
        const MatrixView<float> cost(storage.data(), x.size(), y.size());
        cost_matrix(ground, x, y, cost);
        const double allowed = cost_error_bound(ground, dim, max_norm(x), max_norm(y));
        for (std::size_t i = 0; i < x.size(); ++i) {
            for (std::size_t j = 0; j < y.size(); ++j) {
                CHECK_NEAR(static_cast<double>(cost(i, j)), reference(ground, x.tokens.row(i), y.tokens.row(j), dim),
                           allowed + 1e-15);
            }
        }
    }
}

}  // namespace

TEST(costs_agree_with_float64_within_the_stated_bound) {
    instances::Random random(1);
    std::normal_distribution<float> normal;
    for (const std::size_t dim : dims) {
        std::vector<float> tokens(18 * dim);
        for (float& x : tokens) {
            x = normal(random);
        }
        check_costs(tokens, dim);
    }
}

TEST(the_bound_holds_for_near_duplicates_far_from_the_origin) {
    instances::Random random(2);
    std::normal_distribution<float> normal;
    for (const std::size_t dim : dims) {
        std::vector<float> tokens(12 * dim);
        for (std::size_t k = 0; k < tokens.size(); ++k) {
            tokens[k] = 1000.0F * static_cast<float>(1 + k % dim % 3) + 1e-3F * normal(random);
        }
        check_costs(tokens, dim);
    }
}

TEST(the_bound_holds_for_norms_a_million_to_one) {
    instances::Random random(3);
    std::normal_distribution<float> normal;
    for (const std::size_t dim : dims) {
        std::vector<float> tokens(12 * dim);
        for (std::size_t k = 0; k < tokens.size(); ++k) {
            tokens[k] = normal(random) * (k / dim % 2 == 0 ? 1e-3F : 1e3F);
        }
        check_costs(tokens, dim);
    }
}

TEST(cosine_survives_norms_at_the_ends_of_float32) {
    const std::vector<float> tokens{1e-30F, 2e-30F, 1e30F, 2e30F, 3e-42F, 0.0F, 0.0F, 1e-20F};
    const std::vector<std::int64_t> offsets{0, 2, 4};
    const PreparedSequences prepared({{tokens.data(), 4, 2}, offsets, {}}, {GroundCost::cosine, Weighting::uniform});
    std::vector<float> storage(4);
    cost_matrix(GroundCost::cosine, prepared[0], prepared[1], {storage.data(), 2, 2});
    const double along_x = 1.0 - 1.0 / std::sqrt(5.0);
    const double along_y = 1.0 - 2.0 / std::sqrt(5.0);
    CHECK_NEAR(static_cast<double>(storage[0]), along_x, 1e-6);
    CHECK_NEAR(static_cast<double>(storage[1]), along_y, 1e-6);
    CHECK_NEAR(static_cast<double>(storage[2]), along_x, 1e-6);
    CHECK_NEAR(static_cast<double>(storage[3]), along_y, 1e-6);
}

TEST(equal_tokens_cost_exactly_nothing_under_differences) {
    instances::Random random(4);
    const instances::Batch batch(random, 1, 5, 37);
    for (const GroundCost ground : {GroundCost::euclidean, GroundCost::sqeuclidean}) {
        const PreparedSequences prepared(batch.view(), {ground, Weighting::uniform});
        const std::size_t n = prepared[0].size();
        std::vector<float> storage(n * n);
        cost_matrix(ground, prepared[0], prepared[0], {storage.data(), n, n});
        for (std::size_t i = 0; i < n; ++i) {
            CHECK(storage[i * n + i] == 0.0F);
        }
    }
}

TEST(the_longest_vectors_that_preparation_lets_pass_have_finite_costs) {
    const auto longest = static_cast<float>(largest_norm);
    const std::vector<float> tokens{longest, -longest};
    const std::vector<std::int64_t> offsets{0, 1, 2};
    for (const GroundCost ground : {GroundCost::euclidean, GroundCost::sqeuclidean, GroundCost::dot}) {
        const PreparedSequences prepared({{tokens.data(), 2, 1}, offsets, {}}, {ground, Weighting::uniform});
        float cost = 0.0F;
        cost_matrix(ground, prepared[0], prepared[1], {&cost, 1, 1});
        CHECK(cost > 0.0F);
        CHECK(std::isfinite(cost));
    }
}
