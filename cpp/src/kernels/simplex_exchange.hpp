/// One pivot: the entering edge takes the slot of the edge that leaves.
#pragma once

#include <cstddef>
#include <limits>

#include "simd.hpp"
#include "simplex.hpp"

namespace moverank::MOVERANK_LEVEL {

using Flow = std::int64_t;
inline constexpr Bits all_flows = (1U << lanes<Flow>)-1;

/// Sets of slots that a pivot works with; each has n_words words.
struct PivotSets {
    std::uint64_t *path_of_row, *path_of_column, *cycle, *loses, *turned;
};

/// Slots between a node and the root, where paths are kept.
template <class Cost>
MOVERANK_INLINE void copy_path(const SimplexTableau<Cost>& t, std::size_t n_words, std::size_t node,
                               std::uint64_t* path) {
    for (std::size_t w = 0; w < n_words; ++w) {
        path[w] = t.sets[w * t.n_nodes + node];
    }
}

/// Slots on the path from a node up to slot `end`, or up to the root for no_slot, by walking up.
template <class Cost>
MOVERANK_INLINE void walk_path(const SimplexTableau<Cost>& t, std::size_t n_words, std::size_t node, std::uint32_t end,
                               std::uint64_t* path) {
    for (std::size_t w = 0; w < n_words; ++w) {
        path[w] = 0;
    }
    for (ParentEdge at = t.parent_edge[node]; at.slot != end; at = t.parent_edge[at.parent]) {
        path[at.slot / 64] |= std::uint64_t{1} << (at.slot % 64);
    }
}

template <class Body>
MOVERANK_INLINE void for_each_slot(const std::uint64_t* set, std::size_t n_words, Body body) {
    for (std::size_t w = 0; w < n_words; ++w) {
        for (std::uint64_t left = set[w]; left != 0; left &= left - 1) {
            body(64 * w + first_bit(left));
        }
    }
}

struct Push {
    Flow flow;
    std::size_t leaving;
};

/// Push flow around a short cycle until the first edge that loses is empty; its slot gets the flow of the entering
/// edge.
template <class Cost>
MOVERANK_INLINE Push push_flow_by_slots(const SimplexTableau<Cost>& t, std::size_t n_words, const PivotSets& sets) {
    Flow pushed = std::numeric_limits<Flow>::max();
    std::size_t leaving = 0;
    for_each_slot(sets.loses, n_words, [&](std::size_t slot) {
        const bool less = t.flow[slot] < pushed;
        pushed = less ? t.flow[slot] : pushed;
        leaving = less ? slot : leaving;
    });
    for_each_slot(sets.cycle, n_words, [&](std::size_t slot) {
        const bool loses = (sets.loses[slot / 64] >> (slot % 64) & 1U) != 0;
        t.flow[slot] += loses ? -pushed : pushed;
    });
    t.flow[leaving] = pushed;
    return {pushed, leaving};
}

/// The same over all slots, without a branch. Words of 64 slots at a time, so that shifts are constants.
template <class Cost>
MOVERANK_INLINE Push push_flow(const SimplexTableau<Cost>& t, std::size_t n_words, const PivotSets& sets) {
    Vector<Flow> least = splat(std::numeric_limits<Flow>::max());
    for (std::size_t w = 0; w < n_words; ++w) {
        const Flow* flow = t.flow + 64 * w;
#pragma GCC unroll 8
        for (std::size_t e = 0; e < 64; e += lanes<Flow>) {
            const Bits lost = static_cast<Bits>(sets.loses[w] >> e) & all_flows;
            least = where<Flow>(lost, min<Flow>(least, load(flow + e)), least);
        }
    }
    const Flow pushed = reduce_min<Flow>(least);
    std::size_t leaving = 0;
    for (std::size_t w = 0; w < n_words; ++w) {
        Flow* flow = t.flow + 64 * w;
        const std::uint64_t gains = sets.cycle[w] ^ sets.loses[w];
        std::uint64_t emptied = 0;
#pragma GCC unroll 8
        for (std::size_t e = 0; e < 64; e += lanes<Flow>) {
            const Bits lost = static_cast<Bits>(sets.loses[w] >> e) & all_flows;
            const Bits won = static_cast<Bits>(gains >> e) & all_flows;
            const Vector<Flow> before = load(flow + e);
            const Vector<Flow> after =
                where<Flow>(lost, before - splat(pushed), where<Flow>(won, before + splat(pushed), before));
            const Bits empty = equal_lanes<Flow>(after, Vector<Flow>{}) & lost;
            store(flow + e, where<Flow>(empty, splat(pushed), after));
            emptied |= static_cast<std::uint64_t>(empty) << e;
        }
        leaving = emptied != 0 ? 64 * w + first_bit(emptied) : leaving;
    }
    return {pushed, leaving};
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
MOVERANK_INLINE void move_by_paths(SimplexTableau<Cost>& t, std::size_t n_words, const std::uint64_t* change,
                                   std::size_t leaving, Pot* pot, Pot amount) {
    const std::uint64_t* plane = t.sets + leaving / 64 * t.n_nodes;
    const Vector<Flow> bit = splat(static_cast<Flow>(std::uint64_t{1} << (leaving % 64)));
    for (std::size_t x = 0; x < t.n_nodes; x += lane_padding) {
        Bits cut = 0;
#pragma GCC unroll 8
        for (std::size_t y = 0; y < lane_padding; y += lanes<Flow>) {
            cut |= common_bits(load(reinterpret_cast<const Flow*>(plane + x + y)), bit) << y;
        }
        // A branch that nobody can predict pays only where it saves many words.
        if (n_words > 2 && cut == 0) {
            continue;
        }
        for (std::size_t w = 0; w < n_words; ++w) {
            auto* words = reinterpret_cast<Flow*>(t.sets + w * t.n_nodes + x);
            const Vector<Flow> changed = splat(static_cast<Flow>(change[w]));
#pragma GCC unroll 8
            for (std::size_t y = 0; y < lane_padding; y += lanes<Flow>) {
                const Vector<Flow> before = load(words + y);
                store(words + y, where<Flow>(cut >> y & all_flows, before ^ changed, before));
            }
        }
        shift_potentials(pot + x, cut, splat(amount));
    }
}

/// The same by cuts: those of the cycle change, and the leaving edge's says which nodes move.
template <class Cost, class Pot>
MOVERANK_INLINE void move_by_cuts(SimplexTableau<Cost>& t, std::size_t n_words, const std::uint64_t* change,
                                  std::size_t leaving, Pot* pot, Pot amount) {
    const std::uint64_t* moved = t.sets + leaving * t.n_node_words;
    for_each_slot(change, n_words, [&](std::size_t slot) {
        std::uint64_t* cut = t.sets + slot * t.n_node_words;
        for (std::size_t w = 0; w < t.n_node_words; w += lanes<Flow>) {
            auto* words = reinterpret_cast<Flow*>(cut + w);
            store(words, load(words) ^ load(reinterpret_cast<const Flow*>(moved + w)));
        }
    });
    for (std::size_t x = 0; x < t.n_nodes; x += lane_padding) {
        const Bits cut = static_cast<Bits>(moved[x / 64] >> (x % 64)) & 0xFFFFU;
        shift_potentials(pot + x, cut, splat(amount));
    }
}

/// Exchange the entering edge (i, j) for the edge of its cycle that empties first. Returns the flow pushed. Sets have
/// `fixed_words` words and are kept as paths; 0 stands for as many as it takes, and cuts.
template <std::size_t fixed_words, class Cost, class Pot>
MOVERANK_INLINE Flow exchange(SimplexTableau<Cost>& t, Pot* pot, std::size_t i, std::size_t j, Pot reduced_cost) {
    constexpr bool paths = fixed_words > 0;
    const std::size_t n_words = paths ? fixed_words : t.n_words;
    std::uint64_t fixed_storage[paths ? 5 * fixed_words : 1];
    std::uint64_t* storage = paths ? fixed_storage : t.words;
    const auto set = [=](std::size_t k) { return storage + k * n_words; };
    const PivotSets sets{set(0), set(1), set(2), set(3), set(4)};
    const auto find_path = [&](std::size_t node, std::uint64_t* path) {
        if constexpr (paths) {
            copy_path(t, n_words, node, path);
        } else {
            walk_path(t, n_words, node, no_slot, path);
        }
    };

    const std::size_t column = t.first_column + j;
    find_path(i, sets.path_of_row);
    find_path(column, sets.path_of_column);
    for (std::size_t w = 0; w < n_words; ++w) {
        sets.cycle[w] = sets.path_of_row[w] ^ sets.path_of_column[w];
        // On the row's side the edges below rows lose flow, on the column's side those below columns.
        const std::uint64_t row_side = sets.cycle[w] & sets.path_of_row[w];
        sets.loses[w] = sets.cycle[w] & ~(row_side ^ t.child_is_row[w]);
    }
    const auto [pushed, leaving] = paths ? push_flow(t, n_words, sets) : push_flow_by_slots(t, n_words, sets);

    const std::size_t word = leaving / 64;
    const std::uint64_t bit = std::uint64_t{1} << (leaving % 64);
    const bool row_moves = (sets.path_of_row[word] & bit) != 0;
    // Between the entering end and the leaving edge the tree hangs the other way round afterwards.
    if constexpr (paths) {
        const std::uint64_t* moving_path = row_moves ? sets.path_of_row : sets.path_of_column;
        const std::size_t old_child =
            t.child_is_row_of(leaving) ? std::size_t{t.edge_row[leaving]} : t.first_column + t.edge_column[leaving];
        for (std::size_t w = 0; w < n_words; ++w) {
            sets.turned[w] = moving_path[w] & ~t.sets[w * t.n_nodes + old_child];
        }
    } else {
        walk_path(t, n_words, row_moves ? i : column, static_cast<std::uint32_t>(leaving), sets.turned);
    }
    for (std::size_t w = 0; w < n_words; ++w) {
        t.child_is_row[w] ^= sets.turned[w];
    }
    t.child_is_row[word] = (t.child_is_row[word] & ~bit) | (row_moves ? bit : std::uint64_t{0});
    t.edge_row[leaving] = static_cast<std::uint32_t>(i);
    t.edge_column[leaving] = static_cast<std::uint32_t>(j);
    sets.cycle[word] &= ~bit;  // its slot, now the entering edge's, stays in the paths that had it

    const Pot amount = row_moves ? reduced_cost : -reduced_cost;
    if constexpr (paths) {
        move_by_paths(t, n_words, sets.cycle, leaving, pot, amount);
    } else {
        move_by_cuts(t, n_words, sets.cycle, leaving, pot, amount);
        sets.turned[word] |= bit;
        for_each_slot(sets.turned, n_words, [&t](std::size_t slot) {
            const auto row = t.edge_row[slot];
            const auto its_column = static_cast<std::uint32_t>(t.first_column + t.edge_column[slot]);
            const bool child_is_row = t.child_is_row_of(slot);
            t.parent_edge[child_is_row ? row : its_column] = {child_is_row ? its_column : row,
                                                              static_cast<std::uint32_t>(slot)};
        });
    }
    return pushed;
}

}  // namespace moverank::MOVERANK_LEVEL
