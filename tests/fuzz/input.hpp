/// Octets as problems: whatever a fuzzer sends is a problem that callers may pose.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "moverank/exact.hpp"

namespace fuzz {

/// Stop here, with a reason: that is what a fuzzer takes for a find.
inline void require(bool holds, const std::string& what) {
    if (!holds) {
        std::fprintf(stderr, "found: %s\n", what.c_str());
        std::abort();
    }
}

/// Reads octets, and zeros after the last.
class Input {
  public:
    Input(const std::uint8_t* data, std::size_t size) : left_(data, size) {}

    template <class T>
    T take(std::size_t most = sizeof(T)) {
        T value{};
        const std::size_t size = std::min(most, left_.size());
        if (size > 0) {
            std::memcpy(&value, left_.data(), size);
            left_ = left_.subspan(size);
        }
        return value;
    }
    [[nodiscard]] bool ended() const { return left_.empty(); }
    std::size_t up_to(std::size_t most) { return take<std::uint8_t>() % (most + 1); }
    template <class T, std::size_t N>
    T one_of(const T (&choices)[N]) {
        return choices[take<std::uint8_t>() % N];
    }

  private:
    std::span<const std::uint8_t> left_;
};

inline constexpr double infinity = std::numeric_limits<double>::infinity();

/// Costs of the sorts that break solvers: ties, signs, sizes far apart, subnormals.
template <class Cost>
Cost cost(Input& input, int sort) {
    const double unit = input.take<std::uint8_t>() / 255.0;
    switch (sort) {
        case 0: return static_cast<Cost>(std::floor(4.0 * unit));
        case 1: return static_cast<Cost>(2.0 * unit - 1.0);
        case 2: return static_cast<Cost>(1e30 * (unit - 0.25));
        case 3: return static_cast<Cost>(1e-30 * unit);
        case 4: return static_cast<Cost>(unit) * std::numeric_limits<Cost>::min();  // mostly subnormal
        case 5: return static_cast<Cost>(std::pow(10.0, 60.0 * unit - 30.0));
        case 6: return static_cast<Cost>(moverank::cost_limit<Cost> * (2.0 * unit - 1.0));
        default: {
            const auto raw = input.take<Cost>();
            return std::abs(static_cast<double>(raw)) <= moverank::cost_limit<Cost> ? raw : static_cast<Cost>(unit);
        }
    }
}

inline std::vector<double> masses(Input& input, std::size_t n) {
    const int sort = static_cast<int>(input.up_to(4));
    std::vector<double> mass(n, 1.0);
    if (sort > 0) {
        for (double& x : mass) {
            const double unit = input.take<std::uint8_t>() / 255.0;
            x = sort == 1   ? unit
                : sort == 2 ? std::floor(3.0 * unit)
                : sort == 3 ? std::pow(10.0, -300.0 * unit)
                            : std::pow(2.0, -60.0 * unit);
        }
    }
    if (std::ranges::all_of(mass, [](double x) { return x == 0.0; })) {
        mass[0] = 1.0;
    }
    const double total = std::accumulate(mass.begin(), mass.end(), 0.0);
    std::ranges::transform(mass, mass.begin(), [total](double x) { return x / total; });
    return mass;
}

/// A transport problem and the memory that it views.
template <class Cost>
struct Problem {
    std::vector<Cost> cost;
    std::vector<double> a, b;
    double capacity, fraction;

    explicit Problem(Input& input) {
        // Trees are kept differently beyond 65 nodes. Such problems take few octets and repeat them, and are long and
        // narrow, as that costs least.
        const std::size_t shape = input.up_to(255);
        const bool large = shape >= 254;
        std::size_t n = large ? 2 + input.up_to(14) : 1 + input.up_to(15);
        std::size_t m = large ? 245 + input.up_to(31) : 1 + input.up_to(15);
        if (shape == 255) {
            std::swap(n, m);
        }
        const int sort = static_cast<int>(input.up_to(7));
        cost.resize(n * m);
        const std::size_t own = std::min<std::size_t>(n * m, 61);
        for (std::size_t e = 0; e < cost.size(); ++e) {
            cost[e] = e < own ? fuzz::cost<Cost>(input, sort) : cost[(e * e + e / m) % own];
        }
        a = masses(input, n);
        b = masses(input, m);
        capacity = input.one_of({1.0, 1.0, 1.0 + 1e-9, 1.5, 4.0, 1e6, infinity});
        fraction = input.one_of({1.0, 1.0, 1.0, 0.5, 0.999999, 1e-6});
        if (std::getenv("FUZZ_DESCRIBE") != nullptr) {
            describe();
        }
    }
    [[nodiscard]] moverank::TransportProblem<Cost> view() const {
        return {{cost.data(), a.size(), b.size()}, a, b, capacity, fraction};
    }

  private:
    /// For whoever replays a find with FUZZ_DESCRIBE set: what it is.
    void describe() const {
        std::fprintf(stderr, "%zu x %zu %s costs, capacity %.17g, fraction %.17g\n", a.size(), b.size(),
                     sizeof(Cost) == sizeof(float) ? "float32" : "float64", capacity, fraction);
        const auto print = [](const char* name, const auto& values) {
            std::fprintf(stderr, "%s =", name);
            for (std::size_t k = 0; k < std::min<std::size_t>(values.size(), 256); ++k) {
                std::fprintf(stderr, " %.17g,", static_cast<double>(values[k]));
            }
            std::fprintf(stderr, "\n");
        };
        print("a", a);
        print("b", b);
        print("cost", cost);
    }
};

/// Call `use` with a cost of the first problem's type, and once more for a second problem if there are octets left.
template <class Use>
void for_two_problems(Input& input, Use use) {
    for (int k = 0; k < 2 && (k == 0 || !input.ended()); ++k) {
        if (input.up_to(1) == 0) {
            use(float{});
        } else {
            use(double{});
        }
    }
}

}  // namespace fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
