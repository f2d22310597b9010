#include "simplex.hpp"

#include <limits>

#include "simd.hpp"
#include "simplex_exchange.hpp"
#include "simplex_price.hpp"
#include "simplex_start.hpp"

namespace moverank::MOVERANK_LEVEL {

namespace {

template <class Cost, class Pot, class Exchange>
MOVERANK_INLINE PivotRun improve_by(SimplexTableau<Cost>& t, Pot* pot, Pot tolerance, std::int64_t limit,
                                    Exchange exchange) {
    double gain = 0.0;
    // The limit is checked before pricing, so that a run in several pieces makes the same pivots as one run.
    for (std::int64_t pivots = 0; pivots < limit; ++pivots) {
        const Entering<Pot> entering = price(t, pot, tolerance);
        if (!entering.found) {
            return {pivots, gain, true};
        }
        const Flow pushed = exchange(t, pot, entering.row, entering.column, entering.reduced_cost);
        gain += static_cast<double>(pushed) * static_cast<double>(entering.reduced_cost);
    }
    return {limit, gain, false};
}

/// Cuts of up to 512 nodes have code of their own, whose loops over words have constant length and unroll.
template <class Cost, class Pot>
PivotRun improve(SimplexTableau<Cost>& t, Pot* pot, Pot tolerance, std::int64_t limit) {
    const auto pivot = [&](auto exchange) { return improve_by(t, pot, tolerance, limit, exchange); };
    if (t.keeps_paths) {
        return pivot([](auto&&... of) { return exchange_by_paths(of...); });
    }
    if (t.n_node_words == 8) {
        return pivot([](auto&&... of) { return exchange_by_cuts<8>(of...); });
    }
    return pivot([](auto&&... of) { return exchange_by_cuts<0>(of...); });
}

template <class Cost>
PivotRun improve_coarse(SimplexTableau<Cost>& t, float tolerance, std::int64_t limit) {
    return improve(t, t.coarse, tolerance, limit);
}

template <class Cost>
PivotRun improve_fine(SimplexTableau<Cost>& t, double tolerance, std::int64_t limit) {
    return improve(t, t.fine, tolerance, limit);
}

/// Order slots so that each comes after those between it and the root: by the length of their child's path, or by the
/// size of their cut, largest first. A counting sort, in linear time.
template <class Cost>
void order_top_down(SimplexTableau<Cost>& t) {
    const auto rank = [&t](std::size_t slot) {
        std::size_t size = 0;
        if (t.keeps_paths) {
            // The longer path is that of the child. No branch: which end it is is as good as random.
            const int of_row = __builtin_popcountll(t.sets[t.edge_row[slot]]);
            const int of_column = __builtin_popcountll(t.sets[t.first_column + t.edge_column[slot]]);
            return static_cast<std::size_t>(of_row > of_column ? of_row : of_column);
        }
        for (std::size_t w = 0; w < (t.n_nodes + 63) / 64; ++w) {
            size += static_cast<std::size_t>(__builtin_popcountll(t.sets[slot * t.n_node_words + w]));
        }
        return t.n_nodes - size;
    };
    for (std::size_t r = 0; r < t.n_nodes + 2; ++r) {
        t.counts[r] = 0;
    }
    auto* ranks = reinterpret_cast<std::uint64_t*>(t.open);  // free after the start
    for (std::size_t slot = 0; slot < t.n_edges; ++slot) {
        ranks[slot] = rank(slot);
        ++t.counts[ranks[slot] + 1];
    }
    for (std::size_t r = 1; r < t.n_nodes + 2; ++r) {
        t.counts[r] += t.counts[r - 1];
    }
    for (std::size_t slot = 0; slot < t.n_edges; ++slot) {
        t.top_down[t.counts[ranks[slot]]++] = static_cast<std::uint32_t>(slot);
    }
}

/// Which end of each edge is further from the root: the row, if the edge is the one above it.
template <class Cost>
void find_children(SimplexTableau<Cost>& t) {
    for (std::size_t w = 0; w * word_bits < t.n_edges; ++w) {
        t.child_is_row[w] = 0;
    }
    for (std::size_t i = 0; i < t.n_rows; ++i) {
        const std::size_t slot = t.parent_edge[i].slot;
        if (slot < t.n_edges) {
            t.child_is_row[slot / word_bits] |= std::uint64_t{1} << (slot % word_bits);
        }
    }
}

/// On tree edges f_i + g_j = C_ij, so each node follows from its parent. Nodes hold f_i and -g_j; the root is 0. One
/// rounding per edge of the path is all the error, whatever the pivots accumulated.
template <class Cost>
void potentials(SimplexTableau<Cost>& t) {
    if (!t.keeps_paths) {
        find_children(t);
    }
    order_top_down(t);
    for (std::size_t x = 0; x < t.n_nodes; ++x) {
        t.fine[x] = 0.0;
    }
    for (std::size_t k = 0; k < t.n_edges; ++k) {
        const std::size_t slot = t.top_down[k];
        const std::size_t row = t.edge_row[slot];
        const std::size_t column = t.first_column + t.edge_column[slot];
        const auto c = static_cast<double>(t.cost[row * t.stride + t.edge_column[slot]]);
        const bool child_is_row = t.child_is_row_of(slot);
        const std::size_t child = child_of(row, column, child_is_row);
        t.fine[child] = t.fine[row ^ column ^ child] + child_signs[child_is_row] * c;
    }
}

template <class Cost>
void c_transform(const Cost* cost, std::size_t n_rows, std::size_t stride, const double* f, double* g) {
    for (std::size_t j = 0; j < stride; j += lanes<double>) {
        Vector<double> least = splat(std::numeric_limits<double>::infinity());
        for (std::size_t i = 0; i < n_rows; ++i) {
            least = min<double>(least, load_as<double>(cost + i * stride + j) - splat(f[i]));
        }
        store(g + j, least);
    }
}

/// Edges of the largest tree that keeps paths: with narrow registers cuts are cheaper for any. See
/// docs/architecture.md.
constexpr std::size_t max_path_edges = lanes<Flow> > 2 ? word_bits : 0;

}  // namespace

extern const SimplexKernels<float> simplex_float;
extern const SimplexKernels<double> simplex_double;
const SimplexKernels<float> simplex_float{max_path_edges,       &start<float>,      &improve_coarse<float>,
                                          &improve_fine<float>, &potentials<float>, &c_transform<float>};
const SimplexKernels<double> simplex_double{max_path_edges,        &start<double>,      nullptr,
                                            &improve_fine<double>, &potentials<double>, &c_transform<double>};

}  // namespace moverank::MOVERANK_LEVEL
