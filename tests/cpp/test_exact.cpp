#include <algorithm>
#include <limits>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include "check.hpp"
#include "instances.hpp"
#include "moverank/exact.hpp"
#include "moverank/ground_cost.hpp"
#include "moverank/measure.hpp"
#include "moverank/relaxed.hpp"
#include "proof.hpp"

using namespace moverank;

namespace {

struct Instance {
    std::vector<float> cost;
    std::vector<double> a, b;
    double capacity = 1.0;

    [[nodiscard]] TransportProblem<float> view() const { return {{cost.data(), a.size(), b.size()}, a, b, capacity}; }
};

void check_certified(const TransportProblem<float>& problem, const ExactSolver& solver, const SolveSummary& summary) {
    const std::string flaw = proof::flaw_of(problem, solver, summary);
    if (!flaw.empty()) {
        check::report(__FILE__, __LINE__, flaw);
    }
}

Instance random_problem(instances::Random& random, std::size_t n, std::size_t m, int kind) {
    Instance p{std::vector<float>(n * m), instances::masses(random, n, kind == 2),
               instances::masses(random, m, kind == 2)};
    std::uniform_real_distribution<float> real(-1.0F, 1.0F);
    std::uniform_int_distribution<int> few(0, 2);
    for (float& c : p.cost) {
        c = kind == 1 ? static_cast<float>(few(random)) : real(random);
    }
    if (kind == 3) {
        p.a.assign(n, 1.0 / static_cast<double>(n));
        p.b.assign(m, 1.0 / static_cast<double>(m));
    }
    return p;
}

}  // namespace

TEST(every_solve_proves_itself_for_all_shapes_masses_and_capacities) {
    instances::Random random(1);
    ExactSolver solver;  // one for all: nothing of a problem may leak into the next
    for (int round = 0; round < 400; ++round) {
        const std::size_t n = 1 + random() % 40;
        const std::size_t m = 1 + random() % 40;
        Instance p = random_problem(random, n, m, round % 4);
        for (const double capacity : {1.0, 1.0 + 1e-9, 1.7, 4.0, 1e6, unlimited_capacity}) {
            p.capacity = capacity;
            const SolveSummary summary = solver.solve(p.view());
            check_certified(p.view(), solver, summary);
        }
    }
}

TEST(trees_of_every_size_prove_themselves) {
    // Around 64 edges, from where on trees keep cuts in place of paths; around 512 nodes, beyond which cuts have no
    // code of their own; and shapes whose cycles are long or short.
    instances::Random random(21);
    ExactSolver solver;
    for (const auto& [n, m] : std::vector<std::pair<std::size_t, std::size_t>>{{32, 32},
                                                                               {32, 33},
                                                                               {33, 33},
                                                                               {2, 62},
                                                                               {63, 2},
                                                                               {3, 63},
                                                                               {16, 64},
                                                                               {100, 9},
                                                                               {9, 100},
                                                                               {255, 255},
                                                                               {256, 256},
                                                                               {260, 250},
                                                                               {300, 5},
                                                                               {5, 600},
                                                                               {40, 560}}) {
        for (int kind = 0; kind < 4; ++kind) {
            Instance p = random_problem(random, n, m, kind);
            for (const double capacity : {1.0, 1.7}) {
                p.capacity = capacity;
                check_certified(p.view(), solver, solver.solve(p.view()));
            }
            const std::vector<double> cost(p.cost.begin(), p.cost.end());
            const TransportProblem<double> same{{cost.data(), n, m}, p.a, p.b};
            CHECK(proof::flaw_of(same, solver, solver.solve(same)).empty());
        }
    }
}

/// Edges of a tree over all nodes that have mass, the extra row (numbered n) and the extra column (m) if there are any;
/// everything that flows is on it.
void check_basis(const Instance& p, ExactSolver& solver, std::size_t n_extras) {
    const auto has_mass = [](double mass) { return mass > 0.0; };
    const auto n_nodes =
        static_cast<std::size_t>(std::ranges::count_if(p.a, has_mass) + std::ranges::count_if(p.b, has_mass)) +
        n_extras;
    std::vector<std::size_t> root(p.a.size() + 1 + p.b.size() + 1);
    std::iota(root.begin(), root.end(), std::size_t{0});
    const auto find = [&root](std::size_t x) {
        while (root[x] != x) {
            x = root[x];
        }
        return x;
    };
    std::vector<std::pair<std::size_t, std::size_t>> edges;
    for (const auto& [row, column] : solver.basis()) {
        CHECK(row <= p.a.size() && column <= p.b.size());
        CHECK(find(row) != find(p.a.size() + 1 + column));  // no cycle
        root[find(row)] = find(p.a.size() + 1 + column);
        edges.emplace_back(row, column);
    }
    CHECK(edges.size() + 1 == n_nodes);
    std::ranges::sort(edges);
    for (const Flow& flow : solver.flows()) {
        CHECK(std::ranges::binary_search(edges, std::pair(flow.source, flow.target)));
    }
}

TEST(wide_problems_are_those_of_the_other_side) {
    // From 256 columns on, problems without a capacity are solved with columns for rows.
    instances::Random random(31);
    ExactSolver solver;
    for (const std::size_t m : {255, 256, 257, 300, 700, 1500}) {
        for (const std::size_t n : {2, 3, 17, 100, 254, 299}) {
            const int kind = static_cast<int>((n + m) % 4);
            Instance p = random_problem(random, n, m, kind);
            const SolveSummary summary = solver.solve(p.view());
            check_certified(p.view(), solver, summary);
            check_basis(p, solver, 0);

            Instance other{std::vector<float>(n * m), p.b, p.a};
            for (std::size_t i = 0; i < n; ++i) {
                for (std::size_t j = 0; j < m; ++j) {
                    other.cost[j * n + i] = p.cost[i * m + j];
                }
            }
            CHECK_NEAR(solver.solve(other.view()).value, summary.value, 1e-12);
            check_basis(other, solver, 0);

            const double cutoff = summary.value - 0.1 * std::abs(summary.value);
            const SolveSummary stopped = solver.solve(p.view(), cutoff);
            CHECK(stopped.lower <= summary.value + 1e-12);
            CHECK(stopped.status == SolveStatus::optimal || stopped.lower > cutoff);

            p.capacity = 1.5;
            check_certified(p.view(), solver, solver.solve(p.view()));
            const std::vector<double> cost(p.cost.begin(), p.cost.end());
            const TransportProblem<double> same{{cost.data(), n, m}, p.a, p.b};
            const SolveSummary in_double = solver.solve(same);
            CHECK(proof::flaw_of(same, solver, in_double).empty());
            CHECK_NEAR(in_double.value, summary.value, 1e-12);
        }
    }
}

TEST(the_start_sees_through_dear_rows_and_is_not_misled_by_prohibitions) {
    instances::Random random(22);
    std::uniform_real_distribution<float> real(0.0F, 1.0F);
    ExactSolver solver;
    std::int64_t plain = 0;
    std::int64_t dear = 0;
    std::int64_t forbidding = 0;
    for (int round = 0; round < 20; ++round) {
        const std::size_t n = 60;
        Instance p = random_problem(random, n, n, 0);
        plain += solver.solve(p.view()).pivots;
        Instance shifted = p;
        std::vector<float> of_row(n), of_column(n);
        std::ranges::generate(of_row, [&] { return 10.0F * real(random); });
        std::ranges::generate(of_column, [&] { return 10.0F * real(random); });
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t j = 0; j < n; ++j) {
                shifted.cost[i * n + j] += of_row[i] + of_column[j];
                p.cost[i * n + j] = random() % 3 == 0 ? 1e4F : p.cost[i * n + j];
            }
        }
        dear += solver.solve(shifted.view()).pivots;
        forbidding += solver.solve(p.view()).pivots;
    }
    CHECK(static_cast<double>(dear) < 1.1 * static_cast<double>(plain));
    CHECK(static_cast<double>(forbidding) < 1.2 * static_cast<double>(plain));
}

TEST(a_fraction_of_the_mass_moves_and_proves_itself) {
    instances::Random random(11);
    ExactSolver solver;
    for (int round = 0; round < 200; ++round) {
        Instance p = random_problem(random, 1 + random() % 20, 1 + random() % 20, round % 4);
        for (const double capacity : {1.0, 1.7, unlimited_capacity}) {
            for (const double fraction : {0.01, 0.5, 0.999, 1.0}) {
                TransportProblem<float> problem = p.view();
                problem.capacity = capacity;
                problem.fraction = fraction;
                check_certified(problem, solver, solver.solve(problem));
            }
        }
    }
}

TEST(a_fraction_moves_although_nothing_costs_anything) {
    ExactSolver solver;
    const Instance p{std::vector<float>(6, 0.0F), {0.5, 0.5}, {0.25, 0.25, 0.5}};
    TransportProblem<float> problem = p.view();
    problem.fraction = 0.5;
    check_certified(problem, solver, solver.solve(problem));
}

TEST(uniform_square_problems_equal_the_best_permutation) {
    instances::Random random(2);
    ExactSolver solver;
    for (int round = 0; round < 60; ++round) {
        const std::size_t n = 2 + random() % 6;
        const Instance p = random_problem(random, n, n, 3);
        std::vector<std::size_t> order(n);
        std::iota(order.begin(), order.end(), std::size_t{0});
        double best = std::numeric_limits<double>::infinity();
        do {
            double value = 0.0;
            for (std::size_t i = 0; i < n; ++i) {
                value += static_cast<double>(p.cost[i * n + order[i]]) / static_cast<double>(n);
            }
            best = std::min(best, value);
        } while (std::next_permutation(order.begin(), order.end()));
        CHECK_NEAR(solver.solve(p.view()).value, best, 1e-12);
    }
}

TEST(values_fall_with_capacity_down_to_the_relaxed_query_side) {
    instances::Random random(3);
    ExactSolver solver;
    for (int round = 0; round < 50; ++round) {
        Instance p = random_problem(random, 12, 17, 0);
        double previous = std::numeric_limits<double>::infinity();
        for (const double capacity : {1.0, 1.5, 3.0, 10.0, unlimited_capacity}) {
            p.capacity = capacity;
            const double value = solver.solve(p.view()).value;
            CHECK(value <= previous + 1e-12);
            previous = value;
        }
        CHECK_NEAR(previous, relaxed_side<float>(instances::Minima(p.view().cost).rows, p.a), 1e-12);
    }
}

TEST(costs_that_are_padded_already_change_nothing) {
    instances::Random random(8);
    ExactSolver solver;
    for (int round = 0; round < 60; ++round) {
        const instances::Batch batch(random, 2, 30, 5);
        const PreparedSequences prepared(batch.view(), {GroundCost::euclidean, Weighting::uniform});
        GroundCosts costs(GroundCost::euclidean);
        costs.set_query(prepared[0]);
        costs.compute(prepared[1]);
        const MatrixView<const float> matrix = costs.matrix().matrix;
        for (const double capacity : {1.0, 2.5}) {
            for (const bool some_zero : {false, true}) {
                const std::vector<double> a = instances::masses(random, matrix.rows(), some_zero);
                const std::vector<double> b = instances::masses(random, matrix.cols(), some_zero);
                const SolveSummary copied = solver.solve(TransportProblem<float>{matrix, a, b, capacity});
                const SolveSummary in_place = solver.solve(costs.matrix(), a, b, capacity);
                CHECK(in_place.value == copied.value);
                CHECK(in_place.lower == copied.lower);
                CHECK(in_place.pivots == copied.pivots);
            }
        }
    }
}

TEST(a_cutoff_stops_only_with_a_proof) {
    instances::Random random(4);
    ExactSolver solver;
    int stopped = 0;
    for (int round = 0; round < 300; ++round) {
        const Instance p = random_problem(random, 20, 30, round % 4);
        const double value = solver.solve(p.view()).value;
        for (const double share : {0.5, 0.9, 0.999, 1.0, 1.1}) {
            const double cutoff = value - (1.0 - share) * std::abs(value);
            const SolveSummary summary = solver.solve(p.view(), cutoff);
            CHECK(summary.lower <= value + 1e-12);
            if (summary.status == SolveStatus::above_cutoff) {
                ++stopped;
                CHECK(summary.lower > cutoff);
                CHECK(value > cutoff);
            } else {
                CHECK_NEAR(summary.value, value, 1e-12);
            }
        }
    }
    CHECK(stopped > 100);
}

TEST(degenerate_families_terminate) {
    // Equal costs, equal masses, block structure: every basis of the unperturbed problem is degenerate.
    ExactSolver solver;
    for (const std::size_t n : {4, 16, 64, 128}) {
        for (int kind = 0; kind < 3; ++kind) {
            Instance p{std::vector<float>(n * n), std::vector<double>(n, 1.0 / static_cast<double>(n)),
                       std::vector<double>(n, 1.0 / static_cast<double>(n))};
            for (std::size_t i = 0; i < n; ++i) {
                for (std::size_t j = 0; j < n; ++j) {
                    const std::size_t distance = i > j ? i - j : j - i;
                    p.cost[i * n + j] = kind == 0   ? 1.0F
                                        : kind == 1 ? static_cast<float>((i + j) % 2)
                                                    : static_cast<float>(distance * distance);
                }
            }
            const SolveSummary summary = solver.solve(p.view());
            check_certified(p.view(), solver, summary);
            CHECK_NEAR(summary.value, kind == 0 ? 1.0 : 0.0, 1e-12);
        }
    }
}

TEST(masses_and_costs_over_many_orders_of_magnitude) {
    instances::Random random(5);
    ExactSolver solver;
    for (int round = 0; round < 60; ++round) {
        Instance p = random_problem(random, 15, 11, 0);
        std::uniform_real_distribution<double> exponent(-12.0, 0.0);
        for (std::vector<double>* mass : {&p.a, &p.b}) {
            double total = 0.0;
            for (double& x : *mass) {
                x = std::pow(10.0, exponent(random));
                total += x;
            }
            for (double& x : *mass) {
                x /= total;
            }
        }
        for (float& c : p.cost) {
            c *= static_cast<float>(std::pow(10.0, 5.0 * exponent(random) + 30.0));
        }
        check_certified(p.view(), solver, solver.solve(p.view()));
    }
}

TEST(masses_below_the_quantum_move_a_value_no_further_than_stated) {
    // Each column takes a quantum at least, and the first, where all else is, gives it up: at twice the largest cost.
    constexpr std::size_t n = 2;
    constexpr std::size_t m = 64;
    const std::vector<double> a(n, 0.5);
    std::vector<double> b(m, 1e-18);
    b[0] = 1.0;
    ExactSolver solver;
    for (const float near : {-1.0F, 1.0F}) {
        std::vector<float> cost(n * m, -near);
        cost[0] = cost[m] = near;
        for (const double capacity : {1.0, 1.5}) {
            const SolveSummary summary = solver.solve(TransportProblem<float>{{cost.data(), n, m}, a, b, capacity});
            CHECK_NEAR(summary.value, static_cast<double>(near), exact_value_error(n, m, 1.0));
        }
    }
}

TEST(double_costs_are_solved_in_double) {
    // The costs differ only beyond float32: solved there, the choice between both diagonals would be lost.
    const std::vector<double> cost{1.0, 1.0 + 2e-9, 1.0 + 1e-9, 1.0};
    const std::vector<double> half{0.5, 0.5};
    ExactSolver solver;
    const SolveSummary summary = solver.solve(TransportProblem<double>{{cost.data(), 2, 2}, half, half});
    CHECK(summary.value == 1.0);
}

template <class Cost>
void solve_at_the_limit() {
    instances::Random random(8);
    std::uniform_real_distribution<double> unit(-1.0, 1.0);
    ExactSolver solver;
    for (int round = 0; round < 100; ++round) {
        std::vector<Cost> cost(24 * 17);
        std::ranges::generate(cost, [&] {
            return static_cast<Cost>(cost_limit<Cost> * (round % 2 == 0 ? unit(random) : std::round(unit(random))));
        });
        const std::vector<double> a = instances::masses(random, 24);
        const std::vector<double> b = instances::masses(random, 17);
        for (const double capacity : {1.0, 1.5, unlimited_capacity}) {
            for (const double fraction : {1.0, 0.5}) {
                const TransportProblem<Cost> problem{{cost.data(), 24, 17}, a, b, capacity, fraction};
                CHECK(proof::flaw_of(problem, solver, solver.solve(problem)).empty());
            }
        }
    }
}

TEST(sums_of_the_largest_costs_do_not_overflow) {
    solve_at_the_limit<float>();
    solve_at_the_limit<double>();
}

TEST(costs_that_are_not_finite_or_too_large_are_refused) {
    const std::vector<double> one{1.0};
    ExactSolver solver;
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::max()}) {
        const TransportProblem<float> problem{{&bad, 1, 1}, one, one};
        CHECK_THROWS_SAYING(solver.solve(problem), std::invalid_argument,
                            "cost has an entry that is not finite, or too large");
    }
}

TEST(masses_that_sum_to_nothing_are_refused) {
    const std::vector<double> one{1.0};
    const std::vector<double> none{0.0};
    const float cost = 1.0F;
    ExactSolver solver;
    for (const TransportProblem<float>& problem :
         {TransportProblem<float>{{&cost, 1, 1}, none, one}, TransportProblem<float>{{&cost, 1, 1}, one, none}}) {
        CHECK_THROWS_SAYING(solver.solve(problem), std::invalid_argument,
                            "masses must be non-negative and sum to 1 on each side");
    }
}

TEST(columns_that_could_take_all_have_potentials_of_zero) {
    // Times a limit of a million, what rounding leaves of 0 would be a dual value of its own.
    instances::Random random(13);
    ExactSolver solver;
    for (int round = 0; round < 100; ++round) {
        Instance p = random_problem(random, 1 + random() % 30, 1 + random() % 30, round % 4);
        p.capacity = 1e6;
        for (float& c : p.cost) {
            c = random() % 2 == 0 ? 1e12F : c;
        }
        TransportProblem<float> problem = p.view();
        problem.fraction = round % 2 == 0 ? 1.0 : 0.999;
        check_certified(problem, solver, solver.solve(problem));
        for (std::size_t j = 0; j < p.b.size(); ++j) {
            CHECK(p.capacity * p.b[j] < 2.0 || p.b[j] == 0.0 || solver.g()[j] == 0.0);
        }
    }
}

TEST(limits_that_sum_to_far_more_than_one_do_not_widen_the_interval) {
    constexpr std::size_t n = 300;
    const Instance p{std::vector<float>(n * n, -1.0F), std::vector<double>(n, 1.0 / n), std::vector<double>(n, 1.0 / n),
                     unlimited_capacity};
    TransportProblem<float> problem = p.view();
    problem.fraction = 0.9;
    ExactSolver solver;
    CHECK(solver.solve(problem).gap() <= 1e-12);
}

TEST(subnormal_costs_are_bounded_to_their_last_step) {
    instances::Random random(14);
    ExactSolver solver;
    for (int round = 0; round < 300; ++round) {
        const std::size_t n = 1 + random() % 20;
        const std::size_t m = 1 + random() % 20;
        std::vector<double> cost(n * m);
        std::ranges::generate(cost, [&] { return static_cast<double>(random() % 1000) * 0x1p-1074; });
        const std::vector<double> a = instances::masses(random, n);
        const std::vector<double> b = instances::masses(random, m);
        const TransportProblem<double> problem{{cost.data(), n, m}, a, b};
        const SolveSummary whole = solver.solve(problem);
        const double error = exact_value_error(n, m, 1000.0 * 0x1p-1074);
        for (const double cutoff : {whole.value - 0x1p-1073, whole.value}) {
            const SolveSummary stopped = solver.solve(problem, cutoff);
            CHECK(stopped.lower <= whole.value + error);
            CHECK(stopped.status == SolveStatus::optimal);  // nothing so near is proved
        }
    }
}
