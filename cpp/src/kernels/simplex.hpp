/// The pivots of the transportation simplex, as arithmetic on sets of tree edges.
///
/// The basis is a spanning tree with n_edges edges, each in a numbered slot; every set of slots or nodes is a row of
/// bits. With path(x) the slots between node x and the root, a pivot needs no walk through subtrees and hardly any
/// branches that depend on data:
///
///     cycle of an entering edge (i, j)      path(i) xor path(j)
///     edges on i's side, on j's side        path(i) minus path(j), path(j) minus path(i)
///     edges that lose flow                  i's side where the child is a row, j's side where it is a column
///     nodes cut off by the leaving edge l   those x with l in path(x)
///     their new paths                       path(x) xor (cycle minus l), as the entering edge takes l's slot
///
/// The last line is a row operation over GF(2): a tree path is the sum modulo 2 of any two that join at one of its
/// nodes. Trees of up to 64 edges can keep path(x) for every node, a word each. In larger trees cycles are short beside
/// that matrix. They keep the transpose, cut(e) = the nodes below edge e: the same step replaces cut(e) by
/// cut(e) xor cut(l), for the edges e of the cycle only. The cycle is then found by walking up from both of its ends; a
/// cut says when to stop, as it is above the other end as well.
#pragma once

#include <cstddef>
#include <cstdint>

namespace moverank {

/// Arrays that kernels read in whole vectors are padded to this many entries.
inline constexpr std::size_t lane_padding = 16;

[[nodiscard]] constexpr std::size_t padded(std::size_t n, std::size_t to = lane_padding) {
    return (n + to - 1) / to * to;
}

/// The edge from a node to its parent in the tree.
struct ParentEdge {
    std::uint32_t parent;  ///< a node
    std::uint32_t slot;    ///< slot of the edge; of the root, n_edges: it has none
};

/// Slots of a word: trees of so many edges can keep paths.
inline constexpr std::size_t word_bits = 64;

/// The end of an edge that is further from the root; the other one is `row ^ column ^` this. Without a branch: which it
/// is is as good as random.
[[nodiscard, gnu::always_inline]] constexpr std::size_t child_of(std::size_t row, std::size_t column,
                                                                 bool child_is_row) {
    return column ^ ((row ^ column) & (std::size_t{0} - std::size_t{child_is_row}));
}

/// Signs of costs and flows at a child, by whether it is the row. Not inline: kernels of two levels share no symbol.
constexpr double child_signs[2] = {-1.0, 1.0};

/// One problem's basis, over memory that the caller owns. Rows are nodes 0 .. n_rows - 1, columns follow from
/// first_column on; nodes between and after them are padding that belongs to no edge.
template <class Cost>
struct SimplexTableau {
    // the problem
    const Cost* cost;  ///< rows of `stride` entries; those after n_columns are infinite
    std::size_t stride;
    std::size_t n_rows, n_columns;
    bool has_slack;              ///< the last row takes what the others leave, so the start serves it last
    const std::int64_t* supply;  ///< with Orden's perturbation, so that no basic flow is 0
    const std::int64_t* demand;
    // the basis
    std::size_t first_column, n_nodes, n_edges;
    bool keeps_paths;             ///< else cuts
    std::size_t n_node_words;     ///< per set of nodes, padded to whole registers
    std::uint64_t* sets;          ///< paths: a word per node; or cuts: n_node_words words per slot, and for the root
    ParentEdge* parent_edge;      ///< by node; kept up only beside cuts
    std::uint64_t* child_is_row;  ///< a set of slots whose row is further from the root; of cuts, by potentials()
    std::uint32_t* edge_row;      ///< by slot
    std::uint32_t* edge_column;   ///< by slot
    std::int64_t* flow;           ///< by slot, padded to whole words of slots
    std::uint32_t* top_down;      ///< slots, those nearer to the root first
    // potentials by node: f_i for rows and -g_j for columns, so that both ends of a subtree move by the same amount
    float* coarse;
    double* fine;
    // scratch
    std::uint64_t* moved;        ///< n_node_words
    ParentEdge* cycle;           ///< n_nodes: edges, by the node below them
    std::int64_t* open;          ///< n_nodes + 1
    Cost* best_cost;             ///< n_rows
    std::uint32_t* best_column;  ///< n_rows
    Cost* penalty;               ///< stride
    Cost* row_mean;              ///< n_rows
    std::uint32_t* counts;       ///< n_nodes + 2
    std::size_t next_row;        ///< where pricing goes on

    [[nodiscard]] bool child_is_row_of(std::size_t slot) const {
        return (child_is_row[slot / word_bits] >> (slot % word_bits) & 1U) != 0;
    }
};

/// The result of a run of pivots.
struct PivotRun {
    std::int64_t pivots;
    double gain;  ///< sum over pivots of pushed flow times reduced cost: how the cost of the flow changed
    bool optimal;
};

/// Compiled once per instruction set.
template <class Cost>
struct SimplexKernels {
    /// Trees of so many edges keep paths, larger ones cuts.
    std::size_t max_path_edges;
    /// First basis, by the matrix-minimum rule in all but a few places, with its coarse potentials.
    void (*start)(SimplexTableau<Cost>& tableau);
    /// Pivot on float32 potentials until no reduced cost is under -tolerance, or `limit` pivots are done. Null for
    /// float64 costs, of which rounded ones serve.
    PivotRun (*improve_coarse)(SimplexTableau<Cost>& tableau, float tolerance, std::int64_t limit);
    /// The same on float64 potentials.
    PivotRun (*improve_fine)(SimplexTableau<Cost>& tableau, double tolerance, std::int64_t limit);
    /// Order the tree top down, and compute the fine potentials again from the costs of its edges.
    void (*potentials)(SimplexTableau<Cost>& tableau);
    /// g_j = min_i (C_ij - f_i) over n_rows rows of `stride` entries, in float64.
    void (*c_transform)(const Cost* cost, std::size_t n_rows, std::size_t stride, const double* f, double* g);
};

}  // namespace moverank
