#include "moverank/relaxed.hpp"

#include <algorithm>
#include <cmath>
#include <compare>
#include <cstddef>
#include <limits>
#include <numeric>

#include "../preconditions.hpp"

namespace moverank {

template <class Cost>
double relaxed_side(std::span<const Cost> minima, std::span<const double> mass) {
    require(minima.size() == mass.size(), "expected one mass per minimum");
    double value = 0.0;
    for (std::size_t t = 0; t < mass.size(); ++t) {
        value += mass[t] * static_cast<double>(minima[t]);
    }
    return value;
}

template <class Cost>
double relaxed_bound(std::span<const Cost> row_minima, std::span<const Cost> column_minima, std::span<const double> a,
                     std::span<const double> b, double capacity, double fraction, std::vector<std::size_t>& order) {
    const auto side = [&](std::span<const Cost> minima, std::span<const double> mass) {
        return fraction < 1.0 ? cheapest_part(minima, mass, fraction, order) : relaxed_side(minima, mass);
    };
    const double query_side = side(row_minima, a);
    return capacity == 1.0 ? std::max(query_side, side(column_minima, b)) : query_side;
}

template <class Price>
double cheapest_part(std::span<const Price> prices, std::span<const double> mass, double part,
                     std::vector<std::size_t>& order) {
    require(prices.size() == mass.size(), "expected one mass per price");
    order.resize(prices.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    // A total order of floats that includes NaN: with < alone, a NaN could make the sort read past its end.
    std::ranges::sort(order, [&](std::size_t s, std::size_t t) {
        const std::strong_ordering prices_compare = std::strong_order(prices[s], prices[t]);
        return prices_compare != 0 ? prices_compare < 0 : s < t;
    });
    // Masses sum to 1 only to rounding, so this much may seem to be left for entries that must not be used.
    const double rounding = 4.0 * std::numeric_limits<double>::epsilon() * static_cast<double>(prices.size() + 8);
    double value = 0.0;
    double last = 0.0;
    for (const std::size_t t : order) {
        const auto price = static_cast<double>(prices[t]);
        if (std::isinf(price) && part <= rounding) {
            return value;  // what is left is rounding: it must not be charged an infinite price
        }
        last = price;
        const double taken = std::min(mass[t], part);
        value += taken * last;
        part -= taken;
        if (part <= 0.0) {
            return value;
        }
    }
    return value + part * last;  // rounding left a little mass: charged at the last price (docs/numerics.md, "Minima")
}

template double relaxed_side(std::span<const float>, std::span<const double>);
template double relaxed_side(std::span<const double>, std::span<const double>);
template double relaxed_bound(std::span<const float>, std::span<const float>, std::span<const double>,
                              std::span<const double>, double, double, std::vector<std::size_t>&);
template double relaxed_bound(std::span<const double>, std::span<const double>, std::span<const double>,
                              std::span<const double>, double, double, std::vector<std::size_t>&);
template double cheapest_part(std::span<const float>, std::span<const double>, double, std::vector<std::size_t>&);
template double cheapest_part(std::span<const double>, std::span<const double>, double, std::vector<std::size_t>&);

}  // namespace moverank
