#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "check.hpp"
#include "instances.hpp"
#include "kernels/kernels.hpp"
#include "moverank/aligned.hpp"
#include "moverank/sinkhorn.hpp"

using namespace moverank;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

template <class Cost>
struct Instance {
    std::vector<Cost> cost;
    std::vector<double> a, b;
    double capacity = 1.0, fraction = 1.0;

    [[nodiscard]] TransportProblem<Cost> view() const {
        return {{cost.data(), a.size(), b.size()}, a, b, capacity, fraction};
    }
    [[nodiscard]] double largest() const {
        double largest = 0.0;
        for (const Cost c : cost) {
            largest = std::max(largest, std::abs(static_cast<double>(c)));
        }
        return largest;
    }
};

template <class Cost>
Instance<Cost> random_problem(instances::Random& random, std::size_t n, std::size_t m, int kind) {
    Instance<Cost> p{std::vector<Cost>(n * m), instances::masses(random, n, kind == 2),
                     instances::masses(random, m, kind == 2)};
    std::uniform_real_distribution<double> real(kind == 4 ? -1.0 : 0.0, 1.0);
    std::uniform_int_distribution<int> few(0, 2);
    for (Cost& c : p.cost) {
        c = kind == 1   ? static_cast<Cost>(few(random))
            : kind == 3 ? static_cast<Cost>(std::pow(10.0, 8.0 * real(random) - 4.0))
                        : static_cast<Cost>(real(random));
    }
    return p;
}

/// Sinkhorn in the log domain, slowly, in float64, from the definition.
double reference_value(const Instance<double>& p, double epsilon) {
    const std::size_t n = p.a.size();
    const std::size_t m = p.b.size();
    std::vector<double> f(n, 0.0);
    std::vector<double> g(m, 0.0);
    const auto soft_minimum = [epsilon](std::size_t size, auto value, auto mass) {
        double least = infinity;
        for (std::size_t k = 0; k < size; ++k) {
            least = std::min(least, value(k));
        }
        double sum = 0.0;
        for (std::size_t k = 0; k < size; ++k) {
            sum += mass(k) * std::exp((least - value(k)) / epsilon);
        }
        return least - epsilon * std::log(sum);
    };
    for (int sweep = 0; sweep < 5000; ++sweep) {
        for (std::size_t i = 0; i < n; ++i) {
            f[i] = soft_minimum(
                m, [&](std::size_t j) { return p.cost[i * m + j] - g[j]; }, [&](std::size_t j) { return p.b[j]; });
        }
        for (std::size_t j = 0; j < m; ++j) {
            g[j] = soft_minimum(
                n, [&](std::size_t i) { return p.cost[i * m + j] - f[i]; }, [&](std::size_t i) { return p.a[i]; });
            g[j] = p.capacity == 1.0 ? g[j] : std::min(g[j] + epsilon * std::log(p.capacity), 0.0);
        }
    }
    double value = 0.0;
    double total = 0.0;
    for (std::size_t i = 0; i < n; ++i) {
        value += p.a[i] * f[i];
    }
    for (std::size_t j = 0; j < m; ++j) {
        value += p.capacity * p.b[j] * g[j];
        for (std::size_t i = 0; i < n; ++i) {
            total += p.a[i] * p.b[j] * std::exp((f[i] + g[j] - p.cost[i * m + j]) / epsilon);
        }
    }
    return value - epsilon * (total - 1.0);
}

}  // namespace

TEST(exponentials_and_logarithms_are_as_accurate_as_stated) {
    // Through the kernels that use them: K of one row, and potentials of one column of factors.
    constexpr std::size_t size = 16;
    instances::Random random(1);
    const auto check_with = [&]<class T>(T, double smallest, double largest, double exp_error, double log_error) {
        const auto& scaling = kernels().scaling<T, T>();
        std::uniform_real_distribution<double> exponent(smallest, largest);
        AlignedVector<T> cost(size);
        AlignedVector<T> g(size, T{0});
        AlignedVector<T> matrix(size * size);
        AlignedVector<T> transposed(size * size);
        const T f = 0;
        double worst_exp = 0.0;
        double worst_log = 0.0;
        for (int round = 0; round < 20000; ++round) {
            for (T& c : cost) {
                c = static_cast<T>(-exponent(random));
            }
            scaling.gibbs({.cost = cost.data(),
                           .n_rows = 1,
                           .stride = size,
                           .f = &f,
                           .g = g.data(),
                           .inverse_epsilon = T{1},
                           .matrix = matrix.data(),
                           .transposed = transposed.data()});
            AlignedVector<T> ones(size, T{1});
            AlignedVector<T> zeros(size, T{0});
            AlignedVector<double> logs(size);
            scaling.potentials(matrix.data(), ones.data(), zeros.data(), 1.0, size, logs.data());
            for (std::size_t j = 0; j < size; ++j) {
                const long double truth = std::exp(-static_cast<long double>(cost[j]));
                worst_exp =
                    std::max(worst_exp, std::abs(static_cast<double>(static_cast<long double>(matrix[j]) / truth - 1)));
                CHECK(matrix[j] == transposed[j * size]);
                const double log = std::log(static_cast<double>(matrix[j]));
                worst_log = std::max(worst_log, std::abs(logs[j] - log) / std::max(std::abs(log), 1e-3));
            }
        }
        CHECK(worst_exp <= exp_error);
        CHECK(worst_log <= log_error);
    };
    check_with(0.0F, -87.3, 39.9, 2.0 * 0x1p-23, 4.0 * 0x1p-52);
    check_with(0.0, -708.0, 39.9, 2.0 * 0x1p-52, 4.0 * 0x1p-52);
}

TEST(the_median_is_the_one_that_sorting_finds) {
    instances::Random random(2);
    for (int round = 0; round < 200; ++round) {
        const std::size_t n = 1 + random() % 20;
        const std::size_t m = 1 + random() % 40;
        const std::size_t stride = padded(m);
        const Instance<float> p = random_problem<float>(random, n, m, round % 5);
        AlignedVector<float> rows(n * stride, std::numeric_limits<float>::infinity());
        for (std::size_t i = 0; i < n; ++i) {
            std::copy_n(&p.cost[i * m], m, &rows[i * stride]);
        }
        std::vector<float> sizes(p.cost);
        std::ranges::transform(sizes, sizes.begin(), [](float x) { return std::abs(x); });
        std::ranges::sort(sizes);
        CHECK(kernels().scan.median_size(rows.data(), n, m, stride) == sizes[(n * m - 1) / 2]);
    }
}

TEST(values_agree_with_the_definition) {
    instances::Random random(3);
    SinkhornSolver solver;
    for (int round = 0; round < 30; ++round) {
        Instance<double> p =
            random_problem<double>(random, 1 + random() % 20, 1 + random() % 40, round % 2 == 0 ? 0 : 4);
        for (const double capacity : {1.0, 1.5, 4.0}) {
            p.capacity = capacity;
            const Sinkhorn sinkhorn{.epsilon = 0.1, .relative = false, .tolerance = 1e-11, .max_iterations = 100000};
            const SinkhornSummary found = solver.solve(p.view(), sinkhorn);
            CHECK(found.converged);
            CHECK_NEAR(found.value, reference_value(p, 0.1), 1e-9);
            const Instance<float> q{{p.cost.begin(), p.cost.end()}, p.a, p.b, p.capacity};
            for (const double tolerance : {1e-4, 1e-9}) {
                Sinkhorn loose = sinkhorn;
                loose.tolerance = tolerance;
                CHECK_NEAR(solver.solve(q.view(), loose).value, found.value, 1e-5);
            }
        }
    }
}

TEST(the_interval_holds_the_exact_value_whatever_epsilon_and_however_few_iterations) {
    instances::Random random(4);
    SinkhornSolver solver;
    ExactSolver exact;
    const auto check_with = [&]<class Cost>(Cost, int round) {
        Instance<Cost> p = random_problem<Cost>(random, 1 + random() % 40, 1 + random() % 40, round % 5);
        const double scale = std::max(p.largest(), 1e-30);
        for (const double capacity : {1.0, 1.7, 4.0, unlimited_capacity}) {
            for (const double fraction : {1.0, 0.6, 0.05}) {
                p.capacity = capacity;
                p.fraction = fraction;
                const double value = exact.solve(p.view()).value;
                for (const double epsilon : {1e-30, 1e-4, 0.02, 0.3, 1e3}) {
                    for (const int iterations : {0, 1, 7, 400}) {
                        const SinkhornSummary found = solver.solve(p.view(), {.epsilon = epsilon,
                                                                              .relative = round % 3 != 0,
                                                                              .tolerance = round % 2 == 0 ? 1e-4 : 1e-8,
                                                                              .max_iterations = iterations});
                        const SinkhornBounds bounds = solver.bounds();
                        CHECK(std::isfinite(found.value) && std::isfinite(found.marginal_error));
                        CHECK(bounds.lower <= value + 1e-10 * scale);
                        CHECK(bounds.upper >= value - 1e-10 * scale);
                        CHECK(std::isfinite(bounds.lower) && std::isfinite(bounds.upper));
                        CHECK(found.iterations <= iterations);
                    }
                }
            }
        }
    };
    for (int round = 0; round < 30; ++round) {
        check_with(0.0F, round);
        check_with(0.0, round);
    }
}

TEST(plans_have_the_marginals_that_are_claimed) {
    instances::Random random(5);
    SinkhornSolver solver;
    for (int round = 0; round < 60; ++round) {
        Instance<float> p = random_problem<float>(random, 1 + random() % 30, 1 + random() % 50, round % 3);
        p.capacity = round % 2 == 0 ? 1.0 : 3.0;
        p.fraction = round % 4 < 2 ? 1.0 : 0.5;
        const SinkhornSummary found =
            solver.solve(p.view(), {.epsilon = 0.1, .relative = true, .tolerance = 1e-4, .max_iterations = 20000});
        CHECK(found.converged);
        const std::size_t n = p.a.size();
        const std::size_t m = p.b.size();
        std::vector<double> plan(n * m);
        solver.plan({plan.data(), n, m});
        double total = 0.0;
        double excess = 0.0;
        double row_error = 0.0;
        for (std::size_t i = 0; i < n; ++i) {
            const double row = std::accumulate(&plan[i * m], &plan[i * m] + m, 0.0);
            total += row;
            row_error += p.fraction < 1.0 ? std::max(row - p.a[i], 0.0) : std::abs(row - p.a[i]);
        }
        for (std::size_t j = 0; j < m; ++j) {
            double column = 0.0;
            for (std::size_t i = 0; i < n; ++i) {
                column += plan[i * m + j];
            }
            excess += std::max(column - p.capacity * p.b[j], 0.0);
        }
        CHECK(row_error <= 1.1e-4);
        CHECK(excess <= 1.1e-4);
        CHECK_NEAR(total, p.fraction, 2e-4);
    }
}

TEST(a_high_price_of_marginals_is_balanced_transport_and_its_interval_holds) {
    instances::Random random(6);
    SinkhornSolver solver;
    for (int round = 0; round < 20; ++round) {
        const Instance<double> p = random_problem<double>(random, 1 + random() % 20, 1 + random() % 20, round % 3);
        const Sinkhorn balanced{.epsilon = 0.1, .relative = true, .tolerance = 1e-9, .max_iterations = 100000};
        const double value = solver.solve(p.view(), balanced).value;
        Sinkhorn priced = balanced;
        double before = 0.0;
        for (const double penalty : {0.01, 0.1, 1.0, 10.0, 1e5}) {
            priced.marginal_penalty = penalty;
            const SinkhornSummary found = solver.solve(p.view(), priced);
            CHECK(found.converged);
            CHECK(found.value <= value + 1e-6);
            CHECK(found.value >= before - 1e-9);  // a higher price raises the value
            const SinkhornBounds bounds = solver.bounds();
            CHECK(bounds.lower <= bounds.upper);
            CHECK(bounds.lower <= found.value + 1e-9);
            before = found.value;
        }
        CHECK_NEAR(before, value, 1e-3);
    }
}

TEST(the_interval_of_priced_marginals_holds_the_value_in_closed_form) {
    // One token per side: mass p that moves at cost c has its best price where log p = -c / (2 rho). With so small an
    // epsilon only rounding is left between the interval and that.
    instances::Random random(8);
    std::uniform_real_distribution<double> ratio(-250.0, 50.0);
    std::uniform_real_distribution<double> exponent(-12.0, -9.0);
    SinkhornSolver solver;
    const std::vector<double> one{1.0};
    for (int round = 0; round < 3000; ++round) {
        const double penalty = 0.5 + 0.001 * static_cast<double>(round);
        const double cost = penalty * ratio(random);
        const auto twice = 2.0L * static_cast<long double>(penalty);
        const long double value = -twice * std::expm1(-static_cast<long double>(cost) / twice);
        solver.solve(TransportProblem<double>{{&cost, 1, 1}, one, one},
                     {.epsilon = std::pow(10.0, exponent(random)) * penalty,
                      .relative = false,
                      .tolerance = 1e-14,
                      .max_iterations = 2000,
                      .marginal_penalty = penalty});
        const SinkhornBounds bounds = solver.bounds();
        CHECK(static_cast<long double>(bounds.lower) <= value);
        CHECK(static_cast<long double>(bounds.upper) >= value);
    }
}

TEST(potentials_that_float32_cannot_hold_are_no_end_of_it) {
    const Instance<float> p{{7.6e36F, 5.5e37F}, {1.0}, {1e-37, 1.0}, 1.0, 0.5};
    for (const std::int64_t sweeps : {50, 1000}) {
        SinkhornSolver solver;
        Sinkhorn sinkhorn{.epsilon = 0.01};
        sinkhorn.max_iterations = sweeps;
        CHECK(std::isfinite(solver.solve(p.view(), sinkhorn).value));
        const SinkhornBounds bounds = solver.bounds();
        CHECK(bounds.lower <= 2.75001e37 && bounds.upper >= 2.74999e37);
        CHECK(std::isfinite(bounds.upper));
    }
}

TEST(columns_without_a_limit_have_no_potentials_to_look_for) {
    Sinkhorn sinkhorn{.epsilon = 0.01};
    sinkhorn.max_iterations = 2;
    const Instance<double> p{{-1.0, 2.0, 3.0, 0.5, -4.0, 1.0}, {0.25, 0.75}, {0.5, 0.25, 0.25}, infinity};
    SinkhornSolver solver;
    CHECK(solver.solve(p.view(), sinkhorn).converged);
    CHECK(std::ranges::all_of(solver.g(), [](double g) { return g == 0.0; }));

    // A sweep that let the mass grow first would have a value beyond float64.
    const Instance<double> far{{-3.6e288}, {1.0}, {1.0}, infinity};
    CHECK_NEAR(solver.solve(far.view(), {.epsilon = 3.6e278, .relative = false, .max_iterations = 1}).value, -3.6e288,
               1e279);
}

TEST(a_symmetric_problem_has_one_potential) {
    instances::Random random(7);
    SinkhornSolver solver;
    for (int round = 0; round < 20; ++round) {
        const std::size_t n = 1 + random() % 40;
        const std::size_t stride = padded(n);
        const std::vector<double> mass = instances::masses(random, n, false);
        std::vector<double> place(n);
        std::ranges::generate(place, [&] { return std::uniform_real_distribution<double>(0.0, 3.0)(random); });
        AlignedVector<float> cost((n + 1) * stride, std::numeric_limits<float>::infinity());
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t j = 0; j < n; ++j) {
                cost[i * stride + j] = static_cast<float>(std::abs(place[i] - place[j]));
            }
        }
        const PaddedCosts padded_costs{{cost.data(), n, n, stride}, 3.0};
        const Sinkhorn sinkhorn{.epsilon = 0.1, .relative = false, .tolerance = 1e-7, .max_iterations = 10000};
        const SinkhornSummary found = solver.solve_symmetric(padded_costs, mass, sinkhorn);
        CHECK(found.converged);
        for (std::size_t i = 0; i < n; ++i) {
            CHECK_NEAR(solver.f()[i], solver.g()[i], 1e-12);
        }
        CHECK_NEAR(found.value, solver.solve(padded_costs, mass, mass, 1.0, 1.0, sinkhorn).value, 1e-6);
    }
}

TEST(the_epsilon_that_is_stated_is_the_one_that_was_used) {
    // Two tokens per side, in float32, which has no inverse of this epsilon. In closed form
    // T = -epsilon log((1 + e^(-c / epsilon)) / 2).
    constexpr float c = 1e-40F;
    const std::vector<float> cost{0.0F, c, c, 0.0F};
    const std::vector<double> half{0.5, 0.5};
    SinkhornSolver solver;
    for (const double epsilon : {1e-45, 1e-40, 1e-37}) {
        const SinkhornSummary found = solver.solve(TransportProblem<float>{{cost.data(), 2, 2}, half, half},
                                                   {.epsilon = epsilon, .relative = false});
        CHECK(found.converged);
        const double value = -found.epsilon * std::log((1.0 + std::exp(-static_cast<double>(c) / found.epsilon)) / 2.0);
        CHECK_NEAR(found.value / value, 1.0, 1e-3);
    }
}
