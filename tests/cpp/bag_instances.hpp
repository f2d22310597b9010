/// Seeded bags of words, and queries for them, for the C++ tests.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <set>
#include <span>
#include <vector>

#include "instances.hpp"
#include "moverank/bags.hpp"
#include "moverank/prepared.hpp"

namespace instances {

/// Bags over a vocabulary of which the last words are never used.
struct Collection {
    Collection(Random& random, std::size_t n_bags, std::size_t longest, std::size_t dimension)
        : dim(dimension), vectors(n_words * dim) {
        std::normal_distribution<float> normal;
        std::uniform_real_distribution<float> count(0.5F, 4.0F);
        std::ranges::generate(vectors, [&] { return normal(random); });
        std::uniform_int_distribution<std::size_t> length(1, longest);
        std::uniform_int_distribution<std::uint32_t> word(0, n_words - 20);
        for (std::size_t s = 0; s < n_bags; ++s) {
            std::set<std::uint32_t> own;
            for (std::size_t j = length(random); j > 0; --j) {
                own.insert(word(random));
            }
            words.insert(words.end(), own.begin(), own.end());
            offsets.push_back(static_cast<std::int64_t>(words.size()));
        }
        counts.resize(words.size());
        std::ranges::generate(counts, [&] { return count(random); });
    }

    [[nodiscard]] moverank::BagsView view(bool with_counts) const {
        return {{vectors.data(), n_words, dim}, words, offsets, with_counts ? counts : std::span<const float>{}};
    }

    static constexpr std::size_t n_words = 700;
    std::size_t dim;
    std::vector<float> vectors;
    std::vector<std::uint32_t> words;
    std::vector<std::int64_t> offsets{0};
    std::vector<float> counts;
};

/// A query of random tokens.
struct Query {
    Query(Random& random, std::size_t n, std::size_t dim, const moverank::Measure& measure)
        : tokens(n * dim), mass(n), inverse_norms(n) {
        std::normal_distribution<float> normal;
        std::ranges::generate(tokens, [&] { return normal(random); });
        prepared = prepare({{tokens.data(), n, dim}, {}}, measure, mass, inverse_norms, 0);
    }

    std::vector<float> tokens;
    std::vector<double> mass;
    std::vector<float> inverse_norms;
    moverank::PreparedSequence prepared;
};

}  // namespace instances
