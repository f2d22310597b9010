/// Masses as 64-bit integers carrying Orden's perturbation, so that no transportation basis is degenerate.
///
///     A_i = R q_i + 1        B_j = R q_j + n [j is last]        R = n + 1,  q = round(mass 2^s)
///
/// k rows sum to k modulo R and any set of columns to 0 or n: a proper subset of rows and columns never balances, so
/// every basic flow is positive. The plan of the unperturbed masses is that of the same tree with the q themselves.
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
    /// demand, of all but the last `n_fixed`.
    void assign(std::span<const double> supplies, std::span<const double> demands, std::size_t n_fixed = 0);

    /// A and B.
    [[nodiscard]] std::span<const std::int64_t> supplies() const { return supplies_; }
    [[nodiscard]] std::span<const std::int64_t> demands() const { return demands_; }
    /// q, in quanta.
    [[nodiscard]] std::span<const std::int64_t> supply_quanta() const { return supply_quanta_; }
    [[nodiscard]] std::span<const std::int64_t> demand_quanta() const { return demand_quanta_; }

    [[nodiscard]] double quantum() const { return quantum_; }
    /// Mass of one unit of perturbed flow.
    [[nodiscard]] double perturbed_unit() const { return quantum_ / static_cast<double>(radix_); }

  private:
    std::vector<std::int64_t> supplies_, demands_;
    std::vector<std::int64_t> supply_quanta_, demand_quanta_;
    std::int64_t radix_ = 1;
    double quantum_ = 1.0;
};

}  // namespace moverank
