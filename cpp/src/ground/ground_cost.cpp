#include "moverank/ground_cost.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace moverank {

namespace {

/// Independent accumulators: what lets the compiler use vector registers without reordering any sum.
constexpr std::size_t lanes = 16;

/// Unit roundoff of float32, and the smallest difference it can hold.
constexpr double unit = 0x1p-24;
constexpr double underflow_step = 0x1p-149;

/// Inverse norms outside this range would lose digits, or the products with them leave float32's range.
constexpr float smallest_fast_inverse = 1e-15F;
constexpr float largest_fast_inverse = 1e15F;

template <class Term>
[[nodiscard]] float sum_over_lanes(std::size_t dim, Term term) {
    float sums[lanes] = {};
    std::size_t k = 0;
    for (; k + lanes <= dim; k += lanes) {
        for (std::size_t l = 0; l < lanes; ++l) {
            sums[l] += term(k + l);
        }
    }
    for (std::size_t l = 0; k + l < dim; ++l) {
        sums[l] += term(k + l);
    }
    float total = 0.0F;
    for (const float sum : sums) {
        total += sum;
    }
    return total;
}

/// Roundings that any term of sum_over_lanes passes through, the product's own included.
[[nodiscard]] double roundings(std::size_t dim) {
    const std::size_t terms_a_lane = (dim + lanes - 1) / lanes;
    return static_cast<double>(terms_a_lane + lanes + 1);
}

[[nodiscard]] double gamma(double n) { return n * unit / (1.0 - n * unit); }

[[nodiscard]] float dot(const float* x, const float* y, std::size_t dim) {
    return sum_over_lanes(dim, [=](std::size_t k) { return x[k] * y[k]; });
}

/// By differences: the expansion |x|^2 + |y|^2 - 2<x, y> cancels near zero, where nearest neighbours live.
[[nodiscard]] float squared_distance(const float* x, const float* y, std::size_t dim) {
    return sum_over_lanes(dim, [=](std::size_t k) {
        const float difference = x[k] - y[k];
        return difference * difference;
    });
}

/// For norms near the ends of float32's range.
[[nodiscard]] float cosine_cost_in_double(const float* x, const float* y, std::size_t dim) {
    double xy = 0.0;
    double xx = 0.0;
    double yy = 0.0;
    for (std::size_t k = 0; k < dim; ++k) {
        const auto a = static_cast<double>(x[k]);
        const auto b = static_cast<double>(y[k]);
        xy += a * b;
        xx += a * a;
        yy += b * b;
    }
    return static_cast<float>(std::clamp(1.0 - xy / std::sqrt(xx) / std::sqrt(yy), 0.0, 2.0));
}

[[nodiscard]] bool fast(std::span<const float> inverse_norms) {
    return std::ranges::all_of(inverse_norms,
                               [](float x) { return x >= smallest_fast_inverse && x <= largest_fast_inverse; });
}

template <class Entry>
void fill(MatrixView<float> cost, const PreparedSequence& query, const PreparedSequence& document, Entry entry) {
    for (std::size_t i = 0; i < query.size(); ++i) {
        const float* x = query.tokens.row(i);
        float* row = cost.row(i);
        for (std::size_t j = 0; j < document.size(); ++j) {
            row[j] = entry(i, j, x, document.tokens.row(j));
        }
    }
}

}  // namespace

void cost_matrix(GroundCost ground, const PreparedSequence& query, const PreparedSequence& document,
                 MatrixView<float> cost) {
    const std::size_t dim = query.tokens.cols();
    switch (ground) {
        case GroundCost::cosine:
            if (fast(query.inverse_norms) && fast(document.inverse_norms)) {
                fill(cost, query, document, [&](std::size_t i, std::size_t j, const float* x, const float* y) {
                    const float cosine = dot(x, y, dim) * (query.inverse_norms[i] * document.inverse_norms[j]);
                    return std::clamp(1.0F - cosine, 0.0F, 2.0F);
                });
            } else {
                fill(cost, query, document, [=](std::size_t, std::size_t, const float* x, const float* y) {
                    return cosine_cost_in_double(x, y, dim);
                });
            }
            break;
        case GroundCost::euclidean:
            fill(cost, query, document, [=](std::size_t, std::size_t, const float* x, const float* y) {
                return std::sqrt(squared_distance(x, y, dim));
            });
            break;
        case GroundCost::sqeuclidean:
            fill(cost, query, document,
                 [=](std::size_t, std::size_t, const float* x, const float* y) { return squared_distance(x, y, dim); });
            break;
        case GroundCost::dot:
            fill(cost, query, document,
                 [=](std::size_t, std::size_t, const float* x, const float* y) { return -dot(x, y, dim); });
            break;
    }
}

double cost_error_bound(GroundCost ground, std::size_t dim, double query_max_norm, double document_max_norm) {
    const double n = roundings(dim);
    const double reach = query_max_norm + document_max_norm;  // no two tokens lie further apart
    const auto d = static_cast<double>(dim);
    switch (ground) {
        case GroundCost::cosine:
            // |<x, y>| error gamma_n |x||y|; two rounded inverse norms, two products, one subtraction from 1. Below
            // norms of 1e-15 products of components may underflow, but then the double path is taken.
            return gamma(n + 8.0);
        case GroundCost::euclidean:
            // Differences and squares add three roundings, the root halves them and adds one.
            return gamma(n + 4.0) * reach + std::sqrt(d * underflow_step);
        case GroundCost::sqeuclidean: return gamma(n + 3.0) * reach * reach + d * underflow_step;
        case GroundCost::dot: return gamma(n) * query_max_norm * document_max_norm + d * underflow_step;
    }
    return std::numeric_limits<double>::infinity();
}

}  // namespace moverank
