/// Many pairs in one call: one query against a batch, or two batches against each other.
#pragma once

#include <span>

#include "moverank/interrupt.hpp"
#include "moverank/measure.hpp"
#include "moverank/prepared.hpp"
#include "moverank/views.hpp"

namespace moverank {

/// out[s] = distance(query, documents[s]). Results do not depend on n_threads (0: all cores).
/// Throws SequenceError for a bad document; `query` must already be prepared and of the same dimension.
void distances(const PreparedSequence& query, const SequencesView& documents, const Measure& measure,
               std::span<double> out, int n_threads, Interrupt& interrupt);

/// out(r, s) = distance(rows[r], columns[s]): each row of `rows` plays the query.
void pairwise(const PreparedSequences& rows, const PreparedSequences& columns, MatrixView<double> out, int n_threads,
              Interrupt& interrupt);

/// out[s] = a lower bound on distance(query, documents[s]) from the relaxed problem, at the price of a cost matrix.
void relaxed_bounds(const PreparedSequence& query, const PreparedSequences& documents, std::span<double> out,
                    int n_threads, Interrupt& interrupt);

}  // namespace moverank
