#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "instances.hpp"
#include "moverank/codes.hpp"
#include "moverank/pair.hpp"

using namespace moverank;
using instances::Coded;
using instances::Packed;

TEST(distances_to_codes_less_their_slack_bound_distances_to_tokens) {
    instances::Random random(4);
    for (const Measure& measure :
         {Measure{GroundCost::euclidean, Weighting::norm}, Measure{GroundCost::cosine, Weighting::norm},
          Measure{GroundCost::cosine, Weighting::uniform, 4.0}, Measure{GroundCost::dot, Weighting::uniform, 2.0},
          Measure{GroundCost::dot, Weighting::uniform, unlimited_capacity},
          Measure{GroundCost::euclidean, Weighting::uniform, 1.0, Problem::relaxed},
          Measure{GroundCost::cosine, Weighting::uniform, 1.5, Problem::exact, 0.4}}) {
        instances::Batch batch(random, 80, 10, 6);
        for (float& x : batch.tokens) {
            x *= 5.0F;
        }
        const PreparedSequences documents(batch.view(), measure);
        const auto check_bounds = [&](const TokensView& view, bool fine) {
            const PreparedCodes codes(documents, view);
            PairEvaluator evaluator(measure);
            double gap = 0.0;
            double total = 0.0;
            for (std::size_t q = 0; q < 6; ++q) {
                evaluator.set_query(documents[q]);
                const double query_norm = max_norm(documents[q]);
                for (std::size_t s = 0; s < documents.size(); ++s) {
                    const double value = evaluator.distance(documents[s]).distance;
                    const double coarse = evaluator.distance(codes.at(s).sequence).distance;
                    const double slack = codes.slack(s, query_norm);
                    CHECK(coarse - slack <= value);
                    CHECK(evaluator.lower_bound(codes.at(s).sequence) - slack <= value);
                    CHECK(evaluator.lower_bound(codes.at(s), codes.largest_norm()) - slack <= value);
                    gap += value - coarse + slack;
                    total += std::abs(value);
                }
            }
            CHECK(gap > 0.0);
            CHECK(!fine || gap < 0.1 * total);  // fine codes leave tight bounds
        };
        for (const int levels : {127, 20, 3}) {
            check_bounds(Coded(batch.tokens, 6, levels).view(), levels == 127);
        }
        for (const TokenType type : {TokenType::int4, TokenType::int2}) {
            check_bounds(Packed(batch.tokens, 6, type).view(), false);
        }
    }
}

TEST(entropic_values_short_of_convergence_are_not_below_bounds_by_codes) {
    instances::Random random(6);
    for (const GroundCost ground : {GroundCost::cosine, GroundCost::euclidean, GroundCost::dot}) {
        Measure measure{ground, Weighting::norm, 1.0, Problem::entropic};
        measure.sinkhorn.max_iterations = 1;
        const instances::Batch batch(random, 100, 8, 2);
        const PreparedSequences documents(batch.view(), measure);
        const Coded coded(batch.tokens, 2, 1);
        const PreparedCodes codes(documents, coded.view());
        PairEvaluator evaluator(measure);
        for (std::size_t q = 0; q < 20; ++q) {
            evaluator.set_query(documents[q]);
            for (std::size_t s = 0; s < documents.size(); ++s) {
                const double value = evaluator.distance(documents[s]).distance;
                const double slack = codes.slack(s, max_norm(documents[q]));
                CHECK(evaluator.lower_bound(codes.at(s), codes.largest_norm()) - slack <= value);
            }
        }
    }
}

TEST(tokens_that_codes_hold_exactly_are_bounded_whatever_the_capacity) {
    const std::vector<float> tokens{1.0F, 0.0F, -1.0F, 1.0F, 0.0F, 1.0F};
    const std::vector<std::int64_t> offsets{0, 1, 3};
    const Coded coded(tokens, 2, 1);
    for (const double capacity : {1.0, 3.0, unlimited_capacity}) {
        const Measure measure{GroundCost::dot, Weighting::uniform, capacity};
        const PreparedSequences documents({{tokens.data(), 3, 2}, offsets, {}}, measure);
        const PreparedCodes codes(documents, coded.view());
        PairEvaluator evaluator(measure);
        evaluator.set_query(documents[0]);
        const double bound = evaluator.lower_bound(codes.at(1), codes.largest_norm()) - codes.slack(1, 1.0);
        const double value = evaluator.distance(documents[1]).distance;
        CHECK(bound <= value);
        CHECK(bound >= value - 0.02);
    }
}

TEST(codes_of_tokens_near_the_end_of_float32_bound_them_as_well) {
    // Products of two scales leave float32's range long before products of two tokens do.
    instances::Random random(6);
    for (const GroundCost ground : {GroundCost::dot, GroundCost::euclidean}) {
        const Measure measure{ground, Weighting::uniform};
        for (const float size : {1e-18F, 3e-20F, 1e-21F, 1e-22F, 1e-23F, 1e-30F}) {
            instances::Batch batch(random, 60, 3, 4);
            for (float& x : batch.tokens) {
                x *= size;
            }
            const PreparedSequences documents(batch.view(), measure);
            const Coded coded(batch.tokens, 4, 127);
            const PreparedCodes codes(documents, coded.view());
            PairEvaluator evaluator(measure);
            for (std::size_t q = 0; q < 10; ++q) {
                evaluator.set_query(documents[q]);
                const double query_norm = max_norm(documents[q]);
                for (std::size_t s = 0; s < documents.size(); ++s) {
                    const double bound = evaluator.lower_bound(codes.at(s), codes.largest_norm());
                    CHECK(bound - codes.slack(s, query_norm) <= evaluator.distance(documents[s]).distance);
                }
            }
        }
    }
}

TEST(sums_of_codes_too_long_for_whole_numbers_are_floats) {
    constexpr std::size_t dim = 140'000;  // 127 * 127 * dim leaves 32 bits
    const std::vector<float> tokens(2 * dim, 1.0F);
    const std::vector<std::int64_t> offsets{0, 1, 2};
    const Measure measure{GroundCost::dot, Weighting::uniform};
    const PreparedSequences documents({{tokens.data(), 2, dim}, offsets, {}}, measure);
    const Coded coded(tokens, dim, 127);
    const PreparedCodes codes(documents, coded.view());
    PairEvaluator evaluator(measure);
    evaluator.set_query(documents[0]);
    const double bound = evaluator.lower_bound(codes.at(1), codes.largest_norm());
    const double value = evaluator.distance(documents[1]).distance;
    CHECK(bound - codes.slack(1, max_norm(documents[0])) <= value);
    CHECK_NEAR(bound, value, 1e-3 * static_cast<double>(dim));
}

TEST(codes_that_bound_nothing_are_refused) {
    instances::Random random(5);
    const instances::Batch batch(random, 5, 4, 3);
    const Coded coded(batch.tokens, 3, 127);
    const auto fails = [&](const Measure& measure, const TokensView& codes) {
        const PreparedSequences documents(batch.view(), measure);
        try {
            const PreparedCodes prepared(documents, codes);
        } catch (const std::invalid_argument&) {
            return true;
        }
        return false;
    };
    CHECK(!fails({GroundCost::cosine, Weighting::norm}, coded.view()));
    CHECK(fails({GroundCost::sqeuclidean, Weighting::norm}, coded.view()));
    CHECK(fails({GroundCost::cosine, Weighting::norm}, coded.view().run(1, 2)));
    const std::vector<float> zeros(batch.tokens.size(), 0.0F);
    CHECK(fails({GroundCost::cosine, Weighting::norm}, {zeros.data(), zeros.size() / 3, 3}));
}
