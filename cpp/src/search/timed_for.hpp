/// Loops over documents that are timed and may be ended by a deadline, and the check of what they computed.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <span>
#include <stdexcept>
#include <vector>

#include "moverank/lower_bound.hpp"
#include "moverank/parallel.hpp"

namespace moverank {

/// Adds the time of a scope to a sum.
class Stopwatch {
  public:
    explicit Stopwatch(double& seconds) : seconds_(seconds) {}
    ~Stopwatch() { seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count(); }
    Stopwatch(const Stopwatch&) = delete;
    Stopwatch& operator=(const Stopwatch&) = delete;

  private:
    double& seconds_;
    std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

/// Call body(worker, item) for all items, or for as many as the deadline allows.
template <class Body>
Spent timed_for(std::size_t n_items, unsigned n_workers, std::size_t chunk, Interrupt& interrupt, Body body) {
    Spent spent;
    std::vector<double> seconds(n_workers, 0.0);
    try {
        parallel_for(n_items, n_workers, chunk, interrupt, [&](unsigned w, std::size_t begin, std::size_t end) {
            const Stopwatch watch(seconds[w]);
            for (std::size_t item = begin; item < end; ++item) {
                body(w, item);
            }
        });
    } catch (const DeadlinePassed&) {
        spent.timed_out = true;
    }
    spent.seconds = std::accumulate(seconds.begin(), seconds.end(), 0.0);
    return spent;
}

/// Throws std::invalid_argument for NaN: comparisons with it are false, so its document would be dropped silently.
inline void require_numbers(std::span<const double> bounds) {
    if (std::ranges::any_of(bounds, [](double bound) { return std::isnan(bound); })) {
        throw std::invalid_argument("a bound is not a number");
    }
}

}  // namespace moverank
