/// A lower bound on the optimum from any row potentials.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "../kernels/kernels.hpp"
#include "dense_problem.hpp"

namespace moverank {

/// -rho (e^(-potential / rho) - 1): what a potential is worth where the marginal may be missed at a price.
[[nodiscard]] inline double unbalanced_worth(double potential, double penalty) {
    return -penalty * std::expm1(-potential / penalty);
}

/// Rows and columns all carry mass; the matrix is padded as kernels read it.
template <class Cost>
struct DualProblem {
    const Cost* cost;
    std::size_t stride;
    double largest;  ///< size of a cost
    std::span<const double> a, b;
    double capacity, fraction;
    double marginal_penalty = std::numeric_limits<double>::infinity();  ///< rho; finite: at capacity and fraction 1

    /// Whether columns have limits in place of targets, so that their potentials cannot be positive.
    [[nodiscard]] bool has_limits() const { return capacity > 1.0 || fraction < 1.0; }
    /// Whether marginals have prices in place of targets.
    [[nodiscard]] bool has_penalty() const { return std::isfinite(marginal_penalty); }
    /// What a potential contributes, a unit of mass.
    [[nodiscard]] double worth(double potential) const {
        return has_penalty() ? unbalanced_worth(potential, marginal_penalty) : potential;
    }
    /// How many times a relative error of the potential can show in its worth: no more than 1 + x in e^x - 1.
    [[nodiscard]] double sensitivity(double potential) const {
        return has_penalty() ? 1.0 + std::max(0.0, -potential / marginal_penalty) : 1.0;
    }
};

/// Any f makes a feasible dual solution by two c-transforms: g_j = min_i (C_ij - f_i), or 0 where that is more and
/// columns have limits, and f_i = min_j (C_ij - g_j). Both only raise the value. Storage grows to the largest problem.
template <class Cost>
class DualBound {
  public:
    /// The value of that solution, less what rounding can have added.
    [[nodiscard]] double value(const DualProblem<Cost>& problem, std::span<const double> f);
    /// f' and g of all rows and columns, until the next call: what rounding adds is proved from their sizes.
    [[nodiscard]] std::span<const double> f() const { return {f_.data(), n_}; }
    [[nodiscard]] std::span<const double> g() const { return {g_.data(), m_}; }

  private:
    /// f_ and g_ of all rows and columns.
    void transform(const DualProblem<Cost>& problem, std::span<const double> f);

    const ScalingKernels<Cost, double>& scaling_ = kernels().scaling<Cost, double>();
    const SimplexKernels<Cost>& simplex_ = kernels().simplex<Cost>();
    AlignedVector<double> f_, g_;
    std::size_t n_ = 0, m_ = 0;
    std::vector<std::size_t> order_;
};

}  // namespace moverank
