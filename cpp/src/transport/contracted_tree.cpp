#include "contracted_tree.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

namespace moverank {

template <class Price>
void ContractedTreeOf<Price>::build(std::size_t n_rows, std::size_t n_columns,
                                    std::span<const StartEdgeOf<Price>> edges) {
    // Edges come with children before parents, so sizes of subtrees add up in one pass.
    n_rows_ = n_rows;
    root_ = edges.back().row;
    nodes_.assign(n_rows + n_columns, Node{});
    for (Index i = 0; i < n_rows; ++i) {
        nodes_[i].n_rows = 1;
        nodes_[i].first_row = i;
    }
    for (const StartEdgeOf<Price>& edge : edges) {
        const auto column = static_cast<Index>(n_rows + edge.column);
        const Index child = edge.child_is_row ? edge.row : column;
        Node& node = nodes_[child];
        node.parent = edge.child_is_row ? column : edge.row;
        node.flow = edge.flow;
        node.cost = edge.cost;
        Node& parent = nodes_[node.parent];
        parent.size += node.size;
        parent.n_rows += node.n_rows;
    }
    // From the root: each child takes the next free places of its parent.
    std::vector<Index> order(n_rows);
    last_row_.resize(nodes_.size());
    counts_.assign(nodes_.size(), 0);  // where the next child of a node begins
    order[0] = root_;
    last_row_[root_] = static_cast<Index>(n_rows - 1);
    counts_[root_] = 1;
    for (std::size_t k = edges.size(); k-- > 0;) {
        const Index column = static_cast<Index>(n_rows + edges[k].column);
        const Index child = edges[k].child_is_row ? edges[k].row : column;
        const Index parent = nodes_[child].parent;
        const Index begin = counts_[parent];
        counts_[parent] += nodes_[child].n_rows;
        counts_[child] = begin + (is_row(child) ? 1 : 0);
        last_row_[child] = begin + nodes_[child].n_rows - 1;  // a place so far
        if (is_row(child)) {
            order[begin] = child;
            if (nodes_[parent].first_row == none) {
                nodes_[parent].first_row = child;
            }
        }
    }
    next_.resize(n_rows);
    previous_.resize(n_rows);
    for (std::size_t k = 0; k < n_rows; ++k) {
        next_[order[k]] = order[k + 1 < n_rows ? k + 1 : 0];
        previous_[next_[order[k]]] = order[k];
    }
    for (Index x = 0; x < nodes_.size(); ++x) {
        last_row_[x] = nodes_[x].n_rows > 0 ? order[last_row_[x]] : none;
    }
    f_.assign(n_rows, Price{});
    refresh();
}

/// Only rows store potentials: g of a column is the cost of its edge to the parent less f of that row. So f of a row is
/// its own edge's cost less g of the column above it.
template <class Price>
void ContractedTreeOf<Price>::refresh() {
    f_[root_] = Price{};
    const std::span<const Index> order = bottom_up();
    for (std::size_t k = order.size(); k-- > 0;) {
        const Index node = order[k];
        if (is_row(node)) {
            f_[node] = nodes_[node].cost - g(nodes_[node].parent - n_rows_);
        }
    }
}

template <class Price>
std::span<const std::uint32_t> ContractedTreeOf<Price>::bottom_up() {
    // Larger subtrees are nearer to the root: a counting sort by size.
    counts_.assign(nodes_.size() + 2, 0);
    for (const Node& node : nodes_) {
        ++counts_[node.size + 1];
    }
    std::partial_sum(counts_.begin(), counts_.end(), counts_.begin());
    bottom_up_.resize(nodes_.size());
    for (Index x = 0; x < nodes_.size(); ++x) {
        bottom_up_[counts_[nodes_[x].size]++] = x;
    }
    return {bottom_up_.data(), bottom_up_.size() - 1};
}

template <class Price>
void ContractedTreeOf<Price>::find_cycle(Index row, Index column) {
    path_[0].clear();
    path_[1].clear();
    // Climb from the node of the smaller subtree: a node can only be above the other if its subtree is larger. So no
    // depths are needed, which a pivot would have to update below the cut.
    while (row != column) {
        if (nodes_[row].size < nodes_[column].size) {
            path_[0].push_back(row);
            row = nodes_[row].parent;
        } else {
            path_[1].push_back(column);
            column = nodes_[column].parent;
        }
    }
    join_ = row;
}

/// Add the sizes of a part of the tree to the nodes of a path and to the join, or subtract them. Above the join nothing
/// changes, as the part moves from one of its subtrees to another.
template <class Price>
void ContractedTreeOf<Price>::count(std::span<const Index> path, const Node& part, bool in) {
    const auto change = [&](Node& node) {
        node.size += in ? part.size : -part.size;
        node.n_rows += in ? part.n_rows : -part.n_rows;
    };
    for (const Index node : path) {
        change(nodes_[node]);
    }
    change(nodes_[join_]);
}

/// Take the rows below the last node of a path out of the order. Counts do not have them any more.
template <class Price>
void ContractedTreeOf<Price>::cut_off(std::span<const Index> path) {
    const Index top = path.back();
    const Index first = first_row(top);
    const Index last = last_row_[top];
    const Index before = previous_[first];
    const Index after = next_[last];
    next_[before] = after;
    previous_[after] = before;
    Index x = nodes_[top].parent;
    Node& above = nodes_[x];
    if (!is_row(x) && above.first_row == first && above.n_rows > 0) {
        above.first_row = after;
    }
    while (last_row_[x] == last) {
        last_row_[x] = before;
        if (x == root_) {
            break;
        }
        x = nodes_[x].parent;
    }
}

/// Make pieces_ the rows below the last node of a path, in depth-first order from its first node: what is below that,
/// then what else is below the next, and so on.
template <class Price>
void ContractedTreeOf<Price>::turn(std::span<const Index> path) {
    pieces_.clear();
    starts_.assign(path.size(), none);
    Range inner;
    for (std::size_t k = 0; k < path.size(); ++k) {
        if (nodes_[path[k]].n_rows == 0) {
            continue;
        }
        const Range outer{first_row(path[k]), last_row_[path[k]]};
        const std::size_t n_before = pieces_.size();
        if (inner.first == none) {
            pieces_.push_back(outer);
        } else {
            if (outer.first != inner.first) {
                pieces_.push_back({outer.first, previous_[inner.first]});
            }
            if (outer.last != inner.last) {
                pieces_.push_back({next_[inner.last], outer.last});
            }
        }
        starts_[k] = pieces_.size() > n_before ? pieces_[n_before].first : none;
        inner = outer;
    }
    // What a node has below it now begins with what it has itself, or else with what the next one has.
    for (std::size_t k = path.size() - 1; k-- > 0;) {
        starts_[k] = starts_[k] == none ? starts_[k + 1] : starts_[k];
    }
}

/// Put the pieces into the order as the first child of a node. Counts do not have them yet.
template <class Price>
void ContractedTreeOf<Price>::link_below(Index parent) {
    const bool is_empty = nodes_[parent].n_rows == 0;
    const Index before = is_row(parent) ? parent : is_empty ? nodes_[parent].parent : previous_[first_row(parent)];
    const Index after = next_[before];
    Index row = before;
    for (const Range& piece : pieces_) {
        next_[row] = piece.first;
        previous_[piece.first] = row;
        row = piece.last;
    }
    next_[row] = after;
    previous_[after] = row;
    if (is_empty) {
        last_row_[parent] = row;
        parent = before;
    } else if (!is_row(parent)) {
        return;
    }
    while (last_row_[parent] == before) {
        last_row_[parent] = row;
        if (parent == root_) {
            break;
        }
        parent = nodes_[parent].parent;
    }
}

/// Shift the potentials of a part, whose rows the pieces are, or, if it has more rows than the rest, those of the rest
/// the other way. Only differences of potentials matter.
template <class Price>
void ContractedTreeOf<Price>::shift(const Node& part, Price amount) {
    if (part.n_rows == 0) {
        return;
    }
    const Range rows{pieces_.front().first, pieces_.back().last};
    const bool is_smaller = 2 * std::size_t{part.n_rows} <= n_rows_;
    const Price change = is_smaller ? amount : -amount;
    // From both ends, as each step waits for the one before it.
    const std::size_t n = is_smaller ? part.n_rows : n_rows_ - part.n_rows;
    Index up = is_smaller ? rows.first : next_[rows.last];
    Index down = is_smaller ? rows.last : previous_[rows.first];
    for (std::size_t k = 0; k < n / 2; ++k) {
        f_[up] += change;
        f_[down] += change;
        up = next_[up];
        down = previous_[down];
    }
    if (n % 2 != 0) {
        f_[up] += change;
    }
}

template <class Price>
typename ContractedTreeOf<Price>::Pivot ContractedTreeOf<Price>::exchange(std::size_t row, std::size_t column,
                                                                          Price cost) {
    const Index ends[2] = {static_cast<Index>(row), static_cast<Index>(n_rows_ + column)};
    const Price reduced_cost = cost - f_[row] - g(column);
    find_cycle(ends[0], ends[1]);

    // Along either path from the entering edge, the first edge loses flow, the next one gains, and so on. The edge that
    // runs empty first leaves; perturbed masses make it unique.
    std::int64_t pushed = std::numeric_limits<std::int64_t>::max();
    std::size_t side = 0, place = 0;
    for (std::size_t s = 0; s < 2; ++s) {
        for (std::size_t k = 0; k < path_[s].size(); k += 2) {
            const std::int64_t flow = nodes_[path_[s][k]].flow;
            if (flow < pushed) {
                pushed = flow;
                side = s;
                place = k;
            }
        }
    }
    for (const std::vector<Index>& path : path_) {
        for (std::size_t k = 0; k < path.size(); ++k) {
            nodes_[path[k]].flow += k % 2 == 0 ? -pushed : pushed;
        }
    }

    // Cut off the part below the leaving edge, whose path to the entering edge has to change direction.
    const std::span<const Index> turning = std::span(path_[side]).first(place + 1);
    const Node cut = nodes_[turning.back()];
    turn(turning);
    count(std::span(path_[side]).subspan(place + 1), cut, false);
    if (cut.n_rows > 0) {
        cut_off(turning);
    }

    // Attach it by its end of the entering edge. Each node on the path becomes the child of the one before it, and
    // takes over that edge's flow and cost; what was above it in the part is now below.
    Index parent = ends[1 - side];
    if (cut.n_rows > 0) {
        link_below(parent);
    }
    if (!is_row(parent)) {
        nodes_[parent].first_row = ends[side];
    }
    count(path_[1 - side], cut, true);
    Index size = cut.size;
    Index n_rows = cut.n_rows;
    std::int64_t flow = pushed;
    for (std::size_t k = 0; k < turning.size(); ++k) {
        const Index x = turning[k];
        Node& node = nodes_[x];
        node.parent = std::exchange(parent, x);
        std::swap(node.flow, flow);
        std::swap(node.cost, cost);
        size = cut.size - std::exchange(node.size, size);
        n_rows = cut.n_rows - std::exchange(node.n_rows, n_rows);
        if (node.n_rows > 0) {
            node.first_row = starts_[k];
            last_row_[x] = pieces_.back().last;
        }
    }
    // The entering edge must get reduced cost 0.
    shift(cut, side == 0 ? reduced_cost : -reduced_cost);
    return {pushed, reduced_cost};
}

template class ContractedTreeOf<double>;
template class ContractedTreeOf<TieredCost>;

}  // namespace moverank
