#include "wide_simplex.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace moverank {

namespace {

constexpr double epsilon = std::numeric_limits<double>::epsilon();

/// Rows priced before the best of them enters.
constexpr std::size_t pricing_block = 16;
constexpr std::int64_t pivots_between_checks = 64;

/// How often masses may be shifted by rounding before what is left counts as mass that cannot move.
constexpr int max_rounds = 16;

/// Disjoint sets that can only be joined (union-find with path halving).
class Unions {
  public:
    explicit Unions(std::size_t n) : above_(n) { std::iota(above_.begin(), above_.end(), std::size_t{0}); }
    [[nodiscard]] std::size_t find(std::size_t x) {
        while (above_[x] != x) {
            x = above_[x] = above_[above_[x]];
        }
        return x;
    }
    /// Whether they were apart.
    bool join(std::size_t x, std::size_t y) {
        const std::size_t u = find(x);
        const std::size_t v = find(y);
        above_[u] = v;
        return u != v;
    }

  private:
    std::vector<std::size_t> above_;
};

}  // namespace

// ---- set-up ----------------------------------------------------------------------------------------------------

double WideCosts::operator()(std::size_t i, std::size_t j) const {
    if (!is_sparse()) {
        return costs[i * n_columns + j];
    }
    const std::span<const std::uint32_t> stored = columns.subspan(begin[i], begin[i + 1] - begin[i]);
    const auto found = std::ranges::lower_bound(stored, j);
    const bool is_stored = found != stored.end() && *found == j;
    return is_stored ? costs[begin[i] + static_cast<std::size_t>(found - stored.begin())]
                     : std::numeric_limits<double>::infinity();
}

void WideSimplex::load(const WideCosts& costs, std::span<const double> supplies, std::span<const double> demands,
                       std::size_t balancing_row, std::optional<double> moved) {
    n_rows_ = costs.n_rows;
    n_columns_ = costs.n_columns;
    n_nodes_ = n_rows_ + n_columns_;
    costs_ = costs;
    supplies_ = supplies;
    demands_ = demands;
    balancing_row_ = balancing_row;
    moved_ = moved;
    largest_column_ = static_cast<std::size_t>(std::ranges::max_element(demands) - demands.begin());
    pivots_ = 0;
    next_row_ = 0;

    WideRange masses;
    std::ranges::for_each(supplies, [&](double x) { masses.include(x); });
    std::ranges::for_each(demands, [&](double x) { masses.include(x); });
    masses.include(moved.value_or(0.0));
    // One more limb holds the perturbation.
    mass_format_ = WideFormat(masses.low - 64, 1 + masses.limbs(2 * n_nodes_));
    WideRange prices;
    for (const double c : costs.costs) {
        if (std::isfinite(c)) {
            prices.include(c);
        }
    }
    cost_format_ = WideFormat(prices.low, prices.limbs(2 * n_nodes_));
    mass_store_.resize(n_nodes_ * mass_format_.limbs());
    flow_store_.resize(n_nodes_ * mass_format_.limbs());
    potential_store_.resize(n_nodes_ * cost_format_.limbs());
    mass_scratch_.resize(3 * mass_format_.limbs());
    cost_scratch_.resize(3 * cost_format_.limbs());
}

/// Supplies and, with a minus, demands, of exactly equal totals, perturbed as in PerturbedMasses.
void WideSimplex::load_masses() {
    std::ranges::fill(mass_store_, Limb{0});
    Limb* rest = mass_scratch_.data();
    mass_format_.clear(rest);
    for (std::size_t i = 0; i < n_rows_; ++i) {
        if (i != balancing_row_) {
            mass_format_.add(mass(static_cast<Node>(i)), supplies_[i]);
            mass_format_.subtract(rest, mass(static_cast<Node>(i)));
        }
    }
    for (std::size_t j = 0; j < n_columns_; ++j) {
        const auto x = static_cast<Node>(n_rows_ + j);
        if (moved_ && j == n_columns_ - 1) {
            mass_format_.add(mass(x), moved_.value_or(0.0));
            for (std::size_t i = 0; i < n_rows_; ++i) {
                if (i != balancing_row_) {
                    mass_format_.subtract(mass(x), mass(static_cast<Node>(i)));
                }
            }
        }
        if (!mass_format_.negative(mass(x))) {  // nothing so far, or rounding where all but moves
            mass_format_.clear(mass(x));
            mass_format_.add(mass(x), -demands_[j]);
        }
        mass_format_.subtract(rest, mass(x));
    }
    const bool by_row = balancing_row_ < n_rows_ && !mass_format_.negative(rest);
    mass_format_.add(mass(static_cast<Node>(by_row ? balancing_row_ : n_rows_ + largest_column_)), rest);
    for (std::size_t i = 0; i < n_rows_; ++i) {
        mass_format_.add_small(mass(static_cast<Node>(i)), 1);
    }
    mass_format_.clear(rest);
    mass_format_.add_small(rest, n_rows_);
    mass_format_.subtract(mass(static_cast<Node>(n_nodes_ - 1)), rest);
}

void WideSimplex::start(std::span<const BasisEdge> edges) {
    std::vector<std::vector<Node>> beside(n_nodes_);
    Unions joined(n_nodes_);
    const auto join = [&](std::size_t i, std::size_t j) {
        if (joined.join(i, n_rows_ + j)) {
            beside[i].push_back(static_cast<Node>(n_rows_ + j));
            beside[n_rows_ + j].push_back(static_cast<Node>(i));
        }
    };
    for (const BasisEdge& edge : edges) {
        join(edge.row, edge.column);
    }
    // Components that the edges do not connect are joined by edges of the first row and the first column.
    for (std::size_t j = 0; j < n_columns_; ++j) {
        join(0, j);
    }
    for (std::size_t i = 0; i < n_rows_; ++i) {
        join(i, 0);
    }
    parent_.assign(n_nodes_, none);
    first_child_.assign(n_nodes_, none);
    next_.assign(n_nodes_, none);
    previous_.assign(n_nodes_, none);
    depth_.assign(n_nodes_, 0);
    slot_.resize(n_nodes_);
    std::iota(slot_.begin(), slot_.end(), 0U);
    reversed_.assign(n_nodes_, 0);
    tier_.assign(n_nodes_, 0);
    near_.assign(n_nodes_, 0.0);
    const auto root = static_cast<Node>(n_rows_ + largest_column_);
    stack_.assign(1, root);
    while (!stack_.empty()) {
        const Node x = stack_.back();
        stack_.pop_back();
        for (const Node y : beside[x]) {
            if (y != parent_[x]) {
                attach(y, x);
                stack_.push_back(y);
            }
        }
    }
}

// ---- the tree --------------------------------------------------------------------------------------------------

void WideSimplex::attach(Node x, Node parent) {
    parent_[x] = parent;
    previous_[x] = none;
    next_[x] = first_child_[parent];
    if (next_[x] != none) {
        previous_[next_[x]] = x;
    }
    first_child_[parent] = x;
}

void WideSimplex::detach(Node x) {
    if (previous_[x] != none) {
        next_[previous_[x]] = next_[x];
    } else {
        first_child_[parent_[x]] = next_[x];
    }
    if (next_[x] != none) {
        previous_[next_[x]] = previous_[x];
    }
}

/// Nodes from the root down.
void WideSimplex::order_tree() {
    order_.clear();
    order_.push_back(static_cast<Node>(n_rows_ + largest_column_));
    for (std::size_t k = 0; k < order_.size(); ++k) {
        for (Node child = first_child_[order_[k]]; child != none; child = next_[child]) {
            depth_[child] = depth_[order_[k]] + 1;
            order_.push_back(child);
        }
    }
}

/// The surplus of the nodes below an edge flows over it: children before parents. A flow against the direction of its
/// edge is kept as its absolute value and marked; it costs one unit of the second kind, so pivots remove it.
void WideSimplex::make_flows() {
    std::vector<Limb> surplus = mass_store_;
    for (std::size_t k = order_.size(); k-- > 1;) {
        const Node x = order_[k];
        Limb* of_child = surplus.data() + x * mass_format_.limbs();
        mass_format_.add(surplus.data() + parent_[x] * mass_format_.limbs(), of_child);
        const bool up = !mass_format_.negative(of_child);
        mass_format_.copy(of_child, flow(slot_[x]));
        if (!up) {
            mass_format_.negate(flow(slot_[x]));
        }
        reversed_[slot_[x]] = up == is_row(x) ? 0 : 1;
    }
}

double WideSimplex::edge_cost(Node x) const {
    const Node row = is_row(x) ? x : parent_[x];
    const Node column = is_row(x) ? parent_[x] : x;
    return cost(row, column - n_rows_);
}

/// f_i + g_j = c along the edge to the parent, where g is stored negated. Costs have two kinds of units: ordinary ones,
/// exact in limbs, and tiers, for forbidden entries and reversed edges, which no ordinary cost outweighs.
void WideSimplex::set_potential_from_parent(Node x) {
    const double c = edge_cost(x);
    const bool backwards = reversed_[slot_[x]] != 0;
    const bool forbidden = c > threshold_;
    const std::int64_t tier = backwards ? -1 : forbidden ? 1 : 0;
    const double price = backwards || forbidden ? 0.0 : c;
    cost_format_.copy(potential(parent_[x]), potential(x));
    cost_format_.add(potential(x), is_row(x) ? price : -price);
    tier_[x] = tier_[parent_[x]] + (is_row(x) ? tier : -tier);
    near_[x] = cost_format_.value(potential(x), cost_scratch_.data());
}

void WideSimplex::make_potentials() {
    cost_format_.clear(potential(order_[0]));
    tier_[order_[0]] = 0;
    near_[order_[0]] = 0.0;
    for (std::size_t k = 1; k < order_.size(); ++k) {
        set_potential_from_parent(order_[k]);
    }
}

/// Potentials are what they are but for a constant. Exact, as the slack's may be large beside others.
void WideSimplex::shift_potentials(Node to_zero) {
    Limb* constant = cost_scratch_.data();
    cost_format_.copy(potential(to_zero), constant);
    const std::int64_t tier = tier_[to_zero];
    for (Node x = 0; x < n_nodes_; ++x) {
        cost_format_.subtract(potential(x), constant);
        tier_[x] -= tier;
        near_[x] = cost_format_.value(potential(x), constant + cost_format_.limbs());
    }
}

// ---- pivots ----------------------------------------------------------------------------------------------------

/// Whether a permitted entry between nodes of the same tier has a negative reduced cost. Exact; used when float64
/// cannot decide.
bool WideSimplex::is_negative(std::size_t i, std::size_t j, double c, double& reduced_cost) {
    Limb* exact = cost_scratch_.data();
    cost_format_.copy(potential(static_cast<Node>(n_rows_ + j)), exact);
    cost_format_.subtract(exact, potential(static_cast<Node>(i)));
    if (!(c > threshold_)) {
        cost_format_.add(exact, c);
    }
    if (!cost_format_.negative(exact)) {
        return false;
    }
    reduced_cost = cost_format_.value(exact, exact + cost_format_.limbs());
    return true;
}

template <bool is_sparse>
WideSimplex::Entering WideSimplex::price() {
    const double* of_columns = near_.data() + n_rows_;
    const std::int64_t* tiers = tier_.data() + n_rows_;
    std::size_t i = next_row_;
    for (std::size_t priced = 0; priced < n_rows_;) {
        const std::size_t end = std::min(i + pricing_block, n_rows_);
        Entering best;
        priced += end - i;
        for (; i < end; ++i) {
            const std::size_t first_entry = costs_.first(i);
            const std::size_t n_entries = costs_.first(i + 1) - first_entry;
            const double* row = costs_.costs.data() + first_entry;
            const double f = near_[i];
            for (std::size_t k = 0; k < n_entries; ++k) {
                const std::size_t j = is_sparse ? costs_.columns[first_entry + k] : k;
                const bool forbidden = row[k] > threshold_;
                const std::int64_t tier = (forbidden ? 1 : 0) - tier_[i] + tiers[j];
                if (tier > best.tier) {
                    continue;
                }
                const double c = forbidden ? 0.0 : row[k];
                double reduced = c - f + of_columns[j];
                if (tier == 0) {
                    // The filter of docs/numerics.md: each number and each of the two sums is off by half a unit in its
                    // last place, so beyond 8 U (|c| + |f| + |g|) the sign is certain.
                    const double doubt = 4.0 * epsilon * (std::abs(c) + std::abs(f) + std::abs(of_columns[j]));
                    if (reduced > doubt || (!(reduced < -doubt) && !is_negative(i, j, row[k], reduced))) {
                        continue;
                    }
                }
                if (!best.found || tier < best.tier || reduced < best.reduced_cost) {
                    best = {i, j, tier, reduced, true};
                }
            }
        }
        i = end == n_rows_ ? 0 : end;
        if (best.found) {
            next_row_ = i;
            return best;
        }
    }
    return {};
}

void WideSimplex::exchange(const Entering& entering) {
    const auto row = static_cast<Node>(entering.row);
    const auto column = static_cast<Node>(n_rows_ + entering.column);
    // Find the leaving edge among those that lose flow: on the row's side the edges above rows, on the column's side
    // those above columns; the other way round for edges whose flow is reversed.
    Node leaving = none;
    bool row_moves = false;
    const auto loses = [&](Node x, bool row_side) { return (is_row(x) == row_side) == (reversed_[slot_[x]] == 0); };
    const auto consider = [&](Node x, bool row_side) {
        if (loses(x, row_side) && (leaving == none || mass_format_.less(flow(slot_[x]), flow(slot_[leaving])))) {
            leaving = x;
            row_moves = row_side;
        }
    };
    Node u = row;
    Node v = column;
    while (u != v) {
        const bool row_side = depth_[u] >= depth_[v];
        Node& x = row_side ? u : v;
        consider(x, row_side);
        x = parent_[x];
    }
    const Node meeting = u;
    Limb* pushed = mass_scratch_.data();
    mass_format_.copy(flow(slot_[leaving]), pushed);
    for (const bool row_side : {true, false}) {
        for (Node x = row_side ? row : column; x != meeting; x = parent_[x]) {
            loses(x, row_side) ? mass_format_.subtract(flow(slot_[x]), pushed)
                               : mass_format_.add(flow(slot_[x]), pushed);
        }
    }

    // Reduced cost, by which the side that moves shifts.
    Limb* shift = cost_scratch_.data() + 2 * cost_format_.limbs();
    cost_format_.copy(potential(column), shift);
    cost_format_.subtract(shift, potential(row));
    const double c = cost(entering.row, entering.column);
    const bool forbidden = c > threshold_;
    if (!forbidden) {
        cost_format_.add(shift, c);
    }
    std::int64_t tier = (forbidden ? 1 : 0) - tier_[row] + tier_[column];
    if (!row_moves) {
        cost_format_.negate(shift);
        tier = -tier;
    }

    // Between the entering end and the leaving edge the tree hangs the other way round afterwards.
    const Node top = row_moves ? row : column;
    Node x = top;
    Node above = row_moves ? column : row;
    std::uint32_t slot = slot_[leaving];
    mass_format_.copy(pushed, flow(slot));
    reversed_[slot] = 0;
    for (;;) {
        const Node old_parent = parent_[x];
        detach(x);
        attach(x, above);
        std::swap(slot_[x], slot);
        if (x == leaving) {
            break;
        }
        above = x;
        x = old_parent;
    }
    stack_.assign(1, top);
    while (!stack_.empty()) {
        const Node y = stack_.back();
        stack_.pop_back();
        depth_[y] = depth_[parent_[y]] + 1;
        cost_format_.add(potential(y), shift);
        tier_[y] += tier;
        near_[y] = cost_format_.value(potential(y), cost_scratch_.data());
        for (Node child = first_child_[y]; child != none; child = next_[child]) {
            stack_.push_back(child);
        }
    }
    ++pivots_;
}

bool WideSimplex::solve(double threshold, Interrupt* interrupt) {
    threshold_ = threshold;
    load_masses();
    bool feasible = false;
    for (int round = 0; round < max_rounds && !feasible; ++round) {
        order_tree();
        make_flows();
        make_potentials();
        const auto next = [this] { return costs_.is_sparse() ? price<true>() : price<false>(); };
        for (Entering entering = next(); entering.found; entering = next()) {
            exchange(entering);
            if (pivots_ % pivots_between_checks == 0) {
                check(interrupt);
            }
        }
        feasible = !has_unmoved();
        if (!feasible && !absorb_rounding()) {
            break;
        }
    }
    if (feasible) {
        collect();
    } else {
        find_stuck();
    }
    return feasible;
}

// ---- what cannot move ------------------------------------------------------------------------------------------

void WideSimplex::without_perturbation(const Limb* from, Limb* out) const {
    mass_format_.copy(from, out);
    mass_format_.add_small(out, Limb{1} << 63);  // to the nearest
    out[0] = 0;
}

bool WideSimplex::has_unmoved() {
    unmoved_ = 0.0;
    Limb* amount = mass_scratch_.data();
    for (std::size_t k = 1; k < order_.size(); ++k) {
        // order_ may be from before the pivots, but after the root it still holds every other node once.
        const Node x = order_[k];
        if (reversed_[slot_[x]] != 0 || edge_cost(x) > threshold_) {
            without_perturbation(flow(slot_[x]), amount);
            unmoved_ += mass_format_.value(amount, amount + mass_format_.limbs());
        }
    }
    return unmoved_ > 0.0;
}

/// Masses whose sums agree but for rounding leave crumbs that only forbidden entries could take. Where the crumbs of
/// nodes that permitted entries connect are rounding of their mass, the largest of these nodes takes them.
bool WideSimplex::absorb_rounding() {
    Unions groups(n_nodes_);
    costs_.for_each([&](std::size_t i, std::size_t j, double c) {
        if (c <= threshold_ && tier_[i] == tier_[n_rows_ + j]) {
            groups.join(i, n_rows_ + j);
        }
    });
    const std::size_t limbs = mass_format_.limbs();
    std::vector<Limb> sums(n_nodes_ * limbs, 0);
    std::vector<double> sizes(n_nodes_, 0.0);
    std::vector<double> largest(n_nodes_, 0.0);
    std::vector<Node> holders(n_nodes_, none);
    for (Node x = 0; x < n_nodes_; ++x) {
        const std::size_t group = groups.find(x);
        mass_format_.add(sums.data() + group * limbs, mass(x));
        const double size = std::abs(mass_format_.value(mass(x), mass_scratch_.data()));
        sizes[group] += size;
        if (holders[group] == none || size > largest[group]) {
            largest[group] = size;
            holders[group] = x;
        }
    }
    // If only a part has to move, it is not a crumb, however small it is compared with what stays.
    const double share = 2.0 * epsilon * static_cast<double>(n_nodes_ + 8) * moved_.value_or(1.0);
    for (std::size_t group = 0; group < n_nodes_; ++group) {
        if (holders[group] == none) {
            continue;
        }
        Limb* crumb = mass_scratch_.data();
        without_perturbation(sums.data() + group * limbs, crumb);
        if (std::abs(mass_format_.value(crumb, crumb + limbs)) > share * sizes[group]) {
            return false;
        }
        mass_format_.subtract(mass(holders[group]), crumb);
    }
    return true;
}

/// By Hall's condition: rows of a tier or a higher one reach only columns of these.
void WideSimplex::find_stuck() {
    stuck_rows_.clear();
    reached_columns_.clear();
    std::vector<std::int64_t> tiers = tier_;
    std::ranges::sort(tiers);
    tiers.erase(std::unique(tiers.begin(), tiers.end()), tiers.end());
    double most = 0.0;
    std::int64_t least_tier = 0;
    for (const std::int64_t tier : tiers) {
        double excess = 0.0;
        for (Node x = 0; x < n_nodes_; ++x) {
            excess += tier_[x] >= tier ? mass_format_.value(mass(x), mass_scratch_.data()) : 0.0;
        }
        if (excess > most) {
            most = excess;
            least_tier = tier;
        }
    }
    for (Node x = 0; x < n_nodes_; ++x) {
        if (most > 0.0 && tier_[x] >= least_tier) {
            is_row(x) ? stuck_rows_.push_back(x) : reached_columns_.push_back(x - n_rows_);
        }
    }
}

// ---- the result ------------------------------------------------------------------------------------------------

void WideSimplex::collect() {
    flows_.clear();
    order_tree();
    Limb* amount = mass_scratch_.data();
    for (std::size_t k = 1; k < order_.size(); ++k) {
        const Node x = order_[k];
        without_perturbation(flow(slot_[x]), amount);
        if (!mass_format_.zero(amount)) {
            const Node row = is_row(x) ? x : parent_[x];
            const Node column = is_row(x) ? parent_[x] : x;
            flows_.push_back({row, column - n_rows_, mass_format_.value(amount, amount + mass_format_.limbs())});
        }
    }
    if (balancing_row_ < n_rows_) {
        shift_potentials(static_cast<Node>(balancing_row_));
    }
    // A unit of the second kind is worth as little as keeps all entries from being too cheap.
    double unit = 0.0;
    costs_.for_each([&](std::size_t i, std::size_t j, double c) {
        const std::int64_t tiers = tier_[n_rows_ + j] - tier_[i];
        if (tiers > 0 && c <= threshold_) {
            unit = std::max(unit, (near_[i] - near_[n_rows_ + j] - c) / static_cast<double>(tiers));
        }
    });
    potentials_.resize(n_nodes_);
    for (Node x = 0; x < n_nodes_; ++x) {
        potentials_[x] = near_[x] + static_cast<double>(tier_[x]) * unit;
    }
}

}  // namespace moverank
