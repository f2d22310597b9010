/// Several pooled vectors a document: groups of near tokens, each as its mean. Distances to these order documents much
/// as distances to the tokens do, at a fraction of the price; they bound nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "moverank/interrupt.hpp"
#include "moverank/prepared.hpp"
#include "moverank/views.hpp"

namespace moverank {

/// For each document at most `per_document` clusters by Lloyd's algorithm over its tokens (their directions under
/// cosine), weighted by mass, from centres far apart; the same on any number of threads. Document s owns the rows from
/// s * per_document on, of which the first n_clusters[s] are filled; mass is what falls to each. Throws
/// std::invalid_argument unless there is room for exactly that.
void cluster_tokens(const PreparedSequences& documents, std::size_t per_document, MatrixView<float> centroids,
                    std::span<double> mass, std::span<std::int64_t> n_clusters, int n_threads, Interrupt& interrupt);

}  // namespace moverank
