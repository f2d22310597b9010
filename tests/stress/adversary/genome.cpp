#include "genome.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

namespace adversary {

double share(Random& random) { return std::uniform_real_distribution<double>(0.0, 1.0)(random); }

std::size_t choose(Random& random, std::size_t count) {
    return std::uniform_int_distribution<std::size_t>(0, count - 1)(random);
}

double power_of_ten(Random& random, double least, double most) {
    return std::pow(10.0, least + (most - least) * share(random));
}

namespace {

[[nodiscard]] double normal(Random& random) { return std::normal_distribution<double>()(random); }
[[nodiscard]] double sign(Random& random) { return random() % 2 == 0 ? 1.0 : -1.0; }

/// One row after another, each made of the one before.
void fill_rows(std::vector<double>& x, std::size_t dim, Random& random) {
    const std::size_t n_rows = x.size() / dim;
    const std::size_t recipe = choose(random, 8);
    const double nearness = power_of_ten(random, -9.0, 0.0);
    const double origin = power_of_ten(random, 0.0, 6.0);
    const double ratio = std::sqrt(power_of_ten(random, -0.6, 0.3) * 0x1p-24);
    for (std::size_t t = 0; t < n_rows; ++t) {
        const std::span<double> row(&x[t * dim], dim);
        const auto earlier = [&](std::size_t k) { return t == 0 ? normal(random) : x[(t - 1) * dim + k]; };
        const double scale = power_of_ten(random, -6.0, 0.0);
        for (std::size_t k = 0; k < dim; ++k) {
            switch (recipe) {
                case 0: row[k] = normal(random); break;
                case 1: row[k] = earlier(k) * (1.0 + nearness * normal(random)); break;
                case 2: row[k] = origin * static_cast<double>(1 + k % 3) + normal(random); break;
                case 3: row[k] = -earlier(k) * (1.0 + nearness * normal(random)); break;
                case 4: row[k] = k == 0 ? 1.0 : ratio * (1.0 + 0.1 * nearness * normal(random)); break;
                case 5: row[k] = (k == 0 ? 1.0 : ratio) * (t % 2 == 0 ? 1.0 : -1.0); break;
                case 6: row[k] = sign(random) * power_of_ten(random, -12.0, 0.0); break;
                default: row[k] = scale * normal(random); break;
            }
        }
    }
}

}  // namespace

void fill_tokens(Genome& genome, Random& random, double size) {
    std::vector<double> x((genome.n + genome.m) * genome.dim);
    fill_rows(x, genome.dim, random);
    double longest = 0.0;
    for (std::size_t t = 0; t < genome.n + genome.m; ++t) {
        double squared = 0.0;
        for (std::size_t k = 0; k < genome.dim; ++k) {
            squared += x[t * genome.dim + k] * x[t * genome.dim + k];
        }
        longest = std::max(longest, std::sqrt(squared));
    }
    genome.tokens.resize(x.size());
    std::ranges::transform(x, genome.tokens.begin(),
                           [&](double component) { return static_cast<float>(component / longest * size); });
}

void fill_costs(Genome& genome, Random& random) {
    genome.dim = genome.n;
    genome.tokens.assign((genome.n + genome.m) * genome.n, 0.0F);
    for (std::size_t i = 0; i < genome.n; ++i) {
        genome.tokens[i * genome.n + i] = 1.0F;
    }
    const std::span<float> costs = std::span(genome.tokens).subspan(genome.n * genome.n);
    const std::size_t recipe = choose(random, 6);
    const float size = static_cast<float>(power_of_ten(random, -3.0, 3.0));
    for (std::size_t k = 0; k < costs.size(); ++k) {
        const std::size_t i = k % genome.n;
        const std::size_t j = k / genome.n;
        double cost = 0.0;
        switch (recipe) {
            case 0: cost = share(random); break;
            case 1: cost = 2.0 * share(random) - 1.0; break;
            case 2: cost = static_cast<double>(choose(random, 3)); break;
            case 3: cost = j == 0 ? 1.0 : -1.0; break;
            case 4: cost = k == 0 ? 1.0 : power_of_ten(random, -14.0, -11.0); break;
            default: cost = std::abs(static_cast<double>(i) - static_cast<double>(j)) + 1e-3 * normal(random); break;
        }
        costs[k] = size * static_cast<float>(-cost);
    }
}

void fill_weights(Genome& genome, Random& random) {
    genome.weights.resize(genome.n + genome.m);
    const std::size_t recipe = choose(random, 4);
    for (std::size_t t = 0; t < genome.weights.size(); ++t) {
        const bool is_first = t == 0 || t == genome.n;
        genome.weights[t] = recipe == 0   ? 1.0
                            : recipe == 1 ? share(random) + 1e-3
                            : recipe == 2 ? power_of_ten(random, -12.0, 0.0)
                            : is_first    ? 1.0
                                          : power_of_ten(random, -20.0, -14.0);
    }
}

namespace {

/// The number so many units in the last place away.
template <class T>
[[nodiscard]] T stepped(T x, int steps) {
    const T end = steps < 0 ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::infinity();
    for (int k = 0; k < std::abs(steps); ++k) {
        x = std::nextafter(x, end);
    }
    return x;
}

[[nodiscard]] float with_flipped_bit(float x, std::size_t bit) {
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(x) ^ (std::uint32_t{1} << bit));
}
[[nodiscard]] double with_flipped_bit(double x, std::size_t bit) {
    return std::bit_cast<double>(std::bit_cast<std::uint64_t>(x) ^ (std::uint64_t{1} << bit));
}

/// Change one number of several.
template <class T>
void change_one(std::span<T> numbers, std::size_t row, Random& random) {
    constexpr std::size_t fraction_bits = sizeof(T) == 4 ? 23 : 52;
    T& x = numbers[choose(random, numbers.size())];
    const T before = x;
    const T other = numbers[choose(random, numbers.size())];
    switch (choose(random, 9)) {
        case 0:
        case 1: x = with_flipped_bit(x, choose(random, fraction_bits)); break;
        case 2:
        case 3: x = stepped(x, static_cast<int>(choose(random, 9)) - 4); break;
        case 4: x = -x; break;
        case 5: x = stepped(other, static_cast<int>(choose(random, 5)) - 2); break;
        case 6: x = -other; break;
        case 7: x = static_cast<T>(std::ldexp(static_cast<double>(x), static_cast<int>(choose(random, 9)) - 4)); break;
        default: {
            const std::size_t rows = numbers.size() / row;
            const std::size_t from = choose(random, rows) * row;
            const std::size_t to = choose(random, rows) * row;
            const T factor = static_cast<T>(std::ldexp(sign(random), static_cast<int>(choose(random, 3)) - 1));
            for (std::size_t k = 0; k < row; ++k) {
                numbers[to + k] = factor * numbers[from + k];
            }
        }
    }
    if (!std::isfinite(x)) {
        x = before;
    }
}

}  // namespace

void mutate(Genome& genome, Random& random) {
    for (std::size_t changes = 1 + choose(random, 3); changes > 0; --changes) {
        const std::size_t what = choose(random, 4);
        if (what == 0 && !genome.knobs.empty()) {
            change_one(std::span(genome.knobs), 1, random);
        } else if (what == 1 && !genome.weights.empty()) {
            change_one(std::span(genome.weights), 1, random);
            for (double& weight : genome.weights) {
                weight = std::abs(weight);
            }
        } else {
            change_one(std::span(genome.tokens), genome.dim, random);
        }
    }
}

}  // namespace adversary
