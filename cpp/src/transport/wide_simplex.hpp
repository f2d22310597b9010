/// The network simplex in whole numbers of any size: no tolerance, no rounding, forbidden entries.
///
/// For what float64 cannot settle: costs and masses of very different sizes side by side. It starts from a basis that
/// was found with rounding and goes on to one that is optimal. Costs and potentials are exact sums, compared in
/// float64 first and exactly only where that leaves a doubt; flows are exact and carry Orden's perturbation, so no
/// pivot is degenerate. Forbidden entries cost one unit of a second kind, more than any amount of the first. So does
/// flow backwards over an edge, as a basis may have it at the start.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "moverank/exact.hpp"
#include "moverank/interrupt.hpp"
#include "wide.hpp"

namespace moverank {

/// Costs by rows, +inf where forbidden: a whole matrix, or compressed rows in whose gaps all is forbidden.
struct WideCosts {
    std::size_t n_rows = 0, n_columns = 0;
    std::span<const double> costs;
    std::span<const std::size_t> begin = {};      ///< of each row and the end, if rows are compressed
    std::span<const std::uint32_t> columns = {};  ///< increasing in each row

    [[nodiscard]] bool is_sparse() const { return !begin.empty(); }
    [[nodiscard]] std::size_t first(std::size_t i) const { return is_sparse() ? begin[i] : i * n_columns; }
    [[nodiscard]] double operator()(std::size_t i, std::size_t j) const;
    /// body(row, column, cost) for each entry that is stored.
    template <class Body>
    void for_each(Body body) const {
        for (std::size_t i = 0; i < n_rows; ++i) {
            for (std::size_t k = first(i); k < first(i + 1); ++k) {
                body(i, is_sparse() ? columns[k] : k - first(i), costs[k]);
            }
        }
    }
};

class WideSimplex {
  public:
    /// The totals differ by rounding at most; `balancing_row`, if it is a row, has
    /// its mass from the others, else the largest column takes what is left. With `moved`, so much of the other rows'
    /// mass has to move, and the last column takes what they keep: 1 less a small number has few digits of it. All
    /// views are used until the next load.
    void load(const WideCosts& costs, std::span<const double> supplies, std::span<const double> demands,
              std::size_t balancing_row, std::optional<double> moved = {});
    /// Take a spanning tree, or a part of one; edges that close a cycle are left out.
    void start(std::span<const BasisEdge> edges);
    /// Go on to the optimum without entries above `threshold`. False if mass has to move over these: more than rounding
    /// can have put at the wrong place.
    [[nodiscard]] bool solve(double threshold, Interrupt* interrupt);

    // Of the latest solve:

    /// Positive flows over permitted entries.
    [[nodiscard]] const std::vector<Flow>& flows() const { return flows_; }
    /// f_i and -g_j, rows first; 0 at the balancing row, if that is a row.
    [[nodiscard]] const std::vector<double>& potentials() const { return potentials_; }
    /// Mass that had to move over forbidden entries.
    [[nodiscard]] double unmoved() const { return unmoved_; }
    /// Rows with too much for all columns that they may reach, and these columns.
    [[nodiscard]] const std::vector<std::size_t>& stuck_rows() const { return stuck_rows_; }
    [[nodiscard]] const std::vector<std::size_t>& reached_columns() const { return reached_columns_; }
    [[nodiscard]] std::int64_t pivots() const { return pivots_; }

  private:
    using Node = std::uint32_t;
    static constexpr Node none = 0xFFFFFFFFU;

    struct Entering {
        std::size_t row = 0, column = 0;
        std::int64_t tier = 0;
        double reduced_cost = 0.0;
        bool found = false;
    };

    [[nodiscard]] bool is_row(Node x) const { return x < n_rows_; }
    [[nodiscard]] double cost(std::size_t i, std::size_t j) const { return costs_(i, j); }
    [[nodiscard]] double edge_cost(Node x) const;
    [[nodiscard]] Limb* flow(std::uint32_t slot) { return flow_store_.data() + slot * mass_format_.limbs(); }
    [[nodiscard]] Limb* mass(Node x) { return mass_store_.data() + x * mass_format_.limbs(); }
    [[nodiscard]] Limb* potential(Node x) { return potential_store_.data() + x * cost_format_.limbs(); }

    void load_masses();
    void attach(Node x, Node parent);
    void detach(Node x);
    void order_tree();
    void make_flows();
    void make_potentials();
    void set_potential_from_parent(Node x);
    void shift_potentials(Node to_zero);
    template <bool is_sparse>
    [[nodiscard]] Entering price();
    [[nodiscard]] bool is_negative(std::size_t i, std::size_t j, double c, double& reduced_cost);
    void exchange(const Entering& entering);
    /// Flow without the perturbation: units of mass, to the limbs of `out` from the second on.
    void without_perturbation(const Limb* from, Limb* out) const;
    [[nodiscard]] bool has_unmoved();
    [[nodiscard]] bool absorb_rounding();
    void collect();
    void find_stuck();

    // the problem
    std::size_t n_rows_ = 0, n_columns_ = 0, n_nodes_ = 0;
    WideCosts costs_;
    std::span<const double> supplies_, demands_;
    std::optional<double> moved_;
    std::size_t balancing_row_ = 0, largest_column_ = 0;
    double threshold_ = 0.0;
    WideFormat mass_format_, cost_format_;
    std::vector<Limb> mass_store_, flow_store_, potential_store_;
    std::vector<Limb> mass_scratch_, cost_scratch_;  ///< three numbers each

    // the tree, whose root is the largest column
    std::vector<Node> parent_, first_child_, next_, previous_, depth_, order_, stack_;
    std::vector<std::uint32_t> slot_;     ///< by node: of the edge to its parent
    std::vector<std::uint8_t> reversed_;  ///< by slot: flow goes from the column to the row
    std::vector<std::int64_t> tier_;      ///< potentials of the second kind
    std::vector<double> near_;            ///< potentials of the first kind, rounded
    std::size_t next_row_ = 0;
    std::int64_t pivots_ = 0;

    // the result
    std::vector<Flow> flows_;
    std::vector<double> potentials_;
    double unmoved_ = 0.0;
    std::vector<std::size_t> stuck_rows_, reached_columns_;
};

}  // namespace moverank
