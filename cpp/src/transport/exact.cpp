#include "moverank/exact.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <iterator>
#include <limits>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "../kernels/kernels.hpp"
#include "assignment.hpp"
#include "dense_problem.hpp"
#include "large_simplex.hpp"
#include "long_sum.hpp"
#include "moverank/aligned.hpp"
#include "perturbed_masses.hpp"
#include "turned_costs.hpp"
#include "well_formed.hpp"

namespace moverank {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Reduced costs above this share of the largest cost count as non-negative on float64 potentials.
constexpr double final_tolerance = 1e-12;

/// The same on float32 potentials: a few units in the last place along paths of some 32 edges. Loose on purpose:
/// what it leaves, the float64 phase finds.
constexpr float coarse_tolerance = 0x1p-17F;

/// Float32 potentials are sums of costs along paths; of larger costs they might leave its range.
constexpr double coarse_cost_limit = 0x1p100;
/// Costs in float64 that are all smaller would leave float32's range at the other end.
constexpr double least_coarse_cost = 0x1p-100;

/// No column can take more than all mass. A limit of twice that is as good as none, and its potential is 0 by
/// complementary slackness.
constexpr double max_taken = 2.0;

/// Trees of more nodes are not kept as sets of bits: these would leave the second cache.
constexpr std::size_t max_set_nodes = 2048;

/// Masses from this on have all their digits in sums of twice the precision.
constexpr double small_mass = 0x1p-40;

/// Tall problems are turned, so that the contracted tree has few rows: from so many times as many rows as columns on.
constexpr std::size_t tall = 2;
/// Wide problems that are kept as sets of bits are turned, from so many columns on.
constexpr std::size_t wide_from = 256;

/// One problem at a time, in a workspace that only grows. Rows and columns are those with positive mass, in order;
/// a capacity above 1 adds a last row, the slack, that may fill any column at no cost, and a fraction below 1 that and
/// a last column, the rest, that may take from any row at no cost.
template <class Cost>
class Simplex {
  public:
    /// `padded_largest`: the largest cost, if the problem's matrix is laid out as PaddedCosts are.
    SolveSummary solve(const TransportProblem<Cost>& problem, double cutoff, Interrupt* interrupt,
                       std::optional<double> padded_largest, FlowMass mass) {
        load(problem, padded_largest);
        mass_ = mass;
        moves_too_much_ = false;
        is_large_ = false;
        settled_ = settle_without_pivots(problem);
        if (settled_) {
            pivots_ = 0;
            return certify(problem, Stop::optimal);
        }
        interrupt_ = interrupt;
        cutoff_ = cutoff;
        is_large_ = n_rows_ + n_columns_ > max_set_nodes;
        if (is_large_) {
            return certify(problem, solve_large());
        }
        make_tableau();
        pivots_ = 0;
        const auto n_nodes = static_cast<std::int64_t>(n_rows_ + n_columns_);
        Stop stop = Stop::optimal;
        if (least_coarse_cost <= max_cost_ && max_cost_ <= coarse_cost_limit) {
            // Cheap pivots on float32 potentials. Rounding may mislead them, so their number is limited; the next
            // phase neither trusts nor needs their outcome.
            SimplexTableau<float>& coarse = coarse_tableau();
            const SimplexKernels<float>& coarse_kernels = kernels().simplex<float>();
            coarse_kernels.start(coarse);
            value_ = cutoff < infinity ? tree_value() : 0.0;
            stop = improve(coarse_kernels.improve_coarse, coarse, tableau_.coarse,
                           coarse_tolerance * static_cast<float>(max_cost_), 20 * n_nodes + 1000);
        } else {
            kernels_.start(tableau_);
            value_ = cutoff < infinity ? tree_value() : 0.0;
        }
        if (stop != Stop::cutoff) {
            stop = finish(50 * n_nodes * n_nodes);
        }
        return certify(problem, stop);
    }

    [[nodiscard]] const std::vector<Flow>& flows() const { return flows_; }
    [[nodiscard]] bool has_flows_of_given_mass() const { return has_flows_of_given_mass_; }
    [[nodiscard]] const std::vector<double>& f() const { return f_; }
    [[nodiscard]] const std::vector<double>& g() const { return g_; }
    [[nodiscard]] double multiplier() const { return multiplier_; }
    [[nodiscard]] std::span<const BasisEdge> basis() {
        basis_.clear();
        const auto append = [this](std::size_t i, std::size_t j) {
            if (dense_.is_turned) {
                basis_.push_back({dense_.columns[j], dense_.rows[i]});  // it has no extras
            } else {
                basis_.push_back({i < dense_.rows.size() ? dense_.rows[i] : f_.size(),
                                  j < dense_.columns.size() ? dense_.columns[j] : g_.size()});
            }
        };
        if (is_large_) {
            for (const std::size_t node : large_.tree().bottom_up()) {
                const auto [i, j] = large_edge(node);
                append(i, j);
            }
        } else if (!settled_) {
            for (std::size_t slot = 0; slot < tableau_.n_edges; ++slot) {
                append(tableau_.edge_row[slot], tableau_.edge_column[slot]);
            }
        }
        return basis_;
    }

  private:
    // ---- set-up ----------------------------------------------------------------------------------------------

    void load(const TransportProblem<Cost>& problem, std::optional<double> padded_largest) {
        fraction_ = problem.fraction;
        has_rest_ = fraction_ < 1.0;
        has_slack_ = problem.capacity > 1.0 || has_rest_;
        dense_.load(problem, padded_largest, {.slack_row = has_slack_, .rest_column = has_rest_});
        if (!has_slack_ && is_wide(dense_.rows.size(), dense_.columns.size())) {
            dense_.turn();
        }
        n_rows_ = dense_.rows.size() + (has_slack_ ? 1 : 0);
        n_columns_ = dense_.columns.size() + (has_rest_ ? 1 : 0);
        supplies_ = dense_.a;
        demands_ = dense_.b;
        if (problem.capacity > 1.0) {
            std::ranges::transform(demands_, demands_.begin(),
                                   [&](double mass) { return std::min(problem.capacity * mass, max_taken); });
        }
        if (has_rest_) {
            demands_.push_back(1.0 - problem.fraction);
        }
        if (has_slack_) {
            const double demanded = std::accumulate(demands_.begin(), demands_.end(), 0.0);
            supplies_.push_back(std::max(demanded - 1.0, 0.0));
        }
        cost_ = dense_.cost;
        stride_ = dense_.stride;
        max_cost_ = dense_.largest;
    }

    /// Each row has its place in a queue of what is cheapest, and each column that is full sends rows back into it:
    /// many short rows are less work than a few long ones.
    [[nodiscard]] static bool is_wide(std::size_t rows, std::size_t columns) {
        return columns >= wide_from && columns > rows && rows > 1 && rows + columns <= max_set_nodes;
    }

    [[nodiscard]] const Cost* cost_row(std::size_t i) const { return cost_ + i * stride_; }

    /// Problems that need no pivots: their plan and potentials are known in closed form, or are an assignment. No tree
    /// is built for them.
    bool settle_without_pivots(const TransportProblem<Cost>& problem) {
        row_potentials_.assign(n_rows_, 0.0);
        flows_.clear();
        if (has_rest_) {
            return send_all_over_the_cheapest_entry(problem);
        }
        if (n_columns_ == 1) {
            send_all_to_the_only_column();
            return true;
        }
        if (dense_.rows.size() == 1) {
            fill_columns_from_the_only_row();
            return true;
        }
        if (!has_slack_ && Assignment<Cost>::fits(supplies_, demands_)) {
            return assign_rows_to_columns();
        }
        return has_slack_ && send_rows_to_their_nearest(problem);
    }

    bool assign_rows_to_columns() {
        if (!assignment_.solve(cost_, stride_, n_rows_)) {
            return false;
        }
        for (std::size_t i = 0; i < n_rows_; ++i) {
            const std::size_t j = assignment_.column_of(i);
            row_potentials_[i] = static_cast<double>(cost_row(i)[j]) - assignment_.g(j);
            flows_.push_back({dense_.rows[i], dense_.columns[j], supplies_[i]});
        }
        return true;
    }

    /// A part that is small enough moves at one price, however small it is beside the masses.
    bool send_all_over_the_cheapest_entry(const TransportProblem<Cost>& problem) {
        const std::size_t n_own_columns = dense_.columns.size();
        Cost cheapest = cost_row(0)[0];
        for (std::size_t i = 0; i < dense_.rows.size(); ++i) {
            cheapest = std::min(cheapest, *std::min_element(cost_row(i), cost_row(i) + n_own_columns));
        }
        for (std::size_t i = 0; i < dense_.rows.size(); ++i) {
            for (std::size_t j = 0; supplies_[i] >= problem.fraction && j < n_own_columns; ++j) {
                if (cost_row(i)[j] == cheapest && demands_[j] >= problem.fraction) {
                    flows_.push_back({dense_.rows[i], dense_.columns[j], problem.fraction});
                    std::fill_n(row_potentials_.begin(), dense_.rows.size(), static_cast<double>(cheapest));
                    return true;
                }
            }
        }
        return false;
    }

    void send_all_to_the_only_column() {
        for (std::size_t i = 0; i < dense_.rows.size(); ++i) {
            row_potentials_[i] = static_cast<double>(cost_row(i)[0]);
            flows_.push_back({dense_.rows[i], dense_.columns[0], supplies_[i]});
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
            flows_.push_back({dense_.rows[0], dense_.columns[j], taken});
        }
    }

    /// Send each row to its cheapest column. Where no limit is exceeded that is optimal, with f the row minima.
    bool send_rows_to_their_nearest(const TransportProblem<Cost>& problem) {
        taken_.assign(n_columns_, 0.0);
        for (std::size_t i = 0; i < dense_.rows.size(); ++i) {
            const Cost* c = cost_row(i);
            const auto j = static_cast<std::size_t>(std::min_element(c, c + n_columns_) - c);
            row_potentials_[i] = static_cast<double>(c[j]);
            taken_[j] += supplies_[i];
            if (taken_[j] > problem.capacity * problem.b[dense_.columns[j]]) {
                return false;
            }
            flows_.push_back({dense_.rows[i], dense_.columns[j], supplies_[i]});
        }
        return true;
    }

    /// Lay the tableau out over vectors that only grow.
    void make_tableau() {
        masses_.assign(supplies_, demands_);
        const std::size_t n_edges = n_rows_ + n_columns_ - 1;
        const std::size_t n_slots = padded(n_edges, word_bits);
        const std::size_t first_column = padded(n_rows_, 8);
        const std::size_t n_nodes = padded(first_column + stride_);
        const std::size_t n_node_words = padded((n_nodes + 63) / 64, 8);
        const bool keeps_paths = n_edges <= kernels_.max_path_edges;
        grow(sets_, keeps_paths ? n_nodes : (n_edges + 1) * n_node_words);
        grow(parent_edge_, n_nodes);
        grow(child_is_row_, n_slots / word_bits);
        grow(moved_, n_node_words);
        grow(cycle_, n_nodes);
        grow(edge_row_, n_edges);
        grow(edge_column_, n_edges);
        grow(top_down_, n_edges + 1);
        grow(counts_, n_nodes + 2);
        grow(best_column_, n_rows_);
        grow(flow_, n_slots);
        std::fill_n(flow_.begin(), n_slots, 0);  // the padding belongs to no cycle, but it is read
        grow(open_, n_nodes + 1);
        grow(coarse_, n_nodes);
        grow(fine_, n_nodes);
        grow(best_cost_, n_rows_);
        grow(penalty_, stride_);
        grow(row_mean_, n_rows_);
        tableau_ = {
            .cost = cost_,
            .stride = stride_,
            .n_rows = n_rows_,
            .n_columns = n_columns_,
            .has_slack = has_slack_,
            .supply = masses_.supplies().data(),
            .demand = masses_.demands().data(),
            .first_column = first_column,
            .n_nodes = n_nodes,
            .n_edges = n_edges,
            .keeps_paths = keeps_paths,
            .n_node_words = n_node_words,
            .sets = sets_.data(),
            .parent_edge = parent_edge_.data(),
            .child_is_row = child_is_row_.data(),
            .edge_row = edge_row_.data(),
            .edge_column = edge_column_.data(),
            .flow = flow_.data(),
            .top_down = top_down_.data(),
            .coarse = coarse_.data(),
            .fine = fine_.data(),
            .moved = moved_.data(),
            .cycle = cycle_.data(),
            .open = open_.data(),
            .best_cost = best_cost_.data(),
            .best_column = best_column_.data(),
            .penalty = penalty_.data(),
            .row_mean = row_mean_.data(),
            .counts = counts_.data(),
            .next_row = 0,
        };
    }

    /// The tableau that float32 pivots work on: of costs in float64, the same basis over rounded ones.
    [[nodiscard]] SimplexTableau<float>& coarse_tableau() {
        if constexpr (std::is_same_v<Cost, float>) {
            return tableau_;
        } else {
            const std::size_t n_entries = n_rows_ * stride_;
            grow(rounded_.cost, n_entries);
            grow(rounded_.best_cost, n_rows_);
            grow(rounded_.penalty, stride_);
            grow(rounded_.row_mean, n_rows_);
            std::transform(cost_, cost_ + n_entries, rounded_.cost.data(),
                           [](double cost) { return static_cast<float>(cost); });
            const SimplexTableau<Cost>& t = tableau_;
            rounded_.tableau = {
                .cost = rounded_.cost.data(),
                .stride = t.stride,
                .n_rows = t.n_rows,
                .n_columns = t.n_columns,
                .has_slack = t.has_slack,
                .supply = t.supply,
                .demand = t.demand,
                .first_column = t.first_column,
                .n_nodes = t.n_nodes,
                .n_edges = t.n_edges,
                .keeps_paths = t.keeps_paths,
                .n_node_words = t.n_node_words,
                .sets = t.sets,
                .parent_edge = t.parent_edge,
                .child_is_row = t.child_is_row,
                .edge_row = t.edge_row,
                .edge_column = t.edge_column,
                .flow = t.flow,
                .top_down = t.top_down,
                .coarse = t.coarse,
                .fine = t.fine,
                .moved = t.moved,
                .cycle = t.cycle,
                .open = t.open,
                .best_cost = rounded_.best_cost.data(),
                .best_column = t.best_column,
                .penalty = rounded_.penalty.data(),
                .row_mean = rounded_.row_mean.data(),
                .counts = t.counts,
                .next_row = 0,
            };
            return rounded_.tableau;
        }
    }

    // ---- large problems --------------------------------------------------------------------------------------

    Stop solve_large() {
        masses_.assign(supplies_, demands_);
        is_turned_ = n_rows_ >= tall * n_columns_;
        LargeProblem<Cost> problem{.cost = cost_,
                                   .stride = stride_,
                                   .n_rows = n_rows_,
                                   .n_columns = n_columns_,
                                   .supply = masses_.supplies().data(),
                                   .demand = masses_.demands().data()};
        if (is_turned_) {
            turned_.turn(cost_, stride_, n_rows_, n_columns_, interrupt_);
            problem.cost = turned_.data();
            problem.stride = turned_.stride();
            std::swap(problem.n_rows, problem.n_columns);
            std::swap(problem.supply, problem.demand);
        }
        const auto n_nodes = static_cast<std::int64_t>(n_rows_ + n_columns_);
        const Stop stop = large_.solve(problem, {.tolerance = final_tolerance * max_cost_,
                                                 .pivots = 50 * n_nodes * n_nodes,
                                                 .value = cutoff_ / masses_.perturbed_unit(),
                                                 .beyond_cutoff =
                                                     [this](std::span<const double> f, std::span<const double> g) {
                                                         take_potentials(f, g);
                                                         return dual_sum() > cutoff_ + value_slack();
                                                     },
                                                 .interrupt = interrupt_});
        pivots_ = large_.pivots();
        take_potentials(large_.f(), large_.g());
        return stop;
    }

    void take_potentials(std::span<const double> f, std::span<const double> g) {
        if (is_turned_) {
            std::swap(f, g);
        }
        row_potentials_.assign(f.begin(), f.end());
        column_potentials_.assign(g.begin(), g.end());
    }

    // ---- pivots ----------------------------------------------------------------------------------------------

    /// Pivot until no reduced cost is under -tolerance, with pauses to look at the interrupt and at the cutoff.
    template <class Read, class Pot>
    Stop improve(PivotRun (*pivot)(SimplexTableau<Read>&, Pot, std::int64_t), SimplexTableau<Read>& tableau,
                 const Pot* pot, Pot tolerance, std::int64_t limit) {
        std::int64_t pause =
            std::max<std::int64_t>(1, static_cast<std::int64_t>(entries_between_checks / (n_rows_ * stride_)));
        if (cutoff_ < infinity) {
            pause = std::min(pause, static_cast<std::int64_t>(std::max<std::size_t>(16, n_rows_ / 2)));
        }
        for (std::int64_t done = 0; done < limit;) {
            if (value_ > cutoff_) {
                row_potentials_.assign(pot, pot + n_rows_);
                if (dual_value() > cutoff_ + value_slack()) {
                    return Stop::cutoff;
                }
            }
            const PivotRun run = pivot(tableau, tolerance, std::min(pause, limit - done));
            value_ += masses_.perturbed_unit() * run.gain;
            pivots_ += run.pivots;
            if (run.optimal) {
                return Stop::optimal;
            }
            done += run.pivots;
            check(interrupt_);
        }
        return Stop::limit;
    }

    /// Prove the basis optimal in float64; where float32 left something to do, do it.
    Stop finish(std::int64_t limit) {
        Stop stop = Stop::optimal;
        if (!is_optimal()) {
            stop = improve(kernels_.improve_fine, tableau_, tableau_.fine, final_tolerance * max_cost_, limit);
            if (stop != Stop::cutoff) {
                is_optimal();  // for the potentials, without the drift of the pivots
            }
        }
        return stop;
    }

    /// Whether no reduced cost is under the final tolerance, on potentials computed again from the tree. Leaves the
    /// rows' in row_potentials_ and their c-transform in column_potentials_.
    bool is_optimal() {
        kernels_.potentials(tableau_);
        row_potentials_.assign(tableau_.fine, tableau_.fine + n_rows_);
        c_transform();
        double least = 0.0;
        for (std::size_t j = 0; j < n_columns_; ++j) {
            least = std::min(least, column_potentials_[j] + tableau_.fine[tableau_.first_column + j]);
        }
        return least >= -final_tolerance * max_cost_;
    }

    // ---- bounds and results ----------------------------------------------------------------------------------

    /// How far the value of an optimal plan over the quantised masses can lie from the true optimum, generously.
    [[nodiscard]] double value_slack() const { return exact_value_error(n_rows_, n_columns_, max_cost_); }

    /// <C, P> of the current basis, up to the perturbation.
    [[nodiscard]] double tree_value() const {
        double value = 0.0;
        for (std::size_t slot = 0; slot < tableau_.n_edges; ++slot) {
            const Cost cost = cost_[tableau_.edge_row[slot] * stride_ + tableau_.edge_column[slot]];
            value += masses_.perturbed_unit() * static_cast<double>(tableau_.flow[slot]) * static_cast<double>(cost);
        }
        return value;
    }

    void c_transform() {
        grow(column_potentials_, stride_);
        kernels_.c_transform(cost_, n_rows_, stride_, row_potentials_.data(), column_potentials_.data());
    }

    /// The value of the feasible dual solution that row_potentials_ and their c-transform make.
    double dual_value() {
        c_transform();
        return dual_sum();
    }

    /// Potentials are what they are but for a constant. The slack's is 0 by convention.
    [[nodiscard]] double anchor() const { return has_slack_ ? row_potentials_[n_rows_ - 1] : 0.0; }

    /// <a, f> + kappa <b, g>, less what rounding can have added.
    [[nodiscard]] double dual_sum() const {
        const double constant = anchor();  // times limits that sum to far more than 1, it would be most of the rounding
        double value = 0.0;
        double size = std::numeric_limits<double>::min();  // products may underflow
        const auto add = [&](double worth) {
            value += worth;
            size += std::abs(worth);
        };
        // What rows keep is worth the multiplier, which counts for what moves alone: digits of a small part stay.
        const double multiplier = has_rest_ ? -(constant + column_potentials_[n_columns_ - 1]) : 0.0;
        for (std::size_t i = 0; i < dense_.rows.size(); ++i) {
            add(supplies_[i] * (row_potentials_[i] - constant - multiplier));
        }
        for (std::size_t j = 0; j < dense_.columns.size(); ++j) {
            add(demands_[j] * (column_potentials_[j] + constant));
        }
        if (has_rest_) {
            add(fraction_ * multiplier);
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
        summary.lower = settled_ ? dual_value() : dual_sum();  // without a closed form, of what ended the pivots
        has_flows_of_given_mass_ =
            settled_ || (mass_ == FlowMass::given && stop == Stop::optimal && collect_flows_of_given_mass());
        if (!has_flows_of_given_mass_ && is_large_) {
            collect_large_flows();
        } else if (!has_flows_of_given_mass_) {
            if (stop == Stop::cutoff) {
                kernels_.potentials(tableau_);  // for the order of the tree
            }
            collect_flows();
        }
        if (dense_.is_turned) {
            std::ranges::for_each(flows_, [](Flow& flow) { std::swap(flow.source, flow.target); });
        }
        summary.value = 0.0;
        for (const Flow& flow : flows_) {
            summary.value += flow.mass * static_cast<double>(problem.cost(flow.source, flow.target));
        }
        if (moves_too_much_) {
            summary.value = infinity;  // of costs below 0 it would be less than the optimum
        }
        // Both are the optimum to rounding; an interval must not be empty.
        summary.lower = std::min(summary.lower, summary.value);
        spread_potentials(problem);
        return summary;
    }

    /// The plan of the unperturbed masses: what the nodes below an edge have too much of flows over it.
    void collect_flows() {
        std::int64_t* surplus = tableau_.open;  // free after the start
        std::ranges::copy(masses_.supply_quanta(), surplus);
        std::ranges::transform(masses_.demand_quanta(), surplus + tableau_.first_column, std::negate{});
        std::int64_t* plan = tableau_.flow;  // what flows with the perturbation is not needed any more
        for (std::size_t k = tableau_.n_edges; k-- > 0;) {
            const std::size_t slot = tableau_.top_down[k];
            const std::size_t i = tableau_.edge_row[slot];
            const std::size_t j = tableau_.edge_column[slot];
            std::int64_t& row = surplus[i];
            std::int64_t& column = surplus[tableau_.first_column + j];
            const bool child_is_row = tableau_.child_is_row_of(slot);
            const std::int64_t quanta = child_is_row ? row : -column;
            (child_is_row ? column : row) += child_is_row ? quanta : -quanta;
            plan[slot] = quanta;
        }
        // By slots, as how the tree is ordered depends on the instruction set, and so would the last bits of sums.
        flows_.clear();
        for (std::size_t slot = 0; slot < tableau_.n_edges; ++slot) {
            const std::int64_t quanta = plan[slot];
            const std::size_t i = tableau_.edge_row[slot];
            const std::size_t j = tableau_.edge_column[slot];
            add_flow(i, j, quanta);
        }
    }

    /// The plan of the masses as given, summed from these in twice the precision. False if the tree has none: masses
    /// may be smaller than quanta.
    bool collect_flows_of_given_mass() {
        long_surplus_.resize(n_rows_ + n_columns_);
        LongSum supplied;  // and demanded: two chains, as an addition waits for the one before it
        LongSum total;
        for (std::size_t i = 0; i < n_rows_; ++i) {
            const double mass = i < dense_.rows.size() ? supplies_[i] : 0.0;
            long_surplus_[i] = LongSum(mass);
            supplied.add(mass);
        }
        for (std::size_t j = 0; j < dense_.columns.size(); ++j) {
            long_surplus_[n_rows_ + j] = LongSum(-demands_[j]);
            total.add(-demands_[j]);
        }
        if (has_rest_) {
            // All but what moves, as 1 less a small fraction has few digits of it.
            LongSum rest(fraction_);
            rest.subtract(supplied);
            long_surplus_[n_rows_ + n_columns_ - 1] = rest;
            total.add(rest);
        }
        total.add(supplied);
        // What balances the rest: the slack, or the largest column, of which it is rounding.
        const std::size_t balancing =
            has_slack_ ? n_rows_ - 1
                       : n_rows_ + static_cast<std::size_t>(std::ranges::max_element(demands_) - demands_.begin());
        long_surplus_[balancing].subtract(total);
        const std::size_t n_edges = n_rows_ + n_columns_ - 1;
        grow(long_flow_, n_edges);
        const bool has_small =
            std::min(*std::ranges::min_element(dense_.a), *std::ranges::min_element(dense_.b)) < small_mass;
        if (is_large_) {
            list_large_edges();
        }
        if (has_small) {
            pass_on_towards(balancing, n_edges);
            return keep_long_flows(n_edges) && meets_small_masses();
        }
        if (is_large_) {
            const std::size_t first_column = is_turned_ ? n_columns_ : n_rows_;
            std::size_t slot = 0;
            for (const std::size_t node : large_.tree().bottom_up()) {
                long_flow_[slot] = pass_on(edge_row_[slot], edge_column_[slot], (node < first_column) != is_turned_);
                ++slot;
            }
        } else {
            for (std::size_t k = n_edges; k-- > 0;) {
                const std::size_t slot = tableau_.top_down[k];
                long_flow_[slot] = pass_on(edge_row_[slot], edge_column_[slot], tableau_.child_is_row_of(slot));
            }
        }
        return keep_long_flows(n_edges);
    }

    /// Edges of the contracted tree, in the order of the nodes below them.
    void list_large_edges() {
        ContractedTree& tree = large_.tree();
        grow(edge_row_, tree.bottom_up().size());
        grow(edge_column_, tree.bottom_up().size());
        std::size_t slot = 0;
        for (const std::size_t node : tree.bottom_up()) {
            const auto [i, j] = large_edge(node);
            edge_row_[slot] = static_cast<std::uint32_t>(i);
            edge_column_[slot++] = static_cast<std::uint32_t>(j);
        }
    }

    /// The same towards one node, whatever the root: a small mass at the root would get what large sums leave, which
    /// has no digits of its own. Leaves give up what they have, one after the other.
    void pass_on_towards(std::size_t root, std::size_t n_edges) {
        const std::size_t n_nodes = n_rows_ + n_columns_;
        degree_.assign(n_nodes, 0);
        edges_.assign(n_nodes, 0);
        // A node of degree 1 knows its edge: what the exclusive or of all has left.
        for (std::size_t e = 0; e < n_edges; ++e) {
            for (const std::size_t end : {std::size_t{edge_row_[e]}, n_rows_ + edge_column_[e]}) {
                ++degree_[end];
                edges_[end] ^= e;
            }
        }
        for (std::size_t first = 0; first < n_nodes; ++first) {
            for (std::size_t x = first; x != root && degree_[x] == 1;) {
                const std::size_t e = edges_[x];
                const bool is_row = x < n_rows_;
                long_flow_[e] = pass_on(edge_row_[e], edge_column_[e], is_row);
                degree_[x] = 0;
                x = is_row ? n_rows_ + edge_column_[e] : std::size_t{edge_row_[e]};
                --degree_[x];
                edges_[x] ^= e;
            }
        }
    }

    /// Whether small masses between large ones are met: sums have the digits of these.
    bool meets_small_masses() {
        left_.assign(n_rows_ + n_columns_, 0.0);
        const auto all_met = [&](const std::vector<std::size_t>& own, const std::vector<double>& mass,
                                 std::size_t Flow::* end) {
            place_.resize(own.empty() ? 0 : own.back() + 1);
            for (std::size_t t = 0; t < own.size(); ++t) {
                place_[own[t]] = t;
                left_[t] = mass[t];
            }
            for (const Flow& flow : flows_) {
                left_[place_[flow.*end]] -= flow.mass;
            }
            for (std::size_t t = 0; t < own.size(); ++t) {
                if (std::abs(left_[t]) > 0x1p-44 * mass[t]) {
                    return false;
                }
            }
            return true;
        };
        return (has_rest_ || all_met(dense_.rows, dense_.a, &Flow::source)) &&
               (has_slack_ || all_met(dense_.columns, dense_.b, &Flow::target));
    }

    /// The flows of a plan, from those of all edges. False if some are none.
    bool keep_long_flows(std::size_t n_edges) {
        flows_.resize(n_edges);
        Flow* kept = flows_.data();
        const std::size_t n_own_rows = dense_.rows.size();
        const std::size_t n_own_columns = dense_.columns.size();
        bool fit = true;
        for (std::size_t slot = 0; slot < n_edges; ++slot) {
            const std::size_t i = edge_row_[slot];
            const std::size_t j = edge_column_[slot];
            const double flow = long_flow_[slot];
            const bool is_row = i < n_own_rows;
            const bool is_column = j < n_own_columns;
            const double most = is_row == is_column ? fraction_ : 1.0;  // what moves, or does though it should not
            const double smaller = std::min({most, is_row ? supplies_[i] : 1.0, is_column ? demands_[j] : 1.0});
            if (std::abs(flow) <= 8.0 * std::numeric_limits<double>::epsilon() * smaller) {
                continue;  // what rounding leaves of masses whose sums agree
            }
            // Between both extras it would move less than it should.
            fit &= flow > 0.0 && (is_row || is_column);
            if (is_row && is_column) {
                *kept++ = {dense_.rows[i], dense_.columns[j], flow};
            }
        }
        flows_.resize(static_cast<std::size_t>(kept - flows_.data()));
        return fit;
    }

    /// What flows over the edge of a row and a column, one of which the other hangs on and gives its surplus to.
    double pass_on(std::size_t i, std::size_t j, bool child_is_row) {
        const std::size_t column = n_rows_ + j;
        const std::size_t child = child_of(i, column, child_is_row);
        const LongSum& surplus = long_surplus_[child];
        long_surplus_[i ^ column ^ child].add(surplus);
        return child_signs[child_is_row] * surplus.value();
    }

    void add_flow(std::size_t i, std::size_t j, std::int64_t quanta) {
        if (quanta > 0 && i < dense_.rows.size() && j < dense_.columns.size()) {  // extras move nothing of ours
            flows_.push_back({dense_.rows[i], dense_.columns[j], static_cast<double>(quanta) * masses_.quantum()});
        }
        moves_too_much_ |= quanta > 0 && i == dense_.rows.size() && j == dense_.columns.size();
    }

    /// The same of a contracted tree.
    void collect_large_flows() {
        ContractedTree& tree = large_.tree();
        // By node, rows of the solver's problem first, as sources or as targets.
        surplus_.clear();
        const auto append = [this](std::span<const std::int64_t> quanta, std::int64_t sign) {
            std::ranges::transform(quanta, std::back_inserter(surplus_), [sign](std::int64_t q) { return sign * q; });
        };
        append(is_turned_ ? masses_.demand_quanta() : masses_.supply_quanta(), 1);
        append(is_turned_ ? masses_.supply_quanta() : masses_.demand_quanta(), -1);
        const std::size_t first_column = is_turned_ ? n_columns_ : n_rows_;
        flows_.clear();
        for (const std::size_t node : tree.bottom_up()) {
            surplus_[tree.parent(node)] += surplus_[node];
            const auto [i, j] = large_edge(node);
            add_flow(i, j, node < first_column ? surplus_[node] : -surplus_[node]);
        }
    }

    /// Our row and column of the edge above a node of the contracted tree.
    [[nodiscard]] std::pair<std::size_t, std::size_t> large_edge(std::size_t node) {
        const std::size_t first_column = is_turned_ ? n_columns_ : n_rows_;
        const std::size_t parent = large_.tree().parent(node);
        const std::size_t row = std::min(node, parent);
        const std::size_t column = std::max(node, parent) - first_column;
        return is_turned_ ? std::pair(column, row) : std::pair(row, column);
    }

    /// Potentials for the caller: the slack's is 0 by convention, and tokens without mass get what the others allow.
    void spread_potentials(const TransportProblem<Cost>& problem) {
        const double constant = anchor();
        multiplier_ = has_rest_ ? -(constant + column_potentials_[n_columns_ - 1]) : 0.0;
        f_.assign(problem.a.size(), has_rest_ ? multiplier_ : infinity);
        g_.assign(problem.b.size(), has_slack_ ? 0.0 : infinity);
        // A turned problem has no extras.
        const auto& [sources, targets] =
            dense_.is_turned ? std::tie(dense_.columns, dense_.rows) : std::tie(dense_.rows, dense_.columns);
        const auto& [of_sources, of_targets] = dense_.is_turned ? std::tie(column_potentials_, row_potentials_)
                                                                : std::tie(row_potentials_, column_potentials_);
        for (std::size_t i = 0; i < sources.size(); ++i) {
            f_[sources[i]] = of_sources[i] - constant;
        }
        for (std::size_t j = 0; j < targets.size(); ++j) {
            // A column that could take all is never full, so its potential is 0, and not what rounding leaves of that:
            // times the limit, however large, it would be part of the dual value.
            const std::size_t place = targets[j];
            const bool may_fill = !has_slack_ || problem.capacity * problem.b[place] < max_taken;
            g_[place] = may_fill ? of_targets[j] + constant : 0.0;
        }
        if (targets.size() < g_.size()) {
            for (std::size_t j = 0; j < g_.size(); ++j) {
                if (problem.b[j] > 0.0) {
                    continue;
                }
                for (const std::size_t i : sources) {
                    g_[j] = std::min(g_[j], static_cast<double>(problem.cost(i, j)) - f_[i]);
                }
            }
        }
        if (sources.size() < f_.size()) {
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

    // the problem, with its extras
    DenseProblem<Cost> dense_;
    std::vector<double> supplies_, demands_;
    const Cost* cost_ = nullptr;  ///< rows of stride_ entries
    std::size_t n_rows_ = 0, n_columns_ = 0, stride_ = 0;
    double max_cost_ = 0.0;
    double fraction_ = 1.0;
    bool has_slack_ = false;  ///< the last row is the slack
    bool has_rest_ = false;   ///< the last column takes the mass that need not move

    // closed forms
    std::vector<double> taken_;
    std::vector<std::size_t> by_cost_;
    bool moves_too_much_ = false;  ///< the slack row still fills the rest column: only in what was stopped
    bool settled_ = false;         ///< the plan came from settle_without_pivots; there is no tree

    Assignment<Cost> assignment_;

    // the pivots
    const SimplexKernels<Cost>& kernels_ = kernels().simplex<Cost>();
    PerturbedMasses masses_;
    SimplexTableau<Cost> tableau_{};
    struct {
        SimplexTableau<float> tableau{};
        AlignedVector<float> cost, best_cost, penalty, row_mean;
    } rounded_;  ///< of costs in float64
    AlignedVector<std::uint64_t> sets_, child_is_row_, moved_;
    AlignedVector<ParentEdge> parent_edge_, cycle_;
    AlignedVector<std::uint32_t> edge_row_, edge_column_, top_down_, counts_, best_column_;
    AlignedVector<std::int64_t> flow_, open_;
    AlignedVector<float> coarse_;
    AlignedVector<double> fine_;
    AlignedVector<Cost> best_cost_, penalty_, row_mean_;
    std::int64_t pivots_ = 0;
    double value_ = 0.0;  ///< of the current basis, kept up only where there is a cutoff
    double cutoff_ = infinity;
    Interrupt* interrupt_ = nullptr;

    // large problems
    LargeSimplex<Cost> large_;
    bool is_large_ = false;
    bool is_turned_ = false;  ///< its rows are our columns
    TurnedCosts<Cost> turned_;
    std::vector<std::int64_t> surplus_;

    // flows of the masses as given
    FlowMass mass_ = FlowMass::quanta;
    bool has_flows_of_given_mass_ = false;
    std::vector<LongSum> long_surplus_;
    AlignedVector<double> long_flow_;
    std::vector<std::size_t> degree_, edges_, place_;
    std::vector<double> left_;

    // the result
    AlignedVector<double> row_potentials_, column_potentials_;
    std::vector<Flow> flows_;
    std::vector<double> f_, g_;
    std::vector<BasisEdge> basis_;
    double multiplier_ = 0.0;
};

}  // namespace

double exact_value_error(std::size_t n_rows, std::size_t n_columns, double max_cost) {
    const auto n = static_cast<double>(n_rows);
    const auto m = static_cast<double>(n_columns);
    // Half a quantum per row, one per column, as much again because the largest column makes up for these, each moved
    // between costs of opposite sign; the rest is the rounding of sums in float64. docs/numerics.md, "Exact solve".
    // Turned problems are within it, as their quanta are the smallest that there are.
    const double moved = 2.5 * (n + m) * mass_quantum(n_rows, 2.0 * m);
    // The sum of up to m limits of up to 2 each.
    const double summed = 2.0 * m * m * std::numeric_limits<double>::epsilon();
    return (moved + summed) * (max_cost + std::numeric_limits<double>::min());  // products may underflow
}

class ExactSolver::Impl {
  public:
    Simplex<float> float32;
    Simplex<double> float64;
    std::span<const Flow> flows;
    std::span<const double> f, g;
    double multiplier = 0.0;
    bool is_float32 = false;  ///< which of both was the latest
    bool has_flows_of_given_mass = false;

    template <class Cost>
    SolveSummary solve(Simplex<Cost>& simplex, const TransportProblem<Cost>& problem, double cutoff,
                       Interrupt* interrupt, FlowMass mass, std::optional<double> padded_largest = {}) {
        require_well_formed(problem);
        const SolveSummary summary = simplex.solve(problem, cutoff, interrupt, padded_largest, mass);
        has_flows_of_given_mass = simplex.has_flows_of_given_mass();
        flows = simplex.flows();
        f = simplex.f();
        g = simplex.g();
        multiplier = simplex.multiplier();
        is_float32 = std::is_same_v<Cost, float>;
        return summary;
    }
};

ExactSolver::ExactSolver() : impl_(std::make_unique<Impl>()) {}
ExactSolver::~ExactSolver() = default;
ExactSolver::ExactSolver(ExactSolver&&) noexcept = default;
ExactSolver& ExactSolver::operator=(ExactSolver&&) noexcept = default;

SolveSummary ExactSolver::solve(const TransportProblem<float>& problem, double cutoff, Interrupt* interrupt,
                                FlowMass mass) {
    return impl_->solve(impl_->float32, problem, cutoff, interrupt, mass);
}
SolveSummary ExactSolver::solve(const TransportProblem<double>& problem, double cutoff, Interrupt* interrupt,
                                FlowMass mass) {
    return impl_->solve(impl_->float64, problem, cutoff, interrupt, mass);
}
SolveSummary ExactSolver::solve(const PaddedCosts& costs, std::span<const double> a, std::span<const double> b,
                                double capacity, double fraction, double cutoff, Interrupt* interrupt) {
    return impl_->solve(impl_->float32, TransportProblem<float>{costs.matrix, a, b, capacity, fraction}, cutoff,
                        interrupt, FlowMass::quanta, costs.largest);
}

std::span<const Flow> ExactSolver::flows() const { return impl_->flows; }
bool ExactSolver::has_flows_of_given_mass() const { return impl_->has_flows_of_given_mass; }
std::span<const double> ExactSolver::f() const { return impl_->f; }
std::span<const double> ExactSolver::g() const { return impl_->g; }
double ExactSolver::multiplier() const { return impl_->multiplier; }
std::span<const BasisEdge> ExactSolver::basis() const {
    return impl_->is_float32 ? impl_->float32.basis() : impl_->float64.basis();
}

}  // namespace moverank
