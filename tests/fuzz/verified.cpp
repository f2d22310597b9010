/// The solver of given numbers: costs of any sizes side by side, forbidden entries, masses down to 1e-300. What it
/// calls optimal is so by its own account, each mass is met, no forbidden entry is used, and what it calls infeasible
/// can be seen to be so. The same problem in another order has the same optimum.
#include "moverank/verified.hpp"

#include "input.hpp"

using namespace moverank;

namespace {

constexpr double rounding = 1e-12;

/// Few octets make some entries forbidden, and others far larger or smaller than the rest.
template <class Cost>
void spread(fuzz::Input& input, fuzz::Problem<Cost>& problem) {
    const std::size_t own = std::min<std::size_t>(problem.cost.size(), 61);
    std::vector<int> changes(own);
    for (int& change : changes) {
        change = static_cast<int>(input.up_to(7));
    }
    for (std::size_t e = 0; e < problem.cost.size(); ++e) {
        Cost& cost = problem.cost[e];
        switch (changes[e < own ? e : (e * e + e / problem.b.size()) % own]) {
            case 5: cost = std::numeric_limits<Cost>::infinity(); break;
            case 6: cost *= static_cast<Cost>(1e12); break;
            case 7: cost *= static_cast<Cost>(1e-12); break;
            default: break;
        }
        if (cost == -std::numeric_limits<Cost>::infinity()) {
            cost = -cost;
        }
    }
}

template <class Cost>
void check_plan(const TransportProblem<Cost>& problem, const VerifiedSolver& solver, const SolveSummary& found) {
    std::vector<double> rows(problem.a.size(), 0.0);
    std::vector<double> columns(problem.b.size(), 0.0);
    double value = 0.0;
    double paid = 0.0;
    for (const Flow& flow : solver.flows()) {
        const auto cost = static_cast<double>(problem.cost(flow.source, flow.target));
        fuzz::require(flow.mass > 0.0 && std::isfinite(cost), "a flow without mass, or where it is forbidden");
        rows[flow.source] += flow.mass;
        columns[flow.target] += flow.mass;
        value += flow.mass * cost;
        paid += flow.mass * std::abs(cost);
    }
    constexpr double least = 1e-305;  // below it, products of masses and costs have few digits
    const auto say = [&](const char* what) {
        char text[200];
        std::snprintf(text, sizeof(text), "%s: it costs %.17g, of sizes %.17g; told are %.17g, and below %.17g", what,
                      value, paid, found.value, found.lower);
        return std::string(text);
    };
    fuzz::require(std::abs(value - found.value) <= rounding * paid + least, say("the value is not the plan's"));
    fuzz::require(found.gap() <= 1.5 * rounding_share * paid + least, say("optimal with a gap"));
    fuzz::require(std::isfinite(found.lower) || paid > 1e300, "no lower bound");
    double moved = 0.0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        moved += rows[i];
        const double most = problem.a[i] * (1.0 + rounding);
        const double fewest = problem.fraction == 1.0 ? problem.a[i] * (1.0 - rounding) : 0.0;
        fuzz::require(rows[i] <= most && rows[i] >= fewest, "the plan does not send a mass as it is");
    }
    fuzz::require(std::abs(moved - problem.fraction) <= rounding, "not as much moves as should");
    const bool balanced = problem.capacity == 1.0 && problem.fraction == 1.0;
    for (std::size_t j = 0; j < columns.size(); ++j) {
        const double room = problem.b[j] == 0.0 ? 0.0 : problem.capacity * problem.b[j];
        const double fewest = balanced ? room * (1.0 - rounding) : 0.0;
        fuzz::require(columns[j] <= room * (1.0 + rounding) && columns[j] >= fewest,
                      "the plan does not bring a mass as it is");
    }
}

template <class Cost>
void check_obstacle(const TransportProblem<Cost>& problem, const Infeasibility& obstacle) {
    fuzz::require(obstacle.mass > 0.0, "infeasible with nothing stuck");
    if (obstacle.sources.empty()) {
        return;
    }
    std::vector<bool> reached(problem.b.size(), false);
    double sent = 0.0;
    for (const std::size_t i : obstacle.sources) {
        sent += problem.a[i];
        for (std::size_t j = 0; j < reached.size(); ++j) {
            reached[j] = reached[j] || (problem.b[j] > 0.0 && std::isfinite(static_cast<double>(problem.cost(i, j))));
        }
    }
    double room = 0.0;
    for (const std::size_t j : obstacle.targets) {
        room += problem.capacity * problem.b[j];
        reached[j] = false;
    }
    fuzz::require(std::ranges::find(reached, true) == reached.end(), "stuck sources reach a target that is not named");
    fuzz::require(sent - room >= obstacle.mass * (1.0 - 1e-9) - 1e-15, "the targets named have room");
}

/// With rows and columns from the last to the first the optimum is the same.
template <class Cost>
void check_order(fuzz::Problem<Cost>& problem, VerifiedSolver& solver, const SolveSummary& found) {
    std::ranges::reverse(problem.cost);
    std::ranges::reverse(problem.a);
    std::ranges::reverse(problem.b);
    const SolveSummary turned = solver.solve(problem.view());
    fuzz::require(turned.status == found.status, "feasible in one order of rows and columns only");
    if (found.status == SolveStatus::optimal) {
        double paid = 0.0;
        for (const Flow& flow : solver.flows()) {
            paid += flow.mass * std::abs(static_cast<double>(problem.view().cost(flow.source, flow.target)));
        }
        const double error = 4.0 * rounding_share * paid + 1e-305;
        fuzz::require(turned.lower <= found.value + error && found.lower <= turned.value + error,
                      "another optimum in another order of rows and columns");
    }
}

template <class Cost>
void solve(fuzz::Input& input, VerifiedSolver& solver) {
    fuzz::Problem<Cost> owned(input);
    spread(input, owned);
    const SolveSummary found = solver.solve(owned.view());
    fuzz::require(found.status == SolveStatus::optimal || found.status == SolveStatus::infeasible, "no answer");
    const bool feasible = found.status == SolveStatus::optimal;
    if (feasible) {
        check_plan(owned.view(), solver, found);
    } else {
        check_obstacle(owned.view(), solver.infeasibility());
    }
    const SolveSummary again = VerifiedSolver().solve(owned.view());
    fuzz::require(again.status == found.status && (!feasible || again.value == found.value),
                  "the answer depends on earlier problems");
    if (feasible) {
        const double cutoff = found.value * (static_cast<double>(input.up_to(4)) - 1.0);
        const SolveSummary stopped = solver.solve(owned.view(), nullptr, cutoff);
        fuzz::require(stopped.status == SolveStatus::above_cutoff ? stopped.lower > cutoff && found.value > cutoff
                                                                  : stopped.value == found.value,
                      "a cutoff changes the answer");
    }
    check_order(owned, solver, found);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    VerifiedSolver solver;
    fuzz::for_two_problems(input, [&]<class Cost>(Cost) { solve<Cost>(input, solver); });
    return 0;
}
