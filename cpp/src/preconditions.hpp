/// What public functions ask of their callers. A broken promise is std::invalid_argument, never an access out of
/// bounds.
///
/// Checks are per call, document or solve, before loops over tokens begin: they cost a few comparisons where the work
/// that follows costs microseconds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "moverank/views.hpp"

namespace moverank {

/// Throws std::invalid_argument. Out of line, so that a check is a comparison and a jump that is never taken.
[[noreturn]] void refuse(const char* what);

inline void require(bool holds, const char* what) {
    if (!holds) [[unlikely]] {
        refuse(what);
    }
}

/// Offsets begin at 0, never fall and end at the number of items that they cut.
void require_offsets(std::span<const std::int64_t> offsets, std::size_t n_items);

/// Offsets as above, of tokens; weights are none, or one per token.
void require_well_formed(const SequencesView& sequences);

}  // namespace moverank
