#include <algorithm>
#include <memory>

#include "documents_query.hpp"
#include "moverank/searchable.hpp"
#include "queried_bags.hpp"
#include "sided_bounds.hpp"

namespace moverank {

namespace {

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

  protected:
    [[nodiscard]] const VocabularyCosts* vocabulary() const override { return &bags_.costs(); }

  private:
    QueriedBags bags_;
};

[[nodiscard]] bool has_entry_below_0(const CostTable& costs) {
    return costs.visit([](const auto& table) {
        for (std::size_t row = 0; row < table.rows(); ++row) {
            const std::span entries(table.row(row), table.cols());
            if (std::ranges::any_of(entries, [](auto cost) { return cost < 0; })) {
                return true;
            }
        }
        return false;
    });
}

}  // namespace

bool SearchableBags::has_negative_costs() const {
    if (!bags_.has_given_costs()) {
        return Searchable::has_negative_costs();
    }
    std::call_once(read_, [&] { has_negative_costs_ = has_entry_below_0(bags_.costs()); });
    return has_negative_costs_;
}

std::unique_ptr<CorpusQuery> SearchableBags::ask(const PreparedSequence& query, int n_threads,
                                                 Interrupt& interrupt) const {
    return std::make_unique<BagsQuery>(bags_, query, n_threads, interrupt);
}

}  // namespace moverank
