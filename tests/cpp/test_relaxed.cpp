#include <algorithm>
#include <random>

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
    CHECK(relaxed_side(minima.rows, a) == 0.5 * 1 + 0.5 * 3);
    CHECK(relaxed_side(minima.columns, b) == 0.5 * 1 + 0.25 * 3 + 0.25 * 2);
    CHECK(relaxed_bound(minima.rows, minima.columns, a, b, 1.0) == 2.0);
    CHECK(relaxed_bound(minima.rows, {}, a, b, unlimited_capacity) == 2.0);
}

TEST(the_bound_never_exceeds_the_exact_value) {
    instances::Random random(1);
    std::uniform_real_distribution<float> real(0.0F, 1.0F);
    ExactSolver solver;
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
            const double value = solver.solve(TransportProblem<float>{view, a, b, capacity}).value;
            CHECK(relaxed_bound(minima.rows, minima.columns, a, b, capacity) <= value + 1e-12);
        }
    }
}
