/// Optimality proved from a plan and its potentials alone, by none of the solver's code.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "moverank/exact.hpp"

namespace proof {

template <class Cost>
[[nodiscard]] double largest_cost(const moverank::TransportProblem<Cost>& problem) {
    double largest = 0.0;
    for (std::size_t i = 0; i < problem.cost.rows(); ++i) {
        for (std::size_t j = 0; j < problem.cost.cols(); ++j) {
            largest = std::max(largest, std::abs(static_cast<double>(problem.cost(i, j))));
        }
    }
    return largest;
}

/// What of the latest solve does not prove that its value is the optimum; empty: nothing. Costs are compared relative
/// to the largest, masses to 1. `solver`: an ExactSolver, or whatever else has flows and potentials.
template <class Cost, class Solver>
[[nodiscard]] std::string flaw_of(const moverank::TransportProblem<Cost>& problem, const Solver& solver,
                                  const moverank::SolveSummary& summary) {
    constexpr double least = 1e-300;  // subnormal costs are exact to that
    const std::size_t n = problem.a.size();
    const std::size_t m = problem.b.size();
    const double mass_tolerance = std::max(1e-12, moverank::exact_value_error(n, m, 1.0));  // masses are rounded, too
    const double largest = largest_cost(problem);
    const double cost_tolerance = 1e-11 * largest + least;
    if (summary.status != moverank::SolveStatus::optimal) {
        return "not solved to the end";
    }

    std::vector<double> rows(n, 0.0);
    std::vector<double> columns(m, 0.0);
    double value = 0.0;
    double moved = 0.0;
    for (const moverank::Flow& flow : solver.flows()) {
        if (!(flow.mass > 0.0)) {
            return "a flow is not positive";
        }
        rows[flow.source] += flow.mass;
        columns[flow.target] += flow.mass;
        moved += flow.mass;
        value += flow.mass * static_cast<double>(problem.cost(flow.source, flow.target));
    }
    if (!(std::abs(value - summary.value) <= 1e-13 * largest + least)) {
        return "the value is not the plan's";
    }
    if (!(std::abs(moved - problem.fraction) <= mass_tolerance)) {
        return "not as much moves as should";
    }
    const double multiplier = solver.multiplier();
    double dual = problem.fraction == 1.0 ? 0.0 : -(1.0 - problem.fraction) * multiplier;
    for (std::size_t i = 0; i < n; ++i) {
        const double missing = problem.a[i] - rows[i];
        if (!(missing >= -mass_tolerance && (problem.fraction < 1.0 || missing <= mass_tolerance))) {
            return "row " + std::to_string(i) + " does not send its mass";
        }
        if (problem.fraction < 1.0 && !(solver.f()[i] <= multiplier + cost_tolerance)) {
            return "the potential of row " + std::to_string(i) + " exceeds the multiplier";
        }
        dual += problem.a[i] == 0.0 ? 0.0 : problem.a[i] * solver.f()[i];
    }
    const bool balanced = problem.capacity == 1.0 && problem.fraction == 1.0;
    for (std::size_t j = 0; j < m; ++j) {
        const double room = problem.b[j] == 0.0 ? 0.0 : problem.capacity * problem.b[j];
        if (!(columns[j] <= room + mass_tolerance && (!balanced || columns[j] >= room - mass_tolerance))) {
            return "column " + std::to_string(j) + " does not get what it may";
        }
        const double g = solver.g()[j];
        if (!balanced && !(g <= cost_tolerance)) {
            return "the potential of column " + std::to_string(j) + " is positive";
        }
        dual += problem.b[j] == 0.0 || g == 0.0 ? 0.0 : problem.capacity * problem.b[j] * g;
        for (std::size_t i = 0; i < n; ++i) {
            if (!(solver.f()[i] + g <= static_cast<double>(problem.cost(i, j)) + cost_tolerance)) {
                return "potentials exceed the cost at " + std::to_string(i) + ", " + std::to_string(j);
            }
        }
    }
    if (!(std::abs(dual - value) <= 1e-10 * largest + least)) {
        return "the dual value is another one";
    }
    if (!(summary.lower <= summary.value && summary.gap() <= 1e-10 * largest + least)) {
        return "the certificate says less";
    }
    return "";
}

}  // namespace proof
