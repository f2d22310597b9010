#include "scaling.hpp"

#include <limits>

#include "elementary.hpp"
#include "simd.hpp"
#include "simplex.hpp"

namespace moverank::MOVERANK_LEVEL {

namespace {

// ---- half steps ----------------------------------------------------------------------------------------------------

/// sum_i in_i matrix_ij for the columns of `n_vectors` registers from j on. Several chains of sums per register hide
/// the latency of multiply-adds.
template <std::size_t n_vectors, class T>
MOVERANK_INLINE void sum_rows(const ScalingBlock<T>& block, std::size_t j, Vector<T>* sums) {
    Vector<T> chains[n_vectors][scaling_rows] = {};
    const T* row = block.matrix + j;
    for (std::size_t i = 0; i < block.rows; i += scaling_rows) {
#pragma GCC unroll 4
        for (std::size_t r = 0; r < scaling_rows; ++r) {
            const Vector<T> factor = splat(block.in[i + r]);
#pragma GCC unroll 4
            for (std::size_t k = 0; k < n_vectors; ++k) {
                chains[k][r] = multiply_add(load(row + k * lanes<T>), factor, chains[k][r]);
            }
            row += block.stride;
        }
    }
#pragma GCC unroll 4
    for (std::size_t k = 0; k < n_vectors; ++k) {
        sums[k] = (chains[k][0] + chains[k][1]) + (chains[k][2] + chains[k][3]);
    }
}

template <class T>
MOVERANK_INLINE Vector<T> absolute(Vector<T> x) {
    return (Vector<T>)((Mask<T>)x & splat(std::numeric_limits<Integer<T>>::max()));
}

/// What a half step reports, summed over columns: the marginal error before it, the mass before and after, and whether
/// a factor is about to leave the range in which it is safe.
template <class T>
struct Tally {
    Vector<T> error{}, total{}, total_after{};
    Mask<T> strained{};
};

/// The elementwise end of a half step: new factors from the sums. `target` is what the constraint asks for, `next` what
/// is stored: the same, or beyond it when over-relaxed. Sums are clamped, so that none divides by zero.
template <ScalingStep step, class T>
MOVERANK_INLINE void update(const ScalingBlock<T>& block, std::size_t j, Vector<T> sum, Tally<T>& tally) {
    constexpr T least_sum = T{1} / (scaling_range<T> * scaling_range<T>);
    const Vector<T> mass = load(block.mass + j);
    const Vector<T> old = load(block.old + j);
    const Vector<T> divisor = sum > splat(least_sum) ? sum : splat(least_sum);
    Vector<T> target;
    Vector<T> next;
    if constexpr (step == ScalingStep::to_target) {
        next = target = mass / divisor;
    } else if constexpr (step == ScalingStep::averaged) {
        target = mass / divisor;
        next = square_root(old * target);
    } else if constexpr (step == ScalingStep::relaxed) {
        target = mass / divisor;
        // old + omega (target - old), with omega < 2, is positive if old < 2 target; otherwise take the target itself.
        const Vector<T> further = multiply_add(splat(block.omega), target - old, old);
        next = target + target > old ? further : target;
    } else if constexpr (step == ScalingStep::up_to_limit) {
        next = target = min<T>(load(block.limit + j), splat(block.scale) * mass / divisor);
    } else {
        next = target = mass * exp<T>(splat(-block.exponent) * log<T>(divisor) - load(block.shift + j));
    }
    store(block.out + j, next);
    tally.error += absolute<T>(target - old) * sum;
    tally.total = multiply_add(old, sum, tally.total);
    tally.total_after = multiply_add(next, sum, tally.total_after);
    tally.strained |= (next > mass * splat(scaling_range<T>)) | (next * splat(scaling_range<T>) < mass);
}

template <ScalingStep step, class T>
ScalingChange<T> half_step(const ScalingBlock<T>& block) {
    Tally<T> tally;
    std::size_t j = 0;
    for (; j + 2 * lanes<T> <= block.stride; j += 2 * lanes<T>) {
        Vector<T> sums[2];
        sum_rows<2>(block, j, sums);
        update<step>(block, j, sums[0], tally);
        update<step>(block, j + lanes<T>, sums[1], tally);
    }
    for (; j < block.stride; j += lanes<T>) {
        Vector<T> sum;
        sum_rows<1>(block, j, &sum);
        update<step>(block, j, sum, tally);
    }
    return {reduce_add<T>(tally.error), reduce_add<T>(tally.total), reduce_add<T>(tally.total_after),
            bits_of<T>(tally.strained) != 0};
}

// ---- the matrix ----------------------------------------------------------------------------------------------------

/// K_ij = exp((f_i + g_j - C_ij) / epsilon), written twice, once transposed: tile by tile, transposed in registers.
template <class Cost, class T>
void gibbs(const GibbsBlock<Cost, T>& block) {
    const std::size_t n_padded = padded(block.n_rows);
    // A difference of potentials rounds, and a step may overshoot: a few powers of e above 1 are as much as it comes
    // to.
    const Vector<T> largest = splat(T{40});
    const Vector<T> inverse_epsilon = splat(block.inverse_epsilon);
    for (std::size_t i = 0; i < n_padded; i += lanes<T>) {
        for (std::size_t j = 0; j < block.stride; j += lanes<T>) {
            Vector<T> tile[lanes<T>];
            const Vector<T> g = load(block.g + j);
            for (std::size_t l = 0; l < lanes<T>; ++l) {
                tile[l] = Vector<T>{};
                if (i + l < block.n_rows) {
                    const Vector<T> cost = load_as<T>(block.cost + (i + l) * block.stride + j);
                    const Vector<T> exponent = ((splat(block.f[i + l]) - cost) + g) * inverse_epsilon;
                    tile[l] = exp<T>(min<T>(exponent, largest));
                }
                store(block.matrix + (i + l) * block.stride + j, tile[l]);
            }
            transpose<T>(tile);
            for (std::size_t l = 0; l < lanes<T>; ++l) {
                store(block.transposed + (j + l) * n_padded + i, tile[l]);
            }
        }
    }
}

/// start + epsilon log(factor / mass): what the factors add to the absorbed potentials. Without mass, nothing.
template <class T>
void potentials(const T* factor, const T* mass, const T* start, double epsilon, std::size_t size, double* out) {
    for (std::size_t k = 0; k < size; k += lanes<double>) {
        const Vector<double> m = load_as<double>(mass + k);
        const Vector<double> ratio = load_as<double>(factor + k) / m;
        const Vector<double> moved = m > Vector<double>{} ? log<double>(m > Vector<double>{} ? ratio : splat(1.0)) : m;
        store(out + k, multiply_add(splat(epsilon), moved, load_as<double>(start + k)));
    }
}

// ---- the plan ------------------------------------------------------------------------------------------------------

/// Row and column sums of the plan u_i K_ij v_j, in float64.
template <class Cost, class T>
void plan_sums(const PlanBlock<Cost, T>& block) {
    for (std::size_t j = 0; j < block.stride; j += lanes<double>) {
        store(block.column_sums + j, Vector<double>{});
    }
    for (std::size_t i = 0; i < block.n_rows; ++i) {
        const T* row = block.matrix + i * block.stride;
        const Vector<double> u = splat(block.u[i]);
        Vector<double> row_sum{};
        for (std::size_t j = 0; j < block.stride; j += lanes<double>) {
            const Vector<double> p = u * load_as<double>(row + j) * load(block.v + j);
            row_sum += p;
            store(block.column_sums + j, load(block.column_sums + j) + p);
        }
        block.row_sums[i] = reduce_add<double>(row_sum);
    }
}

/// Row sums of the plan and of its costs, and of the costs of filling each column up, in one pass.
template <class Cost, class T>
void plan_costs(const PlanBlock<Cost, T>& block) {
    for (std::size_t i = 0; i < block.n_rows; ++i) {
        const T* row = block.matrix + i * block.stride;
        const Cost* cost_row = block.cost + i * block.stride;
        const Vector<double> u = splat(block.u[i]);
        Vector<double> row_sum{};
        Vector<double> row_cost{};
        Vector<double> fill_cost{};
        for (std::size_t j = 0; j < block.stride; j += lanes<double>) {
            const Vector<double> c = load_as<double>(cost_row + j);
            // After the last column costs are infinite and nothing moves: 0 times infinity would be NaN.
            const Vector<double> cost = c < splat(std::numeric_limits<double>::max()) ? c : Vector<double>{};
            const Vector<double> p = u * load_as<double>(row + j) * load(block.v + j);
            row_sum += p;
            row_cost = multiply_add(p, cost, row_cost);
            fill_cost = multiply_add(load(block.fill + j), cost, fill_cost);
        }
        block.row_sums[i] = reduce_add<double>(row_sum);
        block.row_costs[i] = reduce_add<double>(row_cost);
        block.fill_costs[i] = reduce_add<double>(fill_cost);
    }
}

template <class Cost>
void row_transform(const Cost* cost, std::size_t n_rows, std::size_t stride, const double* g, double* out) {
    for (std::size_t i = 0; i < n_rows; ++i) {
        Vector<double> least = splat(std::numeric_limits<double>::infinity());
        for (std::size_t j = 0; j < stride; j += lanes<double>) {
            least = min<double>(least, load_as<double>(cost + i * stride + j) - load(g + j));
        }
        out[i] = reduce_min<double>(least);
    }
}

template <class Cost, class T>
constexpr ScalingKernels<Cost, T> kernels_of() noexcept {
    return {&gibbs<Cost, T>,
            {&half_step<ScalingStep::to_target, T>, &half_step<ScalingStep::averaged, T>,
             &half_step<ScalingStep::relaxed, T>, &half_step<ScalingStep::up_to_limit, T>,
             &half_step<ScalingStep::damped, T>},
            &potentials<T>,
            &plan_sums<Cost, T>,
            &plan_costs<Cost, T>,
            &row_transform<Cost>};
}

}  // namespace

extern const ScalingKernels<float, float> scaling_single;
extern const ScalingKernels<float, double> scaling_mixed;
extern const ScalingKernels<double, double> scaling_double;
const ScalingKernels<float, float> scaling_single = kernels_of<float, float>();
const ScalingKernels<float, double> scaling_mixed = kernels_of<float, double>();
const ScalingKernels<double, double> scaling_double = kernels_of<double, double>();

}  // namespace moverank::MOVERANK_LEVEL
