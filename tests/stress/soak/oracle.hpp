/// The optimum of small problems, found in ways that share nothing with the solver: another algorithm, other
/// arithmetic, none of its code.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "moverank/exact.hpp"

namespace soak {

/// Successive shortest paths by Dijkstra's algorithm on reduced costs, in long double, with masses in multiples of
/// 2^-56. Ahuja, Magnanti, Orlin, Network Flows (1993), section 9.7.
class ShortestPaths {
  public:
    template <class Cost>
    explicit ShortestPaths(const moverank::TransportProblem<Cost>& problem)
        : n_(problem.a.size()), m_(problem.b.size()), cost_(n_ * m_), flow_(n_ * m_, 0), left_(n_), room_(m_) {
        for (std::size_t i = 0; i < n_; ++i) {
            for (std::size_t j = 0; j < m_; ++j) {
                cost_[i * m_ + j] = static_cast<long double>(problem.cost(i, j));
            }
        }
        std::ranges::transform(problem.a, left_.begin(), quanta);
        // No column can take more than all mass.
        std::ranges::transform(problem.b, room_.begin(), [&](double mass) {
            return mass > 0.0 ? quanta(std::min(problem.capacity * mass, 2.0)) : 0;
        });
        const std::int64_t sent = std::accumulate(left_.begin(), left_.end(), std::int64_t{0});
        const std::int64_t missing = sent - std::accumulate(room_.begin(), room_.end(), std::int64_t{0});
        if (problem.capacity == 1.0 || missing > 0) {
            *std::ranges::max_element(room_) += missing;  // what rounding has left
        }
        to_move_ = problem.fraction == 1.0 ? sent : quanta(problem.fraction);
    }

    [[nodiscard]] long double optimum() {
        // Every path has one edge more forth than back: a constant makes all costs non-negative, and changes no choice.
        potential_.assign(n_ + m_, 0.0L);
        const long double least = *std::ranges::min_element(cost_);
        std::fill(potential_.begin(), potential_.begin() + static_cast<std::ptrdiff_t>(n_), -least);
        for (int path = 0; to_move_ > 0; ++path) {
            if (path > 1'000'000) {
                throw std::logic_error("the oracle does not end");
            }
            send_along(shortest_path());
        }
        long double value = 0.0L;
        for (std::size_t e = 0; e < cost_.size(); ++e) {
            value += std::ldexp(static_cast<long double>(flow_[e]), -bits) * cost_[e];
        }
        return value;
    }

  private:
    static constexpr int bits = 56;
    static constexpr long double infinity = std::numeric_limits<long double>::infinity();
    static std::int64_t quanta(double mass) { return std::llround(std::ldexp(mass, bits)); }

    /// Of edge (i, j) as nodes are numbered, columns after rows; not negative where it may be used, but for rounding.
    [[nodiscard]] long double reduced_cost(std::size_t i, std::size_t j) const {
        return cost_[i * m_ + j] + potential_[i] - potential_[n_ + j];
    }

    /// From any row with mass left to the nearest column with room; leaves the way in parent_.
    [[nodiscard]] std::size_t shortest_path() {
        const std::size_t n_nodes = n_ + m_;
        distance_.assign(n_nodes, infinity);
        parent_.assign(n_nodes, n_nodes);
        done_.assign(n_nodes, false);
        for (std::size_t i = 0; i < n_; ++i) {
            distance_[i] = left_[i] > 0 ? 0.0L : infinity;
        }
        for (;;) {
            std::size_t nearest = n_nodes;
            for (std::size_t x = 0; x < n_nodes; ++x) {
                if (!done_[x] && distance_[x] < infinity && (nearest == n_nodes || distance_[x] < distance_[nearest])) {
                    nearest = x;
                }
            }
            if (nearest == n_nodes) {
                throw std::logic_error("the oracle finds no room");
            }
            done_[nearest] = true;
            if (nearest >= n_ && room_[nearest - n_] > 0) {
                for (std::size_t x = 0; x < n_nodes; ++x) {
                    potential_[x] += std::min(distance_[x], distance_[nearest]);
                }
                return nearest;
            }
            const auto reach = [&](std::size_t x, long double length) {
                const long double way = distance_[nearest] + std::max(length, 0.0L);
                if (!done_[x] && way < distance_[x]) {
                    distance_[x] = way;
                    parent_[x] = nearest;
                }
            };
            if (nearest < n_) {
                for (std::size_t j = 0; j < m_; ++j) {
                    reach(n_ + j, reduced_cost(nearest, j));
                }
            } else {
                for (std::size_t i = 0; i < n_; ++i) {
                    if (flow_[i * m_ + nearest - n_] > 0) {
                        reach(i, -reduced_cost(i, nearest - n_));
                    }
                }
            }
        }
    }

    void send_along(std::size_t target) {
        const std::size_t n_nodes = n_ + m_;
        std::int64_t amount = std::min(to_move_, room_[target - n_]);
        std::size_t source = target;
        for (; parent_[source] < n_nodes; source = parent_[source]) {
            if (source < n_) {
                amount = std::min(amount, flow_[source * m_ + parent_[source] - n_]);
            }
        }
        amount = std::min(amount, left_[source]);
        left_[source] -= amount;
        room_[target - n_] -= amount;
        to_move_ -= amount;
        for (std::size_t x = target; parent_[x] < n_nodes; x = parent_[x]) {
            if (x < n_) {
                flow_[x * m_ + parent_[x] - n_] -= amount;
            } else {
                flow_[parent_[x] * m_ + x - n_] += amount;
            }
        }
    }

    std::size_t n_, m_;
    std::vector<long double> cost_;
    std::vector<std::int64_t> flow_, left_, room_;
    std::int64_t to_move_ = 0;
    // nodes: rows, then columns
    std::vector<long double> potential_, distance_;
    std::vector<std::size_t> parent_;  ///< n_ + m_: none
    std::vector<bool> done_;
};

/// The cheapest permutation: the optimum where n masses of 1 / n meet n such. Tries all.
template <class Cost>
[[nodiscard]] long double cheapest_permutation(moverank::MatrixView<const Cost> cost) {
    const std::size_t n = cost.rows();
    std::vector<std::size_t> order(n);
    std::iota(order.begin(), order.end(), std::size_t{0});
    long double best = std::numeric_limits<long double>::infinity();
    do {
        long double value = 0.0L;
        for (std::size_t i = 0; i < n; ++i) {
            value += static_cast<long double>(cost(i, order[i]));
        }
        best = std::min(best, value / static_cast<long double>(n));
    } while (std::next_permutation(order.begin(), order.end()));
    return best;
}

}  // namespace soak
