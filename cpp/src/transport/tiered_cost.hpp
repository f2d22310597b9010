/// Costs of two kinds: no amount of the second outweighs a unit of the first.
#pragma once

namespace moverank {

/// A cost, or a sum of costs, where each forbidden edge counts a unit of its own, the tier. Tiers are small whole
/// numbers, which float64 adds without rounding, however large or small the costs beside them are.
struct TieredCost {
    double tier = 0.0;
    double cost = 0.0;

    friend TieredCost operator+(TieredCost x, TieredCost y) { return {x.tier + y.tier, x.cost + y.cost}; }
    friend TieredCost operator-(TieredCost x, TieredCost y) { return {x.tier - y.tier, x.cost - y.cost}; }
    friend TieredCost operator-(TieredCost x) { return {-x.tier, -x.cost}; }
    TieredCost& operator+=(TieredCost other) { return *this = *this + other; }
};

}  // namespace moverank
