/// Exact and entropic solves, cost matrix given; arguments: rows, columns. Time is that of one problem.
#include <benchmark/benchmark.h>

#include "moverank/exact.hpp"
#include "moverank/sinkhorn.hpp"
#include "workload.hpp"

using namespace moverank;

namespace {

void finish(benchmark::State& state, std::int64_t pivots) {
    state.counters["pivots"] = benchmark::Counter(static_cast<double>(pivots), benchmark::Counter::kAvgIterations);
}

void exact(benchmark::State& state, double capacity) {
    const auto problems =
        workload::problems(static_cast<std::size_t>(state.range(0)), static_cast<std::size_t>(state.range(1)));
    ExactSolver solver;
    std::size_t p = 0;
    std::int64_t pivots = 0;
    for (auto _ : state) {
        const SolveSummary solved = solver.solve(problems[p].costs.matrix(), problems[p].a, problems[p].b, capacity);
        benchmark::DoNotOptimize(solved.value);
        pivots += solved.pivots;
        p = (p + 1) % problems.size();
    }
    finish(state, pivots);
}

void exact_float64(benchmark::State& state) {
    const auto n = static_cast<std::size_t>(state.range(0));
    const auto problems = workload::problems(n, n);
    std::vector<std::vector<double>> costs;
    for (std::size_t p = 0; p < problems.size(); ++p) {
        const MatrixView<const float> single = problems[p].costs.matrix().matrix;
        std::vector<double>& cost = costs.emplace_back();
        for (std::size_t i = 0; i < n; ++i) {
            cost.insert(cost.end(), single.row(i), single.row(i) + n);
        }
    }
    ExactSolver solver;
    std::size_t p = 0;
    std::int64_t pivots = 0;
    for (auto _ : state) {
        const MatrixView<const double> cost(costs[p].data(), n, n);
        const SolveSummary solved = solver.solve(TransportProblem<double>{cost, problems[p].a, problems[p].b, 1.0});
        benchmark::DoNotOptimize(solved.value);
        pivots += solved.pivots;
        p = (p + 1) % problems.size();
    }
    finish(state, pivots);
}

/// A cutoff at a share of the value: what a search pays for a document that it can drop.
void cutoff(benchmark::State& state) {
    const auto n = static_cast<std::size_t>(state.range(0));
    const auto problems = workload::problems(n, n);
    ExactSolver solver;
    std::vector<double> values;
    for (std::size_t p = 0; p < problems.size(); ++p) {
        values.push_back(solver.solve(problems[p].costs.matrix(), problems[p].a, problems[p].b, 1.0).value);
    }
    const double share = static_cast<double>(state.range(1)) / 100.0;
    std::size_t p = 0;
    std::int64_t pivots = 0;
    for (auto _ : state) {
        const SolveSummary solved =
            solver.solve(problems[p].costs.matrix(), problems[p].a, problems[p].b, 1.0, 1.0, share * values[p]);
        benchmark::DoNotOptimize(solved.lower);
        pivots += solved.pivots;
        p = (p + 1) % problems.size();
    }
    finish(state, pivots);
}

/// Arguments: rows, columns, epsilon in thousandths of the median cost.
void sinkhorn(benchmark::State& state) {
    const auto problems =
        workload::problems(static_cast<std::size_t>(state.range(0)), static_cast<std::size_t>(state.range(1)));
    const Sinkhorn options{.epsilon = static_cast<double>(state.range(2)) / 1000.0};
    SinkhornSolver solver;
    std::size_t p = 0;
    std::int64_t iterations = 0;
    for (auto _ : state) {
        const SinkhornSummary found =
            solver.solve(problems[p].costs.matrix(), problems[p].a, problems[p].b, 1.0, 1.0, options);
        benchmark::DoNotOptimize(found.value);
        iterations += found.iterations;
        p = (p + 1) % problems.size();
    }
    state.counters["iterations"] =
        benchmark::Counter(static_cast<double>(iterations), benchmark::Counter::kAvgIterations);
}

void scalings(benchmark::internal::Benchmark* b) {
    b->ArgNames({"n", "m", "epsilon"});
    for (const int epsilon : {10, 50, 200}) {
        for (const int n : {8, 16, 32, 64, 128}) {
            b->Args({n, n, epsilon});
        }
        b->Args({16, 64, epsilon});
    }
}

void shapes(benchmark::internal::Benchmark* b) {
    b->ArgNames({"n", "m"});
    for (const int n : {1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256}) {
        b->Args({n, n});
    }
    b->Args({8, 32})->Args({16, 64})->Args({32, 256})->Args({64, 16});
}

}  // namespace

BENCHMARK_CAPTURE(exact, balanced, 1.0)->Apply(shapes);
BENCHMARK_CAPTURE(exact, capacity_4, 4.0)->Apply(shapes);
BENCHMARK(sinkhorn)->Apply(scalings);
BENCHMARK(exact_float64)->ArgName("n")->Arg(8)->Arg(32)->Arg(128);
BENCHMARK(cutoff)->ArgNames({"n", "percent"})->Args({32, 50})->Args({32, 80})->Args({32, 95})->Args({32, 105});
