/// Which edge enters the basis: minima of reduced costs over blocks of rows.
#pragma once

#include <cstddef>

#include "simd.hpp"
#include "simplex.hpp"

namespace moverank::MOVERANK_LEVEL {

/// Rows priced before the best of them enters: fewer mean more pivots, more mean dearer ones.
inline constexpr std::size_t pricing_block = 16;

template <class Pot>
struct Entering {
    std::size_t row, column;
    Pot reduced_cost;
    bool found;
};

/// Smallest reduced costs of `lanes` rows from i on: lane l holds that of row i + l, or of row end - 1 from `end` on.
template <class Cost, class Pot>
MOVERANK_INLINE Vector<Pot> smallest_reduced_costs(const SimplexTableau<Cost>& t, const Pot* pot, std::size_t i,
                                                   std::size_t end) {
    const Cost* rows[lanes<Pot>];
    if (i + lanes<Pot> <= end) {
#pragma GCC unroll 16
        for (std::size_t l = 0; l < lanes<Pot>; ++l) {
            rows[l] = t.cost + (i + l) * t.stride;
        }
        return min_of_rows<Cost, Pot>(rows, pot + t.first_column, t.stride) - load(pot + i);
    }
    Pot f[lanes<Pot>];
    for (std::size_t l = 0; l < lanes<Pot>; ++l) {
        const std::size_t row = i + l < end ? i + l : end - 1;
        rows[l] = t.cost + row * t.stride;
        f[l] = pot[row];
    }
    return min_of_rows<Cost, Pot>(rows, pot + t.first_column, t.stride) - load(f);
}

/// The column at which a row takes the reduced cost that smallest_reduced_costs found: the same operations in the same
/// order give the same last bits.
template <class Cost, class Pot>
MOVERANK_INLINE std::size_t find_column(const SimplexTableau<Cost>& t, const Pot* pot, std::size_t row,
                                        Pot reduced_cost) {
    const Cost* cost = t.cost + row * t.stride;
    const Pot* columns = pot + t.first_column;
    const Vector<Pot> f = splat(pot[row]);
    return find_first<lanes<Pot>>(t.stride, [&](std::size_t j) {
        return equal_lanes<Pot>(load_as<Pot>(cost + j) + load(columns + j) - f, splat(reduced_cost));
    });
}

/// The most negative reduced cost of the first block of rows that has one, going round from where the last search
/// ended.
template <class Cost, class Pot>
MOVERANK_INLINE Entering<Pot> price(SimplexTableau<Cost>& t, const Pot* pot, Pot tolerance) {
    const std::size_t n_rows = t.n_rows;
    std::size_t i = t.next_row;
    for (std::size_t priced = 0; priced < n_rows;) {
        const std::size_t end = i + pricing_block < n_rows ? i + pricing_block : n_rows;
        Pot least = -tolerance;
        std::size_t row = n_rows;
        for (std::size_t k = i; k < end; k += lanes<Pot>) {
            const Vector<Pot> each = smallest_reduced_costs(t, pot, k, end);
            const Pot smallest = reduce_min<Pot>(each);
            if (smallest < least) {
                least = smallest;
                row = k + first_bit(equal_lanes<Pot>(each, splat(smallest)));
            }
        }
        priced += end - i;
        i = end == n_rows ? 0 : end;
        if (row < n_rows) {
            t.next_row = i;
            return {row, find_column(t, pot, row, least), least, true};
        }
    }
    return {0, 0, 0, false};
}

}  // namespace moverank::MOVERANK_LEVEL
