/// Many problems in one call: one query against a batch, two batches against each other, or given cost matrices.
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

/// Upper limit, in bytes, of what one thread of `distances` allocates for a query of n tokens of dimension dim and
/// documents of up to m tokens. A batch takes this times its threads, whatever the number of documents. With r = n +
/// 16, c = m + 16, v = r + c:
///
///     4 (4 r (dim + c + 16) + 4 v dim + v (v / 8 + 256) + 4096)
///
/// for the packed query and cost matrix, the tokens without repetitions, and the tree with its arrays; times four,
/// because storage may double, and is copied, when it grows.
[[nodiscard]] std::size_t workspace_bytes(std::size_t n, std::size_t m, std::size_t dim);

/// out[s] = distance(query, documents[s]), in units of the ground cost. `query` must be prepared for `measure`;
/// documents are prepared on the way. Results do not depend on n_threads (0: all cores).
///
/// Throws SequenceError for a document that cannot be measured, std::invalid_argument if `out` does not have one entry
/// per document, offsets or weights do not fit the tokens, or the query has another dimension, and whatever `interrupt`
/// throws.
void distances(const PreparedSequence& query, const SequencesView& documents, const Measure& measure,
               std::span<double> out, int n_threads, Interrupt& interrupt);

/// As `distances`, with a proven interval around each value.
void certified_distances(const PreparedSequence& query, const SequencesView& documents, const Measure& measure,
                         std::span<CertifiedDistance> out, int n_threads, Interrupt& interrupt);

/// Distances that need not be computed when rows and columns are the same documents.
struct KnownPairs {
    bool mirrored = false;       ///< distance(r, s) = distance(s, r): only one of the two is computed
    bool zero_diagonal = false;  ///< distance(r, r) = 0
};

/// Number of entries of a matrix of distances that are filled one by one: all, or, if mirrored, the diagonal and the
/// entries above it.
[[nodiscard]] constexpr std::size_t n_pairs(std::size_t rows, std::size_t columns, const KnownPairs& known) {
    return known.mirrored ? rows * (rows + 1) / 2 : rows * columns;
}

/// How many pairs are done so far. Another thread may read it while the call runs.
using PairCount = std::atomic<std::size_t>;

/// out(r, s) = distance(rows[r], columns[s]): each sequence of `rows` is the query once. `n_done`, which may be null,
/// counts pairs up to `n_pairs`. Throws std::invalid_argument unless both sides have the same measure and dimension and
/// `out` has one row and one column for each of them.
void pairwise(const PreparedSequences& rows, const PreparedSequences& columns, const KnownPairs& known,
              MatrixView<double> out, int n_threads, Interrupt& interrupt, PairCount* n_done = nullptr);

/// out[s] = distance(queries[s], documents[s]). Throws std::invalid_argument unless queries, documents and `out` have
/// the same size, and both sides the same measure and dimension. `n_done` as in `pairwise`.
void paired_distances(const PreparedSequences& queries, const PreparedSequences& documents, std::span<double> out,
                      int n_threads, Interrupt& interrupt, PairCount* n_done = nullptr);

/// An entropic solve, and the interval that it proves around the value without entropy.
struct SinkhornResult {
    SinkhornSummary summary;
    SinkhornBounds bounds;
};

/// out[p] = the result of solving problems[p] by Sinkhorn's algorithm. If `plans` is not empty, the plans are written
/// there back to back, each in row-major order; the problems must then have the same shape. Throws
/// std::invalid_argument if `out` or `plans` has another size, and for a problem that TransportProblem does not allow.
void sinkhorn_batch(std::span<const TransportProblem<float>> problems, const Sinkhorn& sinkhorn,
                    std::span<SinkhornResult> out, int n_threads, Interrupt& interrupt, std::span<double> plans = {});
void sinkhorn_batch(std::span<const TransportProblem<double>> problems, const Sinkhorn& sinkhorn,
                    std::span<SinkhornResult> out, int n_threads, Interrupt& interrupt, std::span<double> plans = {});

/// out[p] = the result of a VerifiedSolver for problems[p]. `plans` and errors as in `sinkhorn_batch`.
void transport_batch(std::span<const TransportProblem<float>> problems, std::span<SolveSummary> out, int n_threads,
                     Interrupt& interrupt, std::span<double> plans = {});
void transport_batch(std::span<const TransportProblem<double>> problems, std::span<SolveSummary> out, int n_threads,
                     Interrupt& interrupt, std::span<double> plans = {});

}  // namespace moverank
