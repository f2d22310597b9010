#include <optional>

#include "../preconditions.hpp"
#include "documents_query.hpp"
#include "moverank/bag_bounds.hpp"
#include "moverank/vocabulary_costs.hpp"

namespace moverank {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Bags per chunk: the bound of one bag costs less than taking a chunk.
constexpr std::size_t bags_per_chunk = 512;

/// Bounds are sums over words, whose costs are computed once per query.
class BagsQuery final : public DocumentsQuery {
  public:
    BagsQuery(const JoinedBags& bags, const PreparedSequence& query, PositivePart part, int n_threads,
              Interrupt& interrupt)
        : BagsQuery(bags, query, part.of(query), n_threads, interrupt) {}

    void reuse(std::span<const double> potentials) override {
        DocumentsQuery::reuse(potentials);
        bounds_.reset();
    }

    Spent lower_bounds(std::span<const std::int64_t> positions, std::span<double> out, int n_threads,
                       Interrupt& interrupt) override {
        require(out.size() == positions.size(), "expected room for one bound per position");
        std::ranges::fill(out, -infinity);
        if (!bags_.measure().bounded_by_relaxation()) {
            return {};
        }
        const BagBounds& bounds = bag_bounds();
        const unsigned n_workers = thread_count(n_threads, positions.size());
        std::vector<BagBounds::Scratch> scratch(n_workers);
        const Spent spent =
            timed_for(positions.size(), n_workers, bags_per_chunk, interrupt, [&](unsigned w, std::size_t c) {
                out[c] = bounds.two_sided(static_cast<std::size_t>(positions[c]), scratch[w]);
            });
        require_numbers(out);
        return spent;
    }

    [[nodiscard]] bool has_one_sided_bounds() override {
        return bags_.measure().bounded_by_relaxation() && bag_bounds().has_one_sided();
    }

    Spent one_sided_bounds(std::span<const std::int64_t> positions, std::span<double> out, int n_threads,
                           Interrupt& interrupt) override {
        if (!has_one_sided_bounds()) {
            throw std::logic_error("this search has no one-sided bounds");
        }
        require(out.size() == positions.size(), "expected room for one bound per position");
        std::ranges::fill(out, -infinity);
        const BagBounds& bounds = bag_bounds();
        const Spent spent = timed_for(
            positions.size(), thread_count(n_threads, positions.size()), bags_per_chunk, interrupt,
            [&](unsigned, std::size_t c) { out[c] = bounds.one_sided(static_cast<std::size_t>(positions[c])); });
        require_numbers(out);
        return spent;
    }

  protected:
    [[nodiscard]] const VocabularyCosts* vocabulary() const override { return &costs_; }

  private:
    BagsQuery(const JoinedBags& bags, const PreparedSequence& query, const PreparedSequence& positive, int n_threads,
              Interrupt& interrupt)
        : DocumentsQuery(bags, query, nullptr),
          bags_(bags),
          costs_(bags, positive, n_threads, interrupt),
          query_mass_(positive.mass.begin(), positive.mass.end()) {}

    const BagBounds& bag_bounds() {
        if (bounds_) {
            return *bounds_;
        }
        const bool usable = bags_.measure().fraction == 1.0;
        return bounds_.emplace(bags_, costs_, query_mass_, usable ? potentials() : std::span<const double>{});
    }

    const JoinedBags& bags_;
    VocabularyCosts costs_;
    std::vector<double> query_mass_;   ///< of tokens with mass
    std::optional<BagBounds> bounds_;  ///< with the latest potentials; made at the first use
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
    return std::make_unique<BagsQuery>(bags_, query, PositivePart(), n_threads, interrupt);
}

}  // namespace moverank
