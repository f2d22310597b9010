#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "proof.hpp"
#include "transport.hpp"

using namespace moverank;

namespace soak {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

template <class Cost>
constexpr double entropic_range = sizeof(Cost) == sizeof(float) ? 0x1p101 : 0x1p900;

/// How far a plan is from meeting the constraints, as L1 distance.
template <class Cost>
[[nodiscard]] double missed(const Instance<Cost>& problem, const std::vector<double>& plan) {
    std::vector<double> columns(problem.m, 0.0);
    double moved = 0.0;
    double error = 0.0;
    for (std::size_t i = 0; i < problem.n; ++i) {
        double row = 0.0;
        for (std::size_t j = 0; j < problem.m; ++j) {
            row += plan[i * problem.m + j];
            columns[j] += plan[i * problem.m + j];
        }
        moved += row;
        const double excess = row - problem.a[i];
        error += problem.fraction < 1.0 ? std::max(excess, 0.0) : std::abs(excess);
    }
    for (std::size_t j = 0; j < problem.m; ++j) {
        const double excess = problem.b[j] == 0.0 ? columns[j] : columns[j] - problem.capacity * problem.b[j];
        error += problem.balanced() ? std::abs(excess) : std::max(excess, 0.0);
    }
    return error + (problem.fraction < 1.0 ? std::abs(moved - problem.fraction) : 0.0);
}

template <class Cost>
void check_scaled_plan(const Instance<Cost>& problem, const SinkhornSolver& solver, SinkhornSummary found,
                       const Sinkhorn& sinkhorn, const SinkhornBounds& bounds, double largest, Report& report) {
    std::vector<double> plan(problem.n * problem.m, -1.0);
    solver.plan({plan.data(), problem.n, problem.m});
    if (report.plants(Flaw::scaled_entry)) {
        *std::ranges::max_element(plan) = 0.0;
    }
    found.converged = found.converged || report.plants(Flaw::convergence);
    const double mass = std::accumulate(plan.begin(), plan.end(), 0.0);
    report.require(std::ranges::all_of(plan, [](double x) { return x >= 0.0; }) && std::isfinite(mass),
                   Claim::scaled_plan, "an entry is not a mass");
    double cost = 0.0;
    for (std::size_t e = 0; e < plan.size(); ++e) {
        cost += plan[e] * static_cast<double>(problem.cost[e]);
    }
    const double rounding = static_cast<double>(plan.size() + 16) * std::numeric_limits<double>::epsilon();
    report.require(std::abs(cost - bounds.plan_cost) <= (rounding * std::max(mass, 1.0)) * largest + 1e-300,
                   Claim::scaled_plan, "the plan costs ", cost, ", not ", bounds.plan_cost);
    if (std::isfinite(sinkhorn.marginal_penalty)) {
        return;  // it may miss its marginals, at a price
    }
    const double error = missed(problem, plan);
    report.require(error <= found.marginal_error * (1.0 + 1e-9) + rounding * std::max(mass, 1.0), Claim::scaled_plan,
                   "marginals are missed by ", error, ", said is ", found.marginal_error);
    report.require(!found.converged || error <= 2.0 * sinkhorn.tolerance + rounding, Claim::scaled_plan,
                   "converged to ", sinkhorn.tolerance, ", but marginals are missed by ", error);
}

/// Where balanced scaling converged, value and plan belong together: <C, P> + epsilon KL(P | a b^T) is what the dual is
/// worth, up to potentials times what marginals are missed by, and the precision of the kernel matrix.
template <class Cost>
void check_scaled_value(const Instance<Cost>& problem, const SinkhornSolver& solver, const SinkhornSummary& found,
                        const Sinkhorn& sinkhorn, double largest, Report& report) {
    if (!problem.balanced() || !found.converged || std::isfinite(sinkhorn.marginal_penalty)) {
        return;
    }
    std::vector<double> plan(problem.n * problem.m);
    solver.plan({plan.data(), problem.n, problem.m});
    double value = found.epsilon;  // times the total of a b^T
    double highest = 0.0;          // of potentials of tokens with mass
    for (std::size_t i = 0; i < problem.n; ++i) {
        for (std::size_t j = 0; j < problem.m; ++j) {
            const double mass = plan[i * problem.m + j];
            if (mass > 0.0) {
                const double entropy = std::log(mass) - std::log(problem.a[i]) - std::log(problem.b[j]) - 1.0;
                value += mass * (static_cast<double>(problem.cost[i * problem.m + j]) + found.epsilon * entropy);
                highest = std::max({highest, std::abs(solver.f()[i]), std::abs(solver.g()[j])});
            }
        }
    }
    const bool single = sizeof(Cost) == sizeof(float) && sinkhorn.tolerance >= 2e-6;
    const double precision = (single ? 1e-5 : 1e-12) + 1e-15 * static_cast<double>(plan.size());
    const double rounding = precision * (largest + highest + found.epsilon) + 1e-300;
    const double claimed = found.value * (report.plants(Flaw::scaled_value) ? 1.001 : 1.0);
    report.require(std::abs(claimed - value) <= 2.0 * highest * found.marginal_error + rounding, Claim::scaled_value,
                   "at epsilon ", found.epsilon, " the value is ", claimed, ", its plan costs ", value,
                   ", marginals are missed by ", found.marginal_error, ", potentials go to ", highest);
}

/// Prices of marginals in place of these: bounds on the optimum without entropy, from what is known of the balanced
/// one. t times a plan of value V costs t V + 2 rho (t log t - t + 1), least at t = e^(-V / 2 rho).
template <class Cost>
void check_priced_interval(const Instance<Cost>& problem, const Solution& solution, double penalty,
                           const SinkhornBounds& bounds, double largest, Report& report) {
    const double value = solution.summary.value;
    const double above = 2.0 * penalty * -std::expm1(-value / (2.0 * penalty));
    double below = 0.0;
    double margin = 1e-300;
    const auto add = [&](double mass, double potential) {
        const double worth = mass * penalty * -std::expm1(-potential / penalty);
        below += worth;
        // Potentials are dual solutions to rounding, which shows in their worth times its derivative.
        margin += 1e-12 * std::abs(worth) + 1e-11 * largest * mass * std::exp(-potential / penalty);
    };
    for (std::size_t i = 0; i < problem.n; ++i) {
        add(problem.a[i], solution.f()[i]);
    }
    for (std::size_t j = 0; j < problem.m; ++j) {
        add(problem.b[j], solution.g()[j]);
    }
    report.require(bounds.lower <= above + 1e-10 * (largest + penalty) + 1e-300, Claim::interval, "with marginals at ",
                   penalty, " the interval begins at ", bounds.lower, ", above a plan of ", above);
    report.require(bounds.upper >= below - margin, Claim::interval, "with marginals at ", penalty,
                   " the interval ends at ", bounds.upper, ", below a dual solution of ", below);
}

}  // namespace

Sinkhorn draw_sinkhorn(Random& random, double largest, std::size_t n_entries) {
    constexpr std::size_t affordable_entries = 3'000'000;  // that sweeps go through
    Sinkhorn sinkhorn;
    sinkhorn.relative = random.chance(0.6);
    // Mostly where it matters, the rest over 1e-30 to 1e6.
    sinkhorn.epsilon = random.chance(0.6) ? random.across(-9, 3) : random.across(-100, 20);
    if (!sinkhorn.relative && largest > 0.0 && random.chance(0.7)) {
        sinkhorn.epsilon = std::max(sinkhorn.epsilon * largest, std::numeric_limits<double>::min());
    }
    sinkhorn.tolerance = random.one_of({1e-1, 1e-2, 1e-4, 1e-4, 1e-6, 1e-8, 1e-12});
    const std::int64_t wanted = random.one_of<std::int64_t>({0, 1, 2, 3, 7, 20, 60, 200, 1000, 3000});
    sinkhorn.max_iterations = std::min(wanted, static_cast<std::int64_t>(affordable_entries / n_entries + 1));
    return sinkhorn;
}

template <class Cost>
void check_sinkhorn(Random& random, Solvers& solvers, const Instance<Cost>& problem, const Solution& solution,
                    Report& report) {
    const double largest = proof::largest_cost(problem.view());
    const double error = stated_error(problem.n, problem.m, largest);
    const std::size_t n_entries = problem.n * problem.m;
    const int n_solves = n_entries > 10'000 ? 2 : 3;
    const double penalty = problem.balanced() && random.chance(0.15)
                               ? std::max(largest, 1e-300) * random.one_of({0.1, 1.0, 10.0, 1e3})
                               : infinity;
    double highest = -infinity;
    double lowest = infinity;
    for (int k = 0; k < n_solves; ++k) {
        Sinkhorn sinkhorn = draw_sinkhorn(random, largest, n_entries);
        sinkhorn.marginal_penalty = penalty;
        const SinkhornSummary found = solvers.sinkhorn.solve(problem.view(), sinkhorn);
        SinkhornBounds bounds = solvers.sinkhorn.bounds();
        bounds.lower += report.plants(Flaw::interval_lower) ? 1e-9 * largest : 0.0;
        bounds.upper -= report.plants(Flaw::interval_upper) ? 1e-9 * largest : 0.0;
        for (const double x : {found.value, found.marginal_error, bounds.lower, bounds.upper, bounds.plan_cost}) {
            report.digest(Digest::scaled, x);
        }
        report.digest(Digest::scaled, static_cast<std::uint64_t>(found.iterations));
        // Entropies of the largest costs there are, or costs of plans far from right, may leave the type's range.
        const bool fits = largest <= entropic_range<Cost>;
        report.require(!fits || (std::isfinite(found.value) && std::isfinite(found.marginal_error) &&
                                 std::isfinite(bounds.lower) && std::isfinite(bounds.upper) &&
                                 std::isfinite(bounds.plan_cost) && found.iterations <= sinkhorn.max_iterations),
                       Claim::interval, "epsilon ", found.epsilon, " gives the value ", found.value, ", bounds ",
                       bounds.lower, " and ", bounds.upper, ", plan cost ", bounds.plan_cost, ", error ",
                       found.marginal_error, " in ", found.iterations, " sweeps");
        if (std::isfinite(penalty)) {
            check_priced_interval(problem, solution, penalty, bounds, largest, report);
        } else {
            report.require(bounds.lower <= solution.summary.value + error, Claim::interval, "at epsilon ",
                           found.epsilon, " it begins at ", bounds.lower, ", above the value ", solution.summary.value);
            report.require(bounds.upper >= solution.summary.lower - error, Claim::interval, "at epsilon ",
                           found.epsilon, " it ends at ", bounds.upper, ", below the lower bound ",
                           solution.summary.lower);
        }
        if (fits) {
            check_scaled_plan(problem, solvers.sinkhorn, found, sinkhorn, bounds, largest, report);
            check_scaled_value(problem, solvers.sinkhorn, found, sinkhorn, largest, report);
        }
        highest = std::max(highest, bounds.lower);
        lowest = std::min(lowest, bounds.upper);
    }
    lowest -= report.plants(Flaw::intersection) ? std::abs(lowest) / 2.0 : 0.0;
    report.require(highest <= lowest + error, Claim::intersection, "one interval begins at ", highest,
                   ", another ends at ", lowest);
}

template void check_sinkhorn(Random&, Solvers&, const Instance<float>&, const Solution&, Report&);
template void check_sinkhorn(Random&, Solvers&, const Instance<double>&, const Solution&, Report&);

}  // namespace soak
