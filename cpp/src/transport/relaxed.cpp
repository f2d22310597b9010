#include "moverank/relaxed.hpp"

#include <algorithm>
#include <cstddef>

namespace moverank {

double relaxed_side(std::span<const float> minima, std::span<const double> mass) {
    double value = 0.0;
    for (std::size_t t = 0; t < mass.size(); ++t) {
        value += mass[t] * static_cast<double>(minima[t]);
    }
    return value;
}

double relaxed_bound(std::span<const float> row_minima, std::span<const float> column_minima, std::span<const double> a,
                     std::span<const double> b, double capacity) {
    const double query_side = relaxed_side(row_minima, a);
    return capacity == 1.0 ? std::max(query_side, relaxed_side(column_minima, b)) : query_side;
}

}  // namespace moverank
