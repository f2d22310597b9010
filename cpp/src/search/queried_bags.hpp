/// What all bounds on bags share for one query.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "moverank/bag_bounds.hpp"
#include "moverank/joined.hpp"
#include "moverank/prepared.hpp"
#include "moverank/vocabulary_costs.hpp"

namespace moverank {

/// Bags per chunk of a loop: the bound of one bag costs less than taking a chunk.
inline constexpr std::size_t bags_per_chunk = 512;

/// The costs between a query and all words, which are computed once, the query's masses, and the latest potentials.
class QueriedBags {
  public:
    /// Computes the costs. The bags, and the memory that `query` views, must outlive this object.
    QueriedBags(const JoinedBags& bags, const PreparedSequence& query, int n_threads, Interrupt& interrupt);

    [[nodiscard]] const JoinedBags& bags() const { return bags_; }
    [[nodiscard]] const VocabularyCosts& costs() const { return costs_; }
    /// Masses of the query's tokens that have any, which are the rows of `costs`.
    [[nodiscard]] std::span<const double> query_mass() const { return query_mass_; }
    /// One per such token, or none yet.
    [[nodiscard]] std::span<const double> potentials() const { return potentials_; }
    /// The sums over words that these potentials make; computed at the first use.
    [[nodiscard]] const BagBounds& sums();
    /// Set the potentials of all following bounds.
    void reuse(std::span<const double> potentials);

  private:
    const JoinedBags& bags_;
    VocabularyCosts costs_;
    std::vector<double> query_mass_;
    std::vector<double> potentials_;
    std::optional<BagBounds> sums_;
};

}  // namespace moverank
