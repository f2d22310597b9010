#include "spanning_tree.hpp"

#include <algorithm>
#include <bit>
#include <limits>

namespace moverank {

void SpanningTree::reset(std::size_t n_rows, std::size_t n_columns) {
    const std::size_t n_nodes = n_rows + n_columns;
    n_rows_ = static_cast<Node>(n_rows);
    words_ = (n_nodes + 63) / 64;
    parent_.assign(n_nodes, no_node);
    flow_.assign(n_nodes, 0);
    masks_.assign(n_nodes * words_, 0);
    moved_.resize(words_);
    previous_.resize(words_);
    for (std::size_t x = 0; x < n_nodes; ++x) {
        masks_[x * words_ + x / 64] = std::uint64_t{1} << (x % 64);
    }
}

std::size_t SpanningTree::rows_in_subtree(Node x) const {
    const std::uint64_t* bits = mask(x);
    const std::size_t n_rows = index(n_rows_);
    std::size_t count = 0;
    for (std::size_t w = 0; w < n_rows / 64; ++w) {
        count += static_cast<std::size_t>(std::popcount(bits[w]));
    }
    if (n_rows % 64 != 0) {
        const std::uint64_t below = (std::uint64_t{1} << (n_rows % 64)) - 1;
        count += static_cast<std::size_t>(std::popcount(bits[n_rows / 64] & below));
    }
    return count;
}

void SpanningTree::attach(Node child, Node parent, std::int64_t flow) {
    parent_[index(child)] = parent;
    flow_[index(child)] = flow;
    const std::uint64_t* below = mask(child);
    std::uint64_t* above = mask(parent);
    for (std::size_t w = 0; w < words_; ++w) {
        above[w] |= below[w];
    }
}

Node SpanningTree::join(Node row, Node column) const {
    Node x = row;
    while (!in_subtree(column, x)) {
        x = parent_[index(x)];
    }
    return x;
}

SpanningTree::Exchange SpanningTree::pivot(Node entering_row, Node entering_column) {
    const Node apex = join(entering_row, entering_column);

    // More flow leaves the row over the entering edge, so its other edges carry less: on the row's side those hung
    // from rows, on the column's side those hung from columns.
    Node leaving = no_node;
    bool row_moved = true;
    std::int64_t pushed = std::numeric_limits<std::int64_t>::max();
    for (Node x = entering_row; x != apex; x = parent_[index(x)]) {
        if (is_row(x) && flow_[index(x)] < pushed) {
            pushed = flow_[index(x)];
            leaving = x;
        }
    }
    for (Node x = entering_column; x != apex; x = parent_[index(x)]) {
        if (!is_row(x) && flow_[index(x)] < pushed) {
            pushed = flow_[index(x)];
            leaving = x;
            row_moved = false;
        }
    }

    for (Node x = entering_row; x != apex; x = parent_[index(x)]) {
        flow_[index(x)] += is_row(x) ? -pushed : pushed;
    }
    for (Node x = entering_column; x != apex; x = parent_[index(x)]) {
        flow_[index(x)] += is_row(x) ? pushed : -pushed;
    }

    const Node inside = row_moved ? entering_row : entering_column;
    const Node outside = row_moved ? entering_column : entering_row;
    std::copy_n(mask(leaving), words_, moved_.begin());
    for (Node x = parent_[index(leaving)]; x != apex; x = parent_[index(x)]) {
        std::uint64_t* bits = mask(x);
        for (std::size_t w = 0; w < words_; ++w) {
            bits[w] &= ~moved_[w];
        }
    }
    for (Node x = outside; x != apex; x = parent_[index(x)]) {
        std::uint64_t* bits = mask(x);
        for (std::size_t w = 0; w < words_; ++w) {
            bits[w] |= moved_[w];
        }
    }
    rehang(inside, outside, leaving, pushed);
    return {pushed, row_moved, moved_};
}

/// Reverse the path inside -> leaving, so that the moved subtree hangs by `inside` from `outside`.
void SpanningTree::rehang(Node inside, Node outside, Node leaving, std::int64_t flow) {
    Node child = inside;
    Node new_parent = outside;
    std::fill(previous_.begin(), previous_.end(), 0);  // the old mask of the node below on the path
    while (true) {
        const Node next = parent_[index(child)];
        const std::int64_t next_flow = flow_[index(child)];
        std::uint64_t* bits = mask(child);
        for (std::size_t w = 0; w < words_; ++w) {
            const std::uint64_t old = bits[w];
            bits[w] = moved_[w] & ~previous_[w];
            previous_[w] = old;
        }
        parent_[index(child)] = new_parent;
        flow_[index(child)] = flow;
        if (child == leaving) {
            return;
        }
        new_parent = child;
        child = next;
        flow = next_flow;
    }
}

std::span<const Node> SpanningTree::top_down() {
    order_.clear();
    placed_.assign(size(), 0);
    for (std::size_t start = 0; start < size(); ++start) {
        const std::size_t first = order_.size();
        for (Node x = static_cast<Node>(start); x != no_node && placed_[index(x)] == 0; x = parent_[index(x)]) {
            placed_[index(x)] = 1;
            order_.push_back(x);
        }
        // The walk went upwards, to a node placed before or to the root.
        std::reverse(order_.begin() + static_cast<std::ptrdiff_t>(first), order_.end());
    }
    return order_;
}

}  // namespace moverank
