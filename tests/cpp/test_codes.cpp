#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "instances.hpp"
#include "kernels/kernels.hpp"
#include "moverank/aligned.hpp"
#include "moverank/codes.hpp"
#include "moverank/pair.hpp"

using namespace moverank;
using instances::Coded;
using instances::Packed;

namespace {

/// A query of n tokens and a document of m, as codes, and their costs by one of the kernels.
struct Codes {
    std::size_t n, m, dim;
    std::vector<std::int8_t> query, document;

    Codes(std::size_t n_, std::size_t m_, std::size_t dim_) : n(n_), m(m_), dim(dim_) {
        query.assign(n * dim, 0);
        document.assign(m * dim, 0);
    }

    [[nodiscard]] std::int32_t product(std::size_t i, std::size_t j) const {
        std::int32_t sum = 0;
        for (std::size_t k = 0; k < dim; ++k) {
            sum += query[i * dim + k] * document[j * dim + k];
        }
        return sum;
    }

    /// n rows of m costs, then the minima of rows and of columns. `scale` is that of all tokens.
    [[nodiscard]] std::vector<float> costs(const CodeKernels& kernels, GroundCost ground, float scale) const {
        const std::size_t n_padded = padded(n);
        const std::size_t stride = padded(m);
        std::vector<std::byte> packed(n * padded(dim, code_group));
        kernels.pack(query.data(), n, dim, packed.data());
        std::vector<float> scales(m, scale);
        std::vector<std::int32_t> query_sums(n, 0);
        for (std::size_t e = 0; e < n * dim; ++e) {
            query_sums[e / dim] += query[e];
        }
        std::vector<float> squares(m, 0.0F);
        for (std::size_t j = 0; j < m; ++j) {
            for (std::size_t k = 0; k < dim; ++k) {
                const int code = document[j * dim + k];
                squares[j] += static_cast<float>(code * code) * scale * scale;
            }
        }
        std::vector<float> query_scales(n, scale);
        query_scales.back() = n > 1 ? 0.0F : scale;  // as that of a token of zeros
        const std::vector<float> query_squares(n, 7.0F);
        const std::vector<float> inverse_norms(std::max(n, m), 0x1p-9F / scale);
        AlignedVector<float> cost(n * stride);
        AlignedVector<float> row_minima(n_padded);
        AlignedVector<float> column_minima(stride);
        AlignedVector<float> tile(tokens_per_tile * n_padded);
        AlignedVector<float> decoded(tokens_per_tile * dim);
        std::vector<std::int8_t> interleaved(m * InterleavedCodes::bytes_per_token(dim));
        interleave({TokenType::int8, document.data(), m, dim, scales.data()}, interleaved);
        CodeBlock block{.costs = {.packed = nullptr,
                                  .query_inverse_norms = inverse_norms.data(),
                                  .n = n,
                                  .n_padded = n_padded,
                                  .dim = dim,
                                  .tokens = {},
                                  .m = m,
                                  .first = 0,
                                  .end = m,
                                  .document_inverse_norms = inverse_norms.data(),
                                  .table = nullptr,
                                  .words = nullptr,
                                  .cost = cost.data(),
                                  .stride = stride,
                                  .row_minima = row_minima.data(),
                                  .column_minima = column_minima.data(),
                                  .tile = tile.data(),
                                  .decoded = decoded.data(),
                                  .largest = 0.0F},
                        .packed = packed.data(),
                        .query_scales = query_scales.data(),
                        .query_squares = query_squares.data(),
                        .query_sums = query_sums.data(),
                        .codes = interleaved.data(),
                        .scales = scales.data(),
                        .squares = squares.data()};
        kernels.fill[static_cast<std::size_t>(ground)](block);
        std::vector<float> found;
        for (std::size_t i = 0; i < n; ++i) {
            found.insert(found.end(), &cost[i * stride], &cost[i * stride] + m);
        }
        found.insert(found.end(), row_minima.begin(), row_minima.begin() + static_cast<std::ptrdiff_t>(n));
        found.insert(found.end(), column_minima.begin(), column_minima.begin() + static_cast<std::ptrdiff_t>(m));
        const AlignedVector<float> expected = row_minima;
        const float largest = block.costs.largest;
        block.costs.cost = nullptr;
        block.costs.column_minima = nullptr;
        block.costs.largest = 0.0F;
        kernels.fill[static_cast<std::size_t>(ground)](block);
        CHECK(std::equal(row_minima.begin(), row_minima.begin() + static_cast<std::ptrdiff_t>(n), expected.begin()));
        CHECK(block.costs.largest >= largest);
        return found;
    }
};

/// Costs by all kernels that this processor runs, which have to be the same and, under dot, the plain sums.
void check_all_kernels(const Codes& codes) {
    for (const GroundCost ground : {GroundCost::cosine, GroundCost::euclidean, GroundCost::dot}) {
        for (const float scale : {1.0F, 0.0173F, 1e-21F}) {
            const std::vector<float> expected = codes.costs(*code_kernels().front(), ground, scale);
            for (const CodeKernels* kernels : code_kernels()) {
                const std::vector<float> found = codes.costs(*kernels, ground, scale);
                CHECK(found == expected);
                for (std::size_t e = 0; e < codes.n * codes.m && ground == GroundCost::dot && scale == 1.0F; ++e) {
                    const bool is_zero = codes.n > 1 && e / codes.m == codes.n - 1;
                    CHECK(found[e] == (is_zero ? 0.0F : -static_cast<float>(codes.product(e / codes.m, e % codes.m))));
                }
            }
        }
    }
}

}  // namespace

TEST(products_of_codes_are_the_same_by_all_kernels_and_exact) {
    CHECK(!code_kernels().empty());
    bool is_among_them = false;
    for (const CodeKernels* kernels : code_kernels()) {
        is_among_them = is_among_them || kernels == &moverank::kernels().codes;
    }
    CHECK(is_among_them);
    instances::Random random(9);
    std::uniform_int_distribution<int> code(-127, 127);
    std::uniform_int_distribution<int> of_query(-query_code_limit, query_code_limit);
    for (const std::size_t dim : {1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 33, 63, 128, 130, 1023}) {
        for (const auto& [n, m] : {std::pair<std::size_t, std::size_t>{1, 1},
                                   {3, 5},
                                   {8, 16},
                                   {11, 37},
                                   {16, 4},
                                   {17, 21},
                                   {40, 9},
                                   {12, 33},
                                   {13, 16},
                                   {25, 1}}) {
            Codes codes(n, m, dim);
            std::ranges::generate(codes.query, [&] { return static_cast<std::int8_t>(of_query(random)); });
            std::ranges::generate(codes.document, [&] { return static_cast<std::int8_t>(code(random)); });
            check_all_kernels(codes);
        }
    }
}

TEST(products_of_the_largest_codes_saturate_nowhere) {
    // A damaged file may even hold -128.
    for (const std::size_t dim : {1, 3, 4, 6, 64, 127, 128, 2047, 2048}) {
        for (const int of_query : {query_code_limit, -query_code_limit}) {
            for (const int of_document : {127, -127, -128}) {
                for (const bool alternating : {false, true}) {
                    Codes codes(17, 18, dim);
                    for (std::size_t e = 0; e < codes.query.size(); ++e) {
                        codes.query[e] = static_cast<std::int8_t>(alternating && e % 2 == 1 ? -of_query : of_query);
                    }
                    codes.document.assign(codes.document.size(), static_cast<std::int8_t>(of_document));
                    check_all_kernels(codes);
                }
            }
        }
    }
}

TEST(the_longest_codes_of_whole_numbers_fill_their_sums) {
    Codes codes(2, 3, longest_code);
    codes.query.assign(codes.query.size(), query_code_limit);
    codes.document.assign(codes.document.size(), -128);
    check_all_kernels(codes);
}

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
            std::vector<std::int8_t> rows;
            double gap = 0.0;
            double total = 0.0;
            for (std::size_t q = 0; q < 6; ++q) {
                evaluator.set_query(documents[q]);
                const double query_norm = max_norm(documents[q]);
                for (std::size_t s = 0; s < documents.size(); ++s) {
                    const double value = evaluator.distance(documents[s]).distance;
                    const PreparedSequence in_rows = codes.at(s).in_rows(rows);
                    const double coarse = evaluator.distance(in_rows).distance;
                    const double slack = codes.slack(s, query_norm);
                    CHECK(coarse - slack <= value);
                    CHECK(evaluator.lower_bound(in_rows) - slack <= value);
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

TEST(bounds_beyond_a_cutoff_hold_and_others_are_the_best_there_are) {
    instances::Random random(12);
    for (const Measure& measure :
         {Measure{GroundCost::cosine, Weighting::norm}, Measure{GroundCost::cosine, Weighting::uniform, 4.0},
          Measure{GroundCost::euclidean, Weighting::uniform, 1.5, Problem::exact, 0.4},
          Measure{GroundCost::dot, Weighting::uniform, 2.0}}) {
        const instances::Batch batch(random, 60, 12, 6);
        const PreparedSequences documents(batch.view(), measure);
        const Coded coded(batch.tokens, 6, 127);
        const PreparedCodes codes(documents, coded.view());
        PairEvaluator evaluator(measure);
        evaluator.set_query(documents[0]);
        const double query_norm = max_norm(documents[0]);
        (void)evaluator.distance(documents[1]);
        const std::span<const double> found = evaluator.potentials();
        const std::vector<double> potentials(found.begin(), found.end());
        evaluator.reuse_potentials(potentials);
        std::size_t n_beyond = 0;
        for (std::size_t s = 0; s < documents.size(); ++s) {
            const double value = evaluator.distance(documents[s]).distance;
            const double slack = codes.slack(s, query_norm);
            const double best = evaluator.lower_bound(documents[s]);
            const double best_by_codes = evaluator.lower_bound(codes.at(s), codes.largest_norm());
            for (const double share : {0.2, 0.6, 1.0, 1.4}) {
                const double cutoff = value - std::abs(value) * (1.0 - share);
                const double bound = evaluator.lower_bound(documents[s], cutoff);
                const double by_codes = evaluator.lower_bound(codes.at(s), codes.largest_norm(), cutoff);
                CHECK(bound <= value && by_codes - slack <= value);
                CHECK(bound == best || (bound > cutoff && bound < best));
                CHECK(by_codes == best_by_codes || by_codes > cutoff);
                n_beyond += bound != best || by_codes != best_by_codes ? 1 : 0;
            }
        }
        CHECK(n_beyond > 0);
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

TEST(interleaved_codes_lie_as_their_header_says) {
    std::vector<std::int8_t> rows;
    for (int t = 0; t < 18; ++t) {
        for (int k = 0; k < 6; ++k) {
            rows.push_back(static_cast<std::int8_t>(t * 7 - k * 3));
        }
    }
    const std::vector<float> scales(18, 1.0F);
    std::vector<std::int8_t> found(18 * 8, 1);
    interleave({TokenType::int8, rows.data(), 18, 6, scales.data()}, found);
    const auto at = [&](std::size_t token, std::size_t component) { return rows[token * 6 + component]; };
    // 16 tokens, then the other two; of each the first four components, then two and two zeros.
    CHECK(found[0] == at(0, 0) && found[3] == at(0, 3) && found[4] == at(1, 0) && found[63] == at(15, 3));
    CHECK(found[64] == at(0, 4) && found[65] == at(0, 5) && found[66] == 0 && found[67] == 0 && found[68] == at(1, 4));
    CHECK(found[128] == at(16, 0) && found[132] == at(17, 0) && found[136] == at(16, 4) && found[140] == at(17, 4));
    std::vector<std::int8_t> back(rows.size());
    separate({found.data(), scales.data(), 18, 6}, back);
    CHECK(back == rows);
}

TEST(stored_codes_are_as_good_as_new_ones) {
    instances::Random random(8);
    for (const GroundCost ground : {GroundCost::cosine, GroundCost::euclidean, GroundCost::dot}) {
        const Measure measure{ground, Weighting::uniform};
        const instances::Batch batch(random, 30, 40, 5);
        const PreparedSequences documents(batch.view(), measure);
        const Coded coded(batch.tokens, 5, 127);
        const PreparedCodes codes(documents, coded.view());
        const TokensView rows = coded.view();
        const TokensView scales_only(TokenType::int8, nullptr, rows.rows(), rows.cols(), rows.scales());
        const PreparedCodes stored(documents, scales_only, codes.arrays());
        PairEvaluator evaluator(measure);
        evaluator.set_query(documents[0]);
        for (std::size_t s = 0; s < documents.size(); ++s) {
            CHECK(evaluator.lower_bound(stored.at(s), stored.largest_norm()) ==
                  evaluator.lower_bound(codes.at(s), codes.largest_norm()));
        }
        CodeArrays short_of_one = codes.arrays();
        short_of_one.interleaved = short_of_one.interleaved.first(short_of_one.interleaved.size() - 1);
        bool is_refused = false;
        try {
            const PreparedCodes refused(documents, scales_only, short_of_one);
        } catch (const std::invalid_argument&) {
            is_refused = true;
        }
        CHECK(is_refused);
    }
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
