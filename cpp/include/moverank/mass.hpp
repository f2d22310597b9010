/// Weights made into mass of total 1.
#pragma once

#include <span>
#include <string>

namespace moverank {

/// What keeps weights from being mass, in words, or an empty string: they must be finite and non-negative, and one of
/// them positive.
[[nodiscard]] std::string fault_of(std::span<const double> weights);

/// Divide by the total. For weights without a fault.
void normalise(std::span<double> weights);

}  // namespace moverank
