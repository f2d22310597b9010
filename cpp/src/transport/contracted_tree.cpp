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
    depth_first_.resize(n_rows);
    place_.resize(n_rows);
    counts_.assign(nodes_.size(), 0);  // where the next child of a node begins
    depth_first_[0] = root_;
    counts_[root_] = 1;
    for (std::size_t k = edges.size(); k-- > 0;) {
        const Index column = static_cast<Index>(n_rows + edges[k].column);
        const Index child = edges[k].child_is_row ? edges[k].row : column;
        const Index parent = nodes_[child].parent;
        const Index begin = counts_[parent];
        counts_[parent] += nodes_[child].n_rows;
        counts_[child] = begin + (is_row(child) ? 1 : 0);
        if (is_row(child)) {
            depth_first_[begin] = child;
            if (nodes_[parent].first_row == none) {
                nodes_[parent].first_row = child;
            }
        }
    }
    for (Index k = 0; k < n_rows; ++k) {
        place_[depth_first_[k]] = k;
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
typename ContractedTreeOf<Price>::Range ContractedTreeOf<Price>::rows_below(Index node) const {
    const std::size_t begin = nodes_[node].n_rows > 0 ? place_[nodes_[node].first_row] : 0;
    return {begin, begin + nodes_[node].n_rows};
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

/// Make turned_ the rows below the last node of a path, in depth-first order from its first node: what is below that,
/// then what else is below the next, and so on.
template <class Price>
void ContractedTreeOf<Price>::reverse(std::span<const Index> path) {
    turned_.clear();
    const auto append = [this](std::size_t begin, std::size_t end) {
        turned_.insert(turned_.end(), depth_first_.begin() + static_cast<std::ptrdiff_t>(begin),
                       depth_first_.begin() + static_cast<std::ptrdiff_t>(end));
    };
    Range inner = rows_below(path[0]);
    append(inner.begin, inner.end);
    for (std::size_t k = 1; k < path.size(); ++k) {
        const Range outer = rows_below(path[k]);
        if (inner.size() == 0) {
            inner = {outer.begin, outer.begin};
        }
        append(outer.begin, inner.begin);
        append(inner.end, outer.end);
        inner = outer;
    }
}

/// The place in depth-first order where the rows of a new first child of a node belong.
template <class Price>
std::size_t ContractedTreeOf<Price>::place_below(Index node) const {
    if (is_row(node)) {
        return place_[node] + 1;
    }
    return nodes_[node].n_rows > 0 ? place_[nodes_[node].first_row] : place_[nodes_[node].parent] + 1;
}

/// Write turned_ before the place `to`, replacing the rows at `from`.
template <class Price>
void ContractedTreeOf<Price>::move_rows(Range from, std::size_t to) {
    const auto at = [this](std::size_t k) { return depth_first_.begin() + static_cast<std::ptrdiff_t>(k); };
    Range changed{};
    if (to <= from.begin) {
        std::move_backward(at(to), at(from.begin), at(from.end));
        std::ranges::copy(turned_, at(to));
        changed = {to, from.end};
    } else {
        std::move(at(from.end), at(to), at(from.begin));
        std::ranges::copy(turned_, at(to - from.size()));
        changed = {from.begin, to};
    }
    for (std::size_t k = changed.begin; k < changed.end; ++k) {
        place_[depth_first_[k]] = static_cast<Index>(k);
    }
}

template <class Price>
void ContractedTreeOf<Price>::shift(Range rows, Price amount) {
    for (std::size_t k = rows.begin; k < rows.end; ++k) {
        f_[depth_first_[k]] += amount;
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
    const Range from = rows_below(turning.back());
    reverse(turning);
    count(std::span(path_[side]).subspan(place + 1), cut, false);
    Node& above = nodes_[cut.parent];
    if (!is_row(cut.parent) && above.first_row == turning.back() && above.n_rows > 0) {
        above.first_row = depth_first_[from.end];
    }

    // Attach it by its end of the entering edge. Each node on the path becomes the child of the one before it, and
    // takes over that edge's flow and cost; what was above it in the part is now below.
    Index parent = ends[1 - side];
    const std::size_t to = place_below(parent);
    if (!is_row(parent)) {
        nodes_[parent].first_row = ends[side];
    }
    count(path_[1 - side], cut, true);
    Index size = cut.size;
    Index n_rows = cut.n_rows;
    std::int64_t flow = pushed;
    for (const Index x : turning) {
        Node& node = nodes_[x];
        node.parent = std::exchange(parent, x);
        std::swap(node.flow, flow);
        std::swap(node.cost, cost);
        size = cut.size - std::exchange(node.size, size);
        n_rows = cut.n_rows - std::exchange(node.n_rows, n_rows);
        if (!is_row(x) && node.n_rows > 0) {
            node.first_row = turned_[cut.n_rows - node.n_rows];
        }
    }
    if (cut.n_rows > 0) {
        move_rows(from, to);
    }
    // The entering edge must get reduced cost 0: shift the potentials of the part, or, if it has more rows than the
    // rest, those of the rest the other way. Only differences of potentials matter.
    const Price amount = side == 0 ? reduced_cost : -reduced_cost;
    if (2 * std::size_t{cut.n_rows} <= n_rows_) {
        for (const Index i : turned_) {
            f_[i] += amount;
        }
    } else {
        const std::size_t begin = place_[turned_.front()];
        shift({0, begin}, -amount);
        shift({begin + cut.n_rows, n_rows_}, -amount);
    }
    return {pushed, reduced_cost};
}

template class ContractedTreeOf<double>;
template class ContractedTreeOf<TieredCost>;

}  // namespace moverank
