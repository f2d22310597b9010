#include "preconditions.hpp"

#include <stdexcept>

namespace moverank {

void refuse(const char* what) { throw std::invalid_argument(what); }

void require_offsets(std::span<const std::int64_t> offsets, std::size_t n_items) {
    if (offsets.empty()) {
        return;  // nothing is cut
    }
    bool falls = offsets.front() != 0;
    for (std::size_t s = 1; s < offsets.size(); ++s) {
        falls |= offsets[s] < offsets[s - 1];
    }
    require(!falls && static_cast<std::size_t>(offsets.back()) == n_items,
            "offsets must begin at 0, never fall, and end at the number of items");
}

void require_well_formed(const SequencesView& sequences) {
    const std::size_t n_tokens = sequences.tokens.rows();
    require_offsets(sequences.offsets, n_tokens);
    require(sequences.weights.empty() || sequences.weights.size() == n_tokens, "expected one weight per token");
}

}  // namespace moverank
