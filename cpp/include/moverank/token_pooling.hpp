/// Fewer tokens per document: groups of near tokens, each replaced by its mean, which has the mass of all of them.
///
/// A group is a cluster of Ward's method (Ward, 1963), weighted by mass: the two clusters are merged whose union adds
/// least to the sum over tokens of mass times squared distance to the cluster's mean. For a balanced transport, that
/// sum bounds what moving the document onto its pooled form costs. Where capacity is unlimited, so that masses of
/// documents do not matter, all tokens with mass count the same. Under ground costs that depend on directions alone,
/// tokens are represented by their directions. The idea for late interaction is that of Clavié, Chaffin, Adams,
/// "Reducing the Footprint of Multi-Vector Retrieval with Minimal Performance Impact via Token Pooling", arXiv
/// 2409.14683.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "moverank/interrupt.hpp"
#include "moverank/prepared.hpp"
#include "moverank/views.hpp"

namespace moverank {

/// Number of tokens up to which a table holds what each merge of two clusters costs: 64 MiB per thread at most. Longer
/// documents are clustered in memory proportional to their tokens, and take a few times as long as by a table.
inline constexpr std::size_t longest_tabled = 4096;

/// Offsets of the pooled documents, of length size() + 1: a document with n tokens that have mass keeps n / factor of
/// them, rounded up. Throws std::invalid_argument unless factor is finite and at least 1.
[[nodiscard]] std::vector<std::int64_t> pooled_offsets(const PreparedSequences& documents, double factor);

/// Group the tokens of each document into as many groups as `offsets` leaves it, and write for each token the number of
/// its group, counted from 0 within the document, in the order of the groups' first tokens; -1 for tokens without mass.
/// Equal costs of merges are settled by position, and results do not depend on n_threads (0: all cores). Throws
/// std::invalid_argument if sizes do not match or a document is to have more groups than tokens with mass, and whatever
/// `interrupt` throws.
void group_tokens(const PreparedSequences& documents, std::span<const std::int64_t> offsets,
                  std::span<std::int32_t> pooled_into, int n_threads, Interrupt& interrupt);

/// Write the vector of each group: the mass-weighted mean of its tokens. Under costs that are not of differences,
/// cosine and dot, a mean of different directions would be too short: it gets the mean of its tokens' lengths. Under
/// cosine, its direction is that of the mean of their directions. If they cancel, it is the heaviest token. A token
/// that is alone in its group is copied. Throws std::invalid_argument if sizes do not match or a group has no token
/// with mass, and whatever `interrupt` throws.
void average_groups(const PreparedSequences& documents, std::span<const std::int64_t> offsets,
                    std::span<const std::int32_t> pooled_into, MatrixView<float> tokens, int n_threads,
                    Interrupt& interrupt);

}  // namespace moverank
