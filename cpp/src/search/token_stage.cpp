#include "moverank/token_stage.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <numeric>
#include <utility>

#include "../preconditions.hpp"
#include "bags_query.hpp"

namespace moverank {

namespace {

/// Bags whose potentials bound the others.
constexpr std::size_t n_seeds = 32;

/// Under balanced measures a document has to move all its mass, of which the cells near a query know nothing. So more
/// documents are taken from these per document that is ranked, and sifted by the one-sided bound, at a tenth of the
/// price of a rank.
constexpr std::size_t sifted_per_ranked = 4;

/// Documents with the best estimate known of each.
struct Ranked {
    std::vector<std::int64_t> positions;  ///< rising
    std::vector<double> estimates;

    explicit Ranked(std::vector<std::int64_t> found)
        : positions(std::move(found)), estimates(positions.size(), -std::numeric_limits<double>::infinity()) {
        std::ranges::sort(positions);
    }

    /// The positions of the first `count` by estimate, in this order.
    [[nodiscard]] std::vector<std::int64_t> first(std::size_t count) const {
        std::vector<std::size_t> order(positions.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        const auto end = order.begin() + static_cast<std::ptrdiff_t>(std::min(count, order.size()));
        std::partial_sort(order.begin(), end, order.end(), [&](std::size_t x, std::size_t y) {
            return estimates[x] < estimates[y] || (estimates[x] == estimates[y] && positions[x] < positions[y]);
        });
        std::vector<std::int64_t> found;
        std::for_each(order.begin(), end, [&](std::size_t place) { found.push_back(positions[place]); });
        return found;
    }
};

[[nodiscard]] std::vector<std::int64_t> first_of(const std::vector<std::int64_t>& all, std::size_t count) {
    return {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(std::min(count, all.size()))};
}

/// Raise the estimates of all documents to a bound on their bags.
void raise(LowerBound& bound, Ranked& ranked, int n_threads, Interrupt& interrupt) {
    std::vector<double> bounds(ranked.positions.size());
    bound.compute(ranked.positions, bounds, n_threads, interrupt);
    std::ranges::transform(bounds, ranked.estimates, ranked.estimates.begin(),
                           [](double x, double y) { return std::max(x, y); });
}

/// Let bounds use the potentials of some bags, if they can use any. Returns whether they can.
bool solve(const std::vector<std::int64_t>& seeds, BagsQuery& query, int n_threads, Interrupt& interrupt) {
    std::vector<double> distances(seeds.size());
    const Solved solved = query.solve(seeds, distances, n_threads, interrupt);
    if (solved.potentials.empty()) {
        return false;
    }
    query.reuse(solved.potentials);
    return true;
}

}  // namespace

std::vector<std::int64_t> nearest_by_tokens(const JoinedBags& bags, const JoinedCellLists& lists,
                                            const PreparedSequence& query, const TokenProbe& probe, std::size_t count,
                                            std::optional<std::span<const std::int64_t>> positions, int n_threads,
                                            Interrupt& interrupt) {
    require(bags.size() == lists.size(), "bags and lists are of different documents");
    BagsQuery asked(bags, query, n_threads, interrupt);
    LowerBound& coarse = *asked.bounds().front();
    LowerBound& fine = *asked.bounds().back();
    std::vector<std::int64_t> near;
    const bool by_cells = !positions || positions->size() > probe.n_ranked;
    const std::size_t n_sifted = probe.n_ranked * (bags.measure().capacity == 1.0 ? sifted_per_ranked : 1);
    if (!by_cells) {
        near.assign(positions->begin(), positions->end());
    } else {
        // Of a small collection, or of few documents of a large one, the nearest cells have fewer than can be ranked.
        const std::size_t wanted = std::min(probe.n_ranked, positions ? positions->size() : lists.size());
        std::vector<Hit> found;
        for (std::size_t n_cells = probe.n_cells;; n_cells *= 4) {
            found = lists.nearest(asked.costs(), asked.query_mass(), {n_cells, std::max(n_sifted, count)}, positions,
                                  n_threads, interrupt);
            if (found.size() >= wanted || n_cells >= lists.n_cells()) {
                break;
            }
        }
        std::ranges::transform(found, std::back_inserter(near), &Hit::position);
    }
    if (near.empty()) {
        return {};
    }
    // Once with the nearest by cells as seeds, then with the nearest by the bounds that these gave. Without cells, and
    // where bounds have no use for potentials, the order is that of the relaxed bound.
    if (by_cells && solve(first_of(near, n_seeds), asked, n_threads, interrupt) && near.size() > probe.n_ranked &&
        n_sifted > probe.n_ranked && coarse.is_useful()) {
        Ranked sifted(first_of(near, n_sifted));
        raise(coarse, sifted, n_threads, interrupt);
        std::ranges::copy(sifted.first(n_sifted), near.begin());
    }
    Ranked ranked(first_of(near, probe.n_ranked));
    raise(fine, ranked, n_threads, interrupt);
    if (solve(ranked.first(n_seeds), asked, n_threads, interrupt)) {
        raise(fine, ranked, n_threads, interrupt);
    }
    std::ranges::copy(ranked.first(probe.n_ranked), near.begin());
    near.resize(std::min(count, near.size()));
    return near;
}

}  // namespace moverank
