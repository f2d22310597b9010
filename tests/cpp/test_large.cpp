// Problems too large for trees as sets of bits: another solver behind the same interface.

#include <algorithm>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "check.hpp"
#include "instances.hpp"
#include "moverank/exact.hpp"
#include "proof.hpp"

using namespace moverank;

namespace {

template <class Cost>
struct Instance {
    std::size_t n, m;
    std::vector<Cost> cost;
    std::vector<double> a, b;

    [[nodiscard]] TransportProblem<Cost> view(double capacity = 1.0, double fraction = 1.0) const {
        return {{cost.data(), n, m}, a, b, capacity, fraction};
    }
};

enum class Kind { real, few_values, some_mass_zero, uniform, plane, heavy, repeated };
constexpr Kind kinds[] = {Kind::real,  Kind::few_values, Kind::some_mass_zero, Kind::uniform,
                          Kind::plane, Kind::heavy,      Kind::repeated};

template <class Cost>
Instance<Cost> make(instances::Random& random, std::size_t n, std::size_t m, Kind kind) {
    const bool some_zero = kind == Kind::some_mass_zero;
    Instance<Cost> p{n, m, std::vector<Cost>(n * m), instances::masses(random, n, some_zero),
                     instances::masses(random, m, some_zero)};
    std::uniform_real_distribution<Cost> real(-1, 1);
    std::vector<Cost> x(2 * n), y(2 * m);
    std::ranges::generate(x, [&] { return real(random); });
    std::ranges::generate(y, [&] { return real(random) + 1; });
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = 0; j < m; ++j) {
            Cost& cost = p.cost[i * m + j];
            if (kind == Kind::few_values) {
                cost = static_cast<Cost>(random() % 3);
            } else if (kind == Kind::plane) {
                const Cost u = x[2 * i] - y[2 * j];
                const Cost v = x[2 * i + 1] - y[2 * j + 1];
                cost = u * u + v * v;
            } else if (kind == Kind::repeated) {
                cost = x[i % 7] * y[j % 11];
            } else {
                cost = real(random);
            }
        }
    }
    if (kind == Kind::uniform) {
        p.a.assign(n, 1.0 / static_cast<double>(n));
        p.b.assign(m, 1.0 / static_cast<double>(m));
    } else if (kind == Kind::heavy) {
        // One row and one column carry most of the mass.
        for (std::vector<double>* mass : {&p.a, &p.b}) {
            for (double& share : *mass) {
                share *= 0.1;
            }
            mass->back() += 0.9;
        }
    }
    return p;
}

template <class Cost>
void check_proved(const TransportProblem<Cost>& problem, ExactSolver& solver) {
    const SolveSummary summary = solver.solve(problem);
    const std::string flaw = proof::flaw_of(problem, solver, summary);
    if (!flaw.empty()) {
        check::report(__FILE__, __LINE__, flaw);
    }
    CHECK(solver.flows().size() <= problem.a.size() + problem.b.size());
}

/// Shapes beyond the size at which the solver changes: few rows, few columns, as many of both.
struct Shape {
    std::size_t n, m;
};
constexpr Shape shapes[] = {{2, 2100}, {17, 2500}, {2500, 17}, {300, 1900}, {1900, 310}, {1100, 1000}};

}  // namespace

TEST(large_problems_prove_themselves_whatever_their_shape_and_kind) {
    instances::Random random(1);
    ExactSolver solver;  // one for all: nothing of a problem may leak into the next
    for (const Shape& shape : shapes) {
        for (const Kind kind : kinds) {
            check_proved(make<float>(random, shape.n, shape.m, kind).view(), solver);
        }
    }
}

TEST(large_problems_with_capacities_and_fractions_prove_themselves) {
    instances::Random random(2);
    ExactSolver solver;
    for (const Kind kind : kinds) {
        for (const Shape& shape : {Shape{40, 2200}, Shape{2200, 40}, Shape{900, 1300}}) {
            const auto p = make<float>(random, shape.n, shape.m, kind);
            check_proved(p.view(1.5), solver);
            check_proved(p.view(4.0), solver);
            check_proved(p.view(1.0, 0.3), solver);
            check_proved(p.view(2.0, 0.99), solver);
        }
    }
}

TEST(large_problems_in_double_prove_themselves) {
    instances::Random random(3);
    ExactSolver solver;
    for (const Kind kind : kinds) {
        check_proved(make<double>(random, 30, 2100, kind).view(), solver);
        check_proved(make<double>(random, 700, 1400, kind).view(2.0), solver);
    }
}

TEST(costs_that_rows_and_columns_explain_leave_no_entry_on_a_list) {
    // C_ij = x_i + y_j: every plan is optimal, and all columns would list the same rows.
    instances::Random random(4);
    ExactSolver solver;
    auto p = make<float>(random, 1200, 1100, Kind::uniform);
    for (std::size_t i = 0; i < p.n; ++i) {
        for (std::size_t j = 0; j < p.m; ++j) {
            p.cost[i * p.m + j] = static_cast<float>(i % 97 + j % 89);
        }
    }
    check_proved(p.view(), solver);
}

TEST(turning_a_large_problem_changes_its_value_by_rounding_alone) {
    instances::Random random(5);
    ExactSolver solver;
    const auto p = make<float>(random, 60, 2300, Kind::plane);
    Instance<float> turned{p.m, p.n, std::vector<float>(p.cost.size()), p.b, p.a};
    for (std::size_t i = 0; i < p.n; ++i) {
        for (std::size_t j = 0; j < p.m; ++j) {
            turned.cost[j * p.n + i] = p.cost[i * p.m + j];
        }
    }
    const double value = solver.solve(p.view()).value;
    CHECK_NEAR(solver.solve(turned.view()).value, value, 1e-11);
}

TEST(a_cutoff_stops_large_problems_only_with_a_proof) {
    instances::Random random(6);
    ExactSolver solver;
    int stopped = 0;
    for (const Kind kind : kinds) {
        for (const double capacity : {1.0, 3.0}) {
            const auto p = make<float>(random, 150, 2000, kind);
            const double value = solver.solve(p.view(capacity)).value;
            for (const double distance : {1.0, 0.1, 0.001, 0.0, -0.1}) {
                const double cutoff = value - distance * std::abs(value);
                const SolveSummary summary = solver.solve(p.view(capacity), cutoff);
                CHECK(summary.lower <= value + 1e-11);
                CHECK(summary.value >= value - 1e-11);
                if (summary.status == SolveStatus::above_cutoff) {
                    ++stopped;
                    CHECK(summary.lower > cutoff);
                } else {
                    CHECK_NEAR(summary.value, value, 1e-11);
                }
            }
        }
    }
    CHECK(stopped > 20);
}

TEST(a_large_solve_stops_at_every_look_at_its_interrupt) {
    instances::Random random(7);
    ExactSolver solver;
    for (const Shape& shape : {Shape{30, 2200}, Shape{2200, 30}, Shape{1100, 1000}}) {
        const auto p = make<float>(random, shape.n, shape.m, Kind::plane);
        const SolveSummary whole = solver.solve(p.view());
        int looks = 0;
        Interrupt counting([&looks] { return ++looks, false; }, {}, Interrupt::Clock::duration::zero());
        CHECK(solver.solve(p.view(), std::numeric_limits<double>::infinity(), &counting).value == whole.value);
        // One every few hundred pivots, and more: a solve is never long without one.
        CHECK(looks >= whole.pivots / 256);
        for (int stop_at = 1; stop_at <= looks; stop_at += 1 + looks / 40) {
            int seen = 0;
            Interrupt stopping([&] { return ++seen == stop_at; }, {}, Interrupt::Clock::duration::zero());
            bool stopped = false;
            try {
                solver.solve(p.view(), std::numeric_limits<double>::infinity(), &stopping);
            } catch (const Interrupted&) {
                stopped = true;
            }
            CHECK(stopped);
            CHECK(seen == stop_at);
        }
        // A stopped solve leaves no trace in the next.
        CHECK(solver.solve(p.view()).value == whole.value);
    }
}

TEST(a_deadline_that_has_passed_stops_a_large_solve) {
    instances::Random random(8);
    ExactSolver solver;
    const auto p = make<float>(random, 40, 2100, Kind::real);
    Interrupt interrupt({}, Interrupt::Clock::now());
    bool passed = false;
    try {
        solver.solve(p.view(), std::numeric_limits<double>::infinity(), &interrupt);
    } catch (const DeadlinePassed&) {
        passed = true;
    }
    CHECK(passed);
}
