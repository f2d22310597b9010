/// Turns weights into mass of total 1.
#pragma once

#include <span>
#include <string>

namespace moverank {

/// Says why weights cannot become mass, or returns an empty string if they can: all must be finite and not negative,
/// and at least one positive.
[[nodiscard]] std::string fault_of(std::span<const double> weights);

/// Divide weights by their total, without overflow or underflow of that total. Precondition: fault_of(weights) is
/// empty.
void normalise(std::span<double> weights);

}  // namespace moverank
