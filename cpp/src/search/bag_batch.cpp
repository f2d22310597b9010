#include "moverank/bag_batch.hpp"

#include <cstddef>
#include <stdexcept>
#include <vector>

#include "../preconditions.hpp"
#include "moverank/parallel.hpp"
#include "moverank/vocabulary_costs.hpp"
#include "moverank/word_table.hpp"
#include "row_tile.hpp"

namespace moverank {

namespace {

/// Small enough to balance bags of very different lengths, large enough that taking a chunk costs next to nothing.
constexpr std::size_t bags_per_chunk = 8;
/// With at least this many rows per thread, threads share out rows, and each computes the costs of its rows. With
/// fewer, all threads work on one row at a time.
constexpr std::size_t rows_per_thread = 4;
/// Bytes of a table of costs between the words of some rows and those of all columns, as far as one row fits.
constexpr std::size_t table_bytes = std::size_t{256} << 20U;

/// Self-costs of a debiased problem need tokens, so bags hand these out instead of words.
[[nodiscard]] bool by_word(const Measure& measure) {
    return measure.problem != Problem::entropic || !measure.sinkhorn.debiased;
}

/// What one thread needs. Must not be copied or moved once it has a query, which views its members.
struct Worker {
    Worker(const Measure& measure, Interrupt& interrupt) : evaluator(measure, &interrupt) {}

    void set_query(const PreparedSequence& query, const VocabularyCosts& costs) {
        evaluator.set_query(query, uses_words ? &costs : nullptr);
    }

    /// Compute the costs between a query and all words, if distances without bounds need them.
    void take_costs(const JoinedBags& documents, const PreparedSequence& query, int n_threads, Interrupt& interrupt) {
        if (!uses_words) {
            return;
        }
        const PreparedSequence positive = positive_part.of(query);
        if (refers_to_costs(documents)) {
            own_costs.refer_to(documents, positive);
        } else {
            own_costs.compute(documents, positive, n_threads, interrupt);
        }
    }
    /// Under given costs, the same for the words of one document.
    void take_costs(const JoinedBags& documents, const PreparedSequence& query, const PreparedSequence& document,
                    Interrupt& interrupt) {
        const PreparedSequence positive = positive_part.of(query);
        if (refers_to_costs(documents)) {
            own_costs.refer_to(documents, positive);
        } else {
            own_costs.compute(documents, positive, document.words, interrupt);
        }
    }
    /// The same from costs that rows share.
    void take_costs(const JoinedBags& documents, const PreparedSequence& bag, const RowTile& tile,
                    const WordTable& table) {
        tile.find_places(bag, places);
        own_costs.take(documents, table, places);
    }
    /// Exact problems under given costs are solved over the table itself: nothing reads rounded entries.
    [[nodiscard]] static bool refers_to_costs(const JoinedBags& documents) {
        return documents.has_given_costs() && !needs_entries(documents.measure());
    }

    PairEvaluator evaluator;
    DocumentBuffer query_buffer, document_buffer;
    PositivePart positive_part;
    VocabularyCosts own_costs;
    std::vector<std::size_t> places;
    bool uses_words = true;
};

std::vector<Worker> make_workers(unsigned count, const Measure& measure, Interrupt& interrupt) {
    std::vector<Worker> workers;
    workers.reserve(count);
    for (unsigned w = 0; w < count; ++w) {
        workers.emplace_back(measure, interrupt);
        workers.back().uses_words = by_word(measure);
    }
    return workers;
}

/// Call `use(evaluator, document, place)` for each document from `first` on.
template <class Use>
void for_each_bag(const PreparedSequence& query, const VocabularyCosts& costs, const JoinedBags& documents,
                  std::size_t first, std::vector<Worker>& workers, Interrupt& interrupt, Use use) {
    for (Worker& worker : workers) {
        worker.set_query(query, costs);
    }
    parallel_for(documents.size() - first, static_cast<unsigned>(workers.size()), bags_per_chunk, interrupt,
                 [&](unsigned w, std::size_t begin, std::size_t end) {
                     for (std::size_t s = first + begin; s < first + end; ++s) {
                         use(workers[w].evaluator, documents.at(s, workers[w].document_buffer), s);
                     }
                 });
}

template <class Use>
void one_against_many(const PreparedSequence& query, const JoinedBags& documents, int n_threads, Interrupt& interrupt,
                      Use use) {
    std::vector<Worker> workers =
        make_workers(thread_count(n_threads, documents.size()), documents.measure(), interrupt);
    Worker& first = workers.front();
    first.take_costs(documents, query, n_threads, interrupt);
    for_each_bag(query, first.own_costs, documents, 0, workers, interrupt, use);
}

/// Call `use(tile, table)` for some rows after the other, with the costs of their words to those of all columns. Rows
/// have most words in common, so this is less work than the costs of each row.
template <class Use>
void for_each_tile(const JoinedBags& rows, const JoinedBags& columns, int n_threads, Interrupt& interrupt, Use use) {
    const WordList column_words = WordList::of(columns, every_word(columns));
    const std::size_t n_words = table_bytes / (sizeof(float) * column_words.size);
    WordTable table;
    for (std::size_t first = 0; first < rows.size();) {
        const RowTile tile(rows, first, rows.size(), n_words);
        table.compute(rows.measure().ground, WordList::of(rows, tile.words), column_words, n_threads, interrupt);
        use(tile, table);
        first = tile.end;
    }
}

void require_comparable(const JoinedBags& rows, const JoinedBags& columns) {
    require(rows.measure() == columns.measure(), "rows and columns were prepared for different measures");
    require((rows.has_given_costs() ? rows.n_words() : rows.dim()) == columns.dim(),
            rows.has_given_costs() ? "the table of costs must have one column per word of rows"
                                   : "rows and columns have vectors of different dimensions");
}

}  // namespace

void distances(const PreparedSequence& query, const JoinedBags& documents, std::span<double> out, int n_threads,
               Interrupt& interrupt) {
    require(out.size() == documents.size(), "expected room for one distance per document");
    one_against_many(query, documents, n_threads, interrupt,
                     [out](PairEvaluator& evaluator, const PreparedSequence& document, std::size_t s) {
                         out[s] = evaluator.distance(document).distance;
                     });
}

void certified_distances(const PreparedSequence& query, const JoinedBags& documents, std::span<CertifiedDistance> out,
                         int n_threads, Interrupt& interrupt) {
    require(out.size() == documents.size(), "expected room for one result per document");
    one_against_many(query, documents, n_threads, interrupt,
                     [out](PairEvaluator& evaluator, const PreparedSequence& document, std::size_t s) {
                         out[s] = evaluator.certified(document);
                     });
}

void pairwise(const JoinedBags& rows, const JoinedBags& columns, const KnownPairs& known, MatrixView<double> out,
              int n_threads, Interrupt& interrupt, PairCount* n_done) {
    require_comparable(rows, columns);
    require(out.rows() == rows.size() && out.cols() == columns.size(), "expected room for one distance per pair");
    if ((known.mirrored || known.zero_diagonal) && rows.size() != columns.size()) {
        throw std::invalid_argument("expected the same number of rows and columns, as their pairs are known");
    }
    // If mirrored, pairs on and above the diagonal are solved; the rest is copied after all solves.
    const auto first_of = [&](std::size_t r) { return known.mirrored ? r : 0; };
    const auto fill = [&](std::size_t r) {
        return [&, r](PairEvaluator& evaluator, const PreparedSequence& document, std::size_t s) {
            out(r, s) = known.zero_diagonal && s == r ? 0.0 : evaluator.distance(document).distance;
            if (n_done != nullptr) {
                n_done->fetch_add(1, std::memory_order_relaxed);
            }
        };
    };
    const unsigned n_workers = thread_count(n_threads, rows.size() * columns.size());
    std::vector<Worker> workers = make_workers(n_workers, rows.measure(), interrupt);
    if (rows.size() < rows_per_thread * n_workers) {
        for (std::size_t r = 0; r < rows.size(); ++r) {
            Worker& first = workers.front();
            const PreparedSequence query = rows.query(r, first.query_buffer);
            first.take_costs(columns, query, n_threads, interrupt);
            for_each_bag(query, first.own_costs, columns, first_of(r), workers, interrupt, fill(r));
        }
    } else {
        const auto solve_rows = [&](std::size_t first, std::size_t last, const auto& take_costs) {
            parallel_for(last - first, n_workers, 1, interrupt, [&](unsigned w, std::size_t begin, std::size_t end) {
                Worker& worker = workers[w];
                for (std::size_t r = first + begin; r < first + end; ++r) {
                    const PreparedSequence bag = rows.at(r, worker.query_buffer);
                    const PreparedSequence query = rows.as_query(bag, worker.query_buffer);
                    take_costs(worker, bag, query);
                    worker.set_query(query, worker.own_costs);
                    const auto use = fill(r);
                    for (std::size_t s = first_of(r); s < columns.size(); ++s) {
                        interrupt.check();
                        use(worker.evaluator, columns.at(s, worker.document_buffer), s);
                    }
                }
            });
        };
        if (rows.has_given_costs() || !by_word(rows.measure())) {
            solve_rows(0, rows.size(), [&](Worker& worker, const PreparedSequence&, const PreparedSequence& query) {
                worker.take_costs(columns, query, 1, interrupt);
            });
        } else {
            for_each_tile(rows, columns, n_threads, interrupt, [&](const RowTile& tile, const WordTable& table) {
                solve_rows(tile.begin, tile.end,
                           [&](Worker& worker, const PreparedSequence& bag, const PreparedSequence&) {
                               worker.take_costs(columns, bag, tile, table);
                           });
            });
        }
    }
    for (std::size_t r = 0; known.mirrored && r < rows.size(); ++r) {
        for (std::size_t s = 0; s < r; ++s) {
            out(r, s) = out(s, r);
        }
    }
}

void paired_distances(const JoinedBags& queries, const JoinedBags& documents, std::span<double> out, int n_threads,
                      Interrupt& interrupt, PairCount* n_done) {
    require_comparable(queries, documents);
    require(documents.has_given_costs(), "expected bags under given costs");
    require(queries.size() == documents.size() && out.size() == queries.size(),
            "expected the same number of bags on both sides, and room for one distance per pair");
    const unsigned n_workers = thread_count(n_threads, out.size());
    std::vector<Worker> workers = make_workers(n_workers, documents.measure(), interrupt);
    parallel_for(out.size(), n_workers, bags_per_chunk, interrupt, [&](unsigned w, std::size_t begin, std::size_t end) {
        Worker& worker = workers[w];
        for (std::size_t s = begin; s < end; ++s) {
            const PreparedSequence query = queries.query(s, worker.query_buffer);
            const PreparedSequence document = documents.at(s, worker.document_buffer);
            worker.take_costs(documents, query, document, interrupt);
            worker.set_query(query, worker.own_costs);
            out[s] = worker.evaluator.distance(document).distance;
        }
        if (n_done != nullptr) {
            n_done->fetch_add(end - begin, std::memory_order_relaxed);
        }
    });
}

}  // namespace moverank
