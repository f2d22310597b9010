#include <algorithm>
#include <random>
#include <span>
#include <vector>

#include "check.hpp"
#include "instances.hpp"
#include "moverank/exact.hpp"
#include "moverank/measure.hpp"
#include "moverank/relaxed.hpp"

using namespace moverank;

TEST(sides_of_a_problem_worked_by_hand) {
    const std::vector<float> cost{1, 5, 2, 4, 3, 6};  // rows 1 5 2 / 4 3 6
    const MatrixView<const float> view(cost.data(), 2, 3);
    const std::vector<double> a{0.5, 0.5};
    const std::vector<double> b{0.5, 0.25, 0.25};
    const instances::Minima minima(view);
    std::vector<std::size_t> order;
    CHECK(relaxed_side<float>(minima.rows, a) == 0.5 * 1 + 0.5 * 3);
    CHECK(relaxed_side<float>(minima.columns, b) == 0.5 * 1 + 0.25 * 3 + 0.25 * 2);
    CHECK(relaxed_bound<float>(minima.rows, minima.columns, a, b, 1.0, 1.0, order) == 2.0);
    CHECK(relaxed_bound<float>(minima.rows, {}, a, b, unlimited_capacity, 1.0, order) == 2.0);
    // If three quarters of the mass move, the expensive row and columns count for less.
    CHECK(relaxed_bound<float>(minima.rows, {}, a, b, unlimited_capacity, 0.75, order) == 0.5 * 1 + 0.25 * 3);
    CHECK(relaxed_bound<float>(minima.rows, minima.columns, a, b, 1.0, 0.75, order) == 0.5 * 1 + 0.25 * 3);
    CHECK(cheapest_part(std::span<const float>(minima.columns), b, 0.6, order) == 0.5 * 1 + (0.6 - 0.5) * 2);
}

TEST(the_bound_never_exceeds_the_exact_value) {
    instances::Random random(1);
    std::uniform_real_distribution<float> real(0.0F, 1.0F);
    ExactSolver solver;
    std::vector<std::size_t> order;
    for (int round = 0; round < 300; ++round) {
        const std::size_t n = 1 + random() % 30;
        const std::size_t m = 1 + random() % 50;
        std::vector<float> cost(n * m);
        for (float& c : cost) {
            c = real(random);
        }
        const std::vector<double> a = instances::masses(random, n);
        const std::vector<double> b = instances::masses(random, m);
        const MatrixView<const float> view(cost.data(), n, m);
        const instances::Minima minima(view);
        for (const double capacity : {1.0, 2.0, 8.0}) {
            for (const double fraction : {1.0, 0.8, 0.1}) {
                const double value = solver.solve(TransportProblem<float>{view, a, b, capacity, fraction}).value;
                CHECK(relaxed_bound<float>(minima.rows, minima.columns, a, b, capacity, fraction, order) <=
                      value + 1e-12);
            }
        }
    }
}
