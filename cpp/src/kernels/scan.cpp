#include "scan.hpp"

#include <limits>

#include "largest.hpp"
#include "simd.hpp"

namespace moverank::MOVERANK_LEVEL {

namespace {

template <class T>
T largest(const T* values, std::size_t n) {
    return largest_size(values, n);
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
