/// Several pooled vectors per document: clusters of nearby tokens, each represented by its mean. Distances to these
/// order documents much as distances to the tokens do, at a fraction of the cost. They are not bounds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "moverank/interrupt.hpp"
#include "moverank/prepared.hpp"
#include "moverank/views.hpp"

namespace moverank {

/// Cluster the tokens of each document (their directions under cosine) into at most `per_document` clusters, by Lloyd's
/// algorithm weighted by mass, starting from centres far apart. Document s owns the rows of `centroids` and the entries
/// of `mass` from s * per_document on; the first n_clusters[s] of them are filled, and mass[c] is the total mass of
/// cluster c. Results do not depend on n_threads (0: all cores). Throws std::invalid_argument if an output has another
/// shape, and whatever `interrupt` throws.
void cluster_tokens(const PreparedSequences& documents, std::size_t per_document, MatrixView<float> centroids,
                    std::span<double> mass, std::span<std::int64_t> n_clusters, int n_threads, Interrupt& interrupt);

}  // namespace moverank
