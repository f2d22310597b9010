#include <algorithm>
#include <memory>

#include "bags_query.hpp"
#include "moverank/searchable.hpp"

namespace moverank {

namespace {

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
