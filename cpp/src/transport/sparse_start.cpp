#include "sparse_start.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>

namespace moverank {

/// A counting sort by the leading 16 bits of a float32 is accurate enough for a start. Bits of non-negative floats are
/// ordered as their values are.
void SparseStart::sort(const SparseNetwork& network) {
    const std::vector<std::size_t>& begin = network.begin();
    const std::size_t n_columns = network.columns().size();
    keys_.resize(begin.back());
    counts_.assign((1U << 16U) + 1, 0);
    for (std::size_t j = 0; j < n_columns; ++j) {
        for (std::size_t k = begin[j]; k < begin[j + 1]; ++k) {
            const double reduced = network.entry_costs()[k] - f_[network.entry_rows()[k]] - g_[j];
            // Beyond the range of float32 all are equally dear.
            const double rounded = std::clamp(reduced, 0.0, static_cast<double>(std::numeric_limits<float>::max()));
            keys_[k] = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(static_cast<float>(rounded)) >> 16U);
            ++counts_[keys_[k] + 1U];
        }
    }
    std::partial_sum(counts_.begin(), counts_.end(), counts_.begin());
    order_.resize(begin.back());
    for (std::size_t j = 0; j < n_columns; ++j) {
        for (std::size_t k = begin[j]; k < begin[j + 1]; ++k) {
            order_[counts_[keys_[k]]++] = {static_cast<std::uint32_t>(j), k};
        }
    }
}

void SparseStart::fill(std::size_t row, std::size_t column, TieredCost cost) {
    const std::int64_t supply = open_supply_[row];
    const std::int64_t demand = open_demand_[column];
    // In the last step both close: its row is the root.
    const bool row_closes = supply < demand;
    const std::int64_t flow = row_closes ? supply : demand;
    open_supply_[row] -= flow;
    open_demand_[column] -= flow;
    edges_.push_back({static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(column), row_closes, cost, flow});
}

void SparseStart::make(const SparseNetwork& network, std::span<const std::int64_t> supplies,
                       std::span<const std::int64_t> demands) {
    const std::vector<std::size_t>& begin = network.begin();
    const std::vector<std::uint32_t>& rows = network.entry_rows();
    const std::vector<double>& costs = network.entry_costs();
    const std::size_t n_rows = network.rows().size();
    const std::size_t n_columns = network.columns().size();
    f_.assign(n_rows, std::numeric_limits<double>::infinity());
    g_.assign(n_columns, std::numeric_limits<double>::infinity());
    for (std::size_t k = 0; k < rows.size(); ++k) {
        f_[rows[k]] = std::min(f_[rows[k]], costs[k]);
    }
    for (std::size_t j = 0; j < n_columns; ++j) {
        for (std::size_t k = begin[j]; k < begin[j + 1]; ++k) {
            g_[j] = std::min(g_[j], costs[k] - f_[rows[k]]);
        }
    }
    sort(network);
    open_supply_.assign(supplies.begin(), supplies.end());
    open_demand_.assign(demands.begin(), demands.end());
    edges_.clear();
    for (const auto& [column, entry] : order_) {
        if (open_supply_[rows[entry]] > 0 && open_demand_[column] > 0) {
            fill(rows[entry], column, {0.0, costs[entry]});
        }
    }
    for (std::size_t i = 0; i < n_rows; ++i) {
        if (open_supply_[i] > 0) {
            fill(i, n_columns, {1.0, 0.0});
        }
    }
    for (std::size_t j = 0; j < n_columns; ++j) {
        if (open_demand_[j] > 0) {
            fill(n_rows, j, {1.0, 0.0});
        }
    }
    fill(n_rows, n_columns, {});
}

}  // namespace moverank
