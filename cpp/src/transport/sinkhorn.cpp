#include "moverank/sinkhorn.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "../kernels/kernels.hpp"
#include "dense_problem.hpp"
#include "dual_bound.hpp"
#include "forbidden_costs.hpp"
#include "moverank/aligned.hpp"
#include "relaxation_schedule.hpp"
#include "well_formed.hpp"

namespace moverank {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double rounding = std::numeric_limits<double>::epsilon();

/// Scaling in float32 cannot tell marginals apart below this error.
constexpr double least_single_tolerance = 2e-6;

constexpr std::int64_t sweeps_between_translations = 8;

/// rho KL(marginal | mass) for one token, and the sum of its terms' sizes, which its rounding is relative to.
struct UnbalancedPrice {
    double value, size;

    UnbalancedPrice(double marginal, double mass, double penalty) {
        const double entropy = marginal > 0.0 ? marginal * std::log(marginal / mass) : 0.0;
        value = penalty * (entropy - marginal + mass);
        size = penalty * (std::abs(entropy) + marginal + mass);
    }
};

/// One problem at a time, in a workspace that only grows. The plan is xi u_i K_ij v_j around the potentials f_start and
/// g_start; f_start includes the multiplier, where there is one.
template <class Cost, class T>
class Scaling {
  public:
    SinkhornSummary solve(const TransportProblem<Cost>& problem, const Sinkhorn& sinkhorn, Interrupt* interrupt,
                          std::optional<double> padded_largest) {
        load(problem, sinkhorn, padded_largest);
        start();
        SinkhornSummary summary;
        summary.epsilon = epsilon_;
        RelaxationSchedule schedule(balanced());
        const std::size_t pause = std::max<std::size_t>(1, entries_between_checks / (n_padded_ * stride_));
        while (summary.iterations < sinkhorn.max_iterations && !summary.converged) {
            const double omega = schedule.omega();
            const bool plain = omega == 1.0;
            const ScalingStep step = plain ? ScalingStep::to_target : ScalingStep::relaxed;
            drift_ = 0.0;
            const ScalingChange<T> rows = row_step(u_.data(), step, omega);
            const ScalingChange<T> columns = column_step(v_.data(), step, omega);
            ++summary.iterations;
            // A plain sweep leaves columns where the rows' factors want them, and moves rows no further than columns.
            const bool rows_settled = plain && !has_penalty();
            summary.marginal_error = xi_ * static_cast<double>(columns.error) + drift_ +
                                     (rows_settled ? 0.0 : xi_ * static_cast<double>(rows.error));
            const bool small = summary.marginal_error <= sinkhorn.tolerance;
            const bool strained =
                rows.strained || columns.strained || xi_ > scaling_range<T> || xi_ < 1.0 / scaling_range<T>;
            // What is about to be absorbed is rounded once more, and has to show its marginals again.
            summary.converged = small && plain && !strained;
            small ? schedule.calm() : schedule.advance();
            if (strained) {
                absorb();
            } else if (has_penalty() && summary.iterations % sweeps_between_translations == 1) {
                translate();
            }
            if (static_cast<std::size_t>(summary.iterations) % pause == 0) {
                check(interrupt);
            }
        }
        if (!summary.converged) {
            summary.marginal_error = measured_error();
        }
        if (!has_penalty()) {
            const double seen = infeasibility();
            summary.marginal_error = std::max(summary.marginal_error, seen);
            summary.converged = summary.converged && seen <= 2.0 * sinkhorn.tolerance;
        }
        return finish(problem, summary);
    }

    SinkhornSummary solve_symmetric(const TransportProblem<Cost>& problem, const Sinkhorn& sinkhorn,
                                    Interrupt* interrupt, std::optional<double> padded_largest) {
        if (std::isfinite(sinkhorn.marginal_penalty)) {
            return solve(problem, sinkhorn, interrupt, padded_largest);
        }
        load(problem, sinkhorn, padded_largest);
        // Costs of 0 on the diagonal: no row of K vanishes.
        std::fill_n(f_start_.begin(), n_padded_, T{0});
        std::fill_n(g_start_.begin(), stride_, T{0});
        begin_at_start();
        SinkhornSummary summary;
        summary.epsilon = epsilon_;
        while (summary.iterations < sinkhorn.max_iterations && !summary.converged) {
            // The mean of both sides' potentials, instead of one after the other.
            const ScalingChange<T> change = row_step(u_.data(), ScalingStep::averaged);
            std::copy_n(u_.begin(), n_padded_, v_.begin());
            ++summary.iterations;
            summary.marginal_error = static_cast<double>(change.error);
            summary.converged = summary.marginal_error <= sinkhorn.tolerance && !change.strained;
            if (change.strained) {
                absorb();
            }
            check(interrupt);
        }
        summary.marginal_error = measured_error() / 2.0;
        return finish(problem, summary);
    }

    [[nodiscard]] SinkhornBounds bounds() {
        SinkhornBounds found;
        found.lower = dual_bound_.value(problem_, {f_.data(), n_});
        bound_from_plan(found);
        // Both hold; rounding apart they cannot cross.
        found.lower = std::min(found.lower, found.upper);
        return found;
    }

    void plan(MatrixView<double> out) const {
        for (std::size_t i = 0; i < out.rows(); ++i) {
            std::fill_n(out.row(i), out.cols(), 0.0);
        }
        for (std::size_t i = 0; i < dense_.rows.size(); ++i) {
            const double u = xi_ * static_cast<double>(u_[i]);
            for (std::size_t j = 0; j < dense_.columns.size(); ++j) {
                out(dense_.rows[i], dense_.columns[j]) =
                    u * static_cast<double>(matrix_[i * stride_ + j]) * static_cast<double>(v_[j]);
            }
        }
    }

    [[nodiscard]] std::span<const double> f() const { return all_f_; }
    [[nodiscard]] std::span<const double> g() const { return all_g_; }
    [[nodiscard]] double multiplier() const { return has_fraction() ? multiplier_ : 0.0; }

  private:
    [[nodiscard]] bool has_penalty() const { return problem_.has_penalty(); }
    [[nodiscard]] bool has_fraction() const { return problem_.fraction < 1.0; }
    [[nodiscard]] bool has_limits() const { return problem_.has_limits(); }
    [[nodiscard]] bool balanced() const { return !has_penalty() && !has_limits(); }

    // ---- set-up ----------------------------------------------------------------------------------------------------

    void load(const TransportProblem<Cost>& problem, const Sinkhorn& sinkhorn, std::optional<double> padded_largest) {
        dense_.load(problem, padded_largest, {});
        n_ = dense_.rows.size();
        m_ = dense_.columns.size();
        n_padded_ = padded(n_);
        stride_ = dense_.stride;
        problem_ = {.cost = dense_.cost,
                    .stride = stride_,
                    .largest = dense_.largest,
                    .a = dense_.a,
                    .b = dense_.b,
                    .capacity = problem.capacity,
                    .fraction = problem.fraction,
                    .marginal_penalty = sinkhorn.marginal_penalty};
        epsilon_ = sinkhorn.epsilon;
        if (sinkhorn.relative) {
            double unit = static_cast<double>(kernels().scan.median_size(dense_.cost, n_, m_, stride_));
            unit = unit > 0.0 ? unit : dense_.largest;
            epsilon_ *= unit > 0.0 ? unit : 1.0;
        }
        // The kernel matrix is made with its inverse: a smaller one would not be that of the potentials.
        constexpr double least = 1.0 / static_cast<double>(std::numeric_limits<T>::max());
        epsilon_ = std::max({epsilon_, std::numeric_limits<double>::min(), least});
        for (AlignedVector<T>* of_rows : {&a_, &u_, &f_start_, &u_limit_, &u_shift_}) {
            grow(*of_rows, n_padded_);
        }
        grow(scratch_, std::max(n_padded_, stride_));
        for (AlignedVector<T>* of_columns : {&b_, &v_, &g_start_, &v_limit_, &v_shift_}) {
            grow(*of_columns, stride_);
        }
        grow(matrix_, n_padded_ * stride_);
        grow(transposed_, n_padded_ * stride_);
        for (AlignedVector<double>* of_rows : {&f_, &least_, &row_sums_, &row_costs_, &fill_costs_, &plan_u_}) {
            grow(*of_rows, n_padded_);
        }
        for (AlignedVector<double>* of_columns : {&g_, &column_sums_, &fill_, &plan_v_}) {
            grow(*of_columns, stride_);
        }
        fill_padded(dense_.a, a_, n_padded_);
        fill_padded(dense_.b, b_, stride_);
    }

    static void fill_padded(const std::vector<double>& mass, AlignedVector<T>& to, std::size_t size) {
        // Mass that underflows would leave its token out of the plan, and its potential undefined.
        std::ranges::transform(mass, to.begin(),
                               [](double x) { return std::max(static_cast<T>(x), std::numeric_limits<T>::min()); });
        std::fill(to.begin() + static_cast<std::ptrdiff_t>(mass.size()), to.begin() + static_cast<std::ptrdiff_t>(size),
                  T{0});
    }

    /// Begin at the c-transform of the column minima: every row and column of K then has an entry near 1.
    void start() {
        std::fill_n(f_.begin(), n_, 0.0);
        simplex_.c_transform(dense_.cost, n_, stride_, f_.data(), g_.data());
        hold_to_limits();
        std::fill(&g_[m_ - 1] + 1, &g_[stride_ - 1] + 1, 0.0);
        kernels_.row_transform(dense_.cost, n_, stride_, g_.data(), f_.data());
        copy_to_start();
        multiplier_start_ = *std::max_element(f_.begin(), f_.begin() + static_cast<std::ptrdiff_t>(n_));
        begin_at_start();
    }

    void copy_to_start() {
        std::fill_n(f_start_.begin(), n_padded_, T{0});
        std::transform(f_.begin(), f_.begin() + static_cast<std::ptrdiff_t>(n_), f_start_.begin(),
                       [](double f) { return static_cast<T>(f); });
        std::transform(g_.begin(), g_.begin() + static_cast<std::ptrdiff_t>(stride_), g_start_.begin(),
                       [](double g) { return static_cast<T>(g); });
    }

    /// Make K of the starting potentials, with factors of 1.
    void begin_at_start() {
        const double most = static_cast<double>(std::numeric_limits<T>::max());
        kernels_.gibbs({.cost = dense_.cost,
                        .n_rows = n_,
                        .stride = stride_,
                        .f = f_start_.data(),
                        .g = g_start_.data(),
                        .inverse_epsilon = static_cast<T>(std::min(1.0 / epsilon_, most)),
                        .matrix = matrix_.data(),
                        .transposed = transposed_.data()});
        std::copy_n(a_.begin(), n_padded_, u_.begin());
        std::copy_n(b_.begin(), stride_, v_.begin());
        xi_ = 1.0;
        if (has_limits()) {
            make_limits(g_start_, b_, 0.0, stride_, v_limit_);
        }
        if (has_fraction()) {
            make_limits(f_start_, a_, multiplier_start_, n_padded_, u_limit_);
        }
        if (has_penalty()) {
            make_shifts(f_start_, n_padded_, u_shift_);
            make_shifts(g_start_, stride_, v_shift_);
        }
    }

    /// The factor at which a potential, here the start plus epsilon log(factor / mass), reaches `top`.
    void make_limits(const AlignedVector<T>& start, const AlignedVector<T>& mass, double top, std::size_t size,
                     AlignedVector<T>& limits) const {
        const double most = 2.0 * std::log(static_cast<double>(scaling_range<T>));
        for (std::size_t k = 0; k < size; ++k) {
            const double exponent = std::min((top - static_cast<double>(start[k])) / epsilon_, most);
            limits[k] = static_cast<T>(static_cast<double>(mass[k]) * std::exp(exponent));
        }
    }

    void make_shifts(const AlignedVector<T>& start, std::size_t size, AlignedVector<T>& shifts) const {
        for (std::size_t k = 0; k < size; ++k) {
            shifts[k] = static_cast<T>(static_cast<double>(start[k]) / (problem_.marginal_penalty + epsilon_));
        }
    }

    // ---- scaling ---------------------------------------------------------------------------------------------------

    /// What stands in for a step to the target where there is a limit or a price.
    [[nodiscard]] ScalingStep step_of(ScalingStep wanted, bool limited) const {
        return has_penalty() ? ScalingStep::damped : limited ? ScalingStep::up_to_limit : wanted;
    }

    ScalingChange<T> run(ScalingStep step, const ScalingBlock<T>& block) const {
        return kernels_.step[static_cast<std::size_t>(step)](block);
    }

    ScalingChange<T> row_step(T* out, ScalingStep step = ScalingStep::to_target, double omega = 1.0) {
        const ScalingChange<T> change = run(step_of(step, has_fraction()), {.matrix = transposed_.data(),
                                                                            .rows = padded(m_, scaling_rows),
                                                                            .stride = n_padded_,
                                                                            .in = v_.data(),
                                                                            .old = u_.data(),
                                                                            .out = out,
                                                                            .mass = a_.data(),
                                                                            .scale = static_cast<T>(1.0 / xi_),
                                                                            .limit = u_limit_.data(),
                                                                            .shift = u_shift_.data(),
                                                                            .exponent = exponent(),
                                                                            .omega = static_cast<T>(omega)});
        rescale(change);
        return change;
    }

    ScalingChange<T> column_step(T* out, ScalingStep step = ScalingStep::to_target, double omega = 1.0) {
        const double scale = std::min(problem_.capacity / xi_, static_cast<double>(scaling_range<T>));
        const ScalingChange<T> change = run(step_of(step, has_limits()), {.matrix = matrix_.data(),
                                                                          .rows = padded(n_, scaling_rows),
                                                                          .stride = stride_,
                                                                          .in = u_.data(),
                                                                          .old = v_.data(),
                                                                          .out = out,
                                                                          .mass = b_.data(),
                                                                          .scale = static_cast<T>(scale),
                                                                          .limit = v_limit_.data(),
                                                                          .shift = v_shift_.data(),
                                                                          .exponent = exponent(),
                                                                          .omega = static_cast<T>(omega)});
        rescale(change);
        return change;
    }

    [[nodiscard]] T exponent() const {
        return static_cast<T>(has_penalty() ? problem_.marginal_penalty / (problem_.marginal_penalty + epsilon_) : 1.0);
    }

    /// The plan's mass, and, where only a fraction moves, the multiplier that makes it that.
    void rescale(const ScalingChange<T>& change) {
        total_ = static_cast<double>(change.total_after);
        if (has_fraction()) {
            const double xi = problem_.fraction / std::max(total_, static_cast<double>(std::numeric_limits<T>::min()));
            drift_ += std::abs(xi - xi_) * total_;
            xi_ = xi;
            total_ = problem_.fraction;
        }
    }

    /// Move the factors into the potentials and start again around them.
    void absorb() {
        make_potentials();
        if (balanced()) {
            // A row's potential is never under the minimum of its reduced costs. What is, has a row of K that vanished.
            kernels_.row_transform(dense_.cost, n_, stride_, g_.data(), least_.data());
            for (std::size_t i = 0; i < n_; ++i) {
                f_[i] = std::max(f_[i], least_[i]);
            }
        }
        copy_to_start();
        multiplier_start_ = multiplier_;
        begin_at_start();
    }

    /// Shift mass between the sides' potentials, which changes no entry of the plan, to where the dual is largest. By
    /// themselves high prices let go of it very slowly (Sejourne, Vialard, Peyre, AISTATS 2022).
    void translate() {
        make_potentials();
        double of_rows = 0.0;
        double of_columns = 0.0;
        for (std::size_t i = 0; i < n_; ++i) {
            of_rows += dense_.a[i] * std::exp(-f_[i] / problem_.marginal_penalty);
        }
        for (std::size_t j = 0; j < m_; ++j) {
            of_columns += dense_.b[j] * std::exp(-g_[j] / problem_.marginal_penalty);
        }
        const double shift = problem_.marginal_penalty / 2.0 * std::log(of_rows / of_columns);
        if (!std::isfinite(shift)) {
            return;
        }
        for (std::size_t i = 0; i < n_; ++i) {
            f_[i] += shift;
        }
        for (std::size_t j = 0; j < m_; ++j) {
            g_[j] -= shift;
        }
        if (std::abs(shift) > 20.0 * epsilon_) {
            copy_to_start();
            begin_at_start();
            return;
        }
        const double factor = std::exp(shift / epsilon_);
        for (std::size_t i = 0; i < n_; ++i) {
            u_[i] *= static_cast<T>(factor);
        }
        for (std::size_t j = 0; j < m_; ++j) {
            v_[j] /= static_cast<T>(factor);
        }
    }

    /// How far the marginals of the plan as it stands are from where a step to their targets would put them.
    double measured_error() {
        const double xi = xi_;
        const double rows = xi * static_cast<double>(row_step(scratch_.data()).error);
        xi_ = xi;
        const double columns = xi * static_cast<double>(column_step(scratch_.data()).error);
        xi_ = xi;
        sum_plan();
        total_ = sum_of(row_sums_);
        return rows + columns + std::abs(has_fraction() ? problem_.fraction - total_ : 0.0);
    }

    /// How far the plan is from meeting its constraints, by its own sums. Where epsilon is too small for the costs in
    /// this precision, whole rows of K vanish, and what changes from sweep to sweep does not tell.
    double infeasibility() {
        sum_plan();
        double error = has_fraction() ? std::abs(problem_.fraction - sum_of(row_sums_)) : 0.0;
        for (std::size_t i = 0; i < n_; ++i) {
            const double excess = row_sums_[i] - dense_.a[i];
            error += has_fraction() ? std::max(excess, 0.0) : std::abs(excess);
        }
        for (std::size_t j = 0; j < m_; ++j) {
            const double excess = column_sums_[j] - problem_.capacity * dense_.b[j];
            error += has_limits() ? std::max(excess, 0.0) : std::abs(excess);
        }
        return error;
    }

    // ---- potentials and value --------------------------------------------------------------------------------------

    SinkhornSummary finish(const TransportProblem<Cost>& problem, SinkhornSummary summary) {
        make_potentials();
        summary.value = dual_value();
        spread_potentials(problem);
        return summary;
    }

    void make_potentials() {
        kernels_.potentials(u_.data(), a_.data(), f_start_.data(), epsilon_, n_padded_, f_.data());
        kernels_.potentials(v_.data(), b_.data(), g_start_.data(), epsilon_, stride_, g_.data());
        const double shift = has_fraction() ? epsilon_ * std::log(xi_) : 0.0;
        multiplier_ = multiplier_start_ + shift;
        for (std::size_t i = 0; i < n_; ++i) {
            f_[i] += shift;
            f_[i] = has_fraction() ? std::min(f_[i], multiplier_) : f_[i];
        }
        hold_to_limits();
    }

    /// Potentials of columns with a limit are not above 0, and exactly that where there is room for everything.
    void hold_to_limits() {
        if (has_limits()) {
            for (double& g : std::span(g_.data(), m_)) {
                g = problem_.capacity < infinity ? std::min(g, 0.0) : 0.0;
            }
        }
    }

    [[nodiscard]] double dual_value() const {
        double value = -epsilon_ * (total_ - 1.0);
        for (std::size_t i = 0; i < n_; ++i) {
            value += dense_.a[i] * problem_.worth(f_[i]);
        }
        for (std::size_t j = 0; j < m_; ++j) {
            const double worth = problem_.worth(g_[j]);
            value += worth == 0.0 ? 0.0 : problem_.capacity * dense_.b[j] * worth;
        }
        return has_fraction() ? value - (1.0 - problem_.fraction) * multiplier_ : value;
    }

    /// Potentials for the caller: tokens without mass get what one with very little would have.
    void spread_potentials(const TransportProblem<Cost>& problem) {
        all_f_.assign(problem.a.size(), 0.0);
        all_g_.assign(problem.b.size(), 0.0);
        for (std::size_t i = 0; i < n_; ++i) {
            all_f_[dense_.rows[i]] = f_[i];
        }
        for (std::size_t j = 0; j < m_; ++j) {
            all_g_[dense_.columns[j]] = g_[j];
        }
        for (std::size_t i = 0; n_ < all_f_.size() && i < all_f_.size(); ++i) {
            if (problem.a[i] == 0.0) {
                all_f_[i] = soft_minimum(m_, [&](std::size_t j) {
                    return std::pair{static_cast<double>(problem.cost(i, dense_.columns[j])) - g_[j], dense_.b[j]};
                });
                all_f_[i] = has_fraction() ? std::min(all_f_[i], multiplier_) : all_f_[i];
            }
        }
        for (std::size_t j = 0; m_ < all_g_.size() && j < all_g_.size(); ++j) {
            if (problem.b[j] == 0.0) {
                all_g_[j] = soft_minimum(n_, [&](std::size_t i) {
                    return std::pair{static_cast<double>(problem.cost(dense_.rows[i], j)) - f_[i], dense_.a[i]};
                });
                all_g_[j] = has_limits() ? std::min(all_g_[j], 0.0) : all_g_[j];
            }
        }
    }

    /// -epsilon log sum_k mass_k e^(-value_k / epsilon), damped where the marginal has a price.
    template <class Term>
    [[nodiscard]] double soft_minimum(std::size_t size, Term term) const {
        double least = infinity;
        for (std::size_t k = 0; k < size; ++k) {
            least = std::min(least, term(k).first);
        }
        double sum = 0.0;
        for (std::size_t k = 0; k < size; ++k) {
            sum += term(k).second * std::exp((least - term(k).first) / epsilon_);
        }
        const double minimum = least - epsilon_ * std::log(sum);
        return has_penalty() ? minimum * problem_.marginal_penalty / (problem_.marginal_penalty + epsilon_) : minimum;
    }

    // ---- bounds ----------------------------------------------------------------------------------------------------

    void sum_plan() {
        for (std::size_t i = 0; i < n_; ++i) {
            plan_u_[i] = xi_ * static_cast<double>(u_[i]);
        }
        std::copy_n(v_.begin(), stride_, plan_v_.begin());
        kernels_.plan_sums(plan_block());
    }

    [[nodiscard]] double sum_of(const AlignedVector<double>& rows) const {
        return std::accumulate(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(n_), 0.0);
    }

    [[nodiscard]] PlanBlock<Cost, T> plan_block() {
        return {.cost = dense_.cost,
                .matrix = matrix_.data(),
                .n_rows = n_,
                .stride = stride_,
                .u = plan_u_.data(),
                .v = plan_v_.data(),
                .fill = fill_.data(),
                .row_sums = row_sums_.data(),
                .column_sums = column_sums_.data(),
                .row_costs = row_costs_.data(),
                .fill_costs = fill_costs_.data()};
    }

    /// The cost of the plan, and of the feasible plan that it rounds to: rows and columns with too much are scaled
    /// down, and what is missing then is spread in proportion to what both sides still want.
    void bound_from_plan(SinkhornBounds& found) {
        std::fill_n(fill_.begin(), stride_, 0.0);
        sum_plan();
        kernels_.plan_costs(plan_block());
        found.plan_cost = sum_of(row_costs_);
        const double margin = static_cast<double>(n_ + m_ + 16) * 4.0 * rounding;
        if (has_penalty()) {
            found.upper = found.plan_cost;
            double size = dense_.largest * std::max(1.0, sum_of(row_sums_));
            const auto add = [&](double marginal, double mass) {
                const UnbalancedPrice price(marginal, mass, problem_.marginal_penalty);
                found.upper += price.value;
                size += price.size;
            };
            for (std::size_t i = 0; i < n_; ++i) {
                add(row_sums_[i], dense_.a[i]);
            }
            for (std::size_t j = 0; j < m_; ++j) {
                add(column_sums_[j], dense_.b[j]);
            }
            found.upper += margin * size;
            return;
        }
        for (std::size_t i = 0; i < n_; ++i) {
            plan_u_[i] *= row_sums_[i] > dense_.a[i] ? dense_.a[i] / row_sums_[i] : 1.0;
        }
        kernels_.plan_sums(plan_block());
        double placed = 0.0;
        double room = 0.0;
        for (std::size_t j = 0; j < m_; ++j) {
            const double limit = has_limits() ? std::min(problem_.capacity * dense_.b[j], 2.0) : dense_.b[j];
            const double share = column_sums_[j] > limit ? limit / column_sums_[j] : 1.0;
            plan_v_[j] *= share;
            fill_[j] = std::max(limit - share * column_sums_[j], 0.0);
            room += fill_[j];
            placed += share * column_sums_[j];
        }
        if (placed > problem_.fraction) {
            // More than has to move: all of it moves a little less.
            const double share = problem_.fraction / placed;
            for (std::size_t i = 0; i < n_; ++i) {
                plan_u_[i] *= share;
            }
            for (std::size_t j = 0; j < m_; ++j) {
                fill_[j] = 0.0;
            }
        }
        kernels_.plan_costs(plan_block());
        double missing = 0.0;
        double fill_cost = 0.0;
        for (std::size_t i = 0; i < n_; ++i) {
            const double wanted = std::max(dense_.a[i] - row_sums_[i], 0.0);
            missing += wanted;
            fill_cost += wanted * fill_costs_[i];
        }
        const double to_move = std::max(problem_.fraction - sum_of(row_sums_), 0.0);
        found.upper = sum_of(row_costs_) + margin * dense_.largest;
        if (missing > 0.0 && room > 0.0) {
            found.upper += fill_cost / missing / room * to_move;
        }
    }

    // the problem
    DenseProblem<Cost> dense_;
    std::size_t n_ = 0, m_ = 0, n_padded_ = 0, stride_ = 0;
    DualProblem<Cost> problem_{};  ///< of what dense_ holds
    double epsilon_ = 1.0;
    AlignedVector<T> a_, b_;

    // the scaling
    const ScalingKernels<Cost, T>& kernels_ = kernels().scaling<Cost, T>();
    const SimplexKernels<Cost>& simplex_ = kernels().simplex<Cost>();
    AlignedVector<T> matrix_, transposed_;  ///< K
    AlignedVector<T> f_start_, g_start_;    ///< the potentials that K is made of
    double multiplier_start_ = 0.0;
    AlignedVector<T> u_, v_, u_limit_, v_limit_, u_shift_, v_shift_, scratch_;
    double xi_ = 1.0, total_ = 1.0;
    double drift_ = 0.0;  ///< mass that changes of xi have moved in this sweep

    // the result
    AlignedVector<double> f_, g_;
    double multiplier_ = 0.0;
    std::vector<double> all_f_, all_g_;

    // the bounds
    DualBound<Cost> dual_bound_;
    AlignedVector<double> least_, row_sums_, column_sums_, row_costs_, fill_, fill_costs_, plan_u_, plan_v_;
};

}  // namespace

class SinkhornSolver::Impl {
  public:
    Scaling<float, float> float32;
    Scaling<float, double> mixed;
    Scaling<double, double> float64;
    std::variant<Scaling<float, float>*, Scaling<float, double>*, Scaling<double, double>*> latest = &float32;
    ForbiddenCosts<float> float32_forbidden;
    ForbiddenCosts<double> float64_forbidden;

    /// Call `scale(problem, sinkhorn)`, with forbidden entries made expensive enough to stay empty.
    template <class Cost, class Scale>
    SinkhornSummary solve(ForbiddenCosts<Cost>& forbidden, const TransportProblem<Cost>& problem,
                          const Sinkhorn& sinkhorn, Interrupt* interrupt, Scale scale) {
        require_well_formed(problem);
        float32_forbidden.clear();
        float64_forbidden.clear();
        if (!forbidden.any_in(problem)) {
            return scale(problem, sinkhorn);
        }
        const bool feasible = std::isfinite(sinkhorn.marginal_penalty) || forbidden.has_plan(problem, interrupt);
        const Sinkhorn absolute = forbidden.in_units_of_the_cost(problem, sinkhorn);
        SinkhornSummary summary = scale(forbidden.replace(problem, absolute), absolute);
        summary.feasible = feasible;
        return summary;
    }

    /// Call `solve` with the scaling that the tolerance and the size of the costs need.
    template <class Solve>
    SinkhornSummary with_float_costs(const Sinkhorn& sinkhorn, Solve solve) {
        if (sinkhorn.tolerance < least_single_tolerance) {
            latest = &mixed;
            return solve(mixed);
        }
        latest = &float32;
        const SinkhornSummary summary = solve(float32);
        if (std::isfinite(summary.value)) {
            return summary;
        }
        // On their way potentials may grow to many times the largest cost, which float32 may not be able to hold.
        latest = &mixed;
        return solve(mixed);
    }
};

SinkhornSolver::SinkhornSolver() : impl_(std::make_unique<Impl>()) {}
SinkhornSolver::~SinkhornSolver() = default;
SinkhornSolver::SinkhornSolver(SinkhornSolver&&) noexcept = default;
SinkhornSolver& SinkhornSolver::operator=(SinkhornSolver&&) noexcept = default;

SinkhornSummary SinkhornSolver::solve(const TransportProblem<float>& problem, const Sinkhorn& sinkhorn,
                                      Interrupt* interrupt) {
    return impl_->solve(impl_->float32_forbidden, problem, sinkhorn, interrupt,
                        [&](const TransportProblem<float>& finite, const Sinkhorn& options) {
                            return impl_->with_float_costs(
                                options, [&](auto& scaling) { return scaling.solve(finite, options, interrupt, {}); });
                        });
}
SinkhornSummary SinkhornSolver::solve(const TransportProblem<double>& problem, const Sinkhorn& sinkhorn,
                                      Interrupt* interrupt) {
    return impl_->solve(impl_->float64_forbidden, problem, sinkhorn, interrupt,
                        [&](const TransportProblem<double>& finite, const Sinkhorn& options) {
                            impl_->latest = &impl_->float64;
                            return impl_->float64.solve(finite, options, interrupt, {});
                        });
}
SinkhornSummary SinkhornSolver::solve(const PaddedCosts& costs, std::span<const double> a, std::span<const double> b,
                                      double capacity, double fraction, const Sinkhorn& sinkhorn,
                                      Interrupt* interrupt) {
    impl_->float32_forbidden.clear();
    impl_->float64_forbidden.clear();
    const TransportProblem<float> problem{costs.matrix, a, b, capacity, fraction};
    require_well_formed(problem);
    return impl_->with_float_costs(
        sinkhorn, [&](auto& scaling) { return scaling.solve(problem, sinkhorn, interrupt, costs.largest); });
}
SinkhornSummary SinkhornSolver::solve_symmetric(const PaddedCosts& costs, std::span<const double> a,
                                                const Sinkhorn& sinkhorn, Interrupt* interrupt) {
    const TransportProblem<float> problem{costs.matrix, a, a};
    require_well_formed(problem);
    return impl_->with_float_costs(
        sinkhorn, [&](auto& scaling) { return scaling.solve_symmetric(problem, sinkhorn, interrupt, costs.largest); });
}

SinkhornBounds SinkhornSolver::bounds() {
    return std::visit([](auto* scaling) { return scaling->bounds(); }, impl_->latest);
}
void SinkhornSolver::plan(MatrixView<double> out) const {
    require(out.rows() == f().size() && out.cols() == g().size(), "the plan must have the shape of the costs");
    std::visit([&](auto* scaling) { scaling->plan(out); }, impl_->latest);
    impl_->float32_forbidden.empty_in(out);
    impl_->float64_forbidden.empty_in(out);
}
std::span<const double> SinkhornSolver::f() const {
    return std::visit([](auto* scaling) { return scaling->f(); }, impl_->latest);
}
std::span<const double> SinkhornSolver::g() const {
    return std::visit([](auto* scaling) { return scaling->g(); }, impl_->latest);
}
double SinkhornSolver::multiplier() const {
    return std::visit([](auto* scaling) { return scaling->multiplier(); }, impl_->latest);
}

}  // namespace moverank
