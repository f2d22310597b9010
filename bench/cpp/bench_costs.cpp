/// Ground costs of one query against documents of 8 to 64 tokens; arguments: query tokens, dimension.
#include <benchmark/benchmark.h>

#include "moverank/finite.hpp"
#include "workload.hpp"

using namespace moverank;

namespace {

/// What one pass over the documents does.
enum class Wanted { matrix, minima };

template <GroundCost ground, Wanted wanted>
void costs(benchmark::State& state) {
    const auto n = static_cast<std::size_t>(state.range(0));
    const auto dim = static_cast<std::size_t>(state.range(1));
    workload::TokenSource source(dim, 1);
    const workload::Collection documents(source, 1000, 8, 64);
    const workload::Collection queries(source, 1, n, n);
    const Measure measure{ground, Weighting::uniform};
    const PreparedSequences prepared(documents.view(), measure);
    GroundCosts kernel(ground);
    kernel.set_query(PreparedSequences(queries.view(), measure)[0]);
    for (auto _ : state) {
        for (std::size_t s = 0; s < prepared.size(); ++s) {
            if constexpr (wanted == Wanted::matrix) {
                kernel.compute(prepared[s]);
            } else {
                kernel.compute_minima(prepared[s], false);
            }
            benchmark::DoNotOptimize(kernel.largest());
        }
    }
    const double tokens = static_cast<double>(documents.n_tokens() * static_cast<std::size_t>(state.iterations()));
    state.counters["FLOP/s"] =
        benchmark::Counter(2.0 * tokens * static_cast<double>(n * dim), benchmark::Counter::kIsRate);
    state.counters["B/s"] = benchmark::Counter(4.0 * tokens * static_cast<double>(dim), benchmark::Counter::kIsRate);
    state.counters["s/document"] = benchmark::Counter(1000.0 * static_cast<double>(state.iterations()),
                                                      benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void shapes(benchmark::internal::Benchmark* b) {
    b->ArgNames({"n", "d"});
    for (const int dim : {128, 384}) {
        for (const int n : {1, 8, 16, 32, 64}) {
            b->Args({n, dim});
        }
    }
}

void preparation(benchmark::State& state) {
    workload::TokenSource source(static_cast<std::size_t>(state.range(0)), 1);
    const workload::Collection documents(source, 1000, 8, 64);
    for (auto _ : state) {
        benchmark::DoNotOptimize(PreparedSequences(documents.view(), workload::word_rotator).max_norm());
    }
    state.SetItemsProcessed(1000 * state.iterations());
}

void finiteness(benchmark::State& state) {
    const std::vector<float> values(static_cast<std::size_t>(state.range(0)), 1.0F);
    for (auto _ : state) {
        benchmark::DoNotOptimize(all_finite(std::span<const float>(values)));
    }
    state.SetBytesProcessed(4 * state.range(0) * state.iterations());
}

}  // namespace

BENCHMARK(costs<GroundCost::cosine, Wanted::matrix>)->Apply(shapes);
BENCHMARK(costs<GroundCost::cosine, Wanted::minima>)->Apply(shapes);
BENCHMARK(costs<GroundCost::euclidean, Wanted::matrix>)->Apply(shapes);
BENCHMARK(costs<GroundCost::sqeuclidean, Wanted::matrix>)->Apply(shapes);
BENCHMARK(costs<GroundCost::dot, Wanted::minima>)->Apply(shapes);
BENCHMARK(preparation)->ArgName("d")->Arg(128)->Arg(384);
BENCHMARK(finiteness)->Arg(1024)->Arg(1 << 20);
