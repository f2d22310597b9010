/// Why a sparse problem has no plan: sources with more mass than all targets that they may reach.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "moverank/sparse.hpp"
#include "sparse_flows.hpp"

namespace moverank {

/// From a plan of as much mass as can move, by alternating paths: a target that a stuck source may reach is full, and
/// the sources that fill it may as well be stuck. So these targets have no room for what these sources have (Hall's
/// condition).
template <class Cost, class Index>
void find_stuck(const SparseProblem<Cost, Index>& problem, const SparseFlows& flows, Infeasibility& found) {
    const SparseCosts<Cost, Index>& cost = problem.cost;
    std::vector<std::vector<std::size_t>> filled_by(cost.n_columns);
    for (const Flow& flow : flows.flows()) {
        filled_by[flow.target].push_back(flow.source);
    }
    std::vector<bool> is_stuck(cost.n_rows, false);
    std::vector<bool> is_reached(cost.n_columns, false);
    std::vector<std::size_t>& sources = found.sources;
    const auto add = [&](std::size_t source) {
        if (!is_stuck[source]) {
            is_stuck[source] = true;
            sources.push_back(source);
        }
    };
    for (const SparseFlows::Stuck& stuck : flows.stuck()) {
        add(stuck.source);
    }
    for (std::size_t next = 0; next < sources.size(); ++next) {
        const std::size_t i = sources[next];
        for (auto k = static_cast<std::size_t>(cost.begin[i]); k < static_cast<std::size_t>(cost.begin[i + 1]); ++k) {
            const auto j = static_cast<std::size_t>(cost.columns[k]);
            if (!is_reached[j] && problem.b[j] > 0.0 && cost.costs[k] < std::numeric_limits<Cost>::infinity()) {
                is_reached[j] = true;
                found.targets.push_back(j);
                std::ranges::for_each(filled_by[j], add);
            }
        }
    }
    std::ranges::sort(sources);
    std::ranges::sort(found.targets);
}

}  // namespace moverank
