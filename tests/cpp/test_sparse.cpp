// Sparse costs: against the dense solver with +inf in the gaps, and by their own proof.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "check.hpp"
#include "instances.hpp"
#include "moverank/sparse.hpp"
#include "moverank/verified.hpp"

using namespace moverank;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

template <class Cost, class Index>
struct Instance {
    std::size_t n = 0, m = 0;
    std::vector<Index> begin{0}, columns;
    std::vector<Cost> costs;
    std::vector<double> a, b;

    /// Rows come one after the other.
    void end_row() { begin.push_back(static_cast<Index>(costs.size())); }
    void add(std::size_t column, Cost cost) {
        columns.push_back(static_cast<Index>(column));
        costs.push_back(cost);
    }
    [[nodiscard]] SparseProblem<Cost, Index> view(double capacity = 1.0, double fraction = 1.0) const {
        return {{n, m, begin, columns, costs}, a, b, capacity, fraction};
    }
    [[nodiscard]] std::vector<Cost> dense() const {
        std::vector<Cost> matrix(n * m, std::numeric_limits<Cost>::infinity());
        for (std::size_t i = 0; i < n; ++i) {
            for (auto k = static_cast<std::size_t>(begin[i]); k < static_cast<std::size_t>(begin[i + 1]); ++k) {
                matrix[i * m + static_cast<std::size_t>(columns[k])] = costs[k];
            }
        }
        return matrix;
    }
};

enum class Kind { real, few_values, signed_values, some_infinite };
constexpr Kind kinds[] = {Kind::real, Kind::few_values, Kind::signed_values, Kind::some_infinite};

template <class Cost>
Cost draw(instances::Random& random, Kind kind) {
    std::uniform_real_distribution<Cost> real(0, 1);
    switch (kind) {
        case Kind::real: return real(random);
        case Kind::few_values: return static_cast<Cost>(random() % 3);
        case Kind::signed_values: return real(random) - Cost(0.5);
        case Kind::some_infinite: return random() % 5 == 0 ? std::numeric_limits<Cost>::infinity() : real(random);
    }
    return 0;
}

/// Each entry with a chance; so some rows and columns have none.
template <class Cost, class Index>
Instance<Cost, Index> scattered(instances::Random& random, std::size_t n, std::size_t m, double share, Kind kind) {
    Instance<Cost, Index> p;
    p.n = n;
    p.m = m;
    std::uniform_real_distribution<double> chance(0, 1);
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = 0; j < m; ++j) {
            if (chance(random) < share) {
                p.add(j, draw<Cost>(random, kind));
            }
        }
        p.end_row();
    }
    p.a = instances::masses(random, n, true);
    p.b = instances::masses(random, m, true);
    return p;
}

/// A few entries per row, and masses that a plan over some of them meets.
template <class Cost, class Index>
Instance<Cost, Index> solvable(instances::Random& random, std::size_t n, std::size_t m, std::size_t per_row) {
    Instance<Cost, Index> p;
    p.n = n;
    p.m = m;
    p.a.assign(n, 0.0);
    p.b.assign(m, 0.0);
    std::uniform_real_distribution<double> chance(0, 1);
    std::vector<std::size_t> row;
    for (std::size_t i = 0; i < n; ++i) {
        row.clear();
        for (std::size_t k = 0; k < per_row; ++k) {
            row.push_back(random() % m);
        }
        std::ranges::sort(row);
        row.erase(std::unique(row.begin(), row.end()), row.end());
        for (const std::size_t j : row) {
            p.add(j, draw<Cost>(random, Kind::real));
            const double moved = chance(random);
            p.a[i] += moved;
            p.b[j] += moved;
        }
        p.end_row();
    }
    for (std::vector<double>* side : {&p.a, &p.b}) {
        const double total = std::accumulate(side->begin(), side->end(), 0.0);
        for (double& mass : *side) {
            mass /= total;
        }
    }
    return p;
}

/// What of the latest solve does not prove that its value is the optimum, from the entries alone; empty: nothing.
template <class Cost, class Index>
std::string flaw_of(const SparseProblem<Cost, Index>& p, const SparseSolver& solver, const SolveSummary& summary) {
    if (summary.status != SolveStatus::optimal) {
        return "not solved to the end";
    }
    std::vector<std::vector<std::pair<std::size_t, double>>> moved(p.cost.n_rows);
    std::vector<double> columns(p.cost.n_columns, 0.0);
    double total = 0.0;
    for (const Flow& flow : solver.flows()) {
        if (!(flow.mass > 0.0)) {
            return "a flow is not positive";
        }
        moved[flow.source].emplace_back(flow.target, flow.mass);
        columns[flow.target] += flow.mass;
        total += flow.mass;
    }
    const bool balanced = p.capacity == 1.0 && p.fraction == 1.0;
    double value = 0.0;
    double paid = 0.0;
    double dual = p.fraction == 1.0 ? 0.0 : -(1.0 - p.fraction) * solver.multiplier();
    for (std::size_t i = 0; i < p.cost.n_rows; ++i) {
        double sent = 0.0;
        std::size_t found = 0;
        for (auto k = static_cast<std::size_t>(p.cost.begin[i]); k < static_cast<std::size_t>(p.cost.begin[i + 1]);
             ++k) {
            const auto j = static_cast<std::size_t>(p.cost.columns[k]);
            const auto c = static_cast<double>(p.cost.costs[k]);
            if (!(solver.f()[i] + solver.g()[j] <= c + 1e-12)) {
                return "potentials exceed the cost of an entry";
            }
            for (const auto& [target, mass] : moved[i]) {
                if (target == j) {
                    sent += mass;
                    value += mass * c;
                    paid += mass * std::abs(c);
                    ++found;
                }
            }
        }
        if (found != moved[i].size()) {
            return "mass moves where no entry is stored";
        }
        if (p.fraction == 1.0 ? !(std::abs(sent - p.a[i]) <= 1e-11 * p.a[i]) : !(sent <= p.a[i] * (1 + 1e-11))) {
            return "row " + std::to_string(i) + " does not send its mass";
        }
        if (p.fraction < 1.0 && !(solver.f()[i] <= solver.multiplier() + 1e-12)) {
            return "a potential exceeds the multiplier";
        }
        dual += p.a[i] == 0.0 ? 0.0 : p.a[i] * solver.f()[i];
    }
    for (std::size_t j = 0; j < p.cost.n_columns; ++j) {
        const double room = p.b[j] == 0.0 ? 0.0 : p.capacity * p.b[j];
        if (balanced ? !(std::abs(columns[j] - room) <= 1e-11 * room) : !(columns[j] <= room * (1 + 1e-11))) {
            return "column " + std::to_string(j) + " does not get what it may";
        }
        if (!balanced && !(solver.g()[j] <= 0.0)) {
            return "a potential of a column is positive";
        }
        dual += p.b[j] == 0.0 || solver.g()[j] == 0.0 ? 0.0 : room * solver.g()[j];
    }
    if (!(std::abs(total - p.fraction) <= 1e-12)) {
        return "not as much moves as should";
    }
    if (!(std::abs(value - summary.value) <= 1e-13)) {
        return "the value is not the plan's";
    }
    if (!(std::abs(dual - value) <= 1e-11)) {
        return "the potentials do not prove the value";
    }
    return summary.gap() <= rounding_share * paid + 1e-300 ? "" : "the interval is too wide";
}

template <class Cost, class Index>
void check_against_dense(const Instance<Cost, Index>& p, SparseSolver& solver, double capacity, double fraction) {
    const SolveSummary summary = solver.solve(p.view(capacity, fraction));
    VerifiedSolver dense;
    const std::vector<Cost> matrix = p.dense();
    const SolveSummary expected =
        dense.solve(TransportProblem<Cost>{{matrix.data(), p.n, p.m}, p.a, p.b, capacity, fraction});
    CHECK(summary.status == expected.status);
    if (expected.status == SolveStatus::infeasible) {
        CHECK(std::isinf(summary.value) && std::isinf(summary.lower));
        CHECK(solver.flows().empty() && solver.f().empty() && solver.g().empty());
        CHECK_NEAR(solver.infeasibility().mass, dense.infeasibility().mass, 1e-12);
        // Hall's condition, by the entries alone.
        double excess = 0.0;
        std::vector<bool> is_reached(p.m, false);
        for (const std::size_t j : solver.infeasibility().targets) {
            excess -= p.b[j];
            is_reached[j] = true;
        }
        for (const std::size_t i : solver.infeasibility().sources) {
            excess += p.a[i];
            for (std::size_t j = 0; j < p.m; ++j) {
                CHECK(is_reached[j] || p.b[j] == 0.0 || std::isinf(matrix[i * p.m + j]));
            }
        }
        if (capacity == 1.0 && fraction == 1.0) {
            CHECK_NEAR(excess, solver.infeasibility().mass, 1e-12);
        } else {
            CHECK(solver.infeasibility().sources.empty());
        }
        return;
    }
    CHECK_NEAR(summary.value, expected.value, 1e-12);
    const std::string flaw = flaw_of(p.view(capacity, fraction), solver, summary);
    if (!flaw.empty()) {
        check::report(__FILE__, __LINE__, flaw);
    }
}

template <class Cost, class Index>
void check_small(std::uint64_t seed) {
    instances::Random random(seed);
    SparseSolver solver;  // one for all: nothing of a problem may leak into the next
    for (int round = 0; round < 60; ++round) {
        for (const Kind kind : kinds) {
            const std::size_t n = 1 + random() % 9;
            const std::size_t m = 1 + random() % 9;
            const double share = round % 3 == 0 ? 0.3 : 0.8;
            const auto p = scattered<Cost, Index>(random, n, m, share, kind);
            for (const double capacity : {1.0, 1.5, infinity}) {
                check_against_dense(p, solver, capacity, 1.0);
            }
            check_against_dense(p, solver, 1.0, 0.6);
            check_against_dense(p, solver, 2.0, 0.97);
        }
    }
}

template <class Cost, class Index>
void check_large(std::uint64_t seed) {
    instances::Random random(seed);
    SparseSolver solver;
    struct Shape {
        std::size_t n, m, per_row;
    };
    for (const Shape& shape : {Shape{900, 900, 8}, Shape{2000, 300, 3}, Shape{250, 1500, 20}, Shape{600, 600, 2}}) {
        const auto p = solvable<Cost, Index>(random, shape.n, shape.m, shape.per_row);
        for (const auto& [capacity, fraction] :
             {std::pair(1.0, 1.0), std::pair(1.7, 1.0), std::pair(infinity, 1.0), std::pair(1.0, 0.4)}) {
            const std::string flaw =
                flaw_of(p.view(capacity, fraction), solver, solver.solve(p.view(capacity, fraction)));
            if (!flaw.empty()) {
                check::report(__FILE__, __LINE__, flaw);
            }
        }
    }
}

/// Two rows and two columns, of even masses.
template <class Cost>
Instance<Cost, std::int32_t> two_by_two() {
    Instance<Cost, std::int32_t> p;
    p.n = p.m = 2;
    p.a = p.b = {0.5, 0.5};
    return p;
}

}  // namespace

TEST(small_problems_are_those_of_the_dense_solver) {
    check_small<float, std::int32_t>(1);
    check_small<float, std::int64_t>(2);
    check_small<double, std::int32_t>(3);
    check_small<double, std::int64_t>(4);
}

TEST(large_problems_prove_themselves) {
    check_large<float, std::int64_t>(5);
    check_large<double, std::int32_t>(6);
}

TEST(a_stored_zero_is_a_cost_and_a_gap_is_none) {
    auto p = two_by_two<double>();
    p.add(1, 0.0);
    p.end_row();
    p.add(0, 3.0);
    p.add(1, -9.0);
    p.end_row();
    SparseSolver solver;
    const SolveSummary summary = solver.solve(p.view());
    CHECK(summary.status == SolveStatus::optimal);
    CHECK(summary.value == 1.5);
    CHECK(solver.flows().size() == 2);
}

TEST(costs_and_masses_of_any_sizes) {
    SparseSolver solver;
    for (const double big : {1e9, 1e13, 1e200, 1e300, std::numeric_limits<double>::max()}) {
        auto p = two_by_two<double>();
        p.add(0, big);
        p.add(1, 2.0);
        p.end_row();
        p.add(0, 3.0);
        p.add(1, big);
        p.end_row();
        const SolveSummary summary = solver.solve(p.view());
        CHECK(summary.status == SolveStatus::optimal);
        CHECK(summary.value == 2.5);
        CHECK(summary.gap() < 1e-12);
    }
    auto dear = two_by_two<double>();
    dear.a = {1.0, 1e-18};
    for (const double cost : {0.0, 1e18}) {
        dear.add(0, cost);
        dear.add(1, cost);
        dear.end_row();
    }
    const SolveSummary paid = solver.solve(dear.view());
    CHECK_NEAR(paid.value, 1.0, 1e-15);
    CHECK_NEAR(paid.lower, 1.0, 1e-10);
    auto credit = two_by_two<double>();
    credit.add(0, -1e300);
    credit.end_row();
    credit.add(1, 1.0);
    credit.end_row();
    CHECK(solver.solve(credit.view()).value == -5e299);
}

TEST(masses_that_balance_but_for_rounding_have_a_plan) {
    // Blocks of three, each of which balances as real numbers do, and not as float64 sums do.
    Instance<double, std::int64_t> p;
    constexpr std::size_t n_blocks = 300;
    p.n = 3 * n_blocks;
    p.m = 2 * n_blocks;
    double total = 0.0;
    for (std::size_t block = 0; block < n_blocks; ++block) {
        const double scale = 1.0 + 0.37 * static_cast<double>(block);
        for (const double mass : {0.1, 0.2, 0.7}) {
            p.a.push_back(mass * scale);
        }
        for (const double mass : {0.3, 0.7}) {
            p.b.push_back(mass * scale);
        }
        total += scale;
        for (const double cost : {1.0, 2.0}) {
            p.add(2 * block, cost);
            p.end_row();
        }
        p.add(2 * block + 1, 3.0);
        p.end_row();
    }
    for (std::vector<double>* side : {&p.a, &p.b}) {
        for (double& mass : *side) {
            mass /= total;
        }
    }
    SparseSolver solver;
    const SolveSummary summary = solver.solve(p.view());
    CHECK(summary.status == SolveStatus::optimal);
    CHECK_NEAR(summary.value, 0.1 + 0.4 + 2.1, 1e-12);
    CHECK(summary.gap() < 1e-12);
}

TEST(a_problem_without_entries_has_no_plan) {
    auto p = two_by_two<float>();
    p.end_row();
    p.end_row();
    SparseSolver solver;
    CHECK(solver.solve(p.view()).status == SolveStatus::infeasible);
    CHECK(solver.infeasibility().mass == 1.0);
    CHECK(solver.infeasibility().sources == (std::vector<std::size_t>{0, 1}));
    CHECK(solver.infeasibility().targets.empty());
}

TEST(what_is_wrong_with_an_entry_is_said) {
    SparseSolver solver;
    const auto refused = [&](std::size_t column, double cost, const char* message) {
        auto p = two_by_two<double>();
        p.add(1, 1.0);
        p.end_row();
        p.add(0, 1.0);
        p.add(column, cost);
        p.end_row();
        CHECK_THROWS_SAYING(solver.solve(p.view()), std::invalid_argument, message);
    };
    refused(1, std::nan(""), "cost: entry (1, 1) is NaN; expected a number, or inf where nothing may move");
    refused(1, -infinity, "cost: entry (1, 1) is -inf; expected a number, or inf where nothing may move");
    refused(0, 2.0, "cost: entry (1, 0) is stored twice");
    refused(2, 2.0, "cost: a column index lies outside of the matrix");
    refused(static_cast<std::size_t>(-1), 2.0, "cost: a column index lies outside of the matrix");
    auto p = two_by_two<double>();
    p.add(0, 1.0);
    p.end_row();
    CHECK_THROWS_AS(solver.solve(p.view()), std::invalid_argument);  // a row is missing
    p.begin = {0, 2, 1};
    CHECK_THROWS_AS(solver.solve(p.view()), std::invalid_argument);
    p.begin = {0, 1, 1};
    CHECK_THROWS_AS(solver.solve(p.view(0.5)), std::invalid_argument);
    CHECK_THROWS_AS(solver.solve(p.view(1.0, 0.0)), std::invalid_argument);
    p.a = {1.0, 1.0};
    CHECK_THROWS_AS(solver.solve(p.view()), std::invalid_argument);
    p.a = {1.0};
    CHECK_THROWS_AS(solver.solve(p.view()), std::invalid_argument);
}

TEST(an_interrupt_ends_a_solve) {
    instances::Random random(7);
    const auto p = solvable<double, std::int32_t>(random, 500, 500, 5);
    SparseSolver solver;
    Interrupt interrupt;
    CHECK(flaw_of(p.view(), solver, solver.solve(p.view(), &interrupt)).empty());
    interrupt.stop();
    CHECK_THROWS_AS(solver.solve(p.view(), &interrupt), Interrupted);
    CHECK(flaw_of(p.view(), solver, solver.solve(p.view())).empty());
}
