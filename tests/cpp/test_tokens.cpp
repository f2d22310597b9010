/// Compact tokens: what is stored is read exactly, and everything computed from it is what its float32 numbers give.
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "check.hpp"
#include "instances.hpp"
#include "moverank/ground_cost.hpp"
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

float bfloat_value(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

bool same(float x, float y) {
    return std::isnan(x) ? std::isnan(y) : std::bit_cast<std::uint32_t>(x) == std::bit_cast<std::uint32_t>(y);
}

/// A batch of compact tokens, and the float32 numbers that it holds.
struct Compact {
    std::vector<std::uint16_t> words;
    std::vector<std::int8_t> bytes;
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
                // Any finite number of moderate size.
                const auto sign = static_cast<std::uint16_t>(random() % 2 << 15);
                words.push_back(static_cast<std::uint16_t>(
                    type == TokenType::float16 ? sign | random() % 0x5000 : sign | (0x3A00 + random() % 0x0A00)));
                values.push_back(type == TokenType::int8      ? static_cast<float>(bytes.back()) * scales.back()
                                 : type == TokenType::float16 ? half_value(words.back())
                                                              : bfloat_value(words.back()));
            }
        }
    }
    [[nodiscard]] SequencesView stored() const {
        const void* data = type == TokenType::int8 ? static_cast<const void*>(bytes.data()) : words.data();
        return {{type, data, scales.size(), dim, dim, type == TokenType::int8 ? scales.data() : nullptr}, offsets, {}};
    }
    [[nodiscard]] SequencesView plain() const { return {{values.data(), scales.size(), dim}, offsets, {}}; }
};

constexpr TokenType compact_types[] = {TokenType::float16, TokenType::bfloat16, TokenType::int8};

}  // namespace

TEST(every_half_is_read_as_the_number_that_it_is) {
    std::vector<std::uint16_t> all(65536);
    for (std::size_t i = 0; i < all.size(); ++i) {
        all[i] = static_cast<std::uint16_t>(i);
    }
    std::vector<float> halves(all.size());
    std::vector<float> bfloats(all.size());
    decode({TokenType::float16, all.data(), 1, all.size(), all.size()}, halves);
    decode({TokenType::bfloat16, all.data(), 1, all.size(), all.size()}, bfloats);
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
            const TokensView part{type, all.data(), all.rows(), half, dim, all.scales()};
            std::vector<float> halves(all.rows() * half);
            decode(part, halves);
            for (std::size_t t = 0; t < all.rows(); ++t) {
                CHECK(std::equal(&halves[t * half], &halves[t * half] + half, &batch.values[t * dim]));
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
