#include "moverank/verified.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <stdexcept>
#include <tuple>
#include <utility>

#include "../preconditions.hpp"
#include "long_sum.hpp"
#include "moverank/finite.hpp"
#include "optimal_costs.hpp"
#include "wide_simplex.hpp"

namespace moverank {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double largest_number = std::numeric_limits<double>::max();
constexpr double epsilon = std::numeric_limits<double>::epsilon();

/// As in ExactSolver: no column takes more than all mass.
constexpr double max_taken = 2.0;

}  // namespace

class VerifiedSolver::Impl {
  public:
    std::span<const Flow> flows;
    std::span<const double> f, g;
    double multiplier = 0.0;
    Infeasibility infeasibility;

    template <class Cost>
    SolveSummary solve(const TransportProblem<Cost>& problem, Interrupt* interrupt, double cutoff) {
        is_loaded_ = false;
        const MatrixView<const Cost> cost = problem.cost;
        const Sizes sizes = sizes_of(problem);
        // Forbidden entries get a cost that no optimum over permitted entries pays. If the plan pays it all the same,
        // the permitted entries do not suffice.
        const std::size_t shorter = std::min(cost.rows(), cost.cols()) + 1;
        double ceiling =
            sizes.has_forbidden ? largest_optimal_cost(sizes.largest, sizes.largest, shorter) : largest_number;
        ceiling = std::min(ceiling, static_cast<double>(cost_limit<Cost>));
        bool lowered = sizes.has_forbidden || sizes.largest > cost_limit<Cost>;
        // Costs that had to be raised prove nothing, but the third way may start from the plan under them.
        const bool raised = sizes.lowest < -cost_limit<Cost>;
        if (raised) {
            cutoff = infinity;
        }
        SolveSummary summary;
        double credit = 0.0;
        // At most twice: with all costs, then with those lowered that the first plan shows to be too high for any
        // optimum. Lowering them brings the largest cost down, and the fast solver's tolerance is relative to that.
        for (int look = 0; look < 2; ++look) {
            TransportProblem<Cost> looked_at = problem;
            if (lowered) {
                looked_at.cost = lower_to(cost, static_cast<Cost>(ceiling));
            }
            const std::int64_t pivots = summary.pivots;
            summary = fast_.solve(looked_at, cutoff, interrupt, FlowMass::given);
            summary.pivots += pivots;
            if (summary.status == SolveStatus::above_cutoff) {
                // A lower bound under lowered costs is one under the given costs.
                return summary;
            }
            // Accepted if nothing was changed that matters: the plan has the masses as given, uses no lowered entry,
            // and its value and bound meet.
            if (!raised && fast_.has_flows_of_given_mass() && !(lowered && pays(problem, ceiling)) &&
                proves_itself(problem, looked_at, summary)) {
                flows = fast_.flows();
                f = fast_.f();
                g = fast_.g();
                multiplier = fast_.multiplier();
                return summary;
            }
            if (look == 0) {
                load(problem);
                credit = credit_of(problem);
            }
            const double largest_optimal =
                largest_optimal_cost(price_paid(problem, fast_.flows()), credit, std::min(n_rows_, n_columns_));
            if (!(largest_optimal < 0.125 * std::min(sizes.largest, ceiling))) {
                break;  // three binary digits more would hardly let a second solve succeed where the first did not
            }
            ceiling = largest_optimal;
            lowered = true;
        }
        return solve_wide(problem, credit, summary.pivots, interrupt);
    }

  private:
    struct Sizes {
        double largest = 0.0;  ///< largest absolute value of a finite cost
        double lowest = 0.0;   ///< lowest cost; only computed if some cost may be beyond the limit of the first way
        bool has_forbidden = false;
    };

    // ---- the problem -------------------------------------------------------------------------------------------

    /// What each row sends and each column takes, with slack and rest. Needed only for problems that the fast solver
    /// does not settle, hence done late.
    template <class Cost>
    void load(const TransportProblem<Cost>& problem) {
        if (is_loaded_) {
            return;
        }
        is_loaded_ = true;
        const auto& [cost, a, b, capacity, fraction] = problem;
        rows_.clear();
        columns_.clear();
        supplies_.clear();
        demands_.clear();
        has_rest_ = fraction < 1.0;
        has_slack_ = capacity > 1.0 || has_rest_;
        for (std::size_t i = 0; i < a.size(); ++i) {
            if (a[i] > 0.0) {
                rows_.push_back(i);
                supplies_.push_back(a[i]);
            }
        }
        for (std::size_t j = 0; j < b.size(); ++j) {
            if (b[j] > 0.0) {
                columns_.push_back(j);
                demands_.push_back(capacity > 1.0 ? std::min(capacity * b[j], max_taken) : b[j]);
            }
        }
        n_rows_ = rows_.size() + (has_slack_ ? 1 : 0);
        n_columns_ = columns_.size() + (has_rest_ ? 1 : 0);
        if (has_rest_) {
            demands_.push_back(1.0 - fraction);
        }
        if (has_slack_) {
            supplies_.push_back(0.0);  // the wide simplex fills in what balances the other masses
        }
        place_of_row_.assign(a.size() + 1, rows_.size());
        place_of_column_.assign(b.size() + 1, columns_.size());
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            place_of_row_[rows_[i]] = i;
        }
        for (std::size_t j = 0; j < columns_.size(); ++j) {
            place_of_column_[columns_[j]] = j;
        }
    }

    template <class Cost>
    Sizes sizes_of(const TransportProblem<Cost>& problem) {
        Sizes sizes;
        const MatrixView<const Cost> cost = problem.cost;
        require(cost.stride() >= cost.cols(), "rows of the cost matrix overlap");
        if (cost.stride() == cost.cols()) {
            const auto largest = static_cast<double>(largest_size(std::span(cost.data(), cost.rows() * cost.cols())));
            if (largest <= cost_limit<Cost>) {
                sizes.largest = largest;
                return sizes;
            }
        }
        for (std::size_t i = 0; i < cost.rows(); ++i) {
            for (std::size_t j = 0; j < cost.cols(); ++j) {
                const auto c = static_cast<double>(cost(i, j));
                if (!(c > -infinity)) {
                    throw std::invalid_argument("cost has an entry that is NaN or -inf");
                }
                sizes.has_forbidden |= c == infinity;
                if (c < infinity) {
                    sizes.largest = std::max(sizes.largest, std::abs(c));
                    sizes.lowest = std::min(sizes.lowest, c);
                }
            }
        }
        return sizes;
    }

    /// L of the lemma: the absolute value of the most negative cost, or 0.
    template <class Cost>
    [[nodiscard]] double credit_of(const TransportProblem<Cost>& problem) const {
        double least = 0.0;
        for (const std::size_t i : rows_) {
            for (const std::size_t j : columns_) {
                least = std::min(least, static_cast<double>(problem.cost(i, j)));
            }
        }
        return -least;
    }

    template <class Cost>
    MatrixView<const Cost> lower_to(MatrixView<const Cost> cost, Cost ceiling) {
        std::vector<Cost>& lowered = std::get<std::vector<Cost>>(lowered_);
        lowered.resize(cost.rows() * cost.cols());
        for (std::size_t i = 0; i < cost.rows(); ++i) {
            std::transform(cost.row(i), cost.row(i) + cost.cols(), lowered.data() + i * cost.cols(),
                           [ceiling](Cost c) { return std::clamp(c, static_cast<Cost>(-cost_limit<Cost>), ceiling); });
        }
        return {lowered.data(), cost.rows(), cost.cols()};
    }

    /// The largest cost that a plan pays, apart from what it pays for crumbs.
    template <class Cost>
    [[nodiscard]] double price_paid(const TransportProblem<Cost>& problem, std::span<const Flow> plan) {
        by_cost_.clear();
        for (const Flow& flow : plan) {
            by_cost_.emplace_back(static_cast<double>(problem.cost(flow.source, flow.target)), flow.mass);
        }
        return largest_price(by_cost_, problem.fraction * crumbs(n_rows_ + n_columns_));
    }

    // ---- the first two ways ------------------------------------------------------------------------------------

    /// Whether the fast solver's plan has an entry whose cost was lowered.
    template <class Cost>
    bool pays(const TransportProblem<Cost>& problem, double ceiling) const {
        return std::ranges::any_of(fast_.flows(), [&](const Flow& flow) {
            return static_cast<double>(problem.cost(flow.source, flow.target)) >= ceiling;
        });
    }

    /// Whether value and lower bound of the fast solver's plan agree to `rounding_share` of what it pays.
    template <class Cost>
    bool proves_itself(const TransportProblem<Cost>& problem, const TransportProblem<Cost>& looked_at,
                       SolveSummary& summary) {
        summary.status = SolveStatus::optimal;
        const double least = std::numeric_limits<double>::min();
        if (summary.value - summary.lower <= rounding_share * std::abs(summary.value) + least) {
            return true;  // the sum of sizes is no less
        }
        double paid = 0.0;
        for (const Flow& flow : fast_.flows()) {
            paid += std::abs(flow.mass * static_cast<double>(problem.cost(flow.source, flow.target)));
        }
        const double rounding = rounding_share * paid + least;
        if (summary.value - summary.lower > rounding) {
            load(problem);
            summary.lower = close_bound(looked_at);
        }
        const bool meet = std::abs(summary.value - summary.lower) <= rounding;
        summary.lower = std::min(summary.lower, summary.value);
        return meet;
    }

    /// The dual value of the row potentials, with no more doubt than the columns' minima have.
    template <class Cost>
    double close_bound(const TransportProblem<Cost>& problem) {
        const std::span<const double> of_rows = fast_.f();
        LongSum value;
        double size = std::numeric_limits<double>::min();
        // What rows keep is worth the multiplier, which counts for what moves alone: digits of a small part stay.
        const double keeping = has_rest_ ? fast_.multiplier() : 0.0;
        for (const std::size_t i : rows_) {
            value.add_product(problem.a[i], of_rows[i] - keeping);
            size += epsilon * problem.a[i] * std::abs(of_rows[i] - keeping);
        }
        for (std::size_t j = 0; j < columns_.size(); ++j) {
            double least = infinity;
            for (const std::size_t i : rows_) {
                least = std::min(least, static_cast<double>(problem.cost(i, columns_[j])) - of_rows[i]);
            }
            least = has_slack_ ? std::min(least, 0.0) : least;
            value.add_product(demands_[j], least);
            size += demands_[j] * std::abs(least);
        }
        if (has_rest_) {
            value.add_product(problem.fraction, keeping);
        }
        return value.value() - 4.0 * epsilon * (size + std::abs(value.value()));
    }

    // ---- the third way -----------------------------------------------------------------------------------------

    template <class Cost>
    SolveSummary solve_wide(const TransportProblem<Cost>& problem, double credit, std::int64_t pivots,
                            Interrupt* interrupt) {
        wide_costs_.assign(n_rows_ * n_columns_, 0.0);
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            for (std::size_t j = 0; j < columns_.size(); ++j) {
                wide_costs_[i * n_columns_ + j] = static_cast<double>(problem.cost(rows_[i], columns_[j]));
            }
        }
        if (has_rest_) {
            wide_costs_.back() = infinity;  // what the rest takes from the slack moves though it need not
        }
        wide_basis_.clear();
        for (const BasisEdge& edge : fast_.basis()) {
            wide_basis_.push_back({place_of_row_[edge.row], place_of_column_[edge.column]});
        }
        if (wide_basis_.empty()) {
            for (const Flow& flow : fast_.flows()) {
                wide_basis_.push_back({place_of_row_[flow.source], place_of_column_[flow.target]});
            }
        }
        const std::size_t balancing = has_slack_ ? n_rows_ - 1 : n_rows_;
        const auto moved = has_rest_ ? std::optional(problem.fraction) : std::nullopt;
        wide_.load({.n_rows = n_rows_, .n_columns = n_columns_, .costs = wide_costs_}, supplies_, demands_, balancing,
                   moved);
        wide_.start(wide_basis_);
        SolveSummary summary;
        if (!wide_.solve(largest_number, interrupt)) {
            report_infeasibility();
            summary.status = SolveStatus::infeasible;
            summary.value = summary.lower = infinity;
            summary.pivots = pivots + wide_.pivots();
            return summary;
        }
        take_flows();
        const double largest_optimal =
            largest_optimal_cost(price_paid(problem, wide_flows_), credit, std::min(n_rows_, n_columns_));
        const bool pays_for_crumbs = std::ranges::any_of(wide_flows_, [&](const Flow& flow) {
            return static_cast<double>(problem.cost(flow.source, flow.target)) > largest_optimal;
        });
        if (pays_for_crumbs && !wide_.solve(largest_optimal, interrupt)) {
            // Small masses, but no rounding: they have to go there.
            (void)wide_.solve(largest_number, interrupt);
        }
        take_flows();
        LongSum value;
        double paid = 0.0;
        for (const Flow& flow : wide_flows_) {
            const auto c = static_cast<double>(problem.cost(flow.source, flow.target));
            value.add_product(flow.mass, c);
            paid += flow.mass * std::abs(c);
        }
        summary.pivots = pivots + wide_.pivots();
        summary.value = value.value();
        // The basis is optimal without any rounding, and so its value is the bound: only storing it rounds.
        summary.lower = summary.value - 4.0 * epsilon * paid;
        take_potentials(problem);
        flows = wide_flows_;
        f = wide_f_;
        g = wide_g_;
        return summary;
    }

    void take_flows() {
        wide_flows_.clear();
        for (const Flow& flow : wide_.flows()) {
            if (flow.source < rows_.size() && flow.target < columns_.size()) {
                wide_flows_.push_back({rows_[flow.source], columns_[flow.target], flow.mass});
            }
        }
    }

    /// Rows and columns without mass get what the others allow.
    template <class Cost>
    void take_potentials(const TransportProblem<Cost>& problem) {
        const std::vector<double>& potentials = wide_.potentials();
        multiplier = has_rest_ ? potentials.back() : 0.0;
        wide_f_.assign(problem.a.size(), has_rest_ ? multiplier : infinity);
        wide_g_.assign(problem.b.size(), has_slack_ ? 0.0 : infinity);
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            wide_f_[rows_[i]] = potentials[i];
        }
        for (std::size_t j = 0; j < columns_.size(); ++j) {
            wide_g_[columns_[j]] = -potentials[n_rows_ + j];
        }
        for (std::size_t j = 0; j < wide_g_.size(); ++j) {
            for (std::size_t i = 0; problem.b[j] == 0.0 && i < rows_.size(); ++i) {
                wide_g_[j] = std::min(wide_g_[j], static_cast<double>(problem.cost(rows_[i], j)) - wide_f_[rows_[i]]);
            }
            wide_g_[j] = std::isfinite(wide_g_[j]) ? wide_g_[j] : 0.0;  // all is forbidden: any will do
        }
        for (std::size_t i = 0; i < wide_f_.size(); ++i) {
            for (std::size_t j = 0; problem.a[i] == 0.0 && j < wide_g_.size(); ++j) {
                wide_f_[i] = std::min(wide_f_[i], static_cast<double>(problem.cost(i, j)) - wide_g_[j]);
            }
            wide_f_[i] = std::isfinite(wide_f_[i]) ? wide_f_[i] : 0.0;
        }
    }

    void report_infeasibility() {
        flows = {};
        f = g = {};
        multiplier = 0.0;
        infeasibility = {};
        infeasibility.mass = wide_.unmoved();
        if (has_slack_) {
            return;
        }
        for (const std::size_t i : wide_.stuck_rows()) {
            infeasibility.sources.push_back(rows_[i]);
        }
        for (const std::size_t j : wide_.reached_columns()) {
            infeasibility.targets.push_back(columns_[j]);
        }
    }

    ExactSolver fast_;
    WideSimplex wide_;
    std::tuple<std::vector<float>, std::vector<double>> lowered_;

    // the problem, with its extras
    std::vector<std::size_t> rows_, columns_, place_of_row_, place_of_column_;
    std::vector<double> supplies_, demands_;
    std::size_t n_rows_ = 0, n_columns_ = 0;
    bool has_slack_ = false, has_rest_ = false;
    bool is_loaded_ = false;

    std::vector<std::pair<double, double>> by_cost_;

    // whole numbers
    std::vector<Flow> wide_flows_;
    std::vector<double> wide_costs_, wide_f_, wide_g_;
    std::vector<BasisEdge> wide_basis_;
};

VerifiedSolver::VerifiedSolver() : impl_(std::make_unique<Impl>()) {}
VerifiedSolver::~VerifiedSolver() = default;
VerifiedSolver::VerifiedSolver(VerifiedSolver&&) noexcept = default;
VerifiedSolver& VerifiedSolver::operator=(VerifiedSolver&&) noexcept = default;

SolveSummary VerifiedSolver::solve(const TransportProblem<float>& problem, Interrupt* interrupt, double cutoff) {
    return impl_->solve(problem, interrupt, cutoff);
}
SolveSummary VerifiedSolver::solve(const TransportProblem<double>& problem, Interrupt* interrupt, double cutoff) {
    return impl_->solve(problem, interrupt, cutoff);
}

std::span<const Flow> VerifiedSolver::flows() const { return impl_->flows; }
std::span<const double> VerifiedSolver::f() const { return impl_->f; }
std::span<const double> VerifiedSolver::g() const { return impl_->g; }
double VerifiedSolver::multiplier() const { return impl_->multiplier; }
const Infeasibility& VerifiedSolver::infeasibility() const { return impl_->infeasibility; }

}  // namespace moverank
