/// The spanning tree of a large transportation basis, contracted to its rows.
///
/// Most columns hang on a single row, and none stores a potential: with p the row above column j it is g_j = C_pj -
/// f_p. The rows are linked in depth-first order, those below a node one after the other. A pivot walks the cycle of
/// the entering edge, turns the part that is cut off round and links it elsewhere: as much work as that part has rows,
/// however many columns there are. Potentials change on the side of fewer rows.
///
/// Ahuja, Magnanti, Orlin, Network Flows (1993), chapter 11.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "tiered_cost.hpp"

namespace moverank {

/// An edge of the first basis. Read backwards, the edges are the tree from its root, a row: each one's child is new,
/// its parent is not.
template <class Price>
struct StartEdgeOf {
    std::uint32_t row, column;
    bool child_is_row;
    Price cost;
    std::int64_t flow;
};
using StartEdge = StartEdgeOf<double>;

/// Of costs that can be added, subtracted and negated, and are nothing by default: numbers, or `TieredCost`s.
template <class Price>
class ContractedTreeOf {
  public:
    /// What a pivot did.
    struct Pivot {
        std::int64_t flow;   ///< around the cycle
        Price reduced_cost;  ///< of the edge that entered
    };

    /// The tree of n_rows + n_columns - 1 edges.
    void build(std::size_t n_rows, std::size_t n_columns, std::span<const StartEdgeOf<Price>> edges);

    /// Let an edge of negative reduced cost enter, and the first one of its cycle that empties leave.
    Pivot exchange(std::size_t row, std::size_t column, Price cost);

    /// Compute the potentials again from the costs of the edges, that of the root 0.
    void refresh();

    /// By row; of n_rows entries.
    [[nodiscard]] const Price* f() const { return f_.data(); }
    [[nodiscard]] Price g(std::size_t column) const {
        const Node& node = nodes_[n_rows_ + column];
        return node.cost - f_[node.parent];
    }

    /// Rows and columns from the leaves to the root, each after all that is below it; the root is left out. Nodes are
    /// rows 0 .. n_rows - 1, and columns from there on.
    [[nodiscard]] std::span<const std::uint32_t> bottom_up();
    [[nodiscard]] std::size_t parent(std::size_t node) const { return nodes_[node].parent; }
    /// Of the edge above a node: its cost, and what flows over it, perturbation included.
    [[nodiscard]] Price cost(std::size_t node) const { return nodes_[node].cost; }
    [[nodiscard]] std::int64_t flow(std::size_t node) const { return nodes_[node].flow; }

  private:
    using Index = std::uint32_t;
    static constexpr Index none = std::numeric_limits<Index>::max();

    /// A node, and the edge above it.
    struct Node {
        Index parent = 0;
        Index size = 1;          ///< nodes of its subtree
        Index n_rows = 0;        ///< rows of its subtree
        Index first_row = none;  ///< of these, in depth-first order, where there are any
        std::int64_t flow = 0;
        Price cost{};
    };
    /// Rows that follow each other in depth-first order, from the first to the last.
    struct Range {
        Index first = none, last = none;
    };

    [[nodiscard]] bool is_row(Index node) const { return node < n_rows_; }
    void find_cycle(Index row, Index column);
    void count(std::span<const Index> path, const Node& part, bool in);
    [[nodiscard]] Index first_row(Index node) const { return is_row(node) ? node : nodes_[node].first_row; }
    void cut_off(std::span<const Index> path);
    void turn(std::span<const Index> path);
    void link_below(Index parent);
    void shift(const Node& part, Price amount);

    std::size_t n_rows_ = 0;
    Index root_ = 0;
    Index join_ = 0;  ///< where the paths of a cycle meet
    std::vector<Node> nodes_;
    std::vector<Price> f_;
    std::vector<Index> next_, previous_;  ///< by row: its neighbours in depth-first order, a circle
    std::vector<Index> path_[2];          ///< from the entering edge's row, and column, up to where they join
    std::vector<Index> last_row_;         ///< by node: of the rows below, in depth-first order, where there are any
    // The part that is cut off, in its new order:
    std::vector<Range> pieces_;
    std::vector<Index> starts_;  ///< by node of its path: the first row of what it has beside the one before
    std::vector<Index> bottom_up_, counts_;
};
using ContractedTree = ContractedTreeOf<double>;

extern template class ContractedTreeOf<double>;
extern template class ContractedTreeOf<TieredCost>;

}  // namespace moverank
