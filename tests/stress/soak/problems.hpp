/// Transport problems of every sort that has broken a solver, each a function of random numbers alone.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "moverank/exact.hpp"
#include "random.hpp"

namespace soak {

/// A problem and the memory that it views.
template <class Cost>
struct Instance {
    std::size_t n = 0, m = 0;
    std::vector<Cost> cost;
    std::vector<double> a, b;
    double capacity = 1.0, fraction = 1.0;
    std::string family;  ///< of its costs
    std::string masses;  ///< their sorts

    [[nodiscard]] moverank::TransportProblem<Cost> view() const {
        return {{cost.data(), n, m}, a, b, capacity, fraction};
    }
    [[nodiscard]] bool balanced() const { return capacity == 1.0 && fraction == 1.0; }
    [[nodiscard]] std::string description() const;
};

/// Most are small, some have hundreds of rows or columns.
[[nodiscard]] std::size_t draw_size(Random& random);

/// Mass of total 1.
[[nodiscard]] std::vector<double> draw_mass(Random& random, std::size_t n, std::string& sort);

[[nodiscard]] double draw_capacity(Random& random);
[[nodiscard]] double draw_fraction(Random& random);

template <class Cost>
[[nodiscard]] Instance<Cost> draw_problem(Random& random, std::size_t n, std::size_t m);

}  // namespace soak
