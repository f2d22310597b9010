/// The pairs of a matrix of distances, in pieces that are computed one after the other.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "moverank/batch.hpp"

namespace moverank {

/// Some rows, each of them with some columns.
struct PairTile {
    // From the first on, and up to the last but without it.
    std::size_t first_row, last_row;
    std::size_t first_column, last_column;
    bool mirrored;  ///< whether no row begins before the diagonal

    [[nodiscard]] std::size_t first_column_of(std::size_t row) const {
        return mirrored ? std::max(first_column, row) : first_column;
    }
};

/// All pairs of a matrix, or those on and above its diagonal. A query is set once per row of a tile, so tiles are wide;
/// and a document that has been read stays in the cache of a core for the next rows, so they are high as well.
class PairTiles {
  public:
    /// `document_bytes` is the size of a typical column.
    PairTiles(std::size_t rows, std::size_t columns, bool mirrored, std::size_t document_bytes, unsigned n_threads)
        : rows_(rows), columns_(columns), mirrored_(mirrored) {
        width_ = std::clamp(cache_bytes / std::max<std::size_t>(document_bytes, 1), most_width / 2, most_width);
        const std::size_t n = n_pairs(rows, columns, {.mirrored = mirrored});
        while (n_threads > 1 && height_ * width_ > least_width && n < tiles_per_thread * n_threads * height_ * width_) {
            (height_ > 1 ? height_ : width_) /= 2;
        }
        width_ = std::max(width_, least_width);
        starts_.push_back(0);
        for (std::size_t row = 0; row < rows; row += height_) {
            const std::size_t first_column = mirrored ? row / width_ * width_ : 0;
            starts_.push_back(starts_.back() + (columns - first_column + width_ - 1) / width_);
        }
    }

    [[nodiscard]] std::size_t size() const { return starts_.back(); }
    [[nodiscard]] PairTile operator[](std::size_t tile) const {
        const auto band = static_cast<std::size_t>(std::ranges::upper_bound(starts_, tile) - starts_.begin()) - 1;
        const std::size_t first_row = band * height_;
        // Bands end at the last column whether or not they begin at the diagonal, so count from its end.
        const std::size_t n_blocks = (columns_ + width_ - 1) / width_;
        const std::size_t first_column = (n_blocks - (starts_[band + 1] - tile)) * width_;
        return {first_row, std::min(first_row + height_, rows_), first_column,
                std::min(first_column + width_, columns_), mirrored_};
    }

  private:
    /// What the columns of a tile may take: a part of the second cache of a core, which solvers need as well.
    static constexpr std::size_t cache_bytes = std::size_t{512} << 10U;
    static constexpr std::size_t least_width = 8, most_width = 64;
    /// So many that threads end at about the same time, however much pairs differ.
    static constexpr std::size_t tiles_per_thread = 32;

    std::size_t rows_, columns_;
    bool mirrored_;
    std::size_t height_ = 8, width_ = 0;
    std::vector<std::size_t> starts_;  ///< tiles before each band of rows
};

}  // namespace moverank
