/// Masses as 64-bit integers carrying Orden's perturbation, so that no transportation basis is degenerate.
///
///     A_i = R round(a_i 2^s) + 1        B_j = R round(b_j 2^s) + n [j is last]        R = n + 1
///
/// k rows sum to k modulo R and any set of columns to 0 or n: a proper subset of rows and columns never balances, so
/// every basic flow is positive. The flow of the unperturbed problem on an edge is recovered exactly from the
/// perturbation that its subtree carries.
/// Orden, "The Transhipment Problem", Management Science 2(3), 1956.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace moverank {

/// The unit that masses of n_rows rows and this total are rounded to.
[[nodiscard]] double mass_quantum(std::size_t n_rows, double total);

class PerturbedMasses {
  public:
    /// Quantise positive supplies and demands of (nearly) equal totals; what rounding leaves goes to the largest
    /// demand.
    void assign(std::span<const double> supplies, std::span<const double> demands);

    [[nodiscard]] std::int64_t supply(std::size_t i) const { return supplies_[i]; }
    [[nodiscard]] std::int64_t demand(std::size_t j) const { return demands_[j]; }

    /// Perturbation that flows out of a subtree with this many rows and, or without, the last column.
    [[nodiscard]] std::int64_t perturbation(std::size_t subtree_rows, bool has_last_column) const {
        return static_cast<std::int64_t>(subtree_rows) - (has_last_column ? radix_ - 1 : 0);
    }
    /// Mass of an edge that carries `flow` out of (child is a row) or into (child is a column) such a subtree.
    [[nodiscard]] double mass(std::int64_t flow, std::int64_t perturbation, bool child_is_row) const {
        const std::int64_t quanta = (child_is_row ? flow - perturbation : flow + perturbation) / radix_;
        return static_cast<double>(quanta) * quantum_;
    }
    /// Mass of a perturbed amount, up to the perturbation.
    [[nodiscard]] double approximate_mass(std::int64_t flow) const {
        return static_cast<double>(flow) * quantum_ / static_cast<double>(radix_);
    }

  private:
    std::vector<std::int64_t> supplies_;
    std::vector<std::int64_t> demands_;
    std::int64_t radix_ = 1;
    double quantum_ = 1.0;
};

}  // namespace moverank
