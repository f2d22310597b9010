/// The basis of the transportation simplex: a spanning tree over rows and columns, with subtrees as bit masks.
///
/// Nodes 0..n-1 are rows, n..n+m-1 columns. Each node but the root keeps its parent, the flow on the edge to it and
/// the mask of its subtree, itself included. Membership in a subtree is one bit test, and re-hanging a subtree
/// changes masks along two paths only; nothing is proportional to the subtree's size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace moverank {

/// Rows and columns are numbered in one range, in 32 bits: problems with 2^31 tokens are not dense problems.
using Node = std::int32_t;
inline constexpr Node no_node = -1;

class SpanningTree {
  public:
    /// Start with all nodes isolated.
    void reset(std::size_t n_rows, std::size_t n_columns);

    [[nodiscard]] bool is_row(Node x) const { return x < n_rows_; }
    [[nodiscard]] Node column(std::size_t j) const { return n_rows_ + static_cast<Node>(j); }
    [[nodiscard]] std::size_t size() const { return parent_.size(); }
    [[nodiscard]] Node parent(Node x) const { return parent_[index(x)]; }
    [[nodiscard]] std::int64_t flow(Node x) const { return flow_[index(x)]; }
    /// The bits of x's subtree, 64 nodes a word.
    [[nodiscard]] std::span<const std::uint64_t> subtree(Node x) const { return {mask(x), words_}; }
    [[nodiscard]] bool in_subtree(Node x, Node root) const {
        return (mask(root)[index(x) / 64] >> (index(x) % 64) & 1U) != 0;
    }
    [[nodiscard]] std::size_t rows_in_subtree(Node x) const;

    /// Hang the root of one tree of the forest under a node of another.
    void attach(Node child, Node parent, std::int64_t flow);

    /// One pivot on the entering edge row -> column: push flow around its cycle until the tightest edge is empty,
    /// drop that edge and re-hang the subtree below it. Returns the subtree's bits, the flow pushed, and which end
    /// of the entering edge lies in the subtree.
    struct Exchange {
        std::int64_t pushed;
        bool row_moved;
        std::span<const std::uint64_t> moved;
    };
    Exchange pivot(Node entering_row, Node entering_column);

    /// Every node once, parents before children.
    [[nodiscard]] std::span<const Node> top_down();

  private:
    [[nodiscard]] static std::size_t index(Node x) { return static_cast<std::size_t>(x); }
    [[nodiscard]] std::uint64_t* mask(Node x) { return masks_.data() + index(x) * words_; }
    [[nodiscard]] const std::uint64_t* mask(Node x) const { return masks_.data() + index(x) * words_; }
    [[nodiscard]] Node join(Node row, Node column) const;
    void rehang(Node inside, Node outside, Node leaving, std::int64_t flow);

    Node n_rows_ = 0;
    std::size_t words_ = 0;
    std::vector<Node> parent_;
    std::vector<std::int64_t> flow_;
    std::vector<std::uint64_t> masks_;
    std::vector<std::uint64_t> moved_;
    std::vector<std::uint64_t> previous_;
    std::vector<Node> order_;
    std::vector<std::uint8_t> placed_;
};

}  // namespace moverank
