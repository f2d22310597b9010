/// One query against 1000 documents of 8 to 64 tokens, from vectors to distances; arguments: query tokens, dimension,
/// threads. Time is that of all documents.
#include <benchmark/benchmark.h>

#include "moverank/batch.hpp"
#include "workload.hpp"

using namespace moverank;

namespace {

constexpr std::size_t n_documents = 1000;

void one_to_many(benchmark::State& state, const Measure& measure) {
    const auto n = static_cast<std::size_t>(state.range(0));
    const auto dim = static_cast<std::size_t>(state.range(1));
    workload::TokenSource source(dim, 1);
    const workload::Collection documents(source, n_documents, 8, 64);
    const workload::Collection queries(source, 1, n, n);
    const PreparedSequences query(queries.view(), measure);
    std::vector<double> out(n_documents);
    Interrupt interrupt;
    for (auto _ : state) {
        distances(query[0], documents.view(), measure, out, static_cast<int>(state.range(2)), interrupt);
        benchmark::DoNotOptimize(out.data());
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(n_documents) * state.iterations());
}

void shapes(benchmark::internal::Benchmark* b) {
    b->ArgNames({"n", "d", "threads"})->UseRealTime();
    for (const int threads : {1, 2}) {
        for (const int dim : {128, 384}) {
            for (const int n : {16, 32}) {
                b->Args({n, dim, threads});
            }
        }
    }
}

}  // namespace

BENCHMARK_CAPTURE(one_to_many, wrd, workload::word_rotator)->Apply(shapes);
BENCHMARK_CAPTURE(one_to_many, wmd, Measure{GroundCost::euclidean, Weighting::uniform})->Apply(shapes);
BENCHMARK_CAPTURE(one_to_many, wrd_capacity_4, Measure{GroundCost::cosine, Weighting::norm, 4.0})->Apply(shapes);
BENCHMARK_CAPTURE(one_to_many, rwmd, Measure{GroundCost::euclidean, Weighting::uniform, 1.0, Problem::relaxed})
    ->Apply(shapes);
BENCHMARK_CAPTURE(one_to_many, maxsim,
                  Measure{GroundCost::dot, Weighting::uniform, unlimited_capacity, Problem::relaxed})
    ->Apply(shapes);
