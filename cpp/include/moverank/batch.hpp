/// Many problems in one call: one query against a batch, two batches against each other, cost matrices as given.
#pragma once

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
///     4 (4 r (dim + c + 16) + v (v / 8 + 256) + 4096)
///
/// packed query and cost matrix, tree and its arrays; four times, as storage may double and be copied when it grows.
[[nodiscard]] std::size_t workspace_bytes(std::size_t n, std::size_t m, std::size_t dim);

/// out[s] = distance(query, documents[s]). Results do not depend on n_threads (0: all cores).
/// Throws SequenceError for a bad document; `query` must already be prepared and of the same dimension.
void distances(const PreparedSequence& query, const SequencesView& documents, const Measure& measure,
               std::span<double> out, int n_threads, Interrupt& interrupt);

/// The same with an interval around each.
void certified_distances(const PreparedSequence& query, const SequencesView& documents, const Measure& measure,
                         std::span<CertifiedDistance> out, int n_threads, Interrupt& interrupt);

/// out(r, s) = distance(rows[r], columns[s]): each row of `rows` plays the query.
void pairwise(const PreparedSequences& rows, const PreparedSequences& columns, MatrixView<double> out, int n_threads,
              Interrupt& interrupt);

/// An entropic solve and its interval.
struct SinkhornResult {
    SinkhornSummary summary;
    SinkhornBounds bounds;
};

/// out[p] = what scaling problems[p] came to.
void sinkhorn_batch(std::span<const TransportProblem<float>> problems, const Sinkhorn& sinkhorn,
                    std::span<SinkhornResult> out, int n_threads, Interrupt& interrupt);
void sinkhorn_batch(std::span<const TransportProblem<double>> problems, const Sinkhorn& sinkhorn,
                    std::span<SinkhornResult> out, int n_threads, Interrupt& interrupt);

/// out[p] = what solving problems[p] proved.
void transport_batch(std::span<const TransportProblem<float>> problems, std::span<SolveSummary> out, int n_threads,
                     Interrupt& interrupt);
void transport_batch(std::span<const TransportProblem<double>> problems, std::span<SolveSummary> out, int n_threads,
                     Interrupt& interrupt);

}  // namespace moverank
