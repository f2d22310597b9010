/// A balanced problem as the solver of large ones works on it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace moverank {

/// All masses are positive, and of equal totals.
template <class Cost>
struct LargeProblem {
    const Cost* cost = nullptr;  ///< rows of `stride` entries, those after n_columns infinite
    std::size_t stride = 0;      ///< a multiple of lane_padding
    std::size_t n_rows = 0, n_columns = 0;
    const std::int64_t* supply = nullptr;  ///< with Orden's perturbation, so that no basic flow is 0
    const std::int64_t* demand = nullptr;

    [[nodiscard]] Cost entry(std::size_t i, std::size_t j) const { return cost[i * stride + j]; }
};

}  // namespace moverank
