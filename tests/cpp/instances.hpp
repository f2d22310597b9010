/// Seeded problems and sequences for the C++ tests.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "moverank/pack.hpp"
#include "moverank/views.hpp"

namespace instances {

using Random = std::mt19937_64;

inline std::vector<double> masses(Random& random, std::size_t n, bool some_zero = false) {
    std::uniform_real_distribution<double> uniform(0.0, 1.0);
    std::vector<double> mass(n);
    for (double& x : mass) {
        x = some_zero && uniform(random) < 0.3 ? 0.0 : uniform(random) * uniform(random) + 1e-9;
    }
    mass[0] += 0.1;
    const double total = std::accumulate(mass.begin(), mass.end(), 0.0);
    for (double& x : mass) {
        x /= total;
    }
    return mass;
}

/// Smallest entry of every row and of every column.
struct Minima {
    std::vector<float> rows, columns;

    explicit Minima(moverank::MatrixView<const float> cost)
        : rows(cost.rows(), std::numeric_limits<float>::infinity()),
          columns(cost.cols(), std::numeric_limits<float>::infinity()) {
        for (std::size_t i = 0; i < cost.rows(); ++i) {
            for (std::size_t j = 0; j < cost.cols(); ++j) {
                rows[i] = std::min(rows[i], cost(i, j));
                columns[j] = std::min(columns[j], cost(i, j));
            }
        }
    }
};

/// Ragged sequences of normally distributed tokens.
struct Batch {
    std::vector<float> tokens;
    std::vector<std::int64_t> offsets{0};
    std::size_t dim;

    Batch(Random& random, std::size_t n_sequences, std::size_t longest, std::size_t dimension) : dim(dimension) {
        std::normal_distribution<float> normal;
        std::uniform_int_distribution<std::int64_t> length(1, static_cast<std::int64_t>(longest));
        for (std::size_t s = 0; s < n_sequences; ++s) {
            offsets.push_back(offsets.back() + length(random));
        }
        tokens.resize(static_cast<std::size_t>(offsets.back()) * dim);
        for (float& x : tokens) {
            x = normal(random);
        }
    }
    [[nodiscard]] moverank::SequencesView view() const {
        return {{tokens.data(), tokens.size() / dim, dim}, offsets, {}};
    }
};

/// Tokens rounded to multiples of a step of their own.
struct Coded {
    std::vector<std::int8_t> codes;
    std::vector<float> scales;
    std::size_t dim;

    Coded(const std::vector<float>& tokens, std::size_t dimension, int levels)
        : codes(tokens.size()), scales(tokens.size() / dimension), dim(dimension) {
        for (std::size_t t = 0; t < scales.size(); ++t) {
            float largest = 0.0F;
            for (std::size_t k = 0; k < dim; ++k) {
                largest = std::max(largest, std::abs(tokens[t * dim + k]));
            }
            scales[t] = largest / static_cast<float>(levels);
            for (std::size_t k = 0; k < dim; ++k) {
                const float code = scales[t] > 0.0F ? tokens[t * dim + k] / scales[t] : 0.0F;
                codes[t * dim + k] = static_cast<std::int8_t>(std::lround(code));
            }
        }
    }
    [[nodiscard]] moverank::TokensView view() const {
        return {moverank::TokenType::int8, codes.data(), scales.size(), dim, scales.data()};
    }
};

/// Tokens as packed codes, and the numbers that these stand for, by their definition.
struct Packed {
    moverank::TokenType type;
    std::size_t dim;
    std::vector<std::uint8_t> codes;
    std::vector<float> scales, values;

    Packed(const std::vector<float>& tokens, std::size_t dimension, moverank::TokenType packed_type)
        : type(packed_type),
          dim(dimension),
          codes(tokens.size() / dim * moverank::row_bytes(type, dim)),
          scales(tokens.size() / dim) {
        moverank::pack(type, {tokens.data(), scales.size(), dim}, codes, scales);
        for (std::size_t t = 0; t < scales.size(); ++t) {
            for (std::size_t k = 0; k < dim; ++k) {
                values.push_back((static_cast<float>(code(t, k)) - half()) * scales[t]);
            }
        }
    }
    /// The code of a component.
    [[nodiscard]] int code(std::size_t t, std::size_t k) const {
        const std::size_t bits = moverank::component_bits(type);
        const std::uint8_t byte = codes[t * moverank::row_bytes(type, dim) + k * bits / 8];
        return byte >> (k * bits % 8) & ((1 << bits) - 1);
    }
    [[nodiscard]] float half() const { return type == moverank::TokenType::int4 ? 7.5F : 1.5F; }
    [[nodiscard]] moverank::TokensView view() const { return {type, codes.data(), scales.size(), dim, scales.data()}; }
};

/// Both ways in which a vector index may compute squared distances in float32.
struct SquaredDistances {
    float direct = 0.0F;
    float expanded = 0.0F;

    SquaredDistances(const std::vector<float>& p, const std::vector<float>& q) {
        float pp = 0.0F;
        float qq = 0.0F;
        float pq = 0.0F;
        for (std::size_t k = 0; k < p.size(); ++k) {
            direct += (p[k] - q[k]) * (p[k] - q[k]);
            pp += p[k] * p[k];
            qq += q[k] * q[k];
            pq += p[k] * q[k];
        }
        expanded = std::max(0.0F, pp + qq - 2.0F * pq);
    }
};

}  // namespace instances
