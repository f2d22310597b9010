/// A codebook: centroids of tokens, in coarse cells. A token belongs to the cell of its nearest centroid, which is
/// looked for among the centroids of its two nearest coarse cells: of K centroids, some 3 √K are compared.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "moverank/aligned.hpp"
#include "moverank/interrupt.hpp"
#include "moverank/views.hpp"

namespace moverank {

/// Maximum number of centroids: the number of a cell fits two bytes.
inline constexpr std::size_t max_cells = std::size_t{1} << 16U;

/// A copy of a codebook's centroids in the order in which they are read. Many threads may use it at the same time.
class Codebook {
  public:
    /// The centroids of coarse cell c are [firsts[c], firsts[c + 1]). With one coarse cell all centroids are compared.
    /// Throws std::invalid_argument unless there are from 1 to max_cells centroids, each coarse cell has at least one,
    /// and coarse centroids and centroids have the same dimension.
    Codebook(MatrixView<const float> centroids, MatrixView<const float> coarse, std::span<const std::int64_t> firsts);

    [[nodiscard]] std::size_t size() const { return n_cells_; }
    [[nodiscard]] std::size_t dim() const { return dim_; }

    /// The cell of each token, and its squared distance to the centroid. Tokens are multiplied by `factors` first, one
    /// per token, unless that is empty: with inverse norms these are cells of directions. A token that is not finite
    /// gets any cell, and a distance that is not finite. Results do not depend on n_threads (0: all cores). Throws
    /// std::invalid_argument if shapes do not match, and whatever `interrupt` throws.
    void assign(const TokensView& tokens, std::span<const float> factors, std::span<std::uint16_t> cells,
                std::span<float> squared_distances, int n_threads, Interrupt& interrupt) const;

  private:
    /// Centroids as kernels read them.
    class Block {
      public:
        Block(MatrixView<const float> centroids, std::size_t first, std::size_t last);

        AlignedVector<float> packed;
        AlignedVector<float> half_squares;
    };
    struct Workspace;

    void assign_block(const TokensView& tokens, std::span<const float> factors, std::span<std::uint16_t> cells,
                      std::span<float> squared_distances, Workspace& workspace) const;

    std::size_t dim_, n_cells_;
    Block coarse_;
    std::vector<Block> fine_;  ///< one per coarse cell
    std::vector<std::int64_t> firsts_;
    std::size_t largest_ = 0;  ///< number of centroids of the largest block, padded
};

}  // namespace moverank
