/// Whole numbers of many limbs: sums of float64 numbers without any rounding.
///
/// A number is `limbs` 64-bit words, least first, in two's complement, and counts units of 2^low. Any float64 number
/// whose last bit is not below 2^low goes in as it is, and sums are exact as long as they stay in range.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace moverank {

using Limb = std::uint64_t;

/// Exponents that a set of float64 numbers needs.
struct WideRange {
    int low = 0;    ///< of the last bit of any
    int high = -1;  ///< no number reaches 2^high
    void include(double x) {
        if (x == 0.0) {
            return;
        }
        int exponent = 0;
        std::frexp(x, &exponent);
        const int last = std::max(exponent - 53, -1074);
        low = high < low ? last : std::min(low, last);
        high = std::max(high, exponent);
    }
    /// Limbs for sums of `terms` such numbers, with a sign.
    [[nodiscard]] std::size_t limbs(std::size_t terms) const {
        const int bits = std::max(high - low, 0) + static_cast<int>(std::bit_width(terms)) + 2;
        return static_cast<std::size_t>(bits + 63) / 64;
    }
};

class WideFormat {
  public:
    WideFormat() = default;
    WideFormat(int low, std::size_t limbs) : low_(low), limbs_(limbs) {}
    [[nodiscard]] std::size_t limbs() const { return limbs_; }

    void clear(Limb* to) const { std::fill_n(to, limbs_, Limb{0}); }
    void copy(const Limb* from, Limb* to) const { std::copy_n(from, limbs_, to); }
    [[nodiscard]] bool negative(const Limb* x) const { return (x[limbs_ - 1] >> 63) != 0; }
    [[nodiscard]] bool zero(const Limb* x) const {
        return std::all_of(x, x + limbs_, [](Limb limb) { return limb == 0; });
    }
    void add(Limb* to, const Limb* x) const {
        bool carry = false;
        for (std::size_t k = 0; k < limbs_; ++k) {
            const bool first = __builtin_add_overflow(to[k], x[k], &to[k]);
            const bool second = __builtin_add_overflow(to[k], Limb{carry}, &to[k]);
            carry = first || second;
        }
    }
    void subtract(Limb* from, const Limb* x) const {
        bool borrow = false;
        for (std::size_t k = 0; k < limbs_; ++k) {
            const bool first = __builtin_sub_overflow(from[k], x[k], &from[k]);
            const bool second = __builtin_sub_overflow(from[k], Limb{borrow}, &from[k]);
            borrow = first || second;
        }
    }
    void negate(Limb* x) const {
        std::transform(x, x + limbs_, x, [](Limb limb) { return ~limb; });
        add_small(x, 1);
    }
    /// Add a number of units below 2^64.
    void add_small(Limb* to, Limb units) const {
        for (std::size_t k = 0; k < limbs_ && units != 0; ++k) {
            units = __builtin_add_overflow(to[k], units, &to[k]) ? 1 : 0;
        }
    }
    /// For numbers that are not negative.
    [[nodiscard]] bool less(const Limb* x, const Limb* y) const {
        for (std::size_t k = limbs_; k-- > 0;) {
            if (x[k] != y[k]) {
                return x[k] < y[k];
            }
        }
        return false;
    }

    void add(Limb* to, double x) const {
        if (x == 0.0) {
            return;
        }
        int exponent = 0;
        auto mantissa = static_cast<Limb>(std::ldexp(std::frexp(std::abs(x), &exponent), 53));
        int shift = exponent - 53 - low_;
        if (shift < 0) {  // a subnormal number: its last bits are 0
            mantissa >>= -shift;
            shift = 0;
        }
        const auto first = static_cast<std::size_t>(shift) / 64;
        const int bit = shift % 64;
        const Limb parts[2] = {mantissa << bit, bit == 0 ? Limb{0} : mantissa >> (64 - bit)};
        bool carry = false;
        for (std::size_t k = first; k < limbs_ && (k < first + 2 || carry); ++k) {
            const Limb part = k < first + 2 ? parts[k - first] : 0;
            const bool out =
                x > 0.0 ? __builtin_add_overflow(to[k], part, &to[k]) : __builtin_sub_overflow(to[k], part, &to[k]);
            const bool again = x > 0.0 ? __builtin_add_overflow(to[k], Limb{carry}, &to[k])
                                       : __builtin_sub_overflow(to[k], Limb{carry}, &to[k]);
            carry = out || again;
        }
    }

    /// The nearest float64 number; `scratch` has as many limbs.
    [[nodiscard]] double value(const Limb* x, Limb* scratch) const {
        copy(x, scratch);
        const bool minus = negative(scratch);
        if (minus) {
            negate(scratch);
        }
        std::size_t top = limbs_;
        while (top > 0 && scratch[top - 1] == 0) {
            --top;
        }
        if (top == 0) {
            return 0.0;
        }
        // The 64 leading bits; what follows only says on which side of a tie they are.
        const int shift = std::countl_zero(scratch[top - 1]);
        Limb leading = scratch[top - 1] << shift;
        bool rest = false;
        if (top > 1) {
            leading |= shift == 0 ? 0 : scratch[top - 2] >> (64 - shift);
            rest = (scratch[top - 2] << shift) != 0;
            for (std::size_t k = 0; k + 2 < top; ++k) {
                rest |= scratch[k] != 0;
            }
        }
        leading |= rest ? 1 : 0;
        const double size = std::ldexp(static_cast<double>(leading), low_ + static_cast<int>(64 * (top - 1)) - shift);
        return minus ? -size : size;
    }

  private:
    int low_ = 0;
    std::size_t limbs_ = 1;
};

}  // namespace moverank
