#include "moverank/relaxed.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>

namespace moverank {

namespace {

/// Independent minima, one a vector lane.
constexpr std::size_t lane_count = 16;

/// min_j cost_j over any number of columns.
[[nodiscard]] float row_minimum(const float* cost, std::size_t n) {
    float lanes[lane_count];
    std::fill_n(lanes, lane_count, std::numeric_limits<float>::infinity());
    std::size_t j = 0;
    for (; j + lane_count <= n; j += lane_count) {
        for (std::size_t l = 0; l < lane_count; ++l) {
            lanes[l] = cost[j + l] < lanes[l] ? cost[j + l] : lanes[l];
        }
    }
    float smallest = *std::min_element(lanes, lanes + lane_count);
    for (; j < n; ++j) {
        smallest = std::min(smallest, cost[j]);
    }
    return smallest;
}

}  // namespace

double relaxed_query_side(MatrixView<const float> cost, std::span<const double> a) {
    double value = 0.0;
    for (std::size_t i = 0; i < cost.rows(); ++i) {
        value += a[i] * static_cast<double>(row_minimum(cost.row(i), cost.cols()));
    }
    return value;
}

double relaxed_document_side(MatrixView<const float> cost, std::span<const double> b, std::span<float> column_minima) {
    std::copy_n(cost.row(0), cost.cols(), column_minima.begin());
    for (std::size_t i = 1; i < cost.rows(); ++i) {
        const float* row = cost.row(i);
        for (std::size_t j = 0; j < cost.cols(); ++j) {
            column_minima[j] = row[j] < column_minima[j] ? row[j] : column_minima[j];
        }
    }
    double value = 0.0;
    for (std::size_t j = 0; j < cost.cols(); ++j) {
        value += b[j] * static_cast<double>(column_minima[j]);
    }
    return value;
}

double relaxed_bound(MatrixView<const float> cost, std::span<const double> a, std::span<const double> b,
                     double capacity, std::span<float> column_minima) {
    const double query_side = relaxed_query_side(cost, a);
    return capacity == 1.0 ? std::max(query_side, relaxed_document_side(cost, b, column_minima)) : query_side;
}

}  // namespace moverank
