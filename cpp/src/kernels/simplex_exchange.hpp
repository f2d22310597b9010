/// One pivot: the entering edge takes the slot of the edge that leaves.
#pragma once

#include <cstddef>
#include <limits>

#include "simd.hpp"
#include "simplex.hpp"

namespace moverank::MOVERANK_LEVEL {

using Flow = std::int64_t;
inline constexpr Bits all_flows = (1U << lanes<Flow>)-1;

struct Push {
    Flow flow;
    std::size_t leaving;
};

/// Push flow around a cycle until the first of the edges that lose is empty; its slot gets the flow of the entering
/// edge. Over all 64 slots, without a branch, so that shifts are constants.
template <class Cost>
MOVERANK_INLINE Push push_flow(const SimplexTableau<Cost>& t, std::uint64_t loses, std::uint64_t gains) {
    Vector<Flow> least = splat(std::numeric_limits<Flow>::max());
#pragma GCC unroll 8
    for (std::size_t e = 0; e < 64; e += lanes<Flow>) {
        const Bits lost = static_cast<Bits>(loses >> e) & all_flows;
        least = where<Flow>(lost, min<Flow>(least, load(t.flow + e)), least);
    }
    const Flow pushed = reduce_min<Flow>(least);
    std::uint64_t emptied = 0;
#pragma GCC unroll 8
    for (std::size_t e = 0; e < 64; e += lanes<Flow>) {
        const Bits lost = static_cast<Bits>(loses >> e) & all_flows;
        const Bits won = static_cast<Bits>(gains >> e) & all_flows;
        const Vector<Flow> before = load(t.flow + e);
        const Vector<Flow> after =
            where<Flow>(lost, before - splat(pushed), where<Flow>(won, before + splat(pushed), before));
        const Bits empty = equal_lanes<Flow>(after, Vector<Flow>{}) & lost;
        store(t.flow + e, where<Flow>(empty, splat(pushed), after));
        emptied |= static_cast<std::uint64_t>(empty) << e;
    }
    return {pushed, first_bit(emptied)};
}

/// Add to the potentials of 16 nodes, those whose bit is set.
template <class Pot>
MOVERANK_INLINE void shift_potentials(Pot* pot, Bits nodes, Vector<Pot> amount) {
    constexpr Bits all = (1U << lanes<Pot>)-1;
#pragma GCC unroll 8
    for (std::size_t y = 0; y < lane_padding; y += lanes<Pot>) {
        const Vector<Pot> before = load(pot + y);
        store(pot + y, where<Pot>(nodes >> y & all, before + amount, before));
    }
}

/// Give the nodes below the leaving edge their new paths and potentials.
template <class Cost, class Pot>
MOVERANK_INLINE void move_by_paths(SimplexTableau<Cost>& t, std::uint64_t change, std::uint64_t leaving, Pot* pot,
                                   Pot amount) {
    const Vector<Flow> bit = splat(static_cast<Flow>(leaving));
    const Vector<Flow> changed = splat(static_cast<Flow>(change));
    for (std::size_t x = 0; x < t.n_nodes; x += lane_padding) {
        Bits cut = 0;
#pragma GCC unroll 8
        for (std::size_t y = 0; y < lane_padding; y += lanes<Flow>) {
            auto* words = reinterpret_cast<Flow*>(t.sets + x + y);
            const Vector<Flow> before = load(words);
            const Bits below = common_bits(before, bit);
            store(words, where<Flow>(below, before ^ changed, before));
            cut |= below << y;
        }
        shift_potentials(pot + x, cut, splat(amount));
    }
}

/// Exchange the entering edge (i, j) for the edge of its cycle that empties first, in a tree of paths. Returns the flow
/// pushed.
template <class Cost, class Pot>
MOVERANK_INLINE Flow exchange_by_paths(SimplexTableau<Cost>& t, Pot* pot, std::size_t i, std::size_t j,
                                       Pot reduced_cost) {
    const std::uint64_t path_of_row = t.sets[i];
    const std::uint64_t path_of_column = t.sets[t.first_column + j];
    const std::uint64_t cycle = path_of_row ^ path_of_column;
    // On the row's side the edges below rows lose flow, on the column's side those below columns.
    const std::uint64_t loses = cycle & ~((cycle & path_of_row) ^ *t.child_is_row);
    const auto [pushed, leaving] = push_flow(t, loses, cycle ^ loses);

    const std::uint64_t bit = std::uint64_t{1} << leaving;
    const bool row_moves = (path_of_row & bit) != 0;
    // Between the entering end and the leaving edge the tree hangs the other way round afterwards.
    const std::size_t old_child =
        child_of(t.edge_row[leaving], t.first_column + t.edge_column[leaving], t.child_is_row_of(leaving));
    const std::uint64_t turned = (row_moves ? path_of_row : path_of_column) & ~t.sets[old_child];
    *t.child_is_row = ((*t.child_is_row ^ turned) & ~bit) | (row_moves ? bit : std::uint64_t{0});
    t.edge_row[leaving] = static_cast<std::uint32_t>(i);
    t.edge_column[leaving] = static_cast<std::uint32_t>(j);
    // The slot, now the entering edge's, stays in the paths that had it.
    move_by_paths(t, cycle & ~bit, bit, pot, row_moves ? reduced_cost : -reduced_cost);
    return pushed;
}

/// The same in a tree of cuts. Both ends climb until they are above the other end, so that only the cycle is walked,
/// and its edges are a list. The fewer loops, the fewer ends of loops that nobody can predict: the two climbs find the
/// edge that leaves on their way, and one pass over the list changes flows and cuts. Cuts have `fixed_words` words; 0
/// stands for as many as it takes.
template <std::size_t fixed_words, class Cost, class Pot>
MOVERANK_INLINE Flow exchange_by_cuts(SimplexTableau<Cost>& t, Pot* pot, std::size_t i, std::size_t j,
                                      Pot reduced_cost) {
    const std::size_t n_words = fixed_words > 0 ? fixed_words : t.n_node_words;
    const auto row = static_cast<std::uint32_t>(i);
    const auto column = static_cast<std::uint32_t>(t.first_column + j);
    ParentEdge* cycle = t.cycle;
    std::size_t length = 0;
    Flow pushed = std::numeric_limits<Flow>::max();
    std::size_t last = 0;  // place in the cycle of the edge that leaves
    // Every other edge loses flow, from the first on: rows and columns take turns.
    const auto climb = [&](std::uint32_t node, std::uint32_t other) {
        const std::uint64_t* word = t.sets + other / 64;
        const auto is_above = [&](std::uint32_t slot) { return (word[slot * n_words] >> (other % 64) & 1U) != 0; };
        for (;;) {
            ParentEdge edge = t.parent_edge[node];
            if (is_above(edge.slot)) {
                return;
            }
            const Flow flow = t.flow[edge.slot];
            last = flow < pushed ? length : last;
            pushed = flow < pushed ? flow : pushed;
            cycle[length++] = {node, edge.slot};
            node = edge.parent;
            edge = t.parent_edge[node];
            if (is_above(edge.slot)) {
                return;
            }
            cycle[length++] = {node, edge.slot};
            node = edge.parent;
        }
    };
    climb(row, column);
    const std::size_t row_side = length;
    climb(column, row);

    const bool row_moves = last < row_side;
    const std::uint32_t leaving = cycle[last].slot;
    std::uint64_t* moved = t.moved;
    for (std::size_t w = 0; w < n_words; ++w) {
        moved[w] = t.sets[leaving * n_words + w];
    }
    for (std::size_t k = 0; k < length; ++k) {
        const auto [node, slot] = cycle[k];
        const bool is_row = node < t.first_column;
        t.flow[slot] += is_row == (k < row_side) ? -pushed : pushed;
        for (std::size_t w = 0; w < n_words; w += lanes<Flow>) {
            auto* words = reinterpret_cast<Flow*>(t.sets + slot * n_words + w);
            store(words, load(words) ^ load(reinterpret_cast<const Flow*>(moved + w)));
        }
    }
    // The entering edge takes the slot, and has the same nodes below it.
    t.flow[leaving] = pushed;
    for (std::size_t w = 0; w < n_words; ++w) {
        t.sets[leaving * n_words + w] = moved[w];
    }
    t.edge_row[leaving] = row;
    t.edge_column[leaving] = column - static_cast<std::uint32_t>(t.first_column);
    // Between the entering end and the leaving edge the tree hangs the other way round afterwards.
    const std::size_t first = row_moves ? 0 : row_side;
    for (std::size_t k = last; k > first; --k) {
        t.parent_edge[cycle[k].parent] = cycle[k - 1];
    }
    t.parent_edge[cycle[first].parent] = {row_moves ? column : row, leaving};

    const Vector<Pot> amount = splat(row_moves ? reduced_cost : -reduced_cost);
    for (std::size_t x = 0; x < t.n_nodes; x += lane_padding) {
        shift_potentials(pot + x, static_cast<Bits>(moved[x / 64] >> (x % 64)) & 0xFFFFU, amount);
    }
    return pushed;
}

}  // namespace moverank::MOVERANK_LEVEL
