#include <algorithm>
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
        case GroundCost::given: break;
    }
    return 0.0;
}

/// Costs between two sequences.
GroundCosts costs_between(GroundCost ground, const PreparedSequence& x, const PreparedSequence& y) {
    GroundCosts costs(ground);
    costs.set_query(x);
    costs.compute(y);
    return costs;
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
        const GroundCosts costs = costs_between(ground, x, y);
        const MatrixView<const float> cost = costs.matrix().matrix;
        const double allowed = cost_error_bound(ground, dim, max_norm(x), max_norm(y));
        for (std::size_t i = 0; i < x.size(); ++i) {
            for (std::size_t j = 0; j < y.size(); ++j) {
                CHECK_NEAR(static_cast<double>(cost(i, j)),
                           reference(ground, &tokens[i * dim], &tokens[(x.size() + j) * dim], dim), allowed + 1e-15);
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

TEST(cosine_costs_stay_within_their_range_whatever_rounding_says) {
    instances::Random random(7);
    std::normal_distribution<float> normal;
    int at_either_end = 0;
    for (const std::size_t dim : dims) {
        for (int round = 0; round < 50; ++round) {
            std::vector<float> tokens(3 * dim);
            for (std::size_t k = 0; k < dim; ++k) {
                tokens[k] = normal(random);
                tokens[dim + k] = 3.0F * tokens[k];
                tokens[2 * dim + k] = -7.0F * tokens[k];
            }
            const std::vector<std::int64_t> offsets{0, 1, 3};
            const PreparedSequences prepared({{tokens.data(), 3, dim}, offsets, {}},
                                             {GroundCost::cosine, Weighting::uniform});
            const GroundCosts costs = costs_between(GroundCost::cosine, prepared[0], prepared[1]);
            const float same = costs.matrix().matrix(0, 0);
            const float opposite = costs.matrix().matrix(0, 1);
            CHECK(same >= 0.0F && same < 1e-4F);
            CHECK(opposite <= 2.0F && opposite > 1.9999F);
            at_either_end += (same == 0.0F ? 1 : 0) + (opposite == 2.0F ? 1 : 0);
        }
    }
    CHECK(at_either_end > 100);
}

TEST(cosine_survives_norms_at_the_ends_of_float32) {
    const std::vector<float> tokens{1e-30F, 2e-30F, 1e30F, 2e30F, 3e-42F, 0.0F, 0.0F, 1e-20F};
    const std::vector<std::int64_t> offsets{0, 2, 4};
    const PreparedSequences prepared({{tokens.data(), 4, 2}, offsets, {}}, {GroundCost::cosine, Weighting::uniform});
    const GroundCosts costs = costs_between(GroundCost::cosine, prepared[0], prepared[1]);
    const MatrixView<const float> cost = costs.matrix().matrix;
    const double along_x = 1.0 - 1.0 / std::sqrt(5.0);
    const double along_y = 1.0 - 2.0 / std::sqrt(5.0);
    CHECK_NEAR(static_cast<double>(cost(0, 0)), along_x, 1e-6);
    CHECK_NEAR(static_cast<double>(cost(0, 1)), along_y, 1e-6);
    CHECK_NEAR(static_cast<double>(cost(1, 0)), along_x, 1e-6);
    CHECK_NEAR(static_cast<double>(cost(1, 1)), along_y, 1e-6);
}

TEST(a_zero_vector_in_a_table_costs_one_whatever_the_length_of_the_query) {
    for (const float size : {1.0F, 1e17F, 1e-20F}) {
        const std::vector<float> tokens{size, 2 * size, 3 * size, -size};
        const std::vector<std::int64_t> offsets{0, 2};
        const PreparedSequences prepared({{tokens.data(), 2, 2}, offsets, {}},
                                         {GroundCost::cosine, Weighting::uniform});
        GroundCosts costs(GroundCost::cosine);
        costs.set_query(prepared[0]);
        const std::vector<float> words{0.0F, 0.0F, 1.0F, 0.0F};
        const std::vector<float> inverse_norms{1.0F, 1.0F};
        AlignedVector<float> rows(64);
        const double largest = costs.tabulate({words.data(), 2, 2}, inverse_norms, rows.data());
        CHECK(rows[0] == 1.0F && rows[1] == 1.0F);
        CHECK_NEAR(largest, 1.0, 1e-6);
    }
}

TEST(a_cost_does_not_depend_on_the_tokens_beside_its_own) {
    instances::Random random(7);
    std::normal_distribution<float> normal;
    for (const std::size_t dim : {1, 2, 17}) {
        std::vector<float> tokens(40 * dim);
        for (std::size_t t = 0; t < 40; ++t) {
            // Each side's last token is extreme.
            const float size = t == 19 ? 1e-20F : t == 39 ? 1e17F : 1.0F;
            for (std::size_t k = 0; k < dim; ++k) {
                tokens[t * dim + k] = size * normal(random);
            }
        }
        const Measure measure{GroundCost::cosine, Weighting::uniform};
        const std::vector<std::int64_t> with{0, 20, 40};
        const std::vector<std::int64_t> without{0, 19, 20, 39};
        const PreparedSequences all({{tokens.data(), 40, dim}, with, {}}, measure);
        const PreparedSequences fewer({{tokens.data(), 39, dim}, without, {}}, measure);
        GroundCosts costs = costs_between(GroundCost::cosine, all[0], all[1]);
        const GroundCosts turned = costs_between(GroundCost::cosine, all[1], all[0]);
        const GroundCosts apart = costs_between(GroundCost::cosine, fewer[0], fewer[2]);
        constexpr std::size_t stride = 32;  // of rows of 20
        std::vector<float> rows(20 * stride);
        const double largest = costs.tabulate(all[1].tokens, all[1].inverse_norms, rows.data());
        costs.compute(all[1]);
        CHECK(largest == costs.largest());
        std::vector<float> column_minima(20, 2.0F);
        for (std::size_t i = 0; i < 20; ++i) {
            float row_minimum = 2.0F;
            for (std::size_t j = 0; j < 20; ++j) {
                const float cost = costs.matrix().matrix(i, j);
                CHECK(i == 19 || j == 19 || cost == apart.matrix().matrix(i, j));
                CHECK(cost == turned.matrix().matrix(j, i));
                CHECK(cost == rows[j * stride + i]);
                row_minimum = std::min(row_minimum, cost);
                column_minima[j] = std::min(column_minima[j], cost);
            }
            CHECK(costs.row_minima()[i] == row_minimum);
        }
        CHECK(std::ranges::equal(costs.column_minima(), column_minima));
    }
}

TEST(equal_tokens_cost_exactly_nothing_under_differences) {
    instances::Random random(4);
    const instances::Batch batch(random, 1, 5, 37);
    for (const GroundCost ground : {GroundCost::euclidean, GroundCost::sqeuclidean}) {
        const PreparedSequences prepared(batch.view(), {ground, Weighting::uniform});
        const std::size_t n = prepared[0].size();
        const GroundCosts costs = costs_between(ground, prepared[0], prepared[0]);
        for (std::size_t i = 0; i < n; ++i) {
            CHECK(costs.matrix().matrix(i, i) == 0.0F);
        }
    }
}

TEST(the_longest_vectors_that_preparation_lets_pass_have_finite_costs) {
    const auto longest = static_cast<float>(largest_norm);
    const std::vector<float> tokens{longest, -longest};
    const std::vector<std::int64_t> offsets{0, 1, 2};
    for (const GroundCost ground : {GroundCost::euclidean, GroundCost::sqeuclidean, GroundCost::dot}) {
        const PreparedSequences prepared({{tokens.data(), 2, 1}, offsets, {}}, {ground, Weighting::uniform});
        const float cost = costs_between(ground, prepared[0], prepared[1]).matrix().matrix(0, 0);
        CHECK(cost > 0.0F);
        CHECK(std::isfinite(cost));
    }
}

/// What compute() promises about one pair: padding, minima, and that minima alone are the same.
static void check_layout(GroundCost ground, const PreparedSequence& x, const PreparedSequence& y) {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    GroundCosts costs = costs_between(ground, x, y);
    const MatrixView<const float> cost = costs.matrix().matrix;
    CHECK(cost.rows() == x.size() && cost.cols() == y.size());
    CHECK(cost.stride() >= y.size() && cost.stride() % 16 == 0);
    double largest = 0.0;
    std::vector<float> row_minima(x.size(), infinity);
    std::vector<float> column_minima(y.size(), infinity);
    for (std::size_t i = 0; i < x.size(); ++i) {
        for (std::size_t j = 0; j < y.size(); ++j) {
            row_minima[i] = std::min(row_minima[i], cost(i, j));
            column_minima[j] = std::min(column_minima[j], cost(i, j));
            largest = std::max(largest, std::abs(static_cast<double>(cost(i, j))));
        }
        CHECK(std::all_of(cost.row(i) + y.size(), cost.row(i) + cost.stride(), [](float c) { return c == infinity; }));
    }
    for (std::size_t j = 0; j < cost.stride(); ++j) {
        CHECK(cost(x.size(), j) == (j < y.size() ? 0.0F : infinity));
    }
    CHECK(std::ranges::equal(costs.row_minima(), row_minima));
    CHECK(std::ranges::equal(costs.column_minima(), column_minima));
    CHECK(costs.largest() == largest);
    GroundCosts minima(ground);
    minima.set_query(x);
    minima.compute_minima(y, true);
    CHECK(std::ranges::equal(minima.row_minima(), row_minima));
    CHECK(std::ranges::equal(minima.column_minima(), column_minima));
    CHECK(minima.largest() == largest);
    minima.compute_minima(y, false);
    CHECK(std::ranges::equal(minima.row_minima(), row_minima));
    const GroundCosts turned = costs_between(ground, y, x);
    for (std::size_t i = 0; i < x.size(); ++i) {
        for (std::size_t j = 0; j < y.size(); ++j) {
            CHECK(turned.matrix().matrix(j, i) == cost(i, j));
        }
    }
}

/// Two sequences of normal tokens.
struct Two {
    std::vector<float> tokens;
    std::vector<std::int64_t> offsets;

    Two(std::size_t n, std::size_t m, std::size_t dim)
        : tokens((n + m) * dim), offsets{0, static_cast<std::int64_t>(n), static_cast<std::int64_t>(n + m)} {
        instances::Random random(5);
        std::normal_distribution<float> normal;
        std::ranges::generate(tokens, [&] { return normal(random); });
    }
    [[nodiscard]] PreparedSequences prepared(GroundCost ground) const {
        const auto rows = static_cast<std::size_t>(offsets.back());
        return {{{tokens.data(), rows, tokens.size() / rows}, offsets, {}}, {ground, Weighting::uniform}};
    }
};

TEST(matrix_and_minima_are_laid_out_as_promised_at_every_size) {
    for (const std::size_t dim : {1, 5, 64, 65, 130}) {
        for (const std::size_t n : {1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 50}) {
            for (const std::size_t m : {1, 4, 15, 16, 17, 23, 40}) {
                const Two sequences(n, m, dim);
                for (const GroundCost ground : grounds) {
                    const PreparedSequences prepared = sequences.prepared(ground);
                    check_layout(ground, prepared[0], prepared[1]);
                }
            }
        }
    }
}

TEST(large_documents_are_done_in_pieces_and_can_be_stopped_between_them) {
    // Just over one piece, either way round: emulators take a minute for what this takes a tenth of a second for.
    const Two sequences(40, 130, 2500);
    // Pieces are the same under all costs.
    const GroundCost ground = GroundCost::euclidean;
    const PreparedSequences prepared = sequences.prepared(ground);
    check_layout(ground, prepared[0], prepared[1]);
    Interrupt stopped;
    stopped.stop();
    GroundCosts costs(ground, &stopped);
    costs.set_query(prepared[0]);
    CHECK_THROWS_AS(costs.compute(prepared[1]), Interrupted);
    CHECK_THROWS_AS(costs.compute_minima(prepared[1], true), Interrupted);
}
