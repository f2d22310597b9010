/// Potentials of a sparse problem over all its stored entries, and the lower bound that they prove.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "contracted_tree.hpp"
#include "moverank/sparse.hpp"
#include "sparse_network.hpp"

namespace moverank {

class SparseDual {
  public:
    /// Potentials of the network's sources, and of its targets, from a tree. A tier is worth as little as keeps all
    /// entries of the network from being too cheap.
    void read(const SparseNetwork& network, const ContractedTreeOf<TieredCost>& tree);
    /// The same from numbers: f_i of all sources, then -g_j of all targets.
    void read(const SparseNetwork& network, std::span<const double> potentials);

    /// Turn them into a feasible solution over all stored entries, whatever they are: g_j = min_i (C_ij - f_i). Nodes
    /// without mass get what the others allow.
    template <class Cost, class Index>
    void complete(const SparseProblem<Cost, Index>& problem, const SparseNetwork& network);

    [[nodiscard]] const std::vector<double>& f() const { return f_; }
    [[nodiscard]] const std::vector<double>& g() const { return g_; }
    [[nodiscard]] double multiplier() const { return multiplier_; }
    /// The value of that solution, less what rounding can have added.
    [[nodiscard]] double lower() const { return lower_; }

  private:
    [[nodiscard]] double value(const SparseNetwork& network, double fraction) const;

    std::vector<double> of_sources_, of_targets_;  ///< of the network's nodes
    std::vector<double> f_, g_;
    double multiplier_ = 0.0, lower_ = 0.0;
};

}  // namespace moverank
