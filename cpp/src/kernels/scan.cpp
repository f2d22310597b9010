#include "scan.hpp"

#include <limits>

#include "simd.hpp"

namespace moverank::MOVERANK_LEVEL {

namespace {

/// The bits of non-negative numbers are ordered as the numbers are, with infinity and then NaN above them all; a
/// maximum of integers keeps a NaN where one of numbers may drop it.
template <class T>
T largest(const T* values, std::size_t n) {
    constexpr Integer<T> sign = std::numeric_limits<Integer<T>>::min();
    constexpr std::size_t n_chains = 4;
    Mask<T> chains[n_chains] = {};
    const auto look_at = [&](std::size_t chain, std::size_t k) {
        const Mask<T> size = (Mask<T>)load(values + k) & splat(static_cast<Integer<T>>(~sign));
        chains[chain] = size > chains[chain] ? size : chains[chain];
    };
    std::size_t k = 0;
    for (; k + n_chains * lanes<T> <= n; k += n_chains * lanes<T>) {
        look_at(0, k);
        look_at(1, k + lanes<T>);
        look_at(2, k + 2 * lanes<T>);
        look_at(3, k + 3 * lanes<T>);
    }
    for (; k + lanes<T> <= n; k += lanes<T>) {
        look_at(0, k);
    }
    Integer<T> best = 0;
    for (const Mask<T>& chain : chains) {
        for (std::size_t l = 0; l < lanes<T>; ++l) {
            best = chain[l] > best ? chain[l] : best;
        }
    }
    for (; k < n; ++k) {
        const Integer<T> size = __builtin_bit_cast(Integer<T>, values[k]) & ~sign;
        best = size > best ? size : best;
    }
    return __builtin_bit_cast(T, best);
}

}  // namespace

extern const ScanKernels scan;
const ScanKernels scan{&largest<float>, &largest<double>};

}  // namespace moverank::MOVERANK_LEVEL
