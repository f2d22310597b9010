#include "sparse_flows.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace moverank {

namespace {

/// What rounding may leave of a mass.
constexpr double rounding = 8.0 * std::numeric_limits<double>::epsilon();

/// As in ExactSolver: where all masses are above that, sums of them have their digits.
constexpr double small_mass = 0x1p-40;

}  // namespace

void SparseFlows::load_masses(const SparseNetwork& network, double fraction) {
    const SparseNetwork::Side& sources = network.sources();
    const SparseNetwork::Side& targets = network.targets();
    const std::size_t first_column = network.rows().size() + 1;
    const std::size_t first_source = network.is_turned() ? first_column : 0;
    const std::size_t first_target = network.is_turned() ? 0 : first_column;
    surplus_.assign(first_column + network.columns().size() + 1, LongSum());
    LongSum total;
    for (std::size_t i = 0; i < sources.places.size(); ++i) {
        surplus_[first_source + i] = LongSum(sources.masses[i]);
        total.add(sources.masses[i]);
    }
    const LongSum supplied = total;
    for (std::size_t j = 0; j < targets.places.size(); ++j) {
        surplus_[first_target + j] = LongSum(-targets.masses[j]);
        total.add(-targets.masses[j]);
    }
    if (targets.has_extra) {
        // All but what moves, as 1 less a small fraction has few digits of it.
        LongSum rest(fraction);
        rest.subtract(supplied);
        surplus_[first_target + targets.places.size()] = rest;
        total.add(rest);
    }
    // What balances the rest: the slack, or the largest mass of all, of which it is rounding.
    const auto largest_of = [](const SparseNetwork::Side& side) { return std::ranges::max_element(side.masses); };
    const bool is_source = sources.has_extra || *largest_of(sources) > *largest_of(targets);
    const auto largest = static_cast<std::size_t>(is_source ? largest_of(sources) - sources.masses.begin()
                                                            : largest_of(targets) - targets.masses.begin());
    const std::size_t balancing =
        (is_source ? first_source : first_target) + (sources.has_extra ? sources.places.size() : largest);
    surplus_[balancing].subtract(total);
}

void SparseFlows::take(const SparseNetwork& network, std::size_t row, std::size_t column, double cost, double flow,
                       double fraction) {
    const bool is_turned = network.is_turned();
    const SparseNetwork::Side& sources = network.sources();
    const SparseNetwork::Side& targets = network.targets();
    const std::size_t i = is_turned ? column : row;
    const std::size_t j = is_turned ? row : column;
    const bool is_source = i < sources.places.size();
    const bool is_target = j < targets.places.size();
    const double most = is_source && is_target ? fraction : 1.0;
    const double smaller = std::min({most, is_source ? sources.masses[i] : 1.0, is_target ? targets.masses[j] : 1.0});
    if (std::abs(flow) <= rounding * smaller) {
        return;  // what rounding leaves of masses whose sums agree
    }
    if (i == sources.size() || j == targets.size()) {
        are_a_plan_ = false;
        if (is_source && flow > 0.0) {
            stuck_.push_back({sources.places[i], flow});
        }
        return;
    }
    are_a_plan_ &= flow > 0.0;
    if (is_source && is_target) {
        flows_.push_back({sources.places[i], targets.places[j], flow});
        costs_.push_back(cost);
    }
}

void SparseFlows::make(const SparseNetwork& network, ContractedTreeOf<TieredCost>& tree, double fraction) {
    load_masses(network, fraction);
    flows_.clear();
    costs_.clear();
    stuck_.clear();
    are_a_plan_ = true;
    const std::size_t overflow_row = network.rows().size();
    const std::size_t first_column = overflow_row + 1;
    for (const std::size_t node : tree.bottom_up()) {
        const std::size_t parent = tree.parent(node);
        const LongSum surplus = surplus_[node];
        surplus_[parent].add(surplus);
        const std::size_t row = std::min(node, parent);
        const std::size_t column = std::max(node, parent) - first_column;
        if (row == overflow_row && column == network.columns().size()) {
            continue;  // what both overflows have does not matter
        }
        // Out of a source, whichever side of the tree those are.
        const bool from_node = (node < first_column) != network.is_turned();
        take(network, row, column, tree.cost(node).cost, from_node ? surplus.value() : -surplus.value(), fraction);
    }
    are_a_plan_ = are_a_plan_ && meet_small_masses(network);
}

/// Whether small masses between large ones are met.
bool SparseFlows::meet_small_masses(const SparseNetwork& network) {
    const auto are_met = [&](const SparseNetwork::Side& side, std::size_t Flow::* end) {
        const double least = *std::ranges::min_element(
            side.masses.begin(), side.masses.begin() + static_cast<std::ptrdiff_t>(side.places.size()));
        if (least >= small_mass) {
            return true;
        }
        left_.assign(side.places.back() + 1, 0.0);
        for (std::size_t x = 0; x < side.places.size(); ++x) {
            left_[side.places[x]] = side.masses[x];
        }
        for (const Flow& flow : flows_) {
            left_[flow.*end] -= flow.mass;
        }
        for (std::size_t x = 0; x < side.places.size(); ++x) {
            if (std::abs(left_[side.places[x]]) > 0x1p-44 * side.masses[x]) {
                return false;
            }
        }
        return true;
    };
    return (network.targets().has_extra || are_met(network.sources(), &Flow::source)) &&
           (network.sources().has_extra || are_met(network.targets(), &Flow::target));
}

}  // namespace moverank
