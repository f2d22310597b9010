/// The largest size of a number among many.
#pragma once

#include <cstddef>
#include <limits>
#include <utility>

#include "simd.hpp"

namespace moverank::MOVERANK_LEVEL {

template <class T>
MOVERANK_INLINE Mask<T> larger(Mask<T> x, Mask<T> y) {
    return y > x ? y : x;
}

template <class T, std::size_t step = lanes<T> / 2>
MOVERANK_INLINE Integer<T> largest_lane(Mask<T> x) {
    x = larger<T>(x, (Mask<T>)swap_lanes<step, T>((Vector<T>)x, std::make_index_sequence<lanes<T>>{}));
    if constexpr (step > 1) {
        return largest_lane<T, step / 2>(x);
    } else {
        return x[0];
    }
}

/// The bits of non-negative numbers are ordered as the numbers are, with infinity and then NaN above them all; a
/// maximum of integers keeps a NaN where one of numbers may drop it.
template <class T>
MOVERANK_INLINE T largest_size(const T* values, std::size_t n) {
    constexpr Integer<T> sign = std::numeric_limits<Integer<T>>::min();
    constexpr std::size_t n_chains = 4;
    Mask<T> chains[n_chains] = {};
    const auto look_at = [&](std::size_t chain, std::size_t k) {
        const Mask<T> size = (Mask<T>)load(values + k) & splat(static_cast<Integer<T>>(~sign));
        chains[chain] = larger<T>(chains[chain], size);
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
    Integer<T> best = largest_lane<T>(larger<T>(larger<T>(chains[0], chains[1]), larger<T>(chains[2], chains[3])));
    for (; k < n; ++k) {
        const Integer<T> size = __builtin_bit_cast(Integer<T>, values[k]) & ~sign;
        best = size > best ? size : best;
    }
    return __builtin_bit_cast(T, best);
}

}  // namespace moverank::MOVERANK_LEVEL
