/// The nearest documents of every document: all pairs, of which few are solved.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "moverank/batch.hpp"
#include "moverank/interrupt.hpp"
#include "moverank/joined.hpp"

namespace moverank {

/// Which columns are wanted for each row.
struct NeighbourGoal {
    std::size_t k = 0;  ///< at most so many
    double radius = std::numeric_limits<double>::infinity();
    bool skip_itself = false;  ///< leave out the column at the same place
    /// Bytes that costs between words and bounds of pairs may take together; some rows at a time have them.
    std::size_t memory = std::size_t{640} << 20U;
};

/// The neighbours of all rows, one row after the other: nearest first, ties by position.
struct NeighbourLists {
    std::vector<std::int64_t> offsets;  ///< one more than rows
    std::vector<std::int64_t> positions;
    std::vector<double> distances;
    std::int64_t solved = 0;  ///< pairs that were solved to the end
};

/// Find the columns that are nearest to each row, which is the query once: exactly those, and with the distances, that
/// the whole matrix of `pairwise` has. Costs between words are computed once for many rows, and bounds rule out most
/// pairs before they are solved. `n_done`, which may be null, counts rows.
/// Results do not depend on n_threads (0: all cores). Throws std::invalid_argument unless both sides are bags of
/// vectors with the same measure and dimension, not a debiased one, and, to skip itself, the same size; and whatever
/// `interrupt` throws.
[[nodiscard]] NeighbourLists neighbours(const JoinedBags& rows, const JoinedBags& columns, const NeighbourGoal& goal,
                                        int n_threads, Interrupt& interrupt, PairCount* n_done = nullptr);

}  // namespace moverank
