/// Compact tokens: what is stored is read exactly, and everything computed from it is what its float32 numbers give.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <span>
#include <stdexcept>

#include "check.hpp"
#include "instances.hpp"
#include "moverank/ground_cost.hpp"
#include "moverank/pack.hpp"
#include "moverank/pair.hpp"
#include "moverank/prepared.hpp"

using namespace moverank;

namespace {

/// IEEE binary16, by its definition.
float half_value(std::uint16_t bits) {
    const int exponent = bits >> 10 & 31;
    const int fraction = bits & 1023;
    const float sign = (bits & 0x8000) != 0 ? -1.0F : 1.0F;
    if (exponent == 31) {
        return fraction == 0 ? sign * std::numeric_limits<float>::infinity() : std::numeric_limits<float>::quiet_NaN();
    }
    return exponent == 0 ? sign * std::ldexp(static_cast<float>(fraction), -24)
                         : sign * std::ldexp(static_cast<float>(1024 + fraction), exponent - 25);
}

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

float bfloat_value(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

bool same(float x, float y) {
    return std::isnan(x) ? std::isnan(y) : std::bit_cast<std::uint32_t>(x) == std::bit_cast<std::uint32_t>(y);
}

/// A batch of compact tokens, and the float32 numbers that it holds.
struct Compact {
    std::vector<std::uint16_t> words;
    std::vector<std::int8_t> bytes;
    std::vector<std::uint8_t> packed;
    std::vector<float> scales, values;
    std::vector<std::int64_t> offsets;
    std::size_t dim;
    TokenType type;

    Compact(instances::Random& random, TokenType stored_as, std::size_t dimension) : dim(dimension), type(stored_as) {
        offsets = {0, 5, 6, 39};
        std::normal_distribution<float> normal;
        for (std::size_t t = 0; t < 39; ++t) {
            scales.push_back(std::exp(normal(random)));
            for (std::size_t k = 0; k < dim; ++k) {
                bytes.push_back(static_cast<std::int8_t>(static_cast<int>(random() % 255) - 127));
                const std::uint64_t code = random() % (1U << packed_bits());
                // Any finite number of moderate size.
                const auto sign = static_cast<std::uint16_t>(random() % 2 << 15);
                words.push_back(static_cast<std::uint16_t>(
                    type == TokenType::float16 ? sign | random() % 0x5000 : sign | (0x3A00 + random() % 0x0A00)));
                switch (type) {
                    case TokenType::int8: values.push_back(static_cast<float>(bytes.back()) * scales.back()); break;
                    case TokenType::float16: values.push_back(half_value(words.back())); break;
                    case TokenType::bfloat16: values.push_back(bfloat_value(words.back())); break;
                    case TokenType::int4: values.push_back((static_cast<float>(code) - 7.5F) * scales.back()); break;
                    case TokenType::int2: values.push_back((static_cast<float>(code) - 1.5F) * scales.back()); break;
                    case TokenType::float32: break;
                }
                if (k * packed_bits() % 8 == 0) {
                    packed.push_back(0);
                }
                packed.back() |= static_cast<std::uint8_t>(code << (k * packed_bits() % 8));
            }
            // What no component uses does not count.
            packed.back() |= static_cast<std::uint8_t>(dim * packed_bits() % 8 == 0 ? 0 : 0x80);
        }
    }
    [[nodiscard]] std::size_t packed_bits() const { return type == TokenType::int2 ? 2 : 4; }
    [[nodiscard]] SequencesView stored() const {
        const void* data = type == TokenType::int8    ? static_cast<const void*>(bytes.data())
                           : component_bits(type) < 8 ? static_cast<const void*>(packed.data())
                                                      : words.data();
        return {{type, data, scales.size(), dim, has_scales(type) ? scales.data() : nullptr}, offsets, {}};
    }
    [[nodiscard]] SequencesView plain() const { return {{values.data(), scales.size(), dim}, offsets, {}}; }
};

constexpr TokenType compact_types[] = {TokenType::float16, TokenType::bfloat16, TokenType::int8, TokenType::int4,
                                       TokenType::int2};

}  // namespace

TEST(every_half_is_read_as_the_number_that_it_is) {
    std::vector<std::uint16_t> all(65536);
    for (std::size_t i = 0; i < all.size(); ++i) {
        all[i] = static_cast<std::uint16_t>(i);
    }
    std::vector<float> halves(all.size());
    std::vector<float> bfloats(all.size());
    decode({TokenType::float16, all.data(), 1, all.size()}, halves);
    decode({TokenType::bfloat16, all.data(), 1, all.size()}, bfloats);
    for (std::size_t i = 0; i < all.size(); ++i) {
        CHECK(same(halves[i], half_value(all[i])));
        CHECK(same(bfloats[i], bfloat_value(all[i])));
    }
}

TEST(rows_of_any_length_and_stride_are_decoded_alone) {
    instances::Random random(1);
    for (std::size_t dim = 1; dim < 70; ++dim) {
        for (const TokenType type : compact_types) {
            const Compact batch(random, type, dim);
            std::vector<float> decoded(batch.values.size() + 1, -7.0F);
            decode(batch.stored().tokens, std::span(decoded).first(batch.values.size()));
            CHECK(std::equal(batch.values.begin(), batch.values.end(), decoded.begin()));
            CHECK(decoded.back() == -7.0F);
            // Every second component column of a wider matrix: the first half of each row.
            const TokensView all = batch.stored().tokens;
            const std::size_t half = (dim + 1) / 2;
            const TokensView part{type, all.data(), all.rows(), half, all.stride(), all.scales()};
            std::vector<float> halves(all.rows() * half);
            decode(part, halves);
            for (std::size_t t = 0; t < all.rows(); ++t) {
                CHECK(std::equal(&halves[t * half], &halves[t * half] + half, &batch.values[t * dim]));
            }
        }
    }
}

TEST(anchored_tokens_are_the_sums_of_what_is_stored_and_of_their_anchors) {
    instances::Random random(8);
    constexpr std::uint16_t n_anchors = 3;
    for (const std::size_t dim : {1, 7, 16, 37, 300}) {
        for (const TokenType type : {TokenType::int8, TokenType::int4, TokenType::int2}) {
            const Compact batch(random, type, dim);
            std::vector<float> anchors(n_anchors * dim);
            std::normal_distribution<float> normal;
            std::ranges::generate(anchors, [&] { return normal(random); });
            std::vector<std::uint16_t> nearest(batch.scales.size());
            std::ranges::generate(nearest, [&] { return static_cast<std::uint16_t>(random() % (n_anchors + 1)); });
            nearest.back() = 0xFFFF;
            std::vector<float> expected = batch.values;
            for (std::size_t i = 0; i < expected.size(); ++i) {
                if (nearest[i / dim] < n_anchors) {
                    expected[i] += anchors[nearest[i / dim] * dim + i % dim];
                }
            }
            const TokensView tokens = batch.stored().tokens.from({{anchors.data(), n_anchors, dim}, nearest.data()});
            std::vector<float> decoded(expected.size());
            decode(tokens, decoded);
            CHECK(decoded == expected);
            // A run keeps the anchors of its own tokens.
            decode(tokens.run(6, 33), std::span(decoded).first(33 * dim));
            CHECK(std::equal(decoded.begin(), decoded.begin() + 33 * static_cast<std::ptrdiff_t>(dim),
                             expected.begin() + 6 * static_cast<std::ptrdiff_t>(dim)));
            // All that is computed of tokens sees the sums: masses, inverse norms, costs.
            const Measure measure{GroundCost::cosine, Weighting::norm};
            const SequencesView plain{{expected.data(), nearest.size(), dim}, batch.offsets, {}};
            const PreparedSequences stored({tokens, batch.offsets, {}}, measure);
            const PreparedSequences sums(plain, measure);
            PairEvaluator evaluator(measure);
            for (std::size_t s = 0; s < sums.size(); ++s) {
                CHECK(std::ranges::equal(stored[s].mass, sums[s].mass));
                CHECK(std::ranges::equal(stored[s].inverse_norms, sums[s].inverse_norms));
                evaluator.set_query(sums[0]);
                CHECK(evaluator.distance(stored[s]).distance == evaluator.distance(sums[s]).distance);
            }
        }
    }
}

TEST(costs_and_masses_are_those_of_the_stored_numbers) {
    instances::Random random(2);
    for (const std::size_t dim : {1, 16, 37, 300}) {
        for (const TokenType type : compact_types) {
            const Compact batch(random, type, dim);
            for (const GroundCost ground :
                 {GroundCost::cosine, GroundCost::euclidean, GroundCost::sqeuclidean, GroundCost::dot}) {
                const Measure measure{ground, ground == GroundCost::cosine ? Weighting::norm : Weighting::uniform};
                if (dim == 1 && ground == GroundCost::cosine) {
                    continue;  // a component alone may be zero
                }
                const PreparedSequences stored(batch.stored(), measure);
                const PreparedSequences plain(batch.plain(), measure);
                CHECK(stored.max_norm() == plain.max_norm());
                CHECK(max_norm(stored[2]) == max_norm(plain[2]));
                CHECK(std::ranges::equal(stored[2].mass, plain[2].mass));
                GroundCosts from_stored(ground);
                GroundCosts from_plain(ground);
                from_stored.set_query(stored[0]);
                from_plain.set_query(plain[0]);
                from_stored.compute(stored[2]);
                from_plain.compute(plain[2]);
                for (std::size_t i = 0; i < stored[0].size(); ++i) {
                    const float* row = from_stored.matrix().matrix.row(i);
                    CHECK(std::equal(row, row + stored[2].size(), from_plain.matrix().matrix.row(i)));
                }
            }
        }
    }
}

TEST(packed_codes_are_read_alike_whatever_the_scale) {
    instances::Random random(4);
    for (const TokenType type : {TokenType::int4, TokenType::int2}) {
        std::vector<std::uint8_t> codes(row_bytes(type, 100));
        std::ranges::generate(codes, [&] { return static_cast<std::uint8_t>(random()); });
        const float half = type == TokenType::int4 ? 7.5F : 1.5F;
        const std::size_t bits = component_bits(type);
        for (const float scale : {0.0F, 1e-45F, 3e-39F, 1.2e-38F, 0.3F, 4.5e37F, 2e38F, infinity, not_a_number}) {
            std::vector<float> found(100);
            decode({type, codes.data(), 1, 100, &scale}, found);
            for (std::size_t k = 0; k < 100; ++k) {
                const int code = codes[k * bits / 8] >> (k * bits % 8) & ((1 << bits) - 1);
                CHECK(same(found[k], (static_cast<float>(code) - half) * scale));
            }
        }
    }
}

TEST(packing_rounds_each_component_to_the_nearest_value_of_a_good_step) {
    instances::Random random(5);
    std::normal_distribution<float> normal;
    for (const TokenType type : {TokenType::int4, TokenType::int2}) {
        const bool four = type == TokenType::int4;
        for (const std::size_t dim : {1, 2, 3, 5, 16, 17, 128, 1000}) {
            for (const float size : {1.0F, 1e-30F, 1e30F}) {
                std::vector<float> tokens(20 * dim);
                std::ranges::generate(tokens, [&] { return size * normal(random); });
                const instances::Packed packed(tokens, dim, type);
                double of_squares = 0.0;  // the mean of what is left of them
                for (std::size_t t = 0; t < 20; ++t) {
                    double error = 0.0;
                    double length = 0.0;
                    float largest = 0.0F;
                    for (std::size_t k = t * dim; k < (t + 1) * dim; ++k) {
                        error += std::pow((packed.values[k] - tokens[k]) / size, 2);
                        length += std::pow(tokens[k] / size, 2);
                        largest = std::max(largest, std::abs(tokens[k]));
                        const float place = tokens[k] / packed.scales[t];
                        const float off = std::abs(place - packed.values[k] / packed.scales[t]);
                        CHECK(off <= 0.5001F || std::abs(place) > packed.half());  // beyond the ends: the last
                    }
                    // Never much worse than without cutting off the largest.
                    double plain = 0.0;
                    const float step = largest / packed.half();
                    for (std::size_t k = t * dim; k < (t + 1) * dim; ++k) {
                        const float level =
                            std::clamp(std::floor(tokens[k] / step) + 0.5F, -packed.half(), packed.half());
                        plain += std::pow((level * step - tokens[k]) / size, 2);
                    }
                    CHECK(error <= plain * 1.0001 + 1e-12);
                    CHECK(dim > 1 || error < 1e-12 * length);
                    of_squares += error / length / 20.0;
                }
                // The best uniform quantisers of normally distributed numbers leave 0.0115 and 0.119 (Max, 1960).
                CHECK(of_squares < (four ? 0.0125 : 0.125));
            }
        }
    }
}

TEST(packing_leaves_zeros_and_tells_of_what_is_not_finite) {
    constexpr float most = std::numeric_limits<float>::max();
    const std::vector<float> tokens{0.0F, -0.0F, 0.0F,         most, -most,  1.0F, infinity, 1.0F,
                                    0.0F, 1.0F,  not_a_number, 0.0F, 1e-45F, 0.0F, 0.0F};
    for (const TokenType type : {TokenType::int4, TokenType::int2}) {
        const instances::Packed packed(tokens, 3, type);
        for (std::size_t k = 0; k < 3; ++k) {
            CHECK(same(packed.values[k], 0.0F));
            CHECK(std::abs(packed.values[12 + k]) <= 3e-45F);
        }
        CHECK(packed.values[3] > 0.6F * most && packed.values[4] < -0.6F * most);
        CHECK(!std::isfinite(packed.scales[2]) && !std::isfinite(packed.scales[3]));
        CHECK((packed.codes[row_bytes(type, 3) - 1] & (type == TokenType::int4 ? 0xF0 : 0xC0)) == 0);
    }
}

TEST(packing_goes_into_arrays_of_the_right_size) {
    const std::vector<float> tokens(6, 1.0F);
    std::vector<std::uint8_t> codes(4);
    std::vector<float> scales(2);
    const MatrixView<const float> view(tokens.data(), 2, 3);
    CHECK_THROWS_AS(pack(TokenType::int8, view, codes, scales), std::invalid_argument);
    CHECK_THROWS_AS(pack(TokenType::int2, view, codes, scales), std::invalid_argument);
    CHECK_THROWS_AS(pack(TokenType::int4, view, codes, std::span(scales).first(1)), std::invalid_argument);
    pack(TokenType::int4, view, codes, scales);
    CHECK(scales[0] == scales[1] && scales[0] > 0.0F);
}

TEST(tokens_without_mass_are_dropped_from_compact_sequences_as_well) {
    instances::Random random(3);
    const Compact batch(random, TokenType::int8, 20);
    const std::vector<double> weights = instances::masses(random, 39, true);
    SequencesView view = batch.stored();
    view.weights = weights;
    const PreparedSequences prepared(view, {GroundCost::dot, Weighting::given});
    PositivePart positive;
    const PreparedSequence part = positive.of(prepared[2]);
    std::vector<float> kept(part.size() * 20);
    decode(part.tokens, kept);
    std::size_t row = 0;
    for (std::size_t t = 6; t < 39; ++t) {
        if (weights[t] > 0.0) {
            CHECK(std::equal(&batch.values[t * 20], &batch.values[t * 20] + 20, &kept[row * 20]));
            ++row;
        }
    }
    CHECK(row == part.size());
}
