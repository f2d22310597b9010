/// The plan of a sparse problem's masses as given, from the tree at the end of the pivots.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "contracted_tree.hpp"
#include "long_sum.hpp"
#include "moverank/exact.hpp"
#include "sparse_network.hpp"

namespace moverank {

/// Sums masses in twice the precision from the leaves to the root, as ExactSolver does for FlowMass::given.
class SparseFlows {
  public:
    /// `fraction` is that of the problem that was loaded.
    void make(const SparseNetwork& network, ContractedTreeOf<TieredCost>& tree, double fraction);

    /// Positive flows over entries, and what each costs per unit.
    [[nodiscard]] std::span<const Flow> flows() const { return flows_; }
    [[nodiscard]] std::span<const double> costs() const { return costs_; }
    /// Whether these are a plan of all masses, each met to its last digits.
    [[nodiscard]] bool are_a_plan() const { return are_a_plan_; }
    /// Sources with mass that went over the overflow, rounding included, and how much of it.
    struct Stuck {
        std::size_t source;
        double mass;
    };
    [[nodiscard]] std::span<const Stuck> stuck() const { return stuck_; }

  private:
    void load_masses(const SparseNetwork& network, double fraction);
    void take(const SparseNetwork& network, std::size_t row, std::size_t column, double cost, double flow,
              double fraction);
    [[nodiscard]] bool meet_small_masses(const SparseNetwork& network);

    std::vector<LongSum> surplus_;  ///< by node of the tree
    std::vector<Flow> flows_;
    std::vector<double> costs_;
    std::vector<Stuck> stuck_;
    std::vector<double> left_;
    bool are_a_plan_ = false;
};

}  // namespace moverank
