#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "moverank/verified.hpp"
#include "transport/wide.hpp"

using namespace moverank;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// A sum of numbers whose order of addition changes nothing.
double wide_sum(const std::vector<double>& terms) {
    WideRange range;
    for (const double x : terms) {
        range.include(x);
    }
    const WideFormat format(range.low, range.limbs(terms.size()));
    std::vector<Limb> sum(format.limbs(), 0);
    std::vector<Limb> scratch(format.limbs());
    for (const double x : terms) {
        format.add(sum.data(), x);
    }
    return format.value(sum.data(), scratch.data());
}

}  // namespace

TEST(wide_sums_are_exact_whatever_the_sizes) {
    CHECK(wide_sum({1e300, 1.0, -1e300}) == 1.0);
    CHECK(wide_sum({1e300, 5e-324, -1e300}) == 5e-324);
    CHECK(wide_sum({-5e-324, -5e-324}) == -1e-323);
    CHECK(wide_sum({1.0, 0x1p-60, -1.0}) == 0x1p-60);
    CHECK(wide_sum({1.0, 0x1p-53}) == 1.0);                      // a tie goes to the even one
    CHECK(wide_sum({1.0, 0x1p-53, 0x1p-900}) == 1.0 + 0x1p-52);  // hardly above the tie
    CHECK(wide_sum({0.0}) == 0.0);
    std::mt19937_64 random(1);
    std::uniform_int_distribution<int> exponent(-1000, 900);
    std::uniform_real_distribution<double> mantissa(-1.0, 1.0);
    for (int round = 0; round < 1000; ++round) {
        std::vector<double> terms;
        for (int k = 0; k < 20; ++k) {
            const double x = std::ldexp(mantissa(random), exponent(random));
            terms.insert(terms.end(), {x, x, -x});
            terms.push_back(-x);
        }
        const double left = std::ldexp(mantissa(random), exponent(random));
        terms.insert(terms.begin() + 7, left);
        CHECK(wide_sum(terms) == left);
    }
}

TEST(one_solver_settles_what_is_dear_small_and_forbidden) {
    VerifiedSolver solver;  // one for all: nothing of a problem may leak into the next
    const std::vector<double> half{0.5, 0.5};
    for (const double big : {1e9, 1e13, 1e300, infinity}) {
        const std::vector<double> cost{big, 2.0, 3.0, big};
        const SolveSummary summary = solver.solve({MatrixView<const double>(cost.data(), 2, 2), half, half});
        CHECK(summary.status == SolveStatus::optimal);
        CHECK(summary.value == 2.5);
        CHECK(summary.gap() < 1e-12);
    }
    const std::vector<double> dear_row{0.0, 0.0, 1e18, 1e18};
    const std::vector<double> uneven{1.0, 1e-18};
    const SolveSummary paid = solver.solve({MatrixView<const double>(dear_row.data(), 2, 2), uneven, half});
    CHECK_NEAR(paid.value, 1.0, 1e-15);
    CHECK_NEAR(paid.lower, 1.0, 1e-10);

    const std::vector<double> one_way{0.0, infinity, 0.0, infinity};
    const SolveSummary stuck = solver.solve({MatrixView<const double>(one_way.data(), 2, 2), half, half});
    CHECK(stuck.status == SolveStatus::infeasible);
    CHECK(solver.flows().empty());
    CHECK(solver.infeasibility().mass == 0.5);
    CHECK(solver.infeasibility().sources == (std::vector<std::size_t>{0, 1}));
    CHECK(solver.infeasibility().targets == std::vector<std::size_t>{0});

    const std::vector<double> no_price{0.0, std::nan(""), 0.0, 0.0};
    bool refused = false;
    try {
        (void)solver.solve({MatrixView<const double>(no_price.data(), 2, 2), half, half});
    } catch (const std::invalid_argument&) {
        refused = true;
    }
    CHECK(refused);
}

TEST(a_part_far_below_rounding_moves_as_a_whole) {
    VerifiedSolver solver;
    ExactSolver by_quanta;
    const std::vector<double> cost{1.0, 2.0, 2.0, 1.5};
    const std::vector<double> half{0.5, 0.5};
    const std::vector<double> small{1e-20, 1.0};
    for (const double part : {1e-3, 1e-9, 1e-16, 1e-300}) {
        const MatrixView<const double> view(cost.data(), 2, 2);
        CHECK(solver.solve({view, half, half, 1.0, part}).value == part);
        CHECK(by_quanta.solve(TransportProblem<double>{view, half, half, 1.0, part}).value == part);
    }
    // The cheapest entry takes some of it: 1e-20 at 1, 1e-20 at 2 each way, and the rest at 1.5.
    const SolveSummary spread = solver.solve({MatrixView<const double>(cost.data(), 2, 2), small, small, 1.0, 4e-20});
    CHECK(spread.status == SolveStatus::optimal);
    CHECK_NEAR(spread.value / 1e-20, 1.0 + 3.0 * 1.5, 1e-9);
    CHECK_NEAR(spread.lower / 1e-20, 1.0 + 3.0 * 1.5, 1e-9);
}
