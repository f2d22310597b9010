/// A primal network simplex over the entries of a sparse problem.
///
/// Costs have two kinds (`TieredCost`): edges to the overflow cost a unit of the first, which is gone from the basis
/// where a plan exists, or carries the perturbation alone. So the search for a plan and that for the best one are the
/// same pivots, and no large number takes digits from the costs. Every basic flow is positive, hence no pivot is
/// degenerate. The same on every processor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "contracted_tree.hpp"
#include "moverank/interrupt.hpp"
#include "sparse_network.hpp"
#include "sparse_start.hpp"

namespace moverank {

class SparseSimplex {
  public:
    struct Limits {
        double tolerance;      ///< reduced costs of tier 0 above minus this count as non-negative
        std::int64_t pivots;   ///< at most
        Interrupt* interrupt;  ///< may be null
    };

    /// Masses with Orden's perturbation, those of the overflow last. False if the pivots did not suffice.
    bool solve(const SparseNetwork& network, std::span<const std::int64_t> supplies,
               std::span<const std::int64_t> demands, const Limits& limits);

    /// The last row and the last column are the overflow; the row is the root.
    [[nodiscard]] ContractedTreeOf<TieredCost>& tree() { return tree_; }
    [[nodiscard]] std::int64_t pivots() const { return pivots_; }

  private:
    void make_blocks();
    bool pivot_in(std::size_t first, std::size_t last);
    bool improve(const Limits& limits);

    const SparseNetwork* network_ = nullptr;
    SparseStart start_;
    ContractedTreeOf<TieredCost> tree_;
    std::vector<std::size_t> blocks_;  ///< columns where blocks begin, and their number
    double unit_ = 1.0;                ///< what a tier counts when entries are compared: beyond all other costs
    double tolerance_ = 0.0;
    std::int64_t pivots_ = 0;
};

}  // namespace moverank
