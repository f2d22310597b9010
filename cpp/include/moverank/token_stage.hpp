/// The first stage over tokens: documents that are likely to be near, found by the cells in which their tokens lie.
///
/// Each token is replaced by the centroid of its cell, so documents are bags over one table of centroids. Inverted
/// lists over cells decide which documents are looked at at all; of these, bounds on the distance between the query and
/// the bag of centroids, from the potentials of solved bags, make the order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "moverank/cell_lists.hpp"
#include "moverank/interrupt.hpp"
#include "moverank/joined.hpp"
#include "moverank/prepared.hpp"

namespace moverank {

/// How much the first stage looks at.
struct TokenProbe {
    std::size_t n_cells = 32;     ///< cells per query token, at least
    std::size_t n_ranked = 1024;  ///< documents that bounds rank, nearest by cells first
};

/// Positions of the `count` documents that are likely to be nearest, nearest first, of those at `positions`, which
/// rise, or of all. `bags` are the documents over centroids, with the masses of tokens as counts, `lists` the same by
/// cell; `query` is prepared for the measure of the bags.
///
/// Documents after the first `probe.n_ranked` are in the order of their cells. Only of these there may be fewer than
/// wanted: more cells are probed if need be to find enough to rank. If at most `probe.n_ranked` documents are asked
/// about, all of them are ranked, whatever their cells.
[[nodiscard]] std::vector<std::int64_t> nearest_by_tokens(const JoinedBags& bags, const JoinedCellLists& lists,
                                                          const PreparedSequence& query, const TokenProbe& probe,
                                                          std::size_t count,
                                                          std::optional<std::span<const std::int64_t>> positions,
                                                          int n_threads, Interrupt& interrupt);

}  // namespace moverank
