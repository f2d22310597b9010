#include "moverank/exact.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "perturbed_masses.hpp"
#include "pricing.hpp"
#include "spanning_tree.hpp"

namespace moverank {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Rows priced before the best of them enters. Flat optimum between 4 and 8 for 8..256 rows.
constexpr std::size_t pricing_block = 8;

/// Reduced costs above this share of the largest cost count as non-negative on float64 potentials.
constexpr double final_tolerance = 1e-12;

/// The same on float32 potentials: a few units in the last place along paths of some 32 edges. Loose on purpose:
/// what it leaves, the float64 phase finds.
constexpr float coarse_tolerance = 0x1p-17F;

constexpr std::int64_t pivots_between_checks = 64;

enum class Stop { optimal, cutoff, limit };

/// One problem at a time, in a workspace that only grows. Rows and columns are those with positive mass, in order;
/// a capacity above 1 adds a last row, the slack, that may fill any column at no cost.
template <class Cost>
class Simplex {
  public:
    SolveSummary solve(const TransportProblem<Cost>& problem, double cutoff, Interrupt* interrupt) {
        load(problem);
        settled_ = settle_in_closed_form(problem);
        if (settled_) {
            pivots_ = 0;
            return certify(problem, Stop::optimal);
        }
        build_start();
        interrupt_ = interrupt;
        cutoff_ = cutoff;
        const auto n_nodes = static_cast<std::int64_t>(rows_.size() + columns_.size());
        pivots_ = 0;
        Stop stop = Stop::optimal;
        if constexpr (sizeof(Cost) == sizeof(float)) {
            // Cheap pivots on float32 potentials. Rounding may mislead them, so their number is limited; the next
            // phase neither trusts nor needs their outcome.
            potentials_from_tree(coarse_);
            stop = improve(coarse_, coarse_tolerance * static_cast<float>(max_cost_), 20 * n_nodes + 1000);
        }
        if (stop != Stop::cutoff) {
            potentials_from_tree(fine_);
            stop = improve(fine_, final_tolerance * max_cost_, 50 * n_nodes * n_nodes);
            if (stop != Stop::cutoff) {
                potentials_from_tree(fine_);  // without the drift of the pivots
            }
        }
        return certify(problem, stop);
    }

    [[nodiscard]] const std::vector<Flow>& flows() const { return flows_; }
    [[nodiscard]] const std::vector<double>& f() const { return f_; }
    [[nodiscard]] const std::vector<double>& g() const { return g_; }

  private:
    // ---- set-up ----------------------------------------------------------------------------------------------

    void load(const TransportProblem<Cost>& problem) {
        rows_.clear();
        columns_.clear();
        supplies_.clear();
        demands_.clear();
        for (std::size_t i = 0; i < problem.a.size(); ++i) {
            if (problem.a[i] > 0.0) {
                rows_.push_back(i);
                supplies_.push_back(problem.a[i]);
            }
        }
        double demanded = 0.0;
        for (std::size_t j = 0; j < problem.b.size(); ++j) {
            if (problem.b[j] > 0.0) {
                columns_.push_back(j);
                // No column can take more than all mass. A limit of twice that is as good as none, and its potential
                // is 0 by complementary slackness.
                demands_.push_back(problem.capacity == 1.0 ? problem.b[j]
                                                           : std::min(problem.capacity * problem.b[j], 2.0));
                demanded += demands_.back();
            }
        }
        if (rows_.empty() || columns_.empty()) {
            throw std::invalid_argument("total mass is zero");
        }
        has_slack_ = problem.capacity > 1.0;
        n_rows_ = rows_.size() + (has_slack_ ? 1 : 0);
        n_columns_ = columns_.size();
        stride_ = padded(n_columns_);
        if (has_slack_) {
            supplies_.push_back(std::max(demanded - 1.0, 0.0));
        }
        gather_costs(problem.cost);
    }

    void gather_costs(MatrixView<const Cost> cost) {
        cost_.resize(n_rows_ * stride_);
        max_cost_ = 0.0;
        const bool all_columns = n_columns_ == cost.cols();
        bool finite = true;
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            const Cost* from = cost.row(rows_[i]);
            Cost* to = cost_.data() + i * stride_;
            if (all_columns) {
                std::copy_n(from, n_columns_, to);
            } else {
                for (std::size_t j = 0; j < n_columns_; ++j) {
                    to[j] = from[columns_[j]];
                }
            }
            Cost largest = 0;
            for (std::size_t j = 0; j < n_columns_; ++j) {
                const Cost size = std::abs(to[j]);
                finite &= size <= std::numeric_limits<Cost>::max();
                largest = size > largest ? size : largest;
            }
            max_cost_ = std::max(max_cost_, static_cast<double>(largest));
            std::fill(to + n_columns_, to + stride_, std::numeric_limits<Cost>::infinity());
        }
        if (!finite) {
            throw std::invalid_argument("cost has an entry that is not finite");
        }
        if (has_slack_) {
            Cost* slack = cost_.data() + rows_.size() * stride_;
            std::fill(slack, slack + n_columns_, Cost{0});
            std::fill(slack + n_columns_, slack + stride_, std::numeric_limits<Cost>::infinity());
        }
    }

    [[nodiscard]] const Cost* cost_row(std::size_t i) const { return cost_.data() + i * stride_; }

    /// Problems whose plan and potentials can be written down: no tree is built for them.
    bool settle_in_closed_form(const TransportProblem<Cost>& problem) {
        row_potentials_.assign(n_rows_, 0.0);
        flows_.clear();
        if (n_columns_ == 1) {
            send_all_to_the_only_column();
            return true;
        }
        if (rows_.size() == 1) {
            fill_columns_from_the_only_row();
            return true;
        }
        return has_slack_ && send_rows_to_their_nearest(problem);
    }

    void send_all_to_the_only_column() {
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            row_potentials_[i] = static_cast<double>(cost_row(i)[0]);
            flows_.push_back({rows_[i], columns_[0], supplies_[i]});
        }
    }

    /// Cheapest column first, each to its limit. The last one to take any is the marginal one: its cost is the row's
    /// potential. At capacity 1 all are filled, and any potential will do.
    void fill_columns_from_the_only_row() {
        const Cost* c = cost_row(0);
        by_cost_.resize(n_columns_);
        std::iota(by_cost_.begin(), by_cost_.end(), std::size_t{0});
        std::ranges::sort(by_cost_, [c](std::size_t x, std::size_t y) { return c[x] != c[y] ? c[x] < c[y] : x < y; });
        double left = has_slack_ ? supplies_[0] : infinity;
        for (const std::size_t j : by_cost_) {
            if (left <= 0.0) {
                break;
            }
            const double taken = std::min(left, demands_[j]);
            left -= taken;
            row_potentials_[0] = static_cast<double>(c[j]);
            flows_.push_back({rows_[0], columns_[j], taken});
        }
        std::ranges::sort(flows_, {}, &Flow::target);
    }

    /// Send each row to its cheapest column. Where no limit is exceeded that is optimal, with f the row minima.
    bool send_rows_to_their_nearest(const TransportProblem<Cost>& problem) {
        taken_.assign(n_columns_, 0.0);
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            const Cost* c = cost_row(i);
            const auto j = static_cast<std::size_t>(std::min_element(c, c + n_columns_) - c);
            row_potentials_[i] = static_cast<double>(c[j]);
            taken_[j] += supplies_[i];
            if (taken_[j] > problem.capacity * problem.b[columns_[j]]) {
                return false;
            }
            flows_.push_back({rows_[i], columns_[j], supplies_[i]});
        }
        return true;
    }

    /// First basis by the matrix-minimum rule: the cheapest open entry takes what its row and column still have.
    /// Row minima are cached and refreshed only when a row whose minimum has closed would be chosen. With perturbed
    /// masses each step closes exactly one node, which becomes a child of the other: the steps are the tree.
    void build_start() {
        masses_.assign(supplies_, demands_);
        tree_.reset(n_rows_, n_columns_);
        open_supply_.resize(n_rows_);
        open_demand_.resize(n_columns_);
        for (std::size_t i = 0; i < n_rows_; ++i) {
            open_supply_[i] = masses_.supply(i);
        }
        for (std::size_t j = 0; j < n_columns_; ++j) {
            open_demand_[j] = masses_.demand(j);
        }
        closed_penalty_.assign(stride_, Cost{0});
        best_cost_.resize(n_rows_);
        best_column_.resize(n_rows_);
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            refresh_best(i);
        }
        if (has_slack_) {
            // The slack takes what is left in the end: at cost 0 it would otherwise take the best columns first.
            best_cost_.back() = std::numeric_limits<Cost>::max();
            best_column_.back() = no_column;
        }
        for (std::size_t step = 1; step < n_rows_ + n_columns_; ++step) {
            close_cheapest_entry();
        }
        next_row_ = 0;
    }

    void refresh_best(std::size_t i) {
        best_cost_[i] = min_shifted(cost_row(i), closed_penalty_.data(), stride_);
        best_column_[i] = find_shifted(cost_row(i), closed_penalty_.data(), best_cost_[i]);
    }

    void close_cheapest_entry() {
        std::size_t i = 0;
        while (true) {
            i = static_cast<std::size_t>(std::min_element(best_cost_.begin(), best_cost_.end()) - best_cost_.begin());
            const std::size_t j = best_column_[i];
            if (j != no_column && open_demand_[j] > 0) {
                break;
            }
            const Cost before = best_cost_[i];
            refresh_best(i);
            if (best_cost_[i] == before) {
                break;
            }
        }
        const std::size_t j = best_column_[i];
        const Node row = static_cast<Node>(i);
        const Node column = tree_.column(j);
        if (open_supply_[i] <= open_demand_[j]) {  // equal only in the last step, where the column becomes the root
            tree_.attach(row, column, open_supply_[i]);
            open_demand_[j] -= open_supply_[i];
            best_cost_[i] = std::numeric_limits<Cost>::infinity();
        } else {
            tree_.attach(column, row, open_demand_[j]);
            open_supply_[i] -= open_demand_[j];
            open_demand_[j] = 0;
            closed_penalty_[j] = std::numeric_limits<Cost>::infinity();
        }
    }

    // ---- pivots ----------------------------------------------------------------------------------------------

    /// Potentials by node: f_i for rows, -g_j for columns, so that both ends of a subtree move by the same amount
    /// and a reduced cost is C_ij - pot[i] + pot[j].
    template <class Pot>
    struct Potentials {
        std::vector<Pot> rows;
        std::vector<Pot> columns;  ///< padded, so that pricing reads whole lanes
    };

    template <class Pot>
    void potentials_from_tree(Potentials<Pot>& pot) {
        pot.rows.resize(n_rows_);
        pot.columns.assign(stride_, Pot{0});
        for (const Node x : tree_.top_down()) {
            const Node up = tree_.parent(x);
            if (tree_.is_row(x)) {
                const auto i = static_cast<std::size_t>(x);
                pot.rows[i] = up == no_node ? Pot{0} : entry<Pot>(i, column_of(up)) + pot.columns[column_of(up)];
            } else {
                const auto j = column_of(x);
                const auto i = static_cast<std::size_t>(up);
                pot.columns[j] = up == no_node ? Pot{0} : pot.rows[i] - entry<Pot>(i, j);
            }
        }
    }

    [[nodiscard]] std::size_t column_of(Node x) const { return static_cast<std::size_t>(x) - n_rows_; }
    template <class Pot>
    [[nodiscard]] Pot entry(std::size_t i, std::size_t j) const {
        return static_cast<Pot>(cost_row(i)[j]);
    }

    /// Pivot until no reduced cost is under -tolerance.
    template <class Pot>
    Stop improve(Potentials<Pot>& pot, Pot tolerance, std::int64_t limit) {
        const auto checks_apart = static_cast<std::int64_t>(std::max<std::size_t>(16, n_rows_ / 2));
        double value = cutoff_ < infinity ? tree_value() : 0.0;
        for (std::int64_t done = 0;; ++done) {
            if (value > cutoff_ && done % checks_apart == 0 && dual_value(pot) > cutoff_ + value_slack()) {
                return Stop::cutoff;
            }
            std::size_t i = 0;
            std::size_t j = 0;
            if (!find_entering(pot, tolerance, i, j)) {
                return Stop::optimal;
            }
            if (done == limit) {
                return Stop::limit;
            }
            const Pot reduced_cost = entry<Pot>(i, j) - pot.rows[i] + pot.columns[j];
            const SpanningTree::Exchange exchange = tree_.pivot(static_cast<Node>(i), tree_.column(j));
            shift(pot, exchange.moved, exchange.row_moved ? reduced_cost : -reduced_cost);
            value += masses_.approximate_mass(exchange.pushed) * static_cast<double>(reduced_cost);
            ++pivots_;
            if (interrupt_ != nullptr && pivots_ % pivots_between_checks == 0) {
                interrupt_->check();
            }
        }
    }

    /// The most negative reduced cost of the first block of rows that has one, going round from where the last
    /// search ended.
    template <class Pot>
    bool find_entering(const Potentials<Pot>& pot, Pot tolerance, std::size_t& entering_row,
                       std::size_t& entering_column) {
        for (std::size_t priced = 0; priced < n_rows_;) {
            const std::size_t end = std::min({next_row_ + pricing_block, n_rows_, next_row_ + n_rows_ - priced});
            Pot best = -tolerance;
            Pot best_shifted = 0;
            bool found = false;
            for (std::size_t i = next_row_; i < end; ++i) {
                const Pot shifted = min_shifted(cost_row(i), pot.columns.data(), stride_);
                if (shifted - pot.rows[i] < best) {
                    best = shifted - pot.rows[i];
                    best_shifted = shifted;
                    entering_row = i;
                    found = true;
                }
            }
            priced += end - next_row_;
            next_row_ = end == n_rows_ ? 0 : end;
            if (found) {
                entering_column = find_shifted(cost_row(entering_row), pot.columns.data(), best_shifted);
                return true;
            }
        }
        return false;
    }

    template <class Pot>
    void shift(Potentials<Pot>& pot, std::span<const std::uint64_t> nodes, Pot amount) {
        for (std::size_t w = 0; w < nodes.size(); ++w) {
            for (std::uint64_t bits = nodes[w]; bits != 0; bits &= bits - 1) {
                const std::size_t x = w * 64 + static_cast<std::size_t>(std::countr_zero(bits));
                (x < n_rows_ ? pot.rows[x] : pot.columns[x - n_rows_]) += amount;
            }
        }
    }

    // ---- bounds and results ----------------------------------------------------------------------------------

    /// How far the value of an optimal plan over the quantised masses can lie from the true optimum, generously.
    [[nodiscard]] double value_slack() const { return exact_value_error(n_rows_, n_columns_, max_cost_); }

    /// <C, P> of the current basis, up to the perturbation.
    [[nodiscard]] double tree_value() const {
        double value = 0.0;
        for (std::size_t x = 0; x < tree_.size(); ++x) {
            const auto node = static_cast<Node>(x);
            const Node up = tree_.parent(node);
            if (up != no_node) {
                const auto [i, j] = edge(node, up);
                value += masses_.approximate_mass(tree_.flow(node)) * entry<double>(i, j);
            }
        }
        return value;
    }

    struct Edge {
        std::size_t row;
        std::size_t column;
    };
    [[nodiscard]] Edge edge(Node child, Node parent) const {
        return tree_.is_row(child) ? Edge{static_cast<std::size_t>(child), column_of(parent)}
                                   : Edge{static_cast<std::size_t>(parent), column_of(child)};
    }

    /// Read the current row potentials as f, complete them by the c-transform g_j = min_i (C_ij - f_i), and return
    /// the value of that feasible dual solution, less what rounding can have added.
    template <class Pot>
    double dual_value(const Potentials<Pot>& pot) {
        row_potentials_.assign(pot.rows.begin(), pot.rows.end());
        return complete_dual();
    }

    double complete_dual() {
        column_potentials_.assign(stride_, infinity);
        for (std::size_t i = 0; i < n_rows_; ++i) {
            const Cost* c = cost_row(i);
            for (std::size_t j = 0; j < stride_; ++j) {
                const double r = static_cast<double>(c[j]) - row_potentials_[i];
                column_potentials_[j] = r < column_potentials_[j] ? r : column_potentials_[j];
            }
        }
        double value = 0.0;
        double size = 0.0;
        for (std::size_t i = 0; i < n_rows_; ++i) {
            value += supplies_[i] * row_potentials_[i];
            size += supplies_[i] * std::abs(row_potentials_[i]);
        }
        for (std::size_t j = 0; j < n_columns_; ++j) {
            value += demands_[j] * column_potentials_[j];
            size += demands_[j] * std::abs(column_potentials_[j]);
        }
        const auto terms = static_cast<double>(n_rows_ + n_columns_ + 4);
        return value - terms * std::numeric_limits<double>::epsilon() * size;
    }

    /// Turn the basis into a plan, potentials over all rows and columns, and the interval that they prove.
    SolveSummary certify(const TransportProblem<Cost>& problem, Stop stop) {
        SolveSummary summary;
        summary.pivots = pivots_;
        summary.status = stop == Stop::cutoff  ? SolveStatus::above_cutoff
                         : stop == Stop::limit ? SolveStatus::pivot_limit
                                               : SolveStatus::optimal;
        if (!settled_) {
            if (stop != Stop::cutoff) {  // else row_potentials_ are those that proved it
                row_potentials_.assign(fine_.rows.begin(), fine_.rows.end());
            }
            collect_flows();
        }
        summary.lower = complete_dual();
        summary.value = 0.0;
        for (const Flow& flow : flows_) {
            summary.value += flow.mass * static_cast<double>(problem.cost(flow.source, flow.target));
        }
        // Both are the optimum to rounding; an interval must not be empty.
        summary.lower = std::min(summary.lower, summary.value);
        spread_potentials(problem);
        return summary;
    }

    void collect_flows() {
        flows_.clear();
        const Node last_column = tree_.column(n_columns_ - 1);
        for (std::size_t x = 0; x < tree_.size(); ++x) {
            const auto node = static_cast<Node>(x);
            const Node up = tree_.parent(node);
            if (up == no_node) {
                continue;
            }
            const auto [i, j] = edge(node, up);
            if (i >= rows_.size()) {
                continue;  // the slack moves nothing that anybody asked about
            }
            const std::int64_t perturbation =
                masses_.perturbation(tree_.rows_in_subtree(node), tree_.in_subtree(last_column, node));
            const double mass = masses_.mass(tree_.flow(node), perturbation, tree_.is_row(node));
            if (mass > 0.0) {
                flows_.push_back({rows_[i], columns_[j], mass});
            }
        }
        std::sort(flows_.begin(), flows_.end(), [](const Flow& x, const Flow& y) {
            return x.source != y.source ? x.source < y.source : x.target < y.target;
        });
    }

    /// Potentials for the caller: the slack's is 0 by convention, and tokens without mass get what the others allow.
    void spread_potentials(const TransportProblem<Cost>& problem) {
        const double anchor = has_slack_ ? row_potentials_.back() : 0.0;
        f_.assign(problem.a.size(), infinity);
        g_.assign(problem.b.size(), has_slack_ ? 0.0 : infinity);
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            f_[rows_[i]] = row_potentials_[i] - anchor;
        }
        for (std::size_t j = 0; j < n_columns_; ++j) {
            g_[columns_[j]] = column_potentials_[j] + anchor;
        }
        if (n_columns_ < g_.size()) {
            for (std::size_t j = 0; j < g_.size(); ++j) {
                if (problem.b[j] > 0.0) {
                    continue;
                }
                for (const std::size_t i : rows_) {
                    g_[j] = std::min(g_[j], static_cast<double>(problem.cost(i, j)) - f_[i]);
                }
            }
        }
        if (rows_.size() < f_.size()) {
            for (std::size_t i = 0; i < f_.size(); ++i) {
                if (problem.a[i] > 0.0) {
                    continue;
                }
                for (std::size_t j = 0; j < g_.size(); ++j) {
                    f_[i] = std::min(f_[i], static_cast<double>(problem.cost(i, j)) - g_[j]);
                }
            }
        }
    }

    static constexpr std::size_t no_column = std::numeric_limits<std::size_t>::max();

    // the problem, without rows and columns that carry no mass
    std::vector<std::size_t> rows_, columns_;  ///< their places in the caller's matrix
    std::vector<double> supplies_, demands_;
    std::vector<Cost> cost_;
    std::size_t n_rows_ = 0, n_columns_ = 0, stride_ = 0;
    double max_cost_ = 0.0;
    bool has_slack_ = false;

    // the start
    std::vector<std::int64_t> open_supply_, open_demand_;
    std::vector<Cost> closed_penalty_, best_cost_;
    std::vector<std::size_t> best_column_;
    std::vector<double> taken_;
    std::vector<std::size_t> by_cost_;
    bool settled_ = false;  ///< the plan came from settle_in_closed_form; there is no tree

    // the pivots
    PerturbedMasses masses_;
    SpanningTree tree_;
    Potentials<float> coarse_;
    Potentials<double> fine_;
    std::size_t next_row_ = 0;
    std::int64_t pivots_ = 0;
    double cutoff_ = infinity;
    Interrupt* interrupt_ = nullptr;

    // the result
    std::vector<double> row_potentials_, column_potentials_;
    std::vector<Flow> flows_;
    std::vector<double> f_, g_;
};

}  // namespace

double exact_value_error(std::size_t n_rows, std::size_t n_columns, double max_cost) {
    return static_cast<double>(n_rows + n_columns) * mass_quantum(n_rows, 2.0 * static_cast<double>(n_columns)) *
           max_cost;
}

class ExactSolver::Impl {
  public:
    Simplex<float> single;
    Simplex<double> twice;
    std::span<const Flow> flows;
    std::span<const double> f, g;

    template <class Cost>
    SolveSummary solve(Simplex<Cost>& simplex, const TransportProblem<Cost>& problem, double cutoff,
                       Interrupt* interrupt) {
        const SolveSummary summary = simplex.solve(problem, cutoff, interrupt);
        flows = simplex.flows();
        f = simplex.f();
        g = simplex.g();
        return summary;
    }
};

ExactSolver::ExactSolver() : impl_(std::make_unique<Impl>()) {}
ExactSolver::~ExactSolver() = default;
ExactSolver::ExactSolver(ExactSolver&&) noexcept = default;
ExactSolver& ExactSolver::operator=(ExactSolver&&) noexcept = default;

SolveSummary ExactSolver::solve(const TransportProblem<float>& problem, double cutoff, Interrupt* interrupt) {
    return impl_->solve(impl_->single, problem, cutoff, interrupt);
}
SolveSummary ExactSolver::solve(const TransportProblem<double>& problem, double cutoff, Interrupt* interrupt) {
    return impl_->solve(impl_->twice, problem, cutoff, interrupt);
}

std::span<const Flow> ExactSolver::flows() const { return impl_->flows; }
std::span<const double> ExactSolver::f() const { return impl_->f; }
std::span<const double> ExactSolver::g() const { return impl_->g; }

}  // namespace moverank
