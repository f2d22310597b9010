/// Random numbers that are the same with every compiler and library: what a seed stands for must not change. (So no
/// expression draws twice where the order is the compiler's.)
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace soak {

/// SplitMix64. Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    std::uint64_t operator()() {
        state_ += 0x9e3779b97f4a7c15U;
        std::uint64_t x = state_;
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
        x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
        return x ^ (x >> 31);
    }
    /// A whole number below n, which is not 0.
    std::size_t below(std::size_t n) { return static_cast<std::size_t>((*this)() % n); }
    std::size_t between(std::size_t least, std::size_t most) { return least + below(most - least + 1); }
    /// In [0, 1).
    double unit() { return static_cast<double>((*this)() >> 11) * 0x1p-53; }
    bool chance(double probability) { return unit() < probability; }
    /// Of mean 0 and variance 1; near enough to normal.
    double bell() {
        double sum = -2.0;
        for (int k = 0; k < 4; ++k) {
            sum += unit();
        }
        return sum * 1.7320508075688772;
    }
    /// Between two powers of two, its logarithm about evenly.
    double across(int least_exponent, int largest_exponent) {
        const auto span = static_cast<std::size_t>(largest_exponent - least_exponent);
        const int exponent = least_exponent + static_cast<int>(below(span));
        return std::ldexp(1.0 + unit(), exponent);
    }
    template <class T, std::size_t N>
    T one_of(const T (&choices)[N]) {
        return choices[below(N)];
    }
    template <class T>
    void shuffle(std::vector<T>& values) {
        for (std::size_t k = values.size(); k > 1; --k) {
            std::swap(values[k - 1], values[below(k)]);
        }
    }

  private:
    std::uint64_t state_;
};

}  // namespace soak
