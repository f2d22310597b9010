#include "sparse_simplex.hpp"

#include <algorithm>
#include <cmath>

namespace moverank {

namespace {

/// Entries priced before the best of them enters, at least: whole columns.
constexpr std::size_t pricing_entries = 256;

constexpr std::size_t blocks_between_checks = 1024;

}  // namespace

void SparseSimplex::make_blocks() {
    const std::vector<std::size_t>& begin = network_->begin();
    blocks_.assign(1, 0);
    for (std::size_t j = 0; j + 1 < begin.size(); ++j) {
        if (begin[j + 1] - begin[blocks_.back()] >= pricing_entries || j + 2 == begin.size()) {
            blocks_.push_back(j + 1);
        }
    }
}

/// Price the entries of some columns, and let the best enter. Returns false if none improves the plan.
bool SparseSimplex::pivot_in(std::size_t first, std::size_t last) {
    const std::size_t* begin = network_->begin().data();
    const std::uint32_t* rows = network_->entry_rows().data();
    const double* costs = network_->entry_costs().data();
    const TieredCost* f = tree_.f();
    // A tier outweighs any cost, and leaves those of tier 0 as they are: so the sign is right, and rounding can only
    // change which of several improvements is taken.
    double best = -tolerance_;
    std::size_t entering = begin[last];
    std::size_t column = last;
    for (std::size_t j = first; j < last; ++j) {
        const TieredCost g = tree_.g(j);
        const std::size_t end = begin[j + 1];
        for (std::size_t k = begin[j]; k < end; ++k) {
            const TieredCost& of_row = f[rows[k]];
            const double reduced = (costs[k] - of_row.cost - g.cost) - (of_row.tier + g.tier) * unit_;
            if (reduced < best) {
                best = reduced;
                entering = k;
                column = j;
            }
        }
    }
    if (column == last) {
        return false;
    }
    (void)tree_.exchange(rows[entering], column, {0.0, costs[entering]});
    ++pivots_;
    return true;
}

/// Pivot until no entry may enter.
bool SparseSimplex::improve(const Limits& limits) {
    const std::size_t n_blocks = blocks_.size() - 1;
    std::size_t block = 0;
    std::size_t priced = 0;
    for (std::size_t without = 0; without < n_blocks;) {
        if (pivots_ >= limits.pivots) {
            return false;
        }
        without = pivot_in(blocks_[block], blocks_[block + 1]) ? 0 : without + 1;
        block = block + 1 == n_blocks ? 0 : block + 1;
        if (++priced % blocks_between_checks == 0) {
            check(limits.interrupt);
        }
    }
    return true;
}

bool SparseSimplex::solve(const SparseNetwork& network, std::span<const std::int64_t> supplies,
                          std::span<const std::int64_t> demands, const Limits& limits) {
    network_ = &network;
    pivots_ = 0;
    tolerance_ = limits.tolerance;
    double largest = 0.0;
    for (const double c : network.entry_costs()) {
        largest = std::max(largest, std::abs(c));
    }
    // A reduced cost is a sum over the edges of a cycle, each at most once.
    const auto n_nodes = static_cast<double>(supplies.size() + demands.size());
    unit_ = largest > 0.0 ? std::ldexp(1.0, std::ilogb(largest) + std::ilogb(n_nodes) + 4) : 1.0;
    make_blocks();
    start_.make(network, supplies, demands);
    check(limits.interrupt);
    tree_.build(supplies.size(), demands.size(), start_.edges());
    // Pivots shift potentials, and each shift rounds: the end is on potentials computed afresh.
    for (std::int64_t before = -1; before != pivots_;) {
        before = pivots_;
        tree_.refresh();
        check(limits.interrupt);
        if (!improve(limits)) {
            return false;
        }
    }
    return true;
}

}  // namespace moverank
