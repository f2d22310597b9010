#include "cost.hpp"

#include "decode.hpp"
#include "largest.hpp"
#include "products.hpp"
#include "tiles.hpp"

namespace moverank::MOVERANK_LEVEL {

namespace {

// ---- products ------------------------------------------------------------------------------------------------------

/// How far ahead memory is fetched: far enough to have it in time, near enough to still have it by then.
constexpr std::size_t tokens_ahead = 2 * tokens_per_tile;

/// Raise the largest size of a component to that of `count` tokens.
MOVERANK_INLINE void raise(float& largest, const Streamed& streamed, std::size_t dim, std::size_t count) {
    const float* const* const tokens = streamed.vectors;
    const bool side_by_side = tokens[count - 1] == tokens[0] + (count - 1) * dim;
    for (std::size_t t = 0; t < count; t += side_by_side ? count : 1) {
        const float size = largest_size(tokens[t], side_by_side ? count * dim : dim);
        largest = largest == largest && !(size <= largest) ? size : largest;  // NaN is above all
    }
}

/// Fill the tile for up to tokens_per_tile tokens from `first` on.
template <GroundCost ground>
MOVERANK_INLINE void fill_tile(const CostBlock& block, std::size_t first, std::size_t count) {
    const std::size_t stride = block.tokens.stride();
    const std::size_t step = block.dim > 0 ? tokens_per_tile * stride / block.dim : 0;
    Streamed streamed{{}, {block.tokens.row(first + tokens_ahead), stride, step}};
    float* rows[tokens_per_tile];
    for (std::size_t t = 0; t < tokens_per_tile; ++t) {
        const std::size_t token = t < count ? t : count - 1;
        if (block.tokens.type() == TokenType::float32) {
            streamed.vectors[t] = reinterpret_cast<const float*>(block.tokens.row(first + token));
        } else {
            streamed.vectors[t] = block.decoded + token * block.dim;
            if (t < count) {
                decode_components(block.tokens, first + t, 0, block.dim, block.decoded + t * block.dim);
            }
        }
        rows[t] = block.tile + t * block.n_padded;
    }
    if (block.largest_component != nullptr) {
        raise(*block.largest_component, streamed, block.dim, count);
    }
    sum_all_terms<ground>({block.packed, block.n, block.n_padded, block.dim}, streamed, rows, count);
}

// ---- costs ---------------------------------------------------------------------------------------------------------

template <GroundCost ground>
void fill(CostBlock& block) {
    for_each_tile(block, [&](std::size_t first, std::size_t count, Floats& largest) {
        fill_tile<ground>(block, first, count);
        finish_tile(block, first, count, FromTile<ground>{block, first}, largest);
    });
}

void gather(CostBlock& block) {
    for_each_tile(block, [&](std::size_t first, std::size_t count, Floats& largest) {
        finish_tile(block, first, count, FromTable{block, first}, largest);
    });
}

template <GroundCost ground>
void tabulate(CostBlock& block) {
    for_each_tile(block, [&](std::size_t first, std::size_t count, Floats& largest) {
        fill_tile<ground>(block, first, count);
        const FromTile<ground> cost_at{block, first};
        for (std::size_t token = 0; token < count; ++token) {
            float* const row = block.cost + (first + token) * block.n_padded;
            for (std::size_t i = 0; i < block.n_padded; i += width) {
                Floats cost = splat(infinity);
                if (i < block.n) {
                    const Bits real = real_lanes(block.n - i);
                    const Floats c = cost_at(token, i);
                    largest = max(largest, where<float>(real, max(c, -c), Floats{}));
                    cost = where<float>(real, c, cost);
                }
                store(row + i, cost);
            }
        }
    });
}

// ---- norms ---------------------------------------------------------------------------------------------------------

/// Add up by halves.
template <std::size_t n>
MOVERANK_INLINE double sum_of(Vector<double>* sums) {
    if constexpr (n == 1) {
        return reduce_add<double>(sums[0]);
    } else {
#pragma GCC unroll 4
        for (std::size_t s = 0; s < n / 2; ++s) {
            sums[s] += sums[s + n / 2];
        }
        return sum_of<n / 2>(sums);
    }
}

/// Sixteen partial sums on every level, added up by halves, so that their number of registers does not show. Squares of
/// float32 are exact in float64, so neither does whether they are rounded before they are added.
constexpr std::size_t n_sums = 16 / lanes<double>;

MOVERANK_INLINE void add_squares(const float* x, Vector<double>* sums) {
#pragma GCC unroll 8
    for (std::size_t s = 0; s < n_sums; ++s) {
        const Vector<double> component = load_as<double>(x + s * lanes<double>);
        sums[s] = multiply_add(component, component, sums[s]);
    }
}

void squared_norms(const TokensView& tokens, double* squared) {
    constexpr std::size_t piece = 256;
    float decoded[piece];
    const bool compact = tokens.type() != TokenType::float32;
    for (std::size_t t = 0; t < tokens.rows(); ++t) {
        Vector<double> sums[n_sums] = {};
        double rest = 0.0;
        for (std::size_t start = 0; start < tokens.cols(); start += piece) {
            const std::size_t count = start + piece < tokens.cols() ? piece : tokens.cols() - start;
            const float* components = decoded;
            if (compact) {
                decode_components(tokens, t, start, count, decoded);
            } else {
                components = reinterpret_cast<const float*>(tokens.row(t)) + start;
            }
            std::size_t k = 0;
            for (; k + 16 <= count; k += 16) {
                add_squares(components + k, sums);
            }
            for (; k < count; ++k) {
                rest += static_cast<double>(components[k]) * static_cast<double>(components[k]);
            }
        }
        squared[t] = sum_of<n_sums>(sums) + rest;
    }
}

void decode(const TokensView& tokens, float* to) {
    for (std::size_t t = 0; t < tokens.rows(); ++t) {
        decode_components(tokens, t, 0, tokens.cols(), to + t * tokens.cols());
    }
}

}  // namespace

extern const CostKernels cost;
const CostKernels cost{
    {&fill<GroundCost::cosine>, &fill<GroundCost::euclidean>, &fill<GroundCost::sqeuclidean>, &fill<GroundCost::dot>},
    {&tabulate<GroundCost::cosine>, &tabulate<GroundCost::euclidean>, &tabulate<GroundCost::sqeuclidean>,
     &tabulate<GroundCost::dot>},
    &gather,
    &squared_norms,
    &decode};

}  // namespace moverank::MOVERANK_LEVEL
