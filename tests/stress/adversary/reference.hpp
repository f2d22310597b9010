/// The optimum of a small transport problem by other means than the solver's: successive shortest paths, in long
/// double.
#pragma once

#include <span>
#include <vector>

namespace adversary {

/// min <C, P> where `fraction` of the mass moves, rows give no more than a and columns take no more than capacity b;
/// each side normalised here. `costs` has rows of b.size() entries.
[[nodiscard]] long double optimum(std::span<const double> costs, std::span<const double> a, std::span<const double> b,
                                  double capacity, double fraction);

/// How far x is above y at least, where `largest` is the largest size of a cost and the reference is one of them.
[[nodiscard]] inline double excess(long double x, long double y, double largest) {
    return static_cast<double>(x - y) - 1e-17 * largest;
}

}  // namespace adversary
