/// One-sided relaxations of transport: each is the value of a dual solution, hence a lower bound on the exact value.
///
///     query side      sum_i a_i min_j C_ij       drops the document's constraint; exact at capacity infinity
///     document side   sum_j b_j min_i C_ij       drops the query's constraint; a bound at capacity 1 only
///
/// Both need the minima of the cost matrix and nothing else of it; those of tokens with mass, to be exact.
///
/// Kusner, Sun, Kolkin, Weinberger, "From Word Embeddings To Document Distances", ICML 2015 (RWMD).
/// With cost -<x, y> and uniform a, the query side is minus MaxSim / n (Khattab, Zaharia, SIGIR 2020).
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace moverank {

/// One side: each token's mass goes to its cheapest partner. Accumulated in float64.
template <class Cost>
[[nodiscard]] double relaxed_side(std::span<const Cost> minima, std::span<const double> mass);

/// The best of the sides that bound T_capacity: both at capacity 1, the query side above, where `column_minima` is not
/// read. Of a fraction of the mass the cheapest part counts; `order` is scratch for that.
template <class Cost>
[[nodiscard]] double relaxed_bound(std::span<const Cost> row_minima, std::span<const Cost> column_minima,
                                   std::span<const double> a, std::span<const double> b, double capacity,
                                   double fraction, std::vector<std::size_t>& order);

/// The least that moving `part` of the mass costs at these prices, each mass being as much as there is:
///
///     min sum_t x_t price_t   subject to   0 <= x <= mass,  sum x = part
///
/// `order` is scratch. Cheapest first; ties by position.
template <class Price>
[[nodiscard]] double cheapest_part(std::span<const Price> prices, std::span<const double> mass, double part,
                                   std::vector<std::size_t>& order);

}  // namespace moverank
