/// Many distances between bags of words: what one query costs every word in use is computed, or read, once.
#pragma once

#include <span>

#include "moverank/batch.hpp"
#include "moverank/interrupt.hpp"
#include "moverank/joined.hpp"
#include "moverank/pair.hpp"
#include "moverank/prepared.hpp"
#include "moverank/views.hpp"

namespace moverank {

/// out[s] = distance(query, documents[s]). Where costs are given the query is made of words (`prepare_words`),
/// otherwise of tokens of the bags' dimension. Results do not depend on n_threads (0: all cores), and are bit for bit
/// those of sequences with the bags' vectors and masses.
void distances(const PreparedSequence& query, const JoinedBags& documents, std::span<double> out, int n_threads,
               Interrupt& interrupt);

/// The same with an interval around each.
void certified_distances(const PreparedSequence& query, const JoinedBags& documents, std::span<CertifiedDistance> out,
                         int n_threads, Interrupt& interrupt);

/// out(r, s) = distance(rows[r], columns[s]): each row plays the query. Where costs are given, words of rows are those
/// that the columns' costs are about. `n_done`, which may be null, rises to `n_pairs`.
void pairwise(const JoinedBags& rows, const JoinedBags& columns, const KnownPairs& known, MatrixView<double> out,
              int n_threads, Interrupt& interrupt, PairCount* n_done = nullptr);

/// out[s] = distance(queries[s], documents[s]), of bags whose costs are given.
void paired_distances(const JoinedBags& queries, const JoinedBags& documents, std::span<double> out, int n_threads,
                      Interrupt& interrupt, PairCount* n_done = nullptr);

}  // namespace moverank
