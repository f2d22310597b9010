/// The bounds on bags that BagBounds computes, as rungs of a search.
#pragma once

#include "moverank/lower_bound.hpp"
#include "queried_bags.hpp"

namespace moverank {

/// Reads one number per word.
class OneSidedBound final : public LowerBound {
  public:
    explicit OneSidedBound(QueriedBags& bags) : LowerBound("one-sided bound"), bags_(bags) {}

    [[nodiscard]] bool is_useful() override;

  private:
    /// Whether anything is known: without potentials nothing is.
    [[nodiscard]] bool is_known();
    Spent fill(std::span<const std::int64_t> positions, std::span<double> out, int n_threads, Interrupt& interrupt,
               double cutoff) override;

    QueriedBags& bags_;
};

/// Reads one row of costs per word; never below the relaxed bound.
class TwoSidedBound final : public LowerBound {
  public:
    explicit TwoSidedBound(QueriedBags& bags) : LowerBound("two-sided bound"), bags_(bags) {}

  private:
    Spent fill(std::span<const std::int64_t> positions, std::span<double> out, int n_threads, Interrupt& interrupt,
               double cutoff) override;

    QueriedBags& bags_;
};

}  // namespace moverank
