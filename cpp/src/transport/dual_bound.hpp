/// A lower bound on the optimum from any row potentials. docs/numerics.md, "Reused potentials, over tokens", proves it.
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

/// -rho (e^(-potential / rho) - 1): contribution of a potential to the dual value, per unit of mass, if the marginal
/// may be missed at the price rho KL.
[[nodiscard]] inline double unbalanced_worth(double potential, double penalty) {
    return -penalty * std::expm1(-potential / penalty);
}

/// Rows and columns all carry mass; the matrix is padded as kernels read it.
template <class Cost>
struct DualProblem {
    const Cost* cost;
    std::size_t stride;
    double largest;  ///< largest absolute value of a cost
    std::span<const double> a, b;
    double capacity, fraction;
    double marginal_penalty = std::numeric_limits<double>::infinity();  ///< rho; finite: at capacity and fraction 1

    /// Whether columns have limits instead of targets, so that their potentials cannot be positive.
    [[nodiscard]] bool has_limits() const { return capacity > 1.0 || fraction < 1.0; }
    /// Whether marginals have prices instead of targets.
    [[nodiscard]] bool has_penalty() const { return std::isfinite(marginal_penalty); }
    /// What a potential contributes to the dual value, per unit of mass.
    [[nodiscard]] double worth(double potential) const {
        return has_penalty() ? unbalanced_worth(potential, marginal_penalty) : potential;
    }
    /// The factor by which a relative error of a potential can grow in its contribution: at most 1 + x in e^x - 1.
    [[nodiscard]] double sensitivity(double potential) const {
        return has_penalty() ? 1.0 + std::max(0.0, -potential / marginal_penalty) : 1.0;
    }
};

/// Any f gives a feasible dual solution by two c-transforms: g_j = min_i (C_ij - f_i), cut off at 0 if columns have
/// limits, then f'_i = min_j (C_ij - g_j) >= f_i. Both only raise the value. Storage grows to the largest problem.
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
