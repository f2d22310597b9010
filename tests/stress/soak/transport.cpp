#include "transport.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "moverank/batch.hpp"
#include "moverank/relaxed.hpp"
#include "oracle.hpp"
#include "proof.hpp"

using namespace moverank;

namespace soak {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Larger problems are left out of what takes cubic time or more; of the next size a share is tried.
constexpr std::size_t largest_for_the_oracle = 16;
constexpr std::size_t largest_for_some = 40;
constexpr double share_of_these = 0.1;
constexpr std::size_t largest_for_permutations = 6;

[[nodiscard]] double next(double value) { return std::nextafter(value, infinity); }

/// Also where sums of the largest costs have left the type's range.
[[nodiscard]] bool same(double x, double y) { return x == y || (std::isnan(x) && std::isnan(y)); }

/// By a relative 1e-9, where a flaw asks for it.
[[nodiscard]] double spoiled(const Report& report, Flaw flaw, double value) {
    return report.plants(flaw) ? value * (1.0 + 1e-9) : value;
}

template <class Cost>
Solution solve(Solvers& solvers, const Instance<Cost>& problem, double cutoff = infinity) {
    const SolveSummary summary = solvers.exact.solve(problem.view(), cutoff);
    return {solvers.exact, summary};
}

// ---- exact ----------------------------------------------------------------------------------------------------------

template <class Cost>
void check_against_oracles(Random& random, const Instance<Cost>& problem, const SolveSummary& found, double error,
                           Report& report) {
    const bool tried = random.chance(share_of_these);
    if (std::max(problem.n, problem.m) > (tried ? largest_for_some : largest_for_the_oracle)) {
        return;
    }
    const long double optimum = ShortestPaths(problem.view()).optimum();
    const auto value = static_cast<long double>(found.value);
    report.require(value >= optimum - static_cast<long double>(error) &&
                       value <= optimum + static_cast<long double>(error + found.gap()) &&
                       static_cast<long double>(found.lower) <= optimum + static_cast<long double>(error),
                   Claim::oracle, "the optimum is ", optimum, ", the interval ", found.lower, " to ", found.value,
                   ", the stated error ", error);
    const auto is_uniform = [](const std::vector<double>& mass) {
        return std::ranges::all_of(mass, [&](double x) { return x == mass.front(); });
    };
    if (problem.balanced() && problem.n == problem.m && problem.n <= largest_for_permutations &&
        is_uniform(problem.a) && is_uniform(problem.b)) {
        const long double best = cheapest_permutation(problem.view().cost);
        report.require(std::abs(value - best) <= static_cast<long double>(error + found.gap()), Claim::permutations,
                       "the best permutation costs ", best, ", the value is ", found.value);
    }
}

template <class Cost>
void check_cutoffs(Random& random, Solvers& solvers, const Instance<Cost>& problem, const SolveSummary& full,
                   double largest, double error, Report& report) {
    constexpr double places[] = {-2.0,  -0.5,  -1e-3, -1e-6, -1e-9, -1e-12, -1e-13, -1e-14, 0.0,
                                 1e-14, 1e-13, 1e-12, 1e-9,  1e-6,  1e-3,   0.5,    2.0};
    const int n_places = problem.n * problem.m > 20'000 ? 2 : 4;
    for (int k = 0; k < n_places; ++k) {
        const double cutoff = full.value + random.one_of(places) * largest;
        SolveSummary stopped = solve(solvers, problem, cutoff).summary;
        if (report.plants(Flaw::stop) && cutoff == full.value) {
            stopped.status = SolveStatus::above_cutoff;
        }
        stopped.value = report.plants(Flaw::stopped_value) ? next(stopped.value) : stopped.value;
        report.require(stopped.lower <= full.value + error && stopped.value >= full.lower - error, Claim::cutoff,
                       "under cutoff ", cutoff, " the interval is ", stopped.lower, " to ", stopped.value,
                       ", the value ", full.value);
        if (stopped.status == SolveStatus::above_cutoff) {
            report.require(stopped.lower > cutoff && full.value > cutoff, Claim::cutoff, "stopped at cutoff ", cutoff,
                           " by ", stopped.lower, ", but the value is ", full.value);
        } else {
            report.require(
                stopped.status == SolveStatus::optimal && stopped.value == full.value && stopped.lower == full.lower,
                Claim::cutoff, "under cutoff ", cutoff, " the value is ", stopped.value, ", without ", full.value);
        }
    }
}

/// Two values of what is one problem: each may be below the optimum by as much as is stated, and above it by the width
/// of its interval.
void check_same(const SolveSummary& one, const SolveSummary& other, double error, Claim claim, Report& report) {
    report.require(std::abs(one.value - other.value) <= 2.0 * error + std::max(one.gap(), other.gap()) &&
                       other.lower <= one.value + error && one.lower <= other.value + error,
                   claim, "the intervals are ", one.lower, " to ", one.value, " and ", other.lower, " to ", other.value,
                   ", the stated error ", error);
}

template <class Cost>
[[nodiscard]] Instance<Cost> rearranged(const Instance<Cost>& problem, const std::vector<std::size_t>& rows,
                                        const std::vector<std::size_t>& columns) {
    Instance<Cost> other = problem;
    for (std::size_t i = 0; i < problem.n; ++i) {
        other.a[i] = problem.a[rows[i]];
        for (std::size_t j = 0; j < problem.m; ++j) {
            other.cost[i * problem.m + j] = problem.cost[rows[i] * problem.m + columns[j]];
        }
    }
    for (std::size_t j = 0; j < problem.m; ++j) {
        other.b[j] = problem.b[columns[j]];
    }
    return other;
}

template <class Cost>
[[nodiscard]] Instance<Cost> transposed(const Instance<Cost>& problem) {
    Instance<Cost> other = problem;
    std::swap(other.n, other.m);
    std::swap(other.a, other.b);
    for (std::size_t i = 0; i < problem.n; ++i) {
        for (std::size_t j = 0; j < problem.m; ++j) {
            other.cost[j * problem.n + i] = problem.cost[i * problem.m + j];
        }
    }
    return other;
}

[[nodiscard]] std::vector<std::size_t> permutation(Random& random, std::size_t n) {
    std::vector<std::size_t> order(n);
    std::iota(order.begin(), order.end(), std::size_t{0});
    random.shuffle(order);
    return order;
}

template <class Cost>
void check_rearrangements(Random& random, Solvers& solvers, const Instance<Cost>& problem, const SolveSummary& found,
                          double error, Report& report) {
    const std::vector<std::size_t> rows = permutation(random, problem.n);
    const std::vector<std::size_t> columns = permutation(random, problem.m);
    SolveSummary other = solve(solvers, rearranged(problem, rows, columns)).summary;
    other.value = spoiled(report, Flaw::permuted, other.value);
    check_same(found, other, error, Claim::permuted, report);
    if (problem.capacity == 1.0) {
        other = solve(solvers, transposed(problem)).summary;
        other.value = spoiled(report, Flaw::transposed, other.value);
        check_same(found, other, error, Claim::transposed, report);
    }
    if constexpr (sizeof(Cost) == sizeof(float)) {
        const std::vector<double> cost(problem.cost.begin(), problem.cost.end());
        other = solvers.exact.solve(TransportProblem<double>{
            {cost.data(), problem.n, problem.m}, problem.a, problem.b, problem.capacity, problem.fraction});
        other.value = spoiled(report, Flaw::precision, other.value);
        check_same(found, other, error, Claim::precision, report);
    }
}

void check_minima(const Instance<float>& problem, const SolveSummary& found, double largest, double error,
                  Report& report) {
    // Those of tokens with mass, as the bound wants them.
    std::vector<float> rows(problem.n, std::numeric_limits<float>::max());
    std::vector<float> columns(problem.m, std::numeric_limits<float>::max());
    for (std::size_t i = 0; i < problem.n; ++i) {
        for (std::size_t j = 0; j < problem.m; ++j) {
            const float cost = problem.cost[i * problem.m + j];
            rows[i] = problem.b[j] > 0.0 ? std::min(rows[i], cost) : rows[i];
            columns[j] = problem.a[i] > 0.0 ? std::min(columns[j], cost) : columns[j];
        }
    }
    std::vector<std::size_t> order;
    const double bound =
        relaxed_bound<float>(rows, columns, problem.a, problem.b, problem.capacity, problem.fraction, order) +
        (report.plants(Flaw::minima) ? 1e-9 * largest : 0.0);
    report.require(bound <= found.value + error, Claim::minima, "the relaxed bound is ", bound, ", the value ",
                   found.value);
    if (problem.capacity == infinity) {
        report.require(std::abs(bound - found.value) <= error + found.gap(), Claim::minima,
                       "without limits the relaxed bound is ", bound, ", the value ", found.value);
    }
}

// ---- a problem ------------------------------------------------------------------------------------------------------

template <class Cost>
void check_problem(Random& random, Solvers& solvers, Report& report) {
    const std::size_t n = draw_size(random);
    const std::size_t m = random.chance(0.3) ? n : draw_size(random);
    Instance<Cost> problem = draw_problem<Cost>(random, n, m);
    report.describe((sizeof(Cost) == sizeof(float) ? "float32 " : "float64 ") + problem.family, problem.description());
    const double largest = proof::largest_cost(problem.view());
    const double error = stated_error(n, m, largest);
    const Instance<Cost> given = problem;
    if (report.plants(Flaw::oracle) || report.plants(Flaw::permutations)) {
        problem.cost.front() = static_cast<Cost>(static_cast<double>(problem.cost.front()) - 1e-6 * largest);
    }

    Solution solution = solve(solvers, problem);
    solution.spoil(report, largest);
    const std::string flaw = proof::flaw_of(problem.view(), solution, solution.summary);
    report.require(flaw.empty(), Claim::proof, flaw);
    solution.digest(report);

    const SolveSummary& found = solution.summary;
    check_against_oracles(random, given, found, error, report);
    check_cutoffs(random, solvers, problem, found, largest, error, report);
    check_rearrangements(random, solvers, problem, found, error, report);
    if constexpr (sizeof(Cost) == sizeof(float)) {
        check_minima(problem, found, largest, error, report);
    }
    check_sinkhorn(random, solvers, problem, solution, report);
}

// ---- batches --------------------------------------------------------------------------------------------------------

template <class Cost>
void check_batch_of(Random& random, Solvers& solvers, Report& report) {
    std::vector<Instance<Cost>> problems;
    std::vector<TransportProblem<Cost>> views;
    double largest = 0.0;
    const std::size_t n_problems = random.between(1, 12);
    for (std::size_t p = 0; p < n_problems; ++p) {
        const std::size_t n = random.between(1, 24);
        problems.push_back(draw_problem<Cost>(random, n, random.between(1, 24)));
    }
    for (const Instance<Cost>& problem : problems) {
        views.push_back(problem.view());
        largest = std::max(largest, proof::largest_cost(problem.view()));
    }
    const int n_threads = static_cast<int>(random.one_of({1, 1, 2, 3}));
    report.describe(sizeof(Cost) == sizeof(float) ? "float32 batch" : "float64 batch",
                    std::to_string(n_problems) + " problems on " + std::to_string(n_threads) + " threads, the first " +
                        problems.front().description());
    Interrupt interrupt;
    std::vector<SolveSummary> solved(n_problems);
    transport_batch(views, solved, n_threads, interrupt);
    const Sinkhorn sinkhorn = draw_sinkhorn(random, largest, std::size_t{24} * 24);
    std::vector<SinkhornResult> scaled(n_problems);
    sinkhorn_batch(views, sinkhorn, scaled, n_threads, interrupt);
    for (std::size_t p = 0; p < n_problems; ++p) {
        SolveSummary alone = solvers.verified.solve(views[p]);
        const SolveSummary exact = solvers.exact.solve(views[p]);
        const double error = exact_value_error(views[p].a.size() + 1, views[p].b.size() + 1, largest);
        report.require(alone.lower <= exact.value + error && exact.lower <= alone.value + error, Claim::batch,
                       "problem ", p, " is ", alone.lower, " to ", alone.value, ", and by its tree alone ", exact.lower,
                       " to ", exact.value);
        alone.value = report.plants(Flaw::batch) ? next(alone.value) : alone.value;
        report.require(solved[p].value == alone.value && solved[p].lower == alone.lower &&
                           solved[p].pivots == alone.pivots && solved[p].status == alone.status,
                       Claim::batch, "problem ", p, " is ", solved[p].value, " in the batch, ", alone.value, " alone");
        const SinkhornSummary summary = solvers.sinkhorn.solve(views[p], sinkhorn);
        const SinkhornBounds bounds = solvers.sinkhorn.bounds();
        report.require(same(scaled[p].summary.value, summary.value) &&
                           same(scaled[p].summary.marginal_error, summary.marginal_error) &&
                           scaled[p].summary.iterations == summary.iterations &&
                           same(scaled[p].bounds.lower, bounds.lower) && same(scaled[p].bounds.upper, bounds.upper) &&
                           same(scaled[p].bounds.plan_cost, bounds.plan_cost),
                       Claim::batch, "problem ", p, " scales to ", scaled[p].summary.value, " in the batch, ",
                       summary.value, " alone");
        report.digest(Digest::exact, alone.value);
        report.digest(Digest::scaled, summary.value);
    }
}

}  // namespace

void Solution::spoil(const Report& report, double largest) {
    summary.value = spoiled(report, Flaw::value, summary.value);
    if (report.plants(Flaw::flow) && !flows_.empty()) {
        flows_.pop_back();
    }
    if (report.plants(Flaw::potential)) {
        f_.front() += 1e-9 * largest;
    }
    if (report.plants(Flaw::lower)) {
        summary.lower = summary.value + 1e-9 * largest;
    }
}

void Solution::digest(Report& report) const {
    report.digest(Digest::exact, summary.value);
    report.digest(Digest::exact, summary.lower);
    report.digest(Digest::exact, static_cast<std::uint64_t>(summary.pivots));
    for (const Flow& flow : flows_) {
        report.digest(Digest::exact, flow.mass);
        report.digest(Digest::exact, static_cast<std::uint64_t>(flow.source << 32U | flow.target));
    }
    for (const std::vector<double>* potentials : {&f_, &g_}) {
        for (const double x : *potentials) {
            report.digest(Digest::exact, x);
        }
    }
}

void check_transport(Random& random, Solvers& solvers, Report& report) {
    if (random.chance(0.55)) {
        check_problem<float>(random, solvers, report);
    } else {
        check_problem<double>(random, solvers, report);
    }
}

void check_batch(Random& random, Solvers& solvers, Report& report) {
    if (random.chance(0.5)) {
        check_batch_of<float>(random, solvers, report);
    } else {
        check_batch_of<double>(random, solvers, report);
    }
}

}  // namespace soak
