/// The first basis of the transportation simplex, by the matrix-minimum rule: always fill the cheapest entry whose row
/// and column both have mass left. Close to the optimum, so few pivots follow. An exact rule would have to find the
/// minimum of all open entries at every step; here each row remembers its cheapest column, and is checked again when
/// that column has closed.
///
/// What counts as cheap is an entry beside the mean of its row and of its column: what is dear everywhere has to be
/// paid, and a column that is near to all rows is not to be wasted on one that has others.
#pragma once

#include <limits>

#include "simd.hpp"
#include "simplex.hpp"

namespace moverank::MOVERANK_LEVEL {

/// Rows that are looked at together: many minima take little longer than one.
inline constexpr std::size_t batch_size = 16;

/// Rows on their way into the queue.
struct Batch {
    std::uint32_t rows[batch_size + 1];  ///< the last place takes what is written and not counted
    std::size_t count = 0;
};

/// Rows whose sums are formed together.
inline constexpr std::size_t rows_summed = 4;

/// The sum of what 16 lanes added up, in the same order for registers of any width.
template <class Cost>
MOVERANK_INLINE Cost sum_of_lanes(const Vector<Cost>* parts) {
    constexpr std::size_t n_parts = lane_padding / lanes<Cost>;
    Vector<Cost> sums[n_parts];
    for (std::size_t p = 0; p < n_parts; ++p) {
        sums[p] = parts[p];
    }
    for (std::size_t step = n_parts / 2; step > 0; step /= 2) {
        for (std::size_t p = 0; p < step; ++p) {
            sums[p] += sums[p + step];
        }
    }
    return reduce_add<Cost>(sums[0]);
}

/// Set row_mean, and penalty to minus the means of columns. Where a few entries are far dearer than the rest, as those
/// that are meant to forbid something, means count these and say nothing of the others; then all are 0.
template <class Cost>
MOVERANK_INLINE void find_means(SimplexTableau<Cost>& t) {
    constexpr std::size_t n_parts = lane_padding / lanes<Cost>;
    constexpr Bits all = (1U << lane_padding) - 1;
    for (std::size_t j = 0; j < t.stride; ++j) {
        t.penalty[j] = 0;
    }
    const Vector<Cost> origin = splat(t.cost[0]);  // constants change nothing but the rounding of squares
    Vector<Cost> squares[n_parts] = {};
    Vector<Cost> least[n_parts] = {};
    Cost total = 0;
    for (std::size_t i = 0; i < t.n_rows; i += rows_summed) {
        const Cost* rows[rows_summed];
        Bits there[rows_summed];
        Vector<Cost> sums[rows_summed][n_parts] = {};
        for (std::size_t r = 0; r < rows_summed; ++r) {
            there[r] = i + r < t.n_rows ? all : 0;
            rows[r] = t.cost + (i + r < t.n_rows ? i + r : i) * t.stride;
        }
        for (std::size_t j = 0; j < t.n_columns; j += lane_padding) {
            const Bits columns = t.n_columns - j < lane_padding ? (1U << (t.n_columns - j)) - 1 : all;
#pragma GCC unroll 8
            for (std::size_t p = 0; p < n_parts; ++p) {
                const std::size_t first = p * lanes<Cost>;
                Vector<Cost> each[rows_summed];
#pragma GCC unroll 4
                for (std::size_t r = 0; r < rows_summed; ++r) {
                    each[r] =
                        where<Cost>((columns & there[r]) >> first, load(rows[r] + j + first) - origin, Vector<Cost>{});
                    sums[r][p] += each[r];
                }
                squares[p] += (each[0] * each[0] + each[1] * each[1]) + (each[2] * each[2] + each[3] * each[3]);
                least[p] = min<Cost>(least[p], min<Cost>(min<Cost>(each[0], each[1]), min<Cost>(each[2], each[3])));
                Cost* penalty = t.penalty + j + first;
                store(penalty, load(penalty) + ((each[0] + each[1]) + (each[2] + each[3])));
            }
        }
        for (std::size_t r = 0; r < rows_summed && i + r < t.n_rows; ++r) {
            const Cost sum = sum_of_lanes<Cost>(sums[r]);
            total += sum;
            t.row_mean[i + r] = sum / static_cast<Cost>(t.n_columns);
        }
    }
    for (std::size_t p = 1; p < n_parts; ++p) {
        least[0] = min<Cost>(least[0], least[p]);
    }
    const Cost n_entries = static_cast<Cost>(t.n_rows) * static_cast<Cost>(t.n_columns);
    const Cost mean = total / n_entries;
    const Cost above_least = mean - reduce_min<Cost>(least[0]);
    // Squares of the largest costs are infinite, and not less.
    const bool is_even = sum_of_lanes<Cost>(squares) / n_entries - mean * mean <= above_least * above_least;
    const Cost per_column = is_even ? Cost{-1} / static_cast<Cost>(t.n_rows) : Cost{0};
    for (std::size_t j = 0; j < t.stride; ++j) {
        t.penalty[j] = is_even ? t.penalty[j] * per_column : Cost{0};
    }
    for (std::size_t i = 0; !is_even && i < t.n_rows; ++i) {
        t.row_mean[i] = 0;
    }
}

/// Find the cheapest open column of each row of a batch. The slack row costs 0 everywhere and would take the best
/// columns first, so it counts as the most expensive row.
template <class Cost>
MOVERANK_INLINE void find_best(SimplexTableau<Cost>& t, const Batch& batch) {
    for (std::size_t k = 0; k < batch.count; k += lanes<Cost>) {
        const Cost* rows[lanes<Cost>];
        for (std::size_t l = 0; l < lanes<Cost>; ++l) {
            rows[l] = t.cost + batch.rows[k + l < batch.count ? k + l : k] * t.stride;
        }
        Cost best[lanes<Cost>];
        store(best, min_of_rows<Cost, Cost>(rows, t.penalty, t.stride));
        for (std::size_t l = 0; l < lanes<Cost> && k + l < batch.count; ++l) {
            const std::size_t j = find_first<lanes<Cost>>(t.stride, [&](std::size_t from) {
                return equal_lanes<Cost>(load(rows[l] + from) + load(t.penalty + from), splat(best[l]));
            });
            const std::size_t i = batch.rows[k + l];
            const bool is_slack = t.has_slack && i + 1 == t.n_rows;
            t.best_cost[i] = is_slack ? std::numeric_limits<Cost>::max() : best[l] - t.row_mean[i];
            t.best_column[i] = static_cast<std::uint32_t>(j);
        }
    }
}

/// Sort a batch by best cost, by counting for each row those that come before it: no branch to mispredict.
template <class Cost>
MOVERANK_INLINE void sort(const SimplexTableau<Cost>& t, Batch& batch) {
    Cost costs[batch_size];
    for (std::size_t k = 0; k < batch_size; ++k) {
        costs[k] = k < batch.count ? t.best_cost[batch.rows[k]] : std::numeric_limits<Cost>::infinity();
    }
    std::uint32_t sorted[batch_size];
    for (std::size_t k = 0; k < batch.count; ++k) {
        int before = 0;
        for (std::size_t l = 0; l < batch_size; l += lanes<Cost>) {
            const Bits less = bits_of<Cost>(load(costs + l) < splat(costs[k]));
            const Bits equal = equal_lanes<Cost>(load(costs + l), splat(costs[k]));
            const Bits earlier = k > l ? static_cast<Bits>((std::uint64_t{1} << (k - l)) - 1) : 0;
            before += __builtin_popcount(less | (equal & earlier));
        }
        sorted[before] = batch.rows[k];
    }
    for (std::size_t k = 0; k < batch.count; ++k) {
        batch.rows[k] = sorted[k];
    }
}

/// Merge a batch into the rows that wait, waiting[first .. n_rows), from the front. Returns the new first.
template <class Cost>
MOVERANK_INLINE std::size_t enqueue(SimplexTableau<Cost>& t, Batch& batch, std::uint32_t* waiting, std::size_t first) {
    find_best(t, batch);
    sort(t, batch);
    std::size_t place = first - batch.count;
    const std::size_t new_first = place;
    for (std::size_t k = 0; k < batch.count; ++place) {
        const bool older = first < t.n_rows && t.best_cost[waiting[first]] < t.best_cost[batch.rows[k]];
        waiting[place] = older ? waiting[first] : batch.rows[k];
        first += older ? 1 : 0;
        k += older ? 0 : 1;
    }
    batch.count = 0;
    return new_first;
}

/// One row is left, so there is no choice: it takes what every column still lacks. Above capacity 1 that is the slack,
/// and most of the columns.
template <class Cost>
MOVERANK_INLINE void close_last_row(SimplexTableau<Cost>& t, std::uint32_t row, std::size_t slot) {
    const std::int64_t* open_demand = t.open + t.first_column;
    for (std::uint32_t j = 0; slot < t.n_edges; ++j) {
        t.edge_row[slot] = row;
        t.edge_column[slot] = j;
        t.flow[slot] = open_demand[j];
        slot += open_demand[j] > 0 ? 1 : 0;
    }
    // The last step closes both, and the row counts as the child.
    t.child_is_row[(slot - 1) / 64] |= std::uint64_t{1} << ((slot - 1) % 64);
}

/// Fill slots with edges: the cheapest open entry takes what its row and column still have. Rows wait in order of their
/// cheapest entry. A row whose column has closed is searched again together with others in the same situation, which
/// lets a few entries be filled out of turn. With perturbed masses each step closes exactly one node, which becomes a
/// child of the other: the steps, read backwards, are the tree from its root.
template <class Cost>
MOVERANK_INLINE void close_nodes(SimplexTableau<Cost>& t) {
    std::int64_t* open_supply = t.open;
    std::int64_t* open_demand = t.open + t.first_column;
    for (std::size_t i = 0; i < t.n_rows; ++i) {
        open_supply[i] = t.supply[i];
    }
    for (std::size_t j = 0; j < t.n_columns; ++j) {
        open_demand[j] = t.demand[j];
    }
    find_means(t);
    for (std::size_t w = 0; w * word_bits < t.n_edges; ++w) {
        t.child_is_row[w] = 0;
    }

    std::uint32_t* waiting = t.top_down;  // free until the basis is complete
    std::size_t first = t.n_rows;
    Batch outdated;
    for (std::size_t i = 0; i < t.n_rows; ++i) {
        outdated.rows[outdated.count++] = static_cast<std::uint32_t>(i);
        if (outdated.count == batch_size) {
            first = enqueue(t, outdated, waiting, first);
        }
    }
    if (outdated.count > 0) {
        first = enqueue(t, outdated, waiting, first);
    }
    for (std::size_t slot = 0; slot < t.n_edges;) {
        if (outdated.count == 1 && first == t.n_rows) {
            close_last_row(t, outdated.rows[0], slot);
            return;
        }
        if (outdated.count == batch_size || first == t.n_rows) {
            first = enqueue(t, outdated, waiting, first);
        }
        // Without a branch: if the column has closed meanwhile, nothing flows and the slot is filled again.
        const std::uint32_t i = waiting[first++];
        const std::uint32_t j = t.best_column[i];
        const std::int64_t supply = open_supply[i];
        const std::int64_t demand = open_demand[j];
        const bool row_closes = supply <= demand;  // equal in the last step only
        const std::int64_t flow = row_closes ? supply : demand;
        open_supply[i] = supply - flow;
        open_demand[j] = demand - flow;
        t.edge_row[slot] = i;
        t.edge_column[slot] = j;
        t.flow[slot] = flow;
        t.child_is_row[slot / 64] |= static_cast<std::uint64_t>(row_closes) << (slot % 64);
        t.penalty[j] = row_closes ? t.penalty[j] : std::numeric_limits<Cost>::infinity();
        outdated.rows[outdated.count] = i;
        outdated.count += row_closes ? 0 : 1;
        slot += demand > 0 ? 1 : 0;
    }
}

template <class Cost>
static void start(SimplexTableau<Cost>& t) {
    close_nodes(t);
    const std::size_t set_size = t.keeps_paths ? t.n_nodes : (t.n_edges + 1) * t.n_node_words;
    for (std::size_t k = 0; k < set_size; ++k) {
        t.sets[k] = 0;
    }
    for (std::size_t x = 0; x < t.n_nodes; ++x) {
        t.coarse[x] = 0;
        t.parent_edge[x] = {0, static_cast<std::uint32_t>(t.n_edges)};
    }
    // From the root: slots in falling order.
    for (std::size_t slot = t.n_edges; slot-- > 0;) {
        const std::size_t row = t.edge_row[slot];
        const std::size_t column = t.first_column + t.edge_column[slot];
        const bool child_is_row = t.child_is_row_of(slot);
        const std::size_t child = child_of(row, column, child_is_row);
        const std::size_t parent = row ^ column ^ child;
        const auto c = static_cast<float>(t.cost[row * t.stride + t.edge_column[slot]]);
        t.coarse[child] = t.coarse[parent] + static_cast<float>(child_signs[child_is_row]) * c;
        t.parent_edge[child] = {static_cast<std::uint32_t>(parent), static_cast<std::uint32_t>(slot)};
        if (t.keeps_paths) {
            t.sets[child] = t.sets[parent] | std::uint64_t{1} << slot;
        } else {
            t.sets[slot * t.n_node_words + child / 64] |= std::uint64_t{1} << (child % 64);
        }
    }
    if (t.keeps_paths) {
        return;
    }
    // Towards the root: what lies below an edge lies below the next one as well.
    for (std::size_t slot = 0; slot < t.n_edges; ++slot) {
        // The edge above the other end, which is the parent, as this is the edge above the child.
        const std::size_t above_row = t.parent_edge[t.edge_row[slot]].slot;
        const std::size_t above_column = t.parent_edge[t.first_column + t.edge_column[slot]].slot;
        const std::size_t above = above_row ^ above_column ^ slot;
        for (std::size_t w = 0; w < t.n_node_words; w += lanes<std::int64_t>) {
            auto* wider = reinterpret_cast<std::int64_t*>(t.sets + above * t.n_node_words + w);
            const auto* cut = reinterpret_cast<const std::int64_t*>(t.sets + slot * t.n_node_words + w);
            store(wider, load(wider) | load(cut));
        }
    }
    // Whoever climbs to the root finds everything below it.
    for (std::size_t w = 0; w < t.n_node_words; ++w) {
        t.sets[t.n_edges * t.n_node_words + w] = ~std::uint64_t{0};
    }
}

}  // namespace moverank::MOVERANK_LEVEL
