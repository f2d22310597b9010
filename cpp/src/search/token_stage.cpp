#include "moverank/token_stage.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <numeric>

#include "../preconditions.hpp"
#include "bags_query.hpp"

namespace moverank {

namespace {

/// Bags whose potentials bound the others.
constexpr std::size_t n_seeds = 32;

/// Documents with the best estimate known of each.
struct Ranked {
    std::vector<std::int64_t> positions;
    std::vector<double> estimates;

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

/// Raise the estimates of all documents to the best bound on their bags.
void raise(BagsQuery& query, Ranked& ranked, int n_threads, Interrupt& interrupt) {
    std::vector<double> bounds(ranked.positions.size());
    query.bounds().back()->compute(ranked.positions, bounds, n_threads, interrupt);
    std::ranges::transform(bounds, ranked.estimates, ranked.estimates.begin(),
                           [](double x, double y) { return std::max(x, y); });
}

/// The same from the potentials of some bags, if bounds can use any. Returns whether they can.
bool raise_by(const std::vector<std::int64_t>& seeds, BagsQuery& query, Ranked& ranked, int n_threads,
              Interrupt& interrupt) {
    std::vector<double> distances(seeds.size());
    const Solved solved = query.solve(seeds, distances, n_threads, interrupt);
    if (solved.potentials.empty()) {
        return false;
    }
    query.reuse(solved.potentials);
    raise(query, ranked, n_threads, interrupt);
    return true;
}

}  // namespace

std::vector<std::int64_t> nearest_by_tokens(const JoinedBags& bags, const JoinedCellLists& lists,
                                            const PreparedSequence& query, const TokenProbe& probe, std::size_t count,
                                            std::optional<std::span<const std::int64_t>> positions, int n_threads,
                                            Interrupt& interrupt) {
    require(bags.size() == lists.size(), "bags and lists are of different documents");
    BagsQuery asked(bags, query, n_threads, interrupt);
    Ranked ranked;
    std::vector<std::int64_t> seeds;
    std::vector<std::int64_t> others;
    if (positions && positions->size() <= probe.n_ranked) {
        ranked.positions.assign(positions->begin(), positions->end());
    } else {
        // Of a small collection, or of few documents of a large one, the nearest cells have fewer than can be ranked.
        const std::size_t wanted = std::min(probe.n_ranked, positions ? positions->size() : lists.size());
        std::vector<Hit> found;
        for (std::size_t n_cells = probe.n_cells;; n_cells *= 4) {
            found = lists.nearest(asked.costs(), asked.query_mass(), {n_cells, std::max(probe.n_ranked, count)},
                                  positions, n_threads, interrupt);
            if (found.size() >= wanted || n_cells >= lists.n_cells()) {
                break;
            }
        }
        const auto n_ranked = static_cast<std::ptrdiff_t>(std::min(probe.n_ranked, found.size()));
        std::ranges::transform(found.begin(), found.begin() + n_ranked, std::back_inserter(ranked.positions),
                               &Hit::position);
        std::ranges::transform(found.begin() + n_ranked, found.end(), std::back_inserter(others), &Hit::position);
        seeds.assign(ranked.positions.begin(),
                     ranked.positions.begin() + std::min(n_ranked, static_cast<std::ptrdiff_t>(n_seeds)));
        std::ranges::sort(ranked.positions);
    }
    if (ranked.positions.empty()) {
        return {};
    }
    ranked.estimates.assign(ranked.positions.size(), -std::numeric_limits<double>::infinity());
    // Once with the nearest by cells as seeds, then with the nearest by the bounds that these gave. Without cells, and
    // where bounds have no use for potentials, the order is that of the relaxed bound.
    if (seeds.empty() || !raise_by(seeds, asked, ranked, n_threads, interrupt)) {
        raise(asked, ranked, n_threads, interrupt);
    }
    raise_by(ranked.first(n_seeds), asked, ranked, n_threads, interrupt);
    std::vector<std::int64_t> nearest = ranked.first(count);
    nearest.insert(nearest.end(), others.begin(),
                   others.begin() + static_cast<std::ptrdiff_t>(std::min(count - nearest.size(), others.size())));
    return nearest;
}

}  // namespace moverank
