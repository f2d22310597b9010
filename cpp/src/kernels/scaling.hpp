/// Sinkhorn's matrix scaling: a plan P_ij = xi u_i K_ij v_j whose marginals are brought to their targets by turns.
///
/// K is stored twice, once transposed, so that both half steps are the same operation: a sum of rows, each times a
/// number, followed by something elementwise while the sums are still in registers. No sum runs across a register.
#pragma once

#include <cstddef>

namespace moverank {

/// How a half step turns s, what each mass is divided by, into the new factor.
enum class ScalingStep {
    to_target,    ///< mass / s
    averaged,     ///< the geometric mean of that and the old factor
    relaxed,      ///< old + omega (mass / s - old), unless mass / s is less than half of old
    up_to_limit,  ///< min(limit, scale mass / s)
    damped,       ///< mass s^-exponent e^-shift: marginals that may be missed at a price
};

/// One half step's arguments. Arrays are padded: `rows` to scaling_rows, `stride` to lane_padding, with zeros.
template <class T>
struct ScalingBlock {
    const T* matrix;  ///< rows x stride
    std::size_t rows, stride;
    const T* in;    ///< one factor per row
    const T* old;   ///< one factor per column, before this step
    T* out;         ///< and after; may be `old`
    const T* mass;  ///< one per column
    T scale;
    const T* limit;  ///< up_to_limit: one per column
    const T* shift;  ///< damped: one per column
    T exponent;      ///< damped
    T omega;         ///< relaxed: 1 to 2
};

/// What a half step found and did.
template <class T>
struct ScalingChange {
    T error;        ///< how much mass of the marginal the step to the target moves, in L1
    T total;        ///< the plan's mass before the step, but for xi
    T total_after;  ///< and after
    bool strained;  ///< some factor is further than `scaling_range` times from its mass
};

/// Rows are padded to this many.
inline constexpr std::size_t scaling_rows = 4;

/// Factors beyond this range are absorbed into the potentials; sums below its inverse square count as that.
template <class T>
inline constexpr T scaling_range = sizeof(T) == 4 ? static_cast<T>(0x1p40) : static_cast<T>(0x1p300);

/// The matrix K of given potentials, and its transpose.
template <class Cost, class T>
struct GibbsBlock {
    const Cost* cost;  ///< n_rows x stride, infinite after the last column
    std::size_t n_rows, stride;
    const T* f;  ///< n_rows
    const T* g;  ///< stride
    T inverse_epsilon;
    T* matrix;      ///< padded(n_rows) x stride
    T* transposed;  ///< stride x padded(n_rows)
};

/// Sums over the plan in float64, and costs of it.
template <class Cost, class T>
struct PlanBlock {
    const Cost* cost;  ///< n_rows x stride
    const T* matrix;   ///< n_rows x stride
    std::size_t n_rows, stride;
    const double* u;      ///< n_rows
    const double* v;      ///< stride
    const double* fill;   ///< stride: finish only
    double* row_sums;     ///< n_rows
    double* column_sums;  ///< stride
    double* row_costs;    ///< n_rows: finish only
    double* fill_costs;   ///< n_rows: finish only
};

/// Compiled once per instruction set.
template <class Cost, class T>
struct ScalingKernels {
    void (*gibbs)(const GibbsBlock<Cost, T>& block);
    ScalingChange<T> (*step[5])(const ScalingBlock<T>& block);  ///< in the order of ScalingStep
    /// out = epsilon log(factor / mass) + start, where mass is positive; `size` is a multiple of lane_padding.
    void (*potentials)(const T* factor, const T* mass, const T* start, double epsilon, std::size_t size, double* out);
    /// Row and column sums of the plan u_i K_ij v_j.
    void (*plan_sums)(const PlanBlock<Cost, T>& block);
    /// Row sums of the plan, of its costs, and of the costs of `fill` spread over each row.
    void (*plan_costs)(const PlanBlock<Cost, T>& block);
    /// out_i = min_j (C_ij - g_j) over n_rows rows of `stride` entries, in float64.
    void (*row_transform)(const Cost* cost, std::size_t n_rows, std::size_t stride, const double* g, double* out);
};

}  // namespace moverank
