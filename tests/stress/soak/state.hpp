/// What a soak has done so far, in a file: a run that was stopped goes on from there, and runs on other instruction
/// sets are held against it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "report.hpp"

namespace soak {

/// Seeds that are counted and digested together.
inline constexpr std::uint64_t seeds_per_block = 500;

/// Changes with what seeds stand for.
inline constexpr int generation = 1;

struct State {
    std::string level;
    std::uint64_t from = 0, count = 0;
    std::uint64_t next = 0;  ///< all before it are done
    double seconds = 0.0, cpu_seconds = 0.0;
    Counts counts;
    std::vector<Digests> digests;  ///< one a block

    /// Written to another file first: a reader sees this state or the one before.
    void save(const std::filesystem::path& path) const;
    /// None where there is no such file. Throws std::runtime_error for a file that does not hold a state.
    [[nodiscard]] static std::optional<State> load(const std::filesystem::path& path);
};

}  // namespace soak
