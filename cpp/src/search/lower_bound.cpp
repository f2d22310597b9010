#include "moverank/lower_bound.hpp"

#include <algorithm>
#include <limits>

#include "../preconditions.hpp"
#include "timed_for.hpp"

namespace moverank {

Spent LowerBound::compute(std::span<const std::int64_t> positions, std::span<double> out, int n_threads,
                          Interrupt& interrupt, double cutoff) {
    require(out.size() == positions.size(), "expected room for one bound per position");
    std::ranges::fill(out, -std::numeric_limits<double>::infinity());
    const Spent spent = fill(positions, out, n_threads, interrupt, cutoff);
    require_numbers(out);
    return spent;
}

}  // namespace moverank
