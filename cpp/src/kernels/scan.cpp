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

/// Bisection on the bits of the answer, highest first: each step counts the entries below a candidate, without a
/// branch.
template <class T>
T median_size(const T* values, std::size_t n_rows, std::size_t n_columns, std::size_t stride) {
    constexpr Integer<T> sign = std::numeric_limits<Integer<T>>::min();
    const auto rank = static_cast<Integer<T>>((n_rows * n_columns - 1) / 2);
    Integer<T> median = 0;
    for (Integer<T> bit = Integer<T>{1} << (8 * sizeof(T) - 2); bit != 0; bit >>= 1) {
        const Mask<T> candidate = splat(static_cast<Integer<T>>(median | bit));
        Mask<T> counts[2] = {};
        for (std::size_t k = 0; k < n_rows * stride; k += 16) {
#pragma GCC unroll 8
            for (std::size_t l = 0; l < 16; l += lanes<T>) {
                const Mask<T> size = (Mask<T>)load(values + k + l) & splat(static_cast<Integer<T>>(~sign));
                counts[l / lanes<T> % 2] += size < candidate;
            }
        }
        const Mask<T> both = counts[0] + counts[1];
        Integer<T> below = 0;
        for (std::size_t l = 0; l < lanes<T>; ++l) {
            below -= both[l];
        }
        median |= below <= rank ? bit : 0;
    }
    return __builtin_bit_cast(T, median);
}

std::size_t at_least(const float* values, std::size_t n, float least, std::uint32_t* places) {
    std::size_t count = 0;
    for (std::size_t k = 0; k < n; k += lanes<float>) {
        for (Bits found = bits_of<float>(load(values + k) >= splat(least)); found != 0; found &= found - 1) {
            places[count++] = static_cast<std::uint32_t>(k + first_bit(found));
        }
    }
    return count;
}

}  // namespace

extern const ScanKernels scan;
const ScanKernels scan{&largest<float>, &largest<double>, &median_size<float>, &median_size<double>, &at_least};

}  // namespace moverank::MOVERANK_LEVEL
