/// Many problems in one call: one query against a batch, two batches against each other, cost matrices as given.
#pragma once

#include <atomic>
#include <cstddef>
#include <span>

#include "moverank/exact.hpp"
#include "moverank/interrupt.hpp"
#include "moverank/measure.hpp"
#include "moverank/pair.hpp"
#include "moverank/prepared.hpp"
#include "moverank/views.hpp"

namespace moverank {

/// At most what one worker of `distances` allocates for a query of n tokens of dimension dim and documents of up to m
/// tokens. A batch takes this times its threads, however many documents it has. With r = n + 16, c = m + 16, v = r + c:
///
///     4 (4 r (dim + c + 16) + 4 v dim + v (v / 8 + 256) + 4096)
///
/// packed query and cost matrix, tokens without repetitions, tree and its arrays; four times, as storage may double and
/// be copied when it grows.
[[nodiscard]] std::size_t workspace_bytes(std::size_t n, std::size_t m, std::size_t dim);

/// out[s] = distance(query, documents[s]). Results do not depend on n_threads (0: all cores).
/// Throws SequenceError for a bad document, and std::invalid_argument if `out` has not one place per document, offsets
/// or weights do not fit the tokens, or `query`, which must already be prepared, is of another dimension.
void distances(const PreparedSequence& query, const SequencesView& documents, const Measure& measure,
               std::span<double> out, int n_threads, Interrupt& interrupt);

/// The same with an interval around each.
void certified_distances(const PreparedSequence& query, const SequencesView& documents, const Measure& measure,
                         std::span<CertifiedDistance> out, int n_threads, Interrupt& interrupt);

/// What need not be solved where rows and columns are the same.
struct KnownPairs {
    bool mirrored = false;       ///< distance(r, s) = distance(s, r): half of them are solved
    bool zero_diagonal = false;  ///< distance(r, r) = 0
};

/// Entries of a matrix of distances that are filled one by one; with mirrored ones, the diagonal and those above it.
[[nodiscard]] constexpr std::size_t n_pairs(std::size_t rows, std::size_t columns, const KnownPairs& known) {
    return known.mirrored ? rows * (rows + 1) / 2 : rows * columns;
}

/// How many pairs are done, for another thread to read.
using PairCount = std::atomic<std::size_t>;

/// out(r, s) = distance(rows[r], columns[s]): each row of `rows` plays the query. `n_done`, which may be null, rises to
/// `n_pairs`. Throws std::invalid_argument unless both are prepared for one measure, of one dimension, and `out` is of
/// their sizes.
void pairwise(const PreparedSequences& rows, const PreparedSequences& columns, const KnownPairs& known,
              MatrixView<double> out, int n_threads, Interrupt& interrupt, PairCount* n_done = nullptr);

/// out[s] = distance(queries[s], documents[s]); both have as many.
void paired_distances(const PreparedSequences& queries, const PreparedSequences& documents, std::span<double> out,
                      int n_threads, Interrupt& interrupt, PairCount* n_done = nullptr);

/// An entropic solve and its interval.
struct SinkhornResult {
    SinkhornSummary summary;
    SinkhornBounds bounds;
};

/// out[p] = what scaling problems[p] came to. `plans`, unless empty, takes the plans, one behind the other, by rows.
void sinkhorn_batch(std::span<const TransportProblem<float>> problems, const Sinkhorn& sinkhorn,
                    std::span<SinkhornResult> out, int n_threads, Interrupt& interrupt, std::span<double> plans = {});
void sinkhorn_batch(std::span<const TransportProblem<double>> problems, const Sinkhorn& sinkhorn,
                    std::span<SinkhornResult> out, int n_threads, Interrupt& interrupt, std::span<double> plans = {});

/// out[p] = what a VerifiedSolver proved of problems[p]. `plans` as above, of problems of one shape. Throws
/// std::invalid_argument if `out` or `plans` is of another size.
void transport_batch(std::span<const TransportProblem<float>> problems, std::span<SolveSummary> out, int n_threads,
                     Interrupt& interrupt, std::span<double> plans = {});
void transport_batch(std::span<const TransportProblem<double>> problems, std::span<SolveSummary> out, int n_threads,
                     Interrupt& interrupt, std::span<double> plans = {});

}  // namespace moverank
