/// What costs and pooling ask of a prepared sequence: see ../preconditions.hpp.
#pragma once

#include <cstddef>

#include "../preconditions.hpp"
#include "moverank/measure.hpp"
#include "moverank/prepared.hpp"

namespace moverank {

/// One mass per token, and under the cosine ground cost one inverse norm.
inline void require_well_formed(const PreparedSequence& sequence, GroundCost ground) {
    const std::size_t n = sequence.words.empty() ? sequence.tokens.rows() : sequence.words.size();
    require(sequence.mass.size() == n, "expected one mass per token");
    require(ground != GroundCost::cosine || !sequence.words.empty() || sequence.inverse_norms.size() == n,
            "expected one inverse norm per token under the cosine ground cost");
}

}  // namespace moverank
