#include "dual_bound.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "moverank/measure.hpp"
#include "moverank/relaxed.hpp"

namespace moverank {

// The dual of the problem, with its potentials feasible if f_i + g_j <= C_ij everywhere:
//
//     maximise <a, f> + kappa <b, g>     with g <= 0 where columns have limits (kappa > 1 or a fraction)
//
// A fraction s adds the multiplier t of 1^T P 1 = s. Then no f_i may exceed t, and the best t makes the first term the
// cheapest part s of the mass at prices f. See docs/numerics.md, "Reused potentials, over tokens".

template <class Cost>
void DualBound<Cost>::transform(const DualProblem<Cost>& problem, std::span<const double> f) {
    n_ = problem.a.size();
    m_ = problem.b.size();
    grow(f_, n_);
    grow(g_, problem.stride);
    simplex_.c_transform(problem.cost, n_, problem.stride, f.data(), g_.data());
    for (std::size_t j = 0; j < problem.stride; ++j) {
        // In padding, inf - 0 stays infinite in the second transform, where inf - inf would be NaN. At unlimited
        // capacity any g < 0 would make the bound minus infinity.
        if (j >= m_ || problem.capacity == unlimited_capacity) {
            g_[j] = 0.0;
        } else if (problem.has_limits()) {
            g_[j] = std::min(g_[j], 0.0);
        }
    }
    // Cutting g off leaves room in some rows: the second transform takes it, so f is never below what came in.
    scaling_.row_transform(problem.cost, n_, problem.stride, g_.data(), f_.data());
}

template <class Cost>
double DualBound<Cost>::value(const DualProblem<Cost>& problem, std::span<const double> f) {
    transform(problem, f);
    double value = 0.0;
    double size = 0.0;  // sum of the absolute terms, to which the rounding of the sum is relative
    if (problem.fraction < 1.0) {
        value = cheapest_part(std::span<const double>(f_.data(), n_), problem.a, problem.fraction, order_);
        // Rounding may charge the last of the mass at a wrong price. No price exceeds the largest cost plus what g adds
        // to `size` below.
        size = std::abs(value) + problem.largest;
    } else {
        for (std::size_t i = 0; i < n_; ++i) {
            const double worth = problem.a[i] * problem.worth(f_[i]);
            value += worth;
            size += std::abs(worth) * problem.sensitivity(f_[i]);
        }
    }
    for (std::size_t j = 0; j < m_; ++j) {
        if (g_[j] != 0.0) {  // also keeps an infinite capacity out of the product
            const double worth = problem.capacity * problem.b[j] * problem.worth(g_[j]);
            value += worth;
            size += std::abs(worth) * problem.sensitivity(g_[j]);
        }
    }
    // Two transforms, the products and the sums: (n + m + 8) 4U size, with U half of float64's epsilon.
    return value - static_cast<double>(n_ + m_ + 8) * 2.0 * std::numeric_limits<double>::epsilon() * size;
}

template class DualBound<float>;
template class DualBound<double>;

}  // namespace moverank
