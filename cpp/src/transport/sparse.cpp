#include "moverank/sparse.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "long_sum.hpp"
#include "moverank/cost_limit.hpp"
#include "optimal_costs.hpp"
#include "perturbed_masses.hpp"
#include "sparse_dual.hpp"
#include "sparse_flows.hpp"
#include "sparse_network.hpp"
#include "sparse_simplex.hpp"
#include "sparse_stuck.hpp"
#include "wide_simplex.hpp"

namespace moverank {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double epsilon = std::numeric_limits<double>::epsilon();

/// Reduced costs above minus this times the largest cost count as non-negative, as in ExactSolver.
constexpr double final_tolerance = 1e-12;

}  // namespace

class SparseSolver::Impl {
  public:
    std::vector<Flow> flows;
    std::vector<double> f, g;
    double multiplier = 0.0;
    Infeasibility infeasibility;

    template <class Cost, class Index>
    SolveSummary solve(const SparseProblem<Cost, Index>& problem, Interrupt* interrupt) {
        flows.clear();
        f.clear();
        g.clear();
        multiplier = 0.0;
        infeasibility = {};
        basis_.clear();
        SolveSummary summary;
        double ceiling = cost_limit<double>;
        network_.load(problem, ceiling);
        check(interrupt);
        if (send_sources_to_their_nearest(problem, summary)) {
            return summary;
        }
        // At most twice: with all costs, then without those that the first plan shows to be too high for any optimum.
        // That brings the largest cost down, to which the tolerance is relative.
        for (int look = 0; look < 2 && network_.lowest() >= -cost_limit<double>; ++look) {
            if (look > 0) {
                network_.load(problem, ceiling);
            }
            const bool is_finished = pivot(interrupt);
            summary.pivots += simplex_.pivots();
            flows_.make(network_, simplex_.tree(), problem.fraction);
            if (is_finished && flows_.are_a_plan()) {
                dual_.read(network_, simplex_.tree());
                dual_.complete(problem, network_);
                if (proves_itself(summary)) {
                    flows.assign(flows_.flows().begin(), flows_.flows().end());
                    take_potentials();
                    return summary;
                }
            }
            const bool is_whole = network_.largest() <= ceiling;
            if (is_finished && is_whole && more_is_stuck_than_rounding()) {
                return report_infeasibility(problem, summary);
            }
            if (!is_whole && !flows_.stuck().empty()) {
                break;  // what was left out has to be paid
            }
            const double largest_optimal = largest_optimal_cost(price_paid(problem.fraction), -network_.lowest(),
                                                                std::min(network_.rows().size(), columns()));
            if (!(largest_optimal < 0.125 * std::min(network_.largest(), ceiling))) {
                break;  // three binary digits more would hardly let a second solve succeed where the first did not
            }
            ceiling = largest_optimal;
        }
        list_basis();
        return solve_wide(problem, summary.pivots, interrupt);
    }

  private:
    [[nodiscard]] std::size_t columns() const { return network_.columns().size(); }
    [[nodiscard]] std::size_t n_nodes() const { return network_.rows().size() + columns(); }

    // ---- in float64 --------------------------------------------------------------------------------------------

    /// Send each source to its cheapest target. Where no limit is exceeded that is optimal, with f the row minima.
    template <class Cost, class Index>
    bool send_sources_to_their_nearest(const SparseProblem<Cost, Index>& problem, SolveSummary& summary) {
        const SparseNetwork::Side& sources = network_.sources();
        if (!sources.has_extra || network_.targets().has_extra) {
            return false;
        }
        taken_.assign(problem.cost.n_columns, 0.0);
        potentials_.assign(n_nodes(), 0.0);
        LongSum value;
        double paid = 0.0;
        for (std::size_t x = 0; x < sources.places.size(); ++x) {
            const std::size_t i = sources.places[x];
            std::size_t nearest = problem.cost.n_columns;
            double least = infinity;
            for (auto k = static_cast<std::size_t>(problem.cost.begin[i]);
                 k < static_cast<std::size_t>(problem.cost.begin[i + 1]); ++k) {
                const auto j = static_cast<std::size_t>(problem.cost.columns[k]);
                const auto c = static_cast<double>(problem.cost.costs[k]);
                if (problem.b[j] > 0.0 && (c < least || (c == least && j < nearest && c < infinity))) {
                    least = c;
                    nearest = j;
                }
            }
            if (nearest == problem.cost.n_columns) {
                flows.clear();
                return false;
            }
            taken_[nearest] += sources.masses[x];
            if (taken_[nearest] > problem.capacity * problem.b[nearest]) {
                flows.clear();
                return false;
            }
            flows.push_back({i, nearest, sources.masses[x]});
            potentials_[x] = least;
            value.add_product(sources.masses[x], least);
            paid += sources.masses[x] * std::abs(least);
        }
        dual_.read(network_, potentials_);
        dual_.complete(problem, network_);
        take_potentials();
        summary.value = value.value();
        summary.lower = summary.value - 4.0 * epsilon * paid;
        return true;
    }

    /// False if the pivots did not suffice.
    bool pivot(Interrupt* interrupt) {
        std::vector<double> supplies = network_.rows().masses;
        std::vector<double> demands = network_.columns().masses;
        // More than can come to the overflow.
        const double overflow = 1.5 * std::accumulate(demands.begin(), demands.end(), 0.0);
        supplies.push_back(overflow);
        demands.push_back(overflow);
        masses_.assign(supplies, demands, 1);
        const double largest = std::min(network_.largest(), cost_limit<double>);
        const auto size = static_cast<std::int64_t>(n_nodes());
        return simplex_.solve(
            network_, masses_.supplies(), masses_.demands(),
            {.tolerance = final_tolerance * largest, .pivots = 50 * size * size, .interrupt = interrupt});
    }

    /// Whether value and lower bound agree to `rounding_share` of what the plan pays.
    bool proves_itself(SolveSummary& summary) const {
        LongSum value;
        double paid = 0.0;
        for (std::size_t k = 0; k < flows_.flows().size(); ++k) {
            value.add_product(flows_.flows()[k].mass, flows_.costs()[k]);
            paid += flows_.flows()[k].mass * std::abs(flows_.costs()[k]);
        }
        summary.value = value.value();
        summary.lower = dual_.lower();
        const bool meet =
            std::abs(summary.value - summary.lower) <= rounding_share * paid + std::numeric_limits<double>::min();
        summary.lower = std::min(summary.lower, summary.value);
        return meet;
    }

    void take_potentials() {
        f = dual_.f();
        g = dual_.g();
        multiplier = dual_.multiplier();
    }

    [[nodiscard]] double price_paid(double fraction) {
        by_cost_.clear();
        for (std::size_t k = 0; k < flows_.flows().size(); ++k) {
            by_cost_.emplace_back(flows_.costs()[k], flows_.flows()[k].mass);
        }
        return largest_price(by_cost_, fraction * crumbs(n_nodes()));
    }

    // ---- without a plan ----------------------------------------------------------------------------------------

    [[nodiscard]] double stuck_mass() const {
        double mass = 0.0;
        for (const SparseFlows::Stuck& stuck : flows_.stuck()) {
            mass += stuck.mass;
        }
        return mass;
    }

    /// Each mass rounds to whole quanta, and sums of masses to their last digits: docs/numerics.md, "Sparse costs".
    [[nodiscard]] bool more_is_stuck_than_rounding() const {
        return stuck_mass() > 8.0 * static_cast<double>(n_nodes() + 8) * std::max(masses_.quantum(), epsilon);
    }

    template <class Cost, class Index>
    SolveSummary report_infeasibility(const SparseProblem<Cost, Index>& problem, SolveSummary summary) {
        infeasibility.mass = stuck_mass();
        if (!network_.sources().has_extra) {
            find_stuck(problem, flows_, infeasibility);
        }
        summary.status = SolveStatus::infeasible;
        summary.value = summary.lower = infinity;
        return summary;
    }

    // ---- in whole numbers --------------------------------------------------------------------------------------

    /// The tree of the latest pivots, if there were any, without what goes to the overflow.
    void list_basis() {
        if (network_.lowest() < -cost_limit<double>) {
            return;
        }
        ContractedTreeOf<TieredCost>& tree = simplex_.tree();
        const std::size_t n_rows = network_.rows().size();
        for (const std::size_t node : tree.bottom_up()) {
            const std::size_t row = std::min(node, tree.parent(node));
            const std::size_t column = std::max(node, tree.parent(node)) - (n_rows + 1);
            if (row < n_rows && column < columns()) {
                basis_.push_back(network_.is_turned() ? BasisEdge{column, row} : BasisEdge{row, column});
            }
        }
    }

    /// All entries between nodes with mass, by sources.
    template <class Cost, class Index>
    void load_wide_costs(const SparseProblem<Cost, Index>& problem) {
        const SparseNetwork::Side& sources = network_.sources();
        const SparseNetwork::Side& targets = network_.targets();
        std::vector<std::size_t> place(problem.cost.n_columns, targets.size());
        for (std::size_t j = 0; j < targets.places.size(); ++j) {
            place[targets.places[j]] = j;
        }
        wide_begin_.assign(1, 0);
        wide_columns_.clear();
        wide_costs_.clear();
        std::vector<std::pair<std::uint32_t, double>> row;
        for (std::size_t i = 0; i < sources.size(); ++i) {
            row.clear();
            if (sources.is_extra(i)) {
                for (std::size_t j = 0; j < targets.places.size(); ++j) {
                    row.emplace_back(static_cast<std::uint32_t>(j), 0.0);
                }
            } else {
                const std::size_t given = sources.places[i];
                for (auto k = static_cast<std::size_t>(problem.cost.begin[given]);
                     k < static_cast<std::size_t>(problem.cost.begin[given + 1]); ++k) {
                    const std::size_t j = place[static_cast<std::size_t>(problem.cost.columns[k])];
                    const auto c = static_cast<double>(problem.cost.costs[k]);
                    if (j < targets.size() && c < infinity) {
                        row.emplace_back(static_cast<std::uint32_t>(j), c);
                    }
                }
                if (targets.has_extra) {
                    row.emplace_back(static_cast<std::uint32_t>(targets.places.size()), 0.0);
                }
            }
            std::ranges::sort(row);
            for (const auto& [j, c] : row) {
                wide_columns_.push_back(j);
                wide_costs_.push_back(c);
            }
            wide_begin_.push_back(wide_columns_.size());
        }
    }

    template <class Cost, class Index>
    SolveSummary solve_wide(const SparseProblem<Cost, Index>& problem, std::int64_t pivots, Interrupt* interrupt) {
        constexpr double largest_number = std::numeric_limits<double>::max();
        load_wide_costs(problem);
        const WideCosts costs{.n_rows = network_.sources().size(),
                              .n_columns = network_.targets().size(),
                              .costs = wide_costs_,
                              .begin = wide_begin_,
                              .columns = wide_columns_};
        const bool has_slack = network_.sources().has_extra;
        std::vector<double> supplies = network_.sources().masses;
        if (has_slack) {
            supplies.back() = 0.0;  // the wide simplex fills in what balances the other masses
        }
        const auto moved = network_.targets().has_extra ? std::optional(problem.fraction) : std::nullopt;
        wide_.load(costs, supplies, network_.targets().masses, has_slack ? costs.n_rows - 1 : costs.n_rows, moved);
        wide_.start(basis_);
        SolveSummary summary;
        if (!wide_.solve(largest_number, interrupt)) {
            infeasibility.mass = wide_.unmoved();
            for (const std::size_t i : has_slack ? std::vector<std::size_t>() : wide_.stuck_rows()) {
                infeasibility.sources.push_back(network_.sources().places[i]);
            }
            for (const std::size_t j : has_slack ? std::vector<std::size_t>() : wide_.reached_columns()) {
                infeasibility.targets.push_back(network_.targets().places[j]);
            }
            summary.status = SolveStatus::infeasible;
            summary.value = summary.lower = infinity;
            summary.pivots = pivots + wide_.pivots();
            return summary;
        }
        by_cost_.clear();
        for (const Flow& flow : wide_.flows()) {
            if (is_ours(flow)) {
                by_cost_.emplace_back(costs(flow.source, flow.target), flow.mass);
            }
        }
        const double largest_optimal =
            largest_optimal_cost(largest_price(by_cost_, problem.fraction * crumbs(n_nodes())), -network_.lowest(),
                                 std::min(costs.n_rows, costs.n_columns));
        if (!by_cost_.empty() && by_cost_.front().first > largest_optimal && !wide_.solve(largest_optimal, interrupt)) {
            // Small masses, but no rounding: they have to go there.
            (void)wide_.solve(largest_number, interrupt);
        }
        LongSum value;
        double paid = 0.0;
        for (const Flow& flow : wide_.flows()) {
            if (is_ours(flow)) {
                const double c = costs(flow.source, flow.target);
                value.add_product(flow.mass, c);
                paid += flow.mass * std::abs(c);
                flows.push_back(
                    {network_.sources().places[flow.source], network_.targets().places[flow.target], flow.mass});
            }
        }
        summary.pivots = pivots + wide_.pivots();
        summary.value = value.value();
        // The basis is optimal without any rounding, and so its value is the bound: only storing it rounds.
        summary.lower = summary.value - 4.0 * epsilon * paid;
        dual_.read(network_, wide_.potentials());
        dual_.complete(problem, network_);
        take_potentials();
        return summary;
    }

    /// Whether it is a flow between rows and columns of the caller.
    [[nodiscard]] bool is_ours(const Flow& flow) const {
        return flow.source < network_.sources().places.size() && flow.target < network_.targets().places.size();
    }

    SparseNetwork network_;
    PerturbedMasses masses_;
    SparseSimplex simplex_;
    SparseFlows flows_;
    SparseDual dual_;
    std::vector<double> taken_, potentials_;
    std::vector<std::pair<double, double>> by_cost_;

    WideSimplex wide_;
    std::vector<BasisEdge> basis_;
    std::vector<std::size_t> wide_begin_;
    std::vector<std::uint32_t> wide_columns_;
    std::vector<double> wide_costs_;
};

SparseSolver::SparseSolver() : impl_(std::make_unique<Impl>()) {}
SparseSolver::~SparseSolver() = default;
SparseSolver::SparseSolver(SparseSolver&&) noexcept = default;
SparseSolver& SparseSolver::operator=(SparseSolver&&) noexcept = default;

template <class Cost, class Index>
SolveSummary SparseSolver::solve(const SparseProblem<Cost, Index>& problem, Interrupt* interrupt) {
    return impl_->solve(problem, interrupt);
}

template SolveSummary SparseSolver::solve(const SparseProblem<float, std::int32_t>&, Interrupt*);
template SolveSummary SparseSolver::solve(const SparseProblem<float, std::int64_t>&, Interrupt*);
template SolveSummary SparseSolver::solve(const SparseProblem<double, std::int32_t>&, Interrupt*);
template SolveSummary SparseSolver::solve(const SparseProblem<double, std::int64_t>&, Interrupt*);

std::span<const Flow> SparseSolver::flows() const { return impl_->flows; }
std::span<const double> SparseSolver::f() const { return impl_->f; }
std::span<const double> SparseSolver::g() const { return impl_->g; }
double SparseSolver::multiplier() const { return impl_->multiplier; }
const Infeasibility& SparseSolver::infeasibility() const { return impl_->infeasibility; }

}  // namespace moverank
