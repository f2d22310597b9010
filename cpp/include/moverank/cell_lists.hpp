/// Inverted lists over cells: which documents have a token in which cell. A cell is the set of tokens that are nearest
/// to one of K centroids, so a search that starts from the cells near a query's tokens never looks at most documents.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "moverank/interrupt.hpp"
#include "moverank/joined.hpp"
#include "moverank/nearest.hpp"
#include "moverank/vocabulary_costs.hpp"

namespace moverank {

/// Cells in the order of their lists: cell c has the documents [offsets[c], offsets[c + 1]), which rise. The memory is
/// the caller's. Lists that do not rise, or that name documents which do not exist, are not noticed: entries of theirs
/// are then not found, and nothing else happens.
struct CellLists {
    std::span<const std::int64_t> offsets;     ///< one entry more than cells
    std::span<const std::uint32_t> documents;  ///< positions in the part

    [[nodiscard]] std::span<const std::uint32_t> list(std::size_t cell) const {
        const auto first = static_cast<std::size_t>(offsets[cell]);
        return documents.subspan(first, static_cast<std::size_t>(offsets[cell + 1]) - first);
    }
};

/// What a query looks at.
struct Probe {
    std::size_t n_cells = 24;  ///< cells per query token, nearest first
    std::size_t count = 1000;  ///< documents to return
};

/// The lists of several parts in a row. The parts must outlive this object, which any number of threads may read.
class JoinedCellLists {
  public:
    /// `sizes[p]` is the number of documents of part p. Throws std::invalid_argument unless all parts have the same
    /// number of cells, at least one.
    JoinedCellLists(std::vector<CellLists> parts, std::span<const std::size_t> sizes);

    [[nodiscard]] std::size_t n_cells() const { return n_cells_; }
    /// Number of documents.
    [[nodiscard]] std::size_t size() const { return firsts_.back(); }

    /// Documents with a token in one of the nearest cells of a query token, by an estimate of the relaxed distance,
    /// nearest first; at most `probe.count`. A query token costs what its nearest probed cell of the document costs,
    /// or, if the document has none, what the nearest cell costs that was not probed. `costs` has one row per cell, and
    /// `mass` one entry per query token. Of the documents at `positions`, which rise, or of all.
    ///
    /// The estimate is not a bound: tokens are up to the radius of a cell away from its centroid.
    [[nodiscard]] std::vector<Hit> nearest(const VocabularyCosts& costs, std::span<const double> mass,
                                           const Probe& probe, std::optional<std::span<const std::int64_t>> positions,
                                           int n_threads, Interrupt& interrupt) const;

  private:
    std::vector<CellLists> parts_;
    std::vector<std::size_t> firsts_;  ///< position of the first document of each part, and how many there are
    std::size_t n_cells_ = 0;
};

}  // namespace moverank
