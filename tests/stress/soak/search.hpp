/// Searches of every sort, and what their answers are held against: the distances of all documents.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "moverank/topk.hpp"
#include "random.hpp"
#include "report.hpp"

namespace soak {

/// How one search goes about it.
struct SearchPlan {
    moverank::Wanted goal;
    std::vector<std::int64_t> seeds, others;
    bool seeds_first = true;  ///< so that bounds may use their potentials
    std::size_t chunk = 0;    ///< candidates a call
    int n_threads = 1;
    std::optional<std::chrono::microseconds> time;

    [[nodiscard]] std::string description() const;
};

/// `values`: the distances of all documents.
[[nodiscard]] SearchPlan draw_search(Random& random, std::span<const double> values);

/// A measure and how it goes by threads.
[[nodiscard]] moverank::Measure draw_measure(Random& random);
[[nodiscard]] std::string described(const moverank::Measure& measure);
[[nodiscard]] int draw_threads(Random& random);

/// Go through with it; the deadline begins here.
void follow(const SearchPlan& plan, moverank::TopKSearch& search);

/// Whether the answer is that of brute force, or its floor true.
void check_answer(const SearchPlan& plan, const moverank::TopKSearch& search, std::span<const double> values,
                  Report& report);

[[nodiscard]] bool same_hits(std::span<const moverank::Hit> x, std::span<const moverank::Hit> y);

}  // namespace soak
