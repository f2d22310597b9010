/// exp and log of whole vectors.
///
/// Both reduce their argument by powers of two and sum a series on what is left, with as many terms as the type can
/// tell apart. Over the stated range exp is within 2 units in the last place, and log, in float64, within 4, as tests
/// measure.
#pragma once

#include <cstddef>
#include <cstdint>

#include "simd.hpp"

namespace moverank::MOVERANK_LEVEL {

template <class T>
struct Ieee;
template <>
struct Ieee<float> {
    static constexpr int fraction_bits = 23;
    static constexpr std::int32_t one = 0x3F800000;
    static constexpr float round_to_integer = 0x1.8p23F;  ///< added and taken away, leaves whole numbers
    static constexpr float smallest_exponent = -87.33654F, largest_exponent = 88.0F;  ///< of e, for a normal result
    static constexpr float log2_e = 0x1.715476p0F, ln2_high = 0x1.62e4p-1F, ln2_low = 0x1.7f7d1cp-20F;
    static constexpr std::size_t exp_terms = 7, log_terms = 5;
};
template <>
struct Ieee<double> {
    static constexpr int fraction_bits = 52;
    static constexpr std::int64_t one = 0x3FF0000000000000;
    static constexpr double round_to_integer = 0x1.8p52;
    static constexpr double smallest_exponent = -708.396418532264, largest_exponent = 709.0;
    static constexpr double log2_e = 0x1.71547652b82fep0, ln2_high = 0x1.62e42feep-1, ln2_low = 0x1.a39ef35793c76p-33;
    static constexpr std::size_t exp_terms = 13, log_terms = 11;
};

/// e^x; 0 where that would be subnormal, e^largest_exponent where it would be more. NaN is not expected.
template <class T>
MOVERANK_INLINE Vector<T> exp(Vector<T> x) {
    using Type = Ieee<T>;
    const Mask<T> vanishes = x < splat(Type::smallest_exponent);
    x = min<T>(x, splat(Type::largest_exponent));
    x = vanishes ? splat(Type::smallest_exponent) : x;
    // x = k ln 2 + r with |r| <= ln 2 / 2. The low bits of `shifted` are k.
    const Vector<T> shifted = multiply_add(x, splat(Type::log2_e), splat(Type::round_to_integer));
    const Vector<T> k = shifted - splat(Type::round_to_integer);
    const Vector<T> r = multiply_add(k, splat(-Type::ln2_low), multiply_add(k, splat(-Type::ln2_high), x));
    T factorial = 1;
    for (std::size_t t = 2; t <= Type::exp_terms; ++t) {
        factorial *= static_cast<T>(t);
    }
    Vector<T> sum = splat(T{1} / factorial);
#pragma GCC unroll 16
    for (std::size_t t = Type::exp_terms; t > 0; --t) {
        factorial /= static_cast<T>(t);
        sum = multiply_add(sum, r, splat(T{1} / factorial));
    }
    const Mask<T> power = ((Mask<T>)shifted << Type::fraction_bits) + splat(Type::one);
    return vanishes ? Vector<T>{} : sum * (Vector<T>)power;
}

/// Natural logarithm of normal positive numbers.
template <class T>
MOVERANK_INLINE Vector<T> log(Vector<T> x) {
    using Type = Ieee<T>;
    constexpr Integer<T> fraction = (Integer<T>{1} << Type::fraction_bits) - 1;
    constexpr Integer<T> bias = Type::one >> Type::fraction_bits;
    constexpr T two_to_fraction = static_cast<T>(Integer<T>{1} << Type::fraction_bits);
    const Mask<T> bits = (Mask<T>)x;
    // x = m 2^k with m in [1/sqrt 2, sqrt 2). The exponent becomes a number by way of a fraction's last bits.
    Vector<T> m = (Vector<T>)((bits & splat(fraction)) | splat(Type::one));
    Vector<T> k = (Vector<T>)((bits >> Type::fraction_bits) + (Mask<T>)splat(two_to_fraction)) -
                  splat(two_to_fraction + static_cast<T>(bias));
    const Mask<T> large = m > splat(static_cast<T>(1.4142135623730951));
    m = large ? m * splat(T{0.5}) : m;
    k = large ? k + splat(T{1}) : k;
    // log m = 2 artanh s
    const Vector<T> s = (m - splat(T{1})) / (m + splat(T{1}));
    const Vector<T> square = s * s;
    Vector<T> sum = splat(T{1} / static_cast<T>(2 * Type::log_terms + 1));
#pragma GCC unroll 16
    for (std::size_t t = Type::log_terms - 1; t > 0; --t) {
        sum = multiply_add(sum, square, splat(T{1} / static_cast<T>(2 * t + 1)));
    }
    const Vector<T> tail = s * square * sum;
    return multiply_add(k, splat(Type::ln2_high), multiply_add(k, splat(Type::ln2_low), splat(T{2}) * (s + tail)));
}

}  // namespace moverank::MOVERANK_LEVEL
