/// Many distances between bags of words. The costs between one query and every word in use are computed, or read, once
/// per query.
#pragma once

#include <span>

#include "moverank/batch.hpp"
#include "moverank/interrupt.hpp"
#include "moverank/joined.hpp"
#include "moverank/pair.hpp"
#include "moverank/prepared.hpp"
#include "moverank/views.hpp"

namespace moverank {

/// out[s] = distance(query, documents[s]), in units of the ground cost. Under given costs the query is made of words
/// (`prepare_words`), otherwise of tokens of the bags' dimension. `out` has one entry per document.
///
/// Results do not depend on n_threads (0: all cores), and are bit for bit those of sequences with the bags' vectors and
/// masses. Throws std::invalid_argument for a query of another dimension or with a word outside the table of costs, and
/// whatever `interrupt` throws.
void distances(const PreparedSequence& query, const JoinedBags& documents, std::span<double> out, int n_threads,
               Interrupt& interrupt);

/// As `distances`, with a proven interval around each value.
void certified_distances(const PreparedSequence& query, const JoinedBags& documents, std::span<CertifiedDistance> out,
                         int n_threads, Interrupt& interrupt);

/// out(r, s) = distance(rows[r], columns[s]): each bag of `rows` is the query once. Under given costs, the words of
/// rows are columns of the table of costs of `columns`. `n_done`, which may be null, counts solved pairs up to
/// `n_pairs`. Throws std::invalid_argument unless both sides have the same measure and matching dimensions, and, if
/// pairs are known, the same size.
void pairwise(const JoinedBags& rows, const JoinedBags& columns, const KnownPairs& known, MatrixView<double> out,
              int n_threads, Interrupt& interrupt, PairCount* n_done = nullptr);

/// out[s] = distance(queries[s], documents[s]), for bags under given costs. Throws std::invalid_argument unless costs
/// are given and queries, documents and `out` have the same size. `n_done` as in `pairwise`.
void paired_distances(const JoinedBags& queries, const JoinedBags& documents, std::span<double> out, int n_threads,
                      Interrupt& interrupt, PairCount* n_done = nullptr);

}  // namespace moverank
