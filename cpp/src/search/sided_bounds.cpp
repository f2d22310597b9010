#include "sided_bounds.hpp"

#include <vector>

#include "moverank/parallel.hpp"
#include "timed_for.hpp"

namespace moverank {

bool OneSidedBound::is_known() {
    return bags_.bags().measure().bounded_by_relaxation() && bags_.sums().has_one_sided();
}

bool OneSidedBound::is_useful() {
    // Above capacity 1 it has the value of the two-sided bound, at the same price.
    return bags_.bags().measure().capacity == 1.0 && is_known();
}

Spent OneSidedBound::fill(std::span<const std::int64_t> positions, std::span<double> out, int n_threads,
                          Interrupt& interrupt, double) {
    if (!is_known()) {
        return {};
    }
    const BagBounds& sums = bags_.sums();
    return timed_for(positions.size(), thread_count(n_threads, positions.size()), bags_per_chunk, interrupt,
                     [&](unsigned, std::size_t c) { out[c] = sums.one_sided(static_cast<std::size_t>(positions[c])); });
}

Spent TwoSidedBound::fill(std::span<const std::int64_t> positions, std::span<double> out, int n_threads,
                          Interrupt& interrupt, double) {
    if (!bags_.bags().measure().bounded_by_relaxation()) {
        return {};
    }
    const BagBounds& sums = bags_.sums();
    const unsigned n_workers = thread_count(n_threads, positions.size());
    std::vector<BagBounds::Scratch> scratch(n_workers);
    return timed_for(positions.size(), n_workers, bags_per_chunk, interrupt, [&](unsigned w, std::size_t c) {
        out[c] = sums.two_sided(static_cast<std::size_t>(positions[c]), scratch[w]);
    });
}

}  // namespace moverank
