/// How large a cost may be that an optimum pays: docs/numerics.md, "Costs and masses of any sizes".
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

namespace moverank {

/// Crumbs: mass that rounding can have put in the wrong place if a total of 1 moves; 4 U (n + m + 8) in
/// docs/numerics.md.
[[nodiscard]] inline double crumbs(std::size_t n_nodes) {
    return 2.0 * std::numeric_limits<double>::epsilon() * static_cast<double>(n_nodes + 8);
}

/// 2 B of the lemma: no optimum pays more than B = min(n, m) (K + L) for an entry, if some plan pays at most K = `paid`
/// per entry and no cost is below -L = -`credit`. Along the cycle that takes an entry out of use, at most min(n, m)
/// entries of that plan come in.
[[nodiscard]] inline double largest_optimal_cost(double paid, double credit, std::size_t shorter) {
    const double bound = 2.0 * static_cast<double>(shorter) * (std::max(paid, 0.0) + credit);
    return bound > 0.0 ? bound : std::numeric_limits<double>::min();
}

/// The largest cost that a plan pays, of its pairs of cost and mass, for more than `crumb` of mass. Sorts them.
[[nodiscard]] inline double largest_price(std::vector<std::pair<double, double>>& plan, double crumb) {
    std::ranges::sort(plan, std::greater{});
    double passed = 0.0;
    for (const auto& [cost, mass] : plan) {
        passed += mass;
        if (passed > crumb) {
            return cost;
        }
    }
    return 0.0;
}

}  // namespace moverank
