/// The exact solver: every solve proves itself, a cutoff is only acted upon with proof, and what was solved before, or
/// given up, leaves no trace.
#include "input.hpp"
#include "proof.hpp"

using namespace moverank;

namespace {

template <class Cost>
void solve(fuzz::Input& input, ExactSolver& solver) {
    const fuzz::Problem<Cost> owned(input);
    const TransportProblem<Cost> problem = owned.view();
    const SolveSummary summary = solver.solve(problem);
    const std::string flaw = proof::flaw_of(problem, solver, summary);
    fuzz::require(flaw.empty(), flaw);
    fuzz::require(ExactSolver().solve(problem).value == summary.value, "the value depends on earlier problems");

    const double error = exact_value_error(owned.a.size(), owned.b.size(), proof::largest_cost(problem));
    const double cutoff =
        summary.value - proof::largest_cost(problem) * (static_cast<double>(input.up_to(8)) - 4.0) / 8.0;
    const SolveSummary stopped = solver.solve(problem, cutoff);
    fuzz::require(stopped.lower <= summary.value + error + 1e-300, "a lower bound above the optimum");
    fuzz::require(stopped.value >= summary.lower - error - 1e-300, "an upper bound below the optimum");
    if (stopped.status == SolveStatus::above_cutoff) {
        fuzz::require(stopped.lower > cutoff, "stopped without proof");
    } else {
        fuzz::require(stopped.value == summary.value, "another value under a cutoff");
    }

    Interrupt over({}, Interrupt::Clock::now());
    try {
        (void)solver.solve(problem, fuzz::infinity, &over);
    } catch (const DeadlinePassed&) {
        // Small problems are solved before anybody looks.
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    ExactSolver solver;
    fuzz::for_two_problems(input, [&]<class Cost>(Cost) { solve<Cost>(input, solver); });
    return 0;
}
