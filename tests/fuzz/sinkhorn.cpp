/// Sinkhorn: whatever state it stops in, its interval holds the exact value, and its plan is a plan.
#include "moverank/sinkhorn.hpp"

#include "input.hpp"
#include "proof.hpp"

using namespace moverank;

namespace {

void check_plan(const SinkhornSolver& solver, const SinkhornSummary& found, std::span<const double> a, std::size_t m,
                double fraction) {
    std::vector<double> plan(a.size() * m, -1.0);
    solver.plan({plan.data(), a.size(), m});
    double error = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        double sent = 0.0;
        for (std::size_t j = 0; j < m; ++j) {
            const double mass = plan[i * m + j];
            fuzz::require(std::isfinite(mass) && mass >= 0.0, "an entry of the plan is not a mass");
            sent += mass;
        }
        error += fraction == 1.0 ? std::abs(sent - a[i]) : 0.0;
    }
    fuzz::require(!found.converged || error <= 2.0 * found.marginal_error + 1e-5, "rows are not as right as is said");
}

template <class Cost>
void scale(fuzz::Input& input, SinkhornSolver& solver) {
    const fuzz::Problem<Cost> owned(input);
    const TransportProblem<Cost> problem = owned.view();
    const double largest = proof::largest_cost(problem);
    Sinkhorn options;
    options.relative = input.up_to(1) == 0;
    options.epsilon = std::pow(10.0, static_cast<double>(input.up_to(16)) - 10.0);
    if (!options.relative && largest > 0.0) {
        options.epsilon *= largest;
    }
    options.epsilon = std::max(options.epsilon, std::numeric_limits<double>::min());
    options.tolerance = input.one_of({1e-2, 1e-4, 1e-7, 1e-12});
    options.max_iterations = 1 + static_cast<std::int64_t>(input.up_to(63));
    const bool unbalanced = owned.capacity == 1.0 && owned.fraction == 1.0 && input.up_to(3) == 3;
    if (unbalanced) {
        // Against costs below 0, low prices create mass without end: e^(largest / rho) of it.
        options.marginal_penalty =
            std::max(largest, 1e-300) * std::pow(10.0, static_cast<double>(input.up_to(4)) - 1.0);
    }

    const SinkhornSummary found = solver.solve(problem, options);
    if (std::getenv("FUZZ_DESCRIBE") != nullptr) {
        std::fprintf(stderr, "epsilon %.17g, tolerance %g, penalty %g: %lld sweeps, marginal error %g, value %.17g\n",
                     found.epsilon, options.tolerance, options.marginal_penalty,
                     static_cast<long long>(found.iterations), found.marginal_error, found.value);
    }
    fuzz::require(std::isfinite(found.value) && std::isfinite(found.marginal_error), "the value is not a number");
    fuzz::require(found.iterations <= options.max_iterations, "more sweeps than allowed");
    fuzz::require(SinkhornSolver().solve(problem, options).value == found.value,
                  "the value depends on earlier problems");
    const SinkhornBounds bounds = solver.bounds();
    const SolveSummary optimum = ExactSolver().solve(problem);
    const double tolerance = 1e-10 * largest + 1e-300;
    fuzz::require(std::isfinite(bounds.plan_cost), "the plan's cost is not a number");
    if (unbalanced) {
        // Its own optimum without entropy is not known here.
        fuzz::require(bounds.lower <= bounds.upper, "the interval is upside down");
    } else {
        fuzz::require(bounds.lower <= optimum.value + tolerance, "the interval lies above the optimum");
        fuzz::require(bounds.upper >= optimum.lower - tolerance, "the interval lies below the optimum");
        check_plan(solver, found, owned.a, owned.b.size(), owned.fraction);
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    SinkhornSolver solver;
    fuzz::for_two_problems(input, [&]<class Cost>(Cost) { scale<Cost>(input, solver); });
    return 0;
}
