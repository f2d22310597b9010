/// One-sided relaxations of transport: each is the value of a dual solution, hence a lower bound on the exact value.
///
///     query side      sum_i a_i min_j C_ij       drops the document's constraint; exact at capacity infinity
///     document side   sum_j b_j min_i C_ij       drops the query's constraint; a bound at capacity 1 only
///
/// Both need only the minima of the cost matrix, taken over tokens with mass.
///
/// Kusner, Sun, Kolkin, Weinberger, "From Word Embeddings To Document Distances", ICML 2015 (RWMD).
/// With cost -<x, y> and uniform a, the query side is minus MaxSim / n (Khattab, Zaharia, "ColBERT", SIGIR 2020).
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace moverank {

/// The value of one side, sum_t mass_t minimum_t: each token's mass goes to its cheapest partner. Summed in float64.
template <class Cost>
[[nodiscard]] double relaxed_side(std::span<const Cost> minima, std::span<const double> mass);

/// The larger of the sides that bound T_capacity: both at capacity 1; above it the query side only, and `column_minima`
/// is not read. If only a fraction of the mass moves, the cheapest part of each side counts; `order` is scratch for
/// that.
template <class Cost>
[[nodiscard]] double relaxed_bound(std::span<const Cost> row_minima, std::span<const Cost> column_minima,
                                   std::span<const double> a, std::span<const double> b, double capacity,
                                   double fraction, std::vector<std::size_t>& order);

/// The least cost of moving `part` of the mass, a fractional knapsack:
///
///     min sum_t x_t price_t   subject to   0 <= x <= mass,  sum x = part
///
/// Solved greedily: cheapest first, ties by position. `order` is scratch.
template <class Price>
[[nodiscard]] double cheapest_part(std::span<const Price> prices, std::span<const double> mass, double part,
                                   std::vector<std::size_t>& order);

}  // namespace moverank
