/// The first basis of a sparse problem: the matrix-minimum rule on reduced costs, over all entries.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "contracted_tree.hpp"
#include "sparse_network.hpp"

namespace moverank {

/// What no entry is left for goes over the overflow: one more row and one more column, which edges of tier 1 join to
/// all nodes. The edge between both costs nothing; so much mass belongs to them that it never runs empty.
class SparseStart {
  public:
    /// Fill entries by C_ij - f_i - g_j, cheapest first, to a few bits, with f_i the row minima and g_j those of C_ij -
    /// f_i. Masses include the overflow's, which are the last. Each step closes one row or column.
    void make(const SparseNetwork& network, std::span<const std::int64_t> supplies,
              std::span<const std::int64_t> demands);

    [[nodiscard]] std::span<const StartEdgeOf<TieredCost>> edges() const { return edges_; }

  private:
    void sort(const SparseNetwork& network);
    void fill(std::size_t row, std::size_t column, TieredCost cost);

    std::vector<double> f_, g_;
    std::vector<std::uint16_t> keys_;
    std::vector<std::size_t> counts_;
    struct Place {
        std::uint32_t column;
        std::size_t entry;
    };
    std::vector<Place> order_;
    std::vector<std::int64_t> open_supply_, open_demand_;
    std::vector<StartEdgeOf<TieredCost>> edges_;
};

}  // namespace moverank
