/// One seed, and many on some threads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "random.hpp"
#include "report.hpp"
#include "transport.hpp"

namespace soak {

inline constexpr unsigned max_threads = 64;

struct Options {
    std::uint64_t from = 0, count = 1000, plants = 0, interrupt = 0;
    std::optional<std::uint64_t> seed;
    unsigned threads = 1;
    std::string state, expect;
    Flaw planted = Flaw::none;
    bool quiet = false;
};

void check_seed(std::uint64_t seed, Solvers& solvers, Report& report);

/// Check all seeds that the state has not seen; the exit status.
[[nodiscard]] int soak_all(const Options& options);

}  // namespace soak
