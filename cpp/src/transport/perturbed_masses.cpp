#include "perturbed_masses.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

namespace moverank {

namespace {

/// Beyond 48 bits the float64 masses themselves hold no more information.
constexpr int max_scale_bits = 48;
/// Perturbed totals stay under 2^62, so that sums of flows cannot overflow.
constexpr int total_bits = 61;

[[nodiscard]] int scale_bits_of(std::size_t n_rows, double total) {
    const int radix_bits = static_cast<int>(std::bit_width(n_rows + 1));
    const int mass_bits = std::max(0, std::ilogb(total) + 1);
    return std::min(max_scale_bits, total_bits - radix_bits - mass_bits);
}

}  // namespace

double mass_quantum(std::size_t n_rows, double total) { return std::ldexp(1.0, -scale_bits_of(n_rows, total)); }

void PerturbedMasses::assign(std::span<const double> supplies, std::span<const double> demands, std::size_t n_fixed) {
    radix_ = static_cast<std::int64_t>(supplies.size()) + 1;
    const double total = std::accumulate(demands.begin(), demands.end(), 0.0);
    const int scale_bits = scale_bits_of(supplies.size(), total);
    quantum_ = std::ldexp(1.0, -scale_bits);
    const double scale = 1.0 / quantum_;  // a power of two
    const auto quanta_of = [scale](double mass) { return static_cast<std::int64_t>(mass * scale + 0.5); };

    std::int64_t excess = 0;  // quanta of supply less quanta of demand
    supply_quanta_.resize(supplies.size());
    supplies_.resize(supplies.size());
    for (std::size_t i = 0; i < supplies.size(); ++i) {
        supply_quanta_[i] = quanta_of(supplies[i]);
        excess += supply_quanta_[i];
        supplies_[i] = supply_quanta_[i] * radix_ + 1;
    }
    demand_quanta_.resize(demands.size());
    demands_.resize(demands.size());
    for (std::size_t j = 0; j < demands.size(); ++j) {
        // At least one quantum: a column without any could balance against no row at all.
        demand_quanta_[j] = std::max<std::int64_t>(1, quanta_of(demands[j]));
        excess -= demand_quanta_[j];
    }
    *std::max_element(demand_quanta_.begin(), demand_quanta_.end() - static_cast<std::ptrdiff_t>(n_fixed)) += excess;
    std::ranges::transform(demand_quanta_, demands_.begin(), [this](std::int64_t q) { return q * radix_; });
    demands_.back() += radix_ - 1;
}

}  // namespace moverank
