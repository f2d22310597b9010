#include "moverank/batch.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "../preconditions.hpp"
#include "moverank/pair.hpp"
#include "moverank/parallel.hpp"
#include "moverank/verified.hpp"
#include "pair_tiles.hpp"

namespace moverank {

namespace {

/// Small enough to balance documents of very different lengths, large enough that taking a chunk costs next to nothing.
constexpr std::size_t documents_per_chunk = 8;

/// What one thread needs: an evaluator, and buffers in which it prepares documents.
struct Worker {
    PairEvaluator evaluator;
    std::vector<double> mass;
    std::vector<float> inverse_norms;
};

std::vector<Worker> make_workers(unsigned count, const Measure& measure, Interrupt& interrupt) {
    std::vector<Worker> workers;
    workers.reserve(count);
    for (unsigned w = 0; w < count; ++w) {
        workers.push_back({PairEvaluator(measure, &interrupt), {}, {}});
    }
    return workers;
}

/// Workers with the same query, which each packs for itself.
std::vector<Worker> make_workers(unsigned count, const Measure& measure, Interrupt& interrupt,
                                 const PreparedSequence& query) {
    std::vector<Worker> workers = make_workers(count, measure, interrupt);
    for (Worker& worker : workers) {
        worker.evaluator.set_query(query);
    }
    return workers;
}

/// The part of `plans` for problem p, or nothing.
template <class Cost>
MatrixView<double> plan_of(std::span<double> plans, const TransportProblem<Cost>& problem, std::size_t p) {
    const std::size_t n = problem.cost.rows();
    const std::size_t m = problem.cost.cols();
    return plans.empty() ? MatrixView<double>{} : MatrixView<double>{plans.data() + p * n * m, n, m};
}

template <class Cost, class Result>
void require_room(std::span<const TransportProblem<Cost>> problems, std::span<Result> out, std::span<double> plans) {
    require(out.size() == problems.size(), "expected room for one result per problem");
    if (plans.empty()) {
        return;
    }
    const MatrixView<const Cost> first = problems.empty() ? MatrixView<const Cost>{} : problems.front().cost;
    for (const TransportProblem<Cost>& problem : problems) {
        require(problem.cost.rows() == first.rows() && problem.cost.cols() == first.cols(),
                "plans need problems of the same shape");
    }
    require(plans.size() == problems.size() * first.rows() * first.cols(), "expected room for one plan per problem");
}

template <class Cost>
void solve_all(std::span<const TransportProblem<Cost>> problems, std::span<SolveSummary> out, int n_threads,
               Interrupt& interrupt, std::span<double> plans) {
    require_room(problems, out, plans);
    const unsigned n_workers = thread_count(n_threads, problems.size());
    std::vector<VerifiedSolver> solvers(n_workers);
    parallel_for(problems.size(), n_workers, documents_per_chunk, interrupt,
                 [&](unsigned w, std::size_t begin, std::size_t end) {
                     for (std::size_t p = begin; p < end; ++p) {
                         out[p] = solvers[w].solve(problems[p], &interrupt);
                         const MatrixView<double> plan = plan_of(plans, problems[p], p);
                         if (plan.data() == nullptr) {
                             continue;
                         }
                         std::fill_n(plan.data(), plan.rows() * plan.cols(), 0.0);
                         for (const Flow& flow : solvers[w].flows()) {
                             plan(flow.source, flow.target) = flow.mass;
                         }
                     }
                 });
}

template <class Cost>
void scale_all(std::span<const TransportProblem<Cost>> problems, const Sinkhorn& sinkhorn,
               std::span<SinkhornResult> out, int n_threads, Interrupt& interrupt, std::span<double> plans) {
    require_room(problems, out, plans);
    const unsigned n_workers = thread_count(n_threads, problems.size());
    std::vector<SinkhornSolver> solvers(n_workers);
    parallel_for(problems.size(), n_workers, documents_per_chunk, interrupt,
                 [&](unsigned w, std::size_t begin, std::size_t end) {
                     for (std::size_t p = begin; p < end; ++p) {
                         out[p].summary = solvers[w].solve(problems[p], sinkhorn, &interrupt);
                         out[p].bounds = solvers[w].bounds();
                         if (!plans.empty()) {
                             solvers[w].plan(plan_of(plans, problems[p], p));
                         }
                     }
                 });
}

/// Call `use(evaluator, document, place)` for each document.
template <class Use>
void for_each_document(const PreparedSequence& query, const SequencesView& documents, const Measure& measure,
                       int n_threads, Interrupt& interrupt, Use use) {
    require_well_formed(documents);
    const unsigned n_workers = thread_count(n_threads, documents.size());
    std::vector<Worker> workers = make_workers(n_workers, measure, interrupt, query);
    parallel_for(documents.size(), n_workers, documents_per_chunk, interrupt,
                 [&](unsigned w, std::size_t begin, std::size_t end) {
                     Worker& worker = workers[w];
                     for (std::size_t s = begin; s < end; ++s) {
                         const SequenceView raw = documents[s];
                         worker.mass.resize(raw.tokens.rows());
                         worker.inverse_norms.resize(raw.tokens.rows());
                         // Minima can be taken of anything; a solver has to know that its costs are finite.
                         const auto prepared = measure.relaxed() ? prepare_unread : prepare;
                         use(worker.evaluator, prepared(raw, measure, worker.mass, worker.inverse_norms, s), s);
                         if (measure.relaxed()) {
                             require_measurable(raw, measure, worker.evaluator.largest_component(), worker.mass, s);
                         }
                     }
                 });
}

void require_comparable(const PreparedSequences& rows, const PreparedSequences& columns, bool as_many) {
    require(rows.measure() == columns.measure(), "both sides must be prepared for the same measure");
    require(rows.dim() == columns.dim(), "both sides must have the same dimension");
    require(!as_many || rows.size() == columns.size(), "expected the same number of sequences on both sides");
}

void count(PairCount* n_done, std::size_t more) {
    if (n_done != nullptr) {
        n_done->fetch_add(more, std::memory_order_relaxed);
    }
}

}  // namespace

std::size_t workspace_bytes(std::size_t n, std::size_t m, std::size_t dim) {
    const std::size_t rows = n + 16;
    const std::size_t columns = m + 16;
    const std::size_t nodes = rows + columns;
    return 4 * (4 * rows * (dim + columns + 16) + 4 * nodes * dim + nodes * (nodes / 8 + 256) + 4096);
}

void distances(const PreparedSequence& query, const SequencesView& documents, const Measure& measure,
               std::span<double> out, int n_threads, Interrupt& interrupt) {
    require(out.size() == documents.size(), "expected room for one distance per document");
    for_each_document(query, documents, measure, n_threads, interrupt,
                      [out](PairEvaluator& evaluator, const PreparedSequence& document, std::size_t s) {
                          out[s] = evaluator.distance(document).distance;
                      });
}

void certified_distances(const PreparedSequence& query, const SequencesView& documents, const Measure& measure,
                         std::span<CertifiedDistance> out, int n_threads, Interrupt& interrupt) {
    require(out.size() == documents.size(), "expected room for one distance per document");
    for_each_document(query, documents, measure, n_threads, interrupt,
                      [out](PairEvaluator& evaluator, const PreparedSequence& document, std::size_t s) {
                          out[s] = evaluator.certified(document);
                      });
}

void pairwise(const PreparedSequences& rows, const PreparedSequences& columns, const KnownPairs& known,
              MatrixView<double> out, int n_threads, Interrupt& interrupt, PairCount* n_done) {
    require_comparable(rows, columns, known.mirrored || known.zero_diagonal);
    require(out.rows() == rows.size() && out.cols() == columns.size() && out.stride() >= out.cols(),
            "expected room for one distance per row and column");
    const std::size_t n = n_pairs(rows.size(), columns.size(), known);
    if (n == 0) {
        return;
    }
    const PairTiles tiles(rows.size(), columns.size(), known.mirrored,
                          columns.n_tokens() * columns.dim() * sizeof(float) / columns.size(),
                          thread_count(n_threads, n));
    const unsigned n_workers = thread_count(n_threads, tiles.size());
    std::vector<Worker> workers = make_workers(n_workers, rows.measure(), interrupt);
    parallel_for(tiles.size(), n_workers, 1, interrupt, [&](unsigned w, std::size_t begin, std::size_t end) {
        PairEvaluator& evaluator = workers[w].evaluator;
        for (std::size_t t = begin; t < end; ++t) {
            const PairTile tile = tiles[t];
            for (std::size_t r = tile.first_row; r < tile.last_row; ++r) {
                const std::size_t first = tile.first_column_of(r);
                if (first >= tile.last_column) {
                    continue;
                }
                interrupt.check();
                evaluator.set_query(rows[r]);
                for (std::size_t s = first; s < tile.last_column; ++s) {
                    out(r, s) = known.zero_diagonal && s == r ? 0.0 : evaluator.distance(columns[s]).distance;
                    if (known.mirrored) {
                        out(s, r) = out(r, s);
                    }
                }
                count(n_done, tile.last_column - first);
            }
        }
    });
}

void paired_distances(const PreparedSequences& queries, const PreparedSequences& documents, std::span<double> out,
                      int n_threads, Interrupt& interrupt, PairCount* n_done) {
    require_comparable(queries, documents, true);
    require(out.size() == queries.size(), "expected room for one distance per pair");
    const unsigned n_workers = thread_count(n_threads, out.size());
    std::vector<Worker> workers = make_workers(n_workers, queries.measure(), interrupt);
    parallel_for(out.size(), n_workers, documents_per_chunk, interrupt,
                 [&](unsigned w, std::size_t begin, std::size_t end) {
                     PairEvaluator& evaluator = workers[w].evaluator;
                     for (std::size_t s = begin; s < end; ++s) {
                         evaluator.set_query(queries[s]);
                         out[s] = evaluator.distance(documents[s]).distance;
                     }
                     count(n_done, end - begin);
                 });
}

void sinkhorn_batch(std::span<const TransportProblem<float>> problems, const Sinkhorn& sinkhorn,
                    std::span<SinkhornResult> out, int n_threads, Interrupt& interrupt, std::span<double> plans) {
    scale_all(problems, sinkhorn, out, n_threads, interrupt, plans);
}

void sinkhorn_batch(std::span<const TransportProblem<double>> problems, const Sinkhorn& sinkhorn,
                    std::span<SinkhornResult> out, int n_threads, Interrupt& interrupt, std::span<double> plans) {
    scale_all(problems, sinkhorn, out, n_threads, interrupt, plans);
}

void transport_batch(std::span<const TransportProblem<float>> problems, std::span<SolveSummary> out, int n_threads,
                     Interrupt& interrupt, std::span<double> plans) {
    solve_all(problems, out, n_threads, interrupt, plans);
}

void transport_batch(std::span<const TransportProblem<double>> problems, std::span<SolveSummary> out, int n_threads,
                     Interrupt& interrupt, std::span<double> plans) {
    solve_all(problems, out, n_threads, interrupt, plans);
}

}  // namespace moverank
