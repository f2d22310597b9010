#include "dual_bound.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "moverank/measure.hpp"
#include "moverank/relaxed.hpp"

namespace moverank {

template <class Cost>
void DualBound<Cost>::transform(const DualProblem<Cost>& problem, std::span<const double> f) {
    n_ = problem.a.size();
    m_ = problem.b.size();
    grow(f_, n_);
    grow(g_, problem.stride);
    simplex_.c_transform(problem.cost, n_, problem.stride, f.data(), g_.data());
    for (std::size_t j = 0; j < problem.stride; ++j) {
        if (j >= m_ || problem.capacity == unlimited_capacity) {
            g_[j] = 0.0;
        } else if (problem.has_limits()) {
            g_[j] = std::min(g_[j], 0.0);
        }
    }
    scaling_.row_transform(problem.cost, n_, problem.stride, g_.data(), f_.data());
}

template <class Cost>
double DualBound<Cost>::value(const DualProblem<Cost>& problem, std::span<const double> f) {
    transform(problem, f);
    double value = 0.0;
    double size = 0.0;
    if (problem.fraction < 1.0) {
        value = cheapest_part(std::span<const double>(f_.data(), n_), problem.a, problem.fraction, order_);
        size = std::abs(value) + problem.largest;
    } else {
        for (std::size_t i = 0; i < n_; ++i) {
            const double worth = problem.a[i] * problem.worth(f_[i]);
            value += worth;
            size += std::abs(worth) * problem.sensitivity(f_[i]);
        }
    }
    for (std::size_t j = 0; j < m_; ++j) {
        if (g_[j] != 0.0) {
            const double worth = problem.capacity * problem.b[j] * problem.worth(g_[j]);
            value += worth;
            size += std::abs(worth) * problem.sensitivity(g_[j]);
        }
    }
    return value - static_cast<double>(n_ + m_ + 8) * 2.0 * std::numeric_limits<double>::epsilon() * size;
}

template class DualBound<float>;
template class DualBound<double>;

}  // namespace moverank
