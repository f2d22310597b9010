#include "sparse_dual.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "long_sum.hpp"

namespace moverank {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double epsilon = std::numeric_limits<double>::epsilon();

}  // namespace

void SparseDual::read(const SparseNetwork& network, const ContractedTreeOf<TieredCost>& tree) {
    const TieredCost* f = tree.f();
    const std::size_t n_rows = network.rows().size();
    const std::size_t n_columns = network.columns().size();
    double unit = 0.0;
    for (std::size_t j = 0; j < n_columns; ++j) {
        const TieredCost g = tree.g(j);
        for (std::size_t k = network.begin()[j]; k < network.begin()[j + 1]; ++k) {
            const TieredCost reduced = TieredCost{0.0, network.entry_costs()[k]} - f[network.entry_rows()[k]] - g;
            if (reduced.tier > 0.0) {
                unit = std::max(unit, -reduced.cost / reduced.tier);
            }
        }
    }
    std::vector<double>& of_rows = network.is_turned() ? of_targets_ : of_sources_;
    std::vector<double>& of_columns = network.is_turned() ? of_sources_ : of_targets_;
    of_rows.resize(n_rows);
    of_columns.resize(n_columns);
    const auto worth = [unit](TieredCost potential) { return potential.cost + potential.tier * unit; };
    std::transform(f, f + n_rows, of_rows.begin(), worth);
    for (std::size_t j = 0; j < n_columns; ++j) {
        of_columns[j] = worth(tree.g(j));
    }
}

void SparseDual::read(const SparseNetwork& network, std::span<const double> potentials) {
    const std::size_t n_sources = network.sources().size();
    of_sources_.assign(potentials.begin(), potentials.begin() + static_cast<std::ptrdiff_t>(n_sources));
    of_targets_.resize(network.targets().size());
    std::ranges::transform(potentials.subspan(n_sources), of_targets_.begin(), [](double p) { return -p; });
}

template <class Cost, class Index>
void SparseDual::complete(const SparseProblem<Cost, Index>& problem, const SparseNetwork& network) {
    const SparseNetwork::Side& sources = network.sources();
    const SparseNetwork::Side& targets = network.targets();
    const SparseCosts<Cost, Index>& cost = problem.cost;
    // The slack's potential is 0 by convention.
    const double constant = sources.has_extra ? of_sources_.back() : 0.0;
    multiplier_ = targets.has_extra ? -(constant + of_targets_.back()) : 0.0;
    const double most = targets.has_extra ? multiplier_ : infinity;
    f_.assign(cost.n_rows, most);
    g_.assign(cost.n_columns, sources.has_extra ? 0.0 : infinity);
    for (std::size_t i = 0; i < sources.places.size(); ++i) {
        f_[sources.places[i]] = std::min(of_sources_[i] - constant, most);
    }
    /// body(k, column, cost) for the permitted entries of a row.
    const auto for_row = [&cost](std::size_t row, auto body) {
        const auto end = static_cast<std::size_t>(cost.begin[row + 1]);
        for (auto k = static_cast<std::size_t>(cost.begin[row]); k < end; ++k) {
            body(static_cast<std::size_t>(cost.columns[k]), static_cast<double>(cost.costs[k]));
        }
    };
    for (const std::size_t i : sources.places) {
        for_row(i, [&](std::size_t j, double c) { g_[j] = std::min(g_[j], c - f_[i]); });
    }
    const auto settle = [](double& potential) { potential = std::isfinite(potential) ? potential : 0.0; };
    std::ranges::for_each(g_, settle);
    lower_ = value(network, problem.fraction);
    bool raised = false;
    for (std::size_t j = 0; j < g_.size(); ++j) {
        // A column that could take all is never full: its potential is 0, and not what rounding leaves of that.
        if (sources.has_extra && problem.b[j] > 0.0 && problem.capacity * problem.b[j] >= 2.0) {
            raised |= g_[j] < 0.0;
            g_[j] = 0.0;
        }
    }
    for (std::size_t i = 0; i < f_.size(); ++i) {
        if (problem.a[i] == 0.0) {
            for_row(i, [&](std::size_t j, double c) { f_[i] = std::min(f_[i], c - g_[j]); });
            settle(f_[i]);
        } else if (raised) {
            // What was rounding of a large cost may be more than a small one.
            for_row(i, [&](std::size_t j, double c) { f_[i] = g_[j] == 0.0 ? std::min(f_[i], c) : f_[i]; });
        }
    }
}

/// As VerifiedSolver sums it: in twice the precision, so that only the doubt of the minima is subtracted.
double SparseDual::value(const SparseNetwork& network, double fraction) const {
    const SparseNetwork::Side& sources = network.sources();
    const SparseNetwork::Side& targets = network.targets();
    LongSum sum;
    double size = std::numeric_limits<double>::min();
    // What rows keep is worth the multiplier, which counts for what moves alone: digits of a small part stay.
    for (std::size_t i = 0; i < sources.places.size(); ++i) {
        const double worth = f_[sources.places[i]] - multiplier_;
        sum.add_product(sources.masses[i], worth);
        size += epsilon * sources.masses[i] * std::abs(worth);
    }
    for (std::size_t j = 0; j < targets.places.size(); ++j) {
        const double g = g_[targets.places[j]];
        sum.add_product(targets.masses[j], g);
        size += targets.masses[j] * std::abs(g);
    }
    if (targets.has_extra) {
        sum.add_product(fraction, multiplier_);
    }
    return sum.value() - 4.0 * epsilon * (size + std::abs(sum.value()));
}

template void SparseDual::complete(const SparseProblem<float, std::int32_t>&, const SparseNetwork&);
template void SparseDual::complete(const SparseProblem<float, std::int64_t>&, const SparseNetwork&);
template void SparseDual::complete(const SparseProblem<double, std::int32_t>&, const SparseNetwork&);
template void SparseDual::complete(const SparseProblem<double, std::int64_t>&, const SparseNetwork&);

}  // namespace moverank
