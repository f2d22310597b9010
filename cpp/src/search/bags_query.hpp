/// One query on bags in memory.
#pragma once

#include <memory>
#include <span>

#include "documents_query.hpp"
#include "queried_bags.hpp"
#include "sided_bounds.hpp"

namespace moverank {

/// Bounds are sums over words, whose costs are computed once per query.
class BagsQuery final : public DocumentsQuery {
  public:
    BagsQuery(const JoinedBags& bags, const PreparedSequence& query, int n_threads, Interrupt& interrupt)
        : DocumentsQuery(bags, query), bags_(bags, query, n_threads, interrupt) {
        // Cheapest first: this is the whole list.
        add_bound(std::make_unique<OneSidedBound>(bags_));
        add_bound(std::make_unique<TwoSidedBound>(bags_));
    }

    void reuse(std::span<const double> potentials) override {
        DocumentsQuery::reuse(potentials);
        bags_.reuse(potentials);
    }

    /// The costs of all words, which were computed when the query was made.
    [[nodiscard]] const VocabularyCosts& costs() const { return bags_.costs(); }
    /// Masses of the query's tokens that have any, which are the columns of `costs`.
    [[nodiscard]] std::span<const double> query_mass() const { return bags_.query_mass(); }

  protected:
    [[nodiscard]] const VocabularyCosts* vocabulary() const override { return &bags_.costs(); }

  private:
    QueriedBags bags_;
};

}  // namespace moverank
