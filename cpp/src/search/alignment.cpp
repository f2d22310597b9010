#include "moverank/alignment.hpp"

#include <algorithm>
#include <limits>
#include <vector>

#include "moverank/ground_cost.hpp"
#include "moverank/sinkhorn.hpp"

namespace moverank {

namespace {

SolveSummary solve_into(ExactSolver& solver, const TransportProblem<float>& problem, std::span<double> f,
                        std::span<double> g, Interrupt* interrupt) {
    const SolveSummary summary = solver.solve(problem, std::numeric_limits<double>::infinity(), interrupt);
    std::ranges::copy(solver.f(), f.begin());
    std::ranges::copy(solver.g(), g.begin());
    return summary;
}

SolveSummary scale_into(const TransportProblem<float>& problem, const Sinkhorn& sinkhorn, MatrixView<double> plan,
                        std::span<double> f, std::span<double> g, Interrupt* interrupt) {
    SinkhornSolver solver;
    const SinkhornSummary summary = solver.solve(problem, sinkhorn, interrupt);
    const SinkhornBounds bounds = solver.bounds();
    solver.plan(plan);
    std::ranges::copy(solver.f(), f.begin());
    std::ranges::copy(solver.g(), g.begin());
    return {.value = bounds.plan_cost, .lower = bounds.lower, .pivots = summary.iterations};
}

}  // namespace

SolveSummary align(const PreparedSequence& query, const PreparedSequence& document, const Measure& measure,
                   MatrixView<float> cost, MatrixView<double> plan, std::span<double> f, std::span<double> g,
                   Interrupt* interrupt) {
    GroundCosts costs(measure.ground);
    costs.set_query(query);
    costs.compute(document);
    for (std::size_t i = 0; i < cost.rows(); ++i) {
        std::copy_n(costs.matrix().matrix.row(i), cost.cols(), cost.row(i));
    }
    for (std::size_t i = 0; i < plan.rows(); ++i) {
        std::fill_n(plan.row(i), plan.cols(), 0.0);
    }
    if (measure.problem == Problem::entropic) {
        return scale_into({cost, query.mass, document.mass, measure.capacity, measure.fraction}, measure.sinkhorn, plan,
                          f, g, interrupt);
    }
    ExactSolver solver;
    const bool relaxed = measure.problem == Problem::relaxed;
    const double capacity = relaxed ? unlimited_capacity : measure.capacity;
    const SolveSummary summary =
        solve_into(solver, {cost, query.mass, document.mass, capacity, measure.fraction}, f, g, interrupt);

    if (relaxed && measure.capacity == 1.0) {
        std::vector<float> transposed(cost.rows() * cost.cols());
        const MatrixView<float> from_document(transposed.data(), cost.cols(), cost.rows());
        for (std::size_t i = 0; i < cost.rows(); ++i) {
            for (std::size_t j = 0; j < cost.cols(); ++j) {
                from_document(j, i) = cost(i, j);
            }
        }
        ExactSolver reverse;
        std::vector<double> reverse_f(f.size());
        std::vector<double> reverse_g(g.size());
        const SolveSummary other =
            solve_into(reverse, {from_document, document.mass, query.mass, unlimited_capacity, measure.fraction},
                       reverse_g, reverse_f, interrupt);
        if (other.value > summary.value) {
            std::ranges::copy(reverse_f, f.begin());
            std::ranges::copy(reverse_g, g.begin());
            for (const Flow& flow : reverse.flows()) {
                plan(flow.target, flow.source) = flow.mass;
            }
            return other;
        }
    }
    for (const Flow& flow : solver.flows()) {
        plan(flow.source, flow.target) = flow.mass;
    }
    return summary;
}

}  // namespace moverank
