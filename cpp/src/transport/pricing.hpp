/// Inner loops of the simplex over one cost row: minima of reduced costs, written so that compilers vectorise them.
#pragma once

#include <cstddef>
#include <limits>

namespace moverank {

/// Rows are padded to a multiple of this many columns; pads cost infinity and are never chosen.
inline constexpr std::size_t lane_count = 16;

[[nodiscard]] constexpr std::size_t padded(std::size_t n) { return (n + lane_count - 1) / lane_count * lane_count; }

/// min_j (cost_j + shift_j) over n columns, n a multiple of lane_count.
template <class Cost, class Pot>
[[nodiscard]] Pot min_shifted(const Cost* cost, const Pot* shift, std::size_t n) {
    Pot lanes[lane_count];
    for (Pot& lane : lanes) {
        lane = std::numeric_limits<Pot>::infinity();
    }
    for (std::size_t j = 0; j < n; j += lane_count) {
        for (std::size_t l = 0; l < lane_count; ++l) {
            const Pot r = static_cast<Pot>(cost[j + l]) + shift[j + l];
            lanes[l] = r < lanes[l] ? r : lanes[l];
        }
    }
    Pot smallest = lanes[0];
    for (std::size_t l = 1; l < lane_count; ++l) {
        smallest = lanes[l] < smallest ? lanes[l] : smallest;
    }
    return smallest;
}

/// The first column at which min_shifted took `smallest`.
template <class Cost, class Pot>
[[nodiscard]] std::size_t find_shifted(const Cost* cost, const Pot* shift, Pot smallest) {
    std::size_t j = 0;
    while (static_cast<Pot>(cost[j]) + shift[j] != smallest) {
        ++j;
    }
    return j;
}

}  // namespace moverank
