#include "problems.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

#include "moverank/mass.hpp"

namespace soak {

namespace {

template <class Entry>
std::vector<double> matrix_of(std::size_t n, std::size_t m, Entry entry) {
    std::vector<double> cost(n * m);
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = 0; j < m; ++j) {
            cost[i * m + j] = entry(i, j);
        }
    }
    return cost;
}

std::vector<std::size_t> draw_places(Random& random, std::size_t n, std::size_t n_places) {
    std::vector<std::size_t> places(n);
    std::ranges::generate(places, [&] { return random.below(n_places); });
    return places;
}

std::vector<double> reals(Random& random, std::size_t n, std::size_t m) {
    const double least = random.one_of({0.0, -1.0});
    return matrix_of(n, m, [&](std::size_t, std::size_t) { return least + (1.0 - least) * random.unit(); });
}

std::vector<double> ties(Random& random, std::size_t n, std::size_t m) {
    const std::size_t n_values = random.between(2, 4);
    const double least = random.one_of({0.0, -1.0});
    return matrix_of(n, m,
                     [&](std::size_t, std::size_t) { return static_cast<double>(random.below(n_values)) + least; });
}

std::vector<double> integers(Random& random, std::size_t n, std::size_t m) {
    const std::size_t largest = random.one_of<std::size_t>({10, 1000, 1'000'000, 1'000'000'000});
    return matrix_of(n, m, [&](std::size_t, std::size_t) { return static_cast<double>(random.below(largest)); });
}

std::vector<double> constant(Random& random, std::size_t n, std::size_t m) {
    const double value = random.one_of({0.0, 1.0, -1.0, 0.1, 1.0 / 3.0});
    return matrix_of(n, m, [&](std::size_t, std::size_t) { return value; });
}

std::vector<double> wide(Random& random, std::size_t n, std::size_t m) {
    const bool signs = random.chance(0.5);
    return matrix_of(n, m, [&](std::size_t, std::size_t) {
        const double size = random.across(-100, 100);  // 1e-30 to 1e30
        return signs && random.chance(0.5) ? -size : size;
    });
}

template <class Cost>
std::vector<double> subnormal(Random& random, std::size_t n, std::size_t m) {
    const std::size_t n_values = random.one_of<std::size_t>({3, 1000, 1U << 24});
    return matrix_of(n, m, [&](std::size_t, std::size_t) {
        return static_cast<double>(random.below(n_values)) *
               static_cast<double>(std::numeric_limits<Cost>::denorm_min());
    });
}

std::vector<double> negative(Random& random, std::size_t n, std::size_t m) {
    return matrix_of(n, m, [&](std::size_t, std::size_t) { return -1.0 - random.unit(); });
}

/// Few rows and columns, each many times.
std::vector<double> repeated(Random& random, std::size_t n, std::size_t m) {
    const std::size_t n_rows = random.between(1, std::min<std::size_t>(n, 5));
    const std::size_t n_columns = random.between(1, m);
    const std::vector<double> few = reals(random, n_rows, n_columns);
    const std::vector<std::size_t> rows = draw_places(random, n, n_rows);
    const std::vector<std::size_t> columns = draw_places(random, m, n_columns);
    return matrix_of(n, m, [&](std::size_t i, std::size_t j) { return few[rows[i] * n_columns + columns[j]]; });
}

/// Distances between points, of which some are the same.
std::vector<double> metric(Random& random, std::size_t n, std::size_t m) {
    const std::size_t dim = random.between(1, 3);
    const std::size_t n_points = random.between(1, n + m);
    const bool on_a_grid = random.chance(0.5);
    const bool squared = random.chance(0.5);
    std::vector<double> points(n_points * dim);
    std::ranges::generate(points, [&] { return on_a_grid ? static_cast<double>(random.below(5)) : random.bell(); });
    const std::vector<std::size_t> rows = draw_places(random, n, n_points);
    const std::vector<std::size_t> columns = draw_places(random, m, n_points);
    return matrix_of(n, m, [&](std::size_t i, std::size_t j) {
        double sum = 0.0;
        for (std::size_t k = 0; k < dim; ++k) {
            const double difference = points[rows[i] * dim + k] - points[columns[j] * dim + k];
            sum += difference * difference;
        }
        return squared ? sum : std::sqrt(sum);
    });
}

/// All but equal, down to one unit in the last place.
template <class Cost>
std::vector<double> near_ties(Random& random, std::size_t n, std::size_t m) {
    const double base = random.one_of({1.0, 1.5, -1.0});
    const int last = std::numeric_limits<Cost>::digits - 1;
    const double step = std::ldexp(1.0, -static_cast<int>(random.between(10, static_cast<std::size_t>(last))));
    return matrix_of(
        n, m, [&](std::size_t, std::size_t) { return base + step * (static_cast<double>(random.below(5)) - 2.0); });
}

/// Cheap inside blocks and expensive between them: where masses of blocks match, every basis is degenerate.
std::vector<double> blocks(Random& random, std::size_t n, std::size_t m) {
    const std::size_t n_blocks = random.between(1, std::min(n, m));
    const double outside = random.one_of({1.0, 10.0, 0x1p20});
    const bool all_alike = random.chance(0.5);
    return matrix_of(n, m, [&](std::size_t i, std::size_t j) {
        const double own = all_alike ? 0.0 : random.unit();
        return i % n_blocks == j % n_blocks ? own : own + outside;
    });
}

std::vector<double> powers_of_two(Random& random, std::size_t n, std::size_t m) {
    const int reach = random.one_of({3, 20, 60});
    return matrix_of(n, m, [&](std::size_t, std::size_t) {
        return std::ldexp(1.0, static_cast<int>(random.below(static_cast<std::size_t>(2 * reach))) - reach);
    });
}

/// x_i + y_j: every plan is optimal, but for rounding.
std::vector<double> additive(Random& random, std::size_t n, std::size_t m) {
    const bool whole = random.chance(0.5);
    const auto draw = [&] { return whole ? static_cast<double>(random.below(8)) : random.bell(); };
    std::vector<double> x(n);
    std::vector<double> y(m);
    std::ranges::generate(x, draw);
    std::ranges::generate(y, draw);
    return matrix_of(n, m, [&](std::size_t i, std::size_t j) { return x[i] + y[j]; });
}

/// Up to the largest that is not refused.
template <class Cost>
std::vector<double> huge(Random& random, std::size_t n, std::size_t m) {
    const double most = moverank::cost_limit<Cost> * random.one_of({1.0, 0.5, 0.125, 1e-3, 1e-6});
    const bool signs = random.chance(0.5);
    return matrix_of(n, m, [&](std::size_t, std::size_t) {
        const double size = most * random.unit();
        return signs && random.chance(0.5) ? -size : size;
    });
}

/// Some entries are as good as forbidden.
std::vector<double> forbidden(Random& random, std::size_t n, std::size_t m) {
    const double share = random.one_of({0.1, 0.5, 0.9});
    const double price = random.one_of({1e3, 1e6, 1e12});
    return matrix_of(n, m, [&](std::size_t, std::size_t) { return random.chance(share) ? price : random.unit(); });
}

struct CostFamily {
    const char* name;
    std::vector<double> (*draw)(Random&, std::size_t, std::size_t);
    bool is_sized = false;
};

template <class Cost>
constexpr CostFamily cost_families[] = {{"reals", reals},
                                        {"ties", ties},
                                        {"integers", integers},
                                        {"constant", constant},
                                        {"wide", wide, true},
                                        {"subnormal", subnormal<Cost>, true},
                                        {"huge", huge<Cost>, true},
                                        {"negative", negative},
                                        {"repeated", repeated},
                                        {"metric", metric},
                                        {"near ties", near_ties<Cost>},
                                        {"blocks", blocks},
                                        {"powers of two", powers_of_two},
                                        {"additive", additive},
                                        {"forbidden", forbidden, true}};

/// Families whose sizes may be anything are scaled by a power of two, which keeps ties.
[[nodiscard]] double draw_scale(Random& random, const CostFamily& family) {
    return family.is_sized || random.chance(0.6) ? 1.0 : std::ldexp(1.0, static_cast<int>(random.below(121)) - 60);
}

enum class MassSort { uniform, real, whole, some_zero, wide, powers, dominant, point, dyadic };
constexpr const char* mass_names[] = {"uniform", "real",     "whole", "some zero", "wide",
                                      "powers",  "dominant", "point", "dyadic"};

}  // namespace

template <class Cost>
std::string Instance<Cost>::description() const {
    std::ostringstream text;
    text.precision(17);
    text << (sizeof(Cost) == sizeof(float) ? "float32 " : "float64 ") << family << ' ' << n << " x " << m << ", masses "
         << masses << ", capacity " << capacity << ", fraction " << fraction;
    return text.str();
}

std::size_t draw_size(Random& random) {
    const double kind = random.unit();
    return kind < 0.42   ? random.between(1, 8)
           : kind < 0.72 ? random.between(9, 32)
           : kind < 0.92 ? random.between(33, 96)
           : kind < 0.98 ? random.between(97, 200)
                         : random.between(201, 512);
}

std::vector<double> draw_mass(Random& random, std::size_t n, std::string& sort) {
    const std::size_t drawn = random.below(std::size(mass_names));
    sort = mass_names[drawn];
    std::vector<double> mass(n, 0.0);
    const auto fill = [&](auto draw) { std::ranges::generate(mass, draw); };
    switch (static_cast<MassSort>(drawn)) {
        case MassSort::uniform: std::ranges::fill(mass, 1.0); break;
        case MassSort::real: fill([&] { return random.unit() + 1e-9; }); break;
        case MassSort::whole: fill([&] { return 1.0 + static_cast<double>(random.below(3)); }); break;
        case MassSort::some_zero:
            fill([&] { return random.chance(0.4) ? 0.0 : random.unit(); });
            mass[random.below(n)] = 1.0;
            break;
        case MassSort::wide: fill([&] { return random.across(-1000, 0); }); break;  // 1e-300 to 1
        case MassSort::powers: fill([&] { return std::ldexp(1.0, -static_cast<int>(random.below(60))); }); break;
        case MassSort::dominant:
            fill([&] { return 1e-12 * random.unit() + 1e-15; });
            mass[random.below(n)] = 1.0;
            break;
        case MassSort::point: mass[random.below(n)] = 1.0; break;
        case MassSort::dyadic: {
            // Multiples of a power of two: sums of some are exactly sums of others.
            std::size_t units = 8;
            while (units < 2 * n) {
                units *= 2;
            }
            for (std::size_t k = 0; k < units; ++k) {
                mass[k < n ? k : random.below(n)] += 1.0;
            }
            break;
        }
    }
    moverank::normalise(mass);
    return mass;
}

double draw_capacity(Random& random) {
    return random.chance(0.45) ? 1.0
                               : random.one_of({1.0 + 0x1p-52, 1.0 + 1e-9, 1.5, 4.0, 1.0 + 3.0 * random.unit(), 1e6,
                                                std::numeric_limits<double>::infinity()});
}

double draw_fraction(Random& random) {
    return random.chance(0.75)
               ? 1.0
               : random.one_of({0.5, 0.25, 0.999999, 1.0 - 0x1p-50, 1e-6, 1e-9 + 0.999 * random.unit()});
}

template <class Cost>
Instance<Cost> draw_problem(Random& random, std::size_t n, std::size_t m) {
    const CostFamily& family = cost_families<Cost>[random.below(std::size(cost_families<Cost>))];
    Instance<Cost> problem;
    problem.n = n;
    problem.m = m;
    problem.family = family.name;
    const std::vector<double> cost = family.draw(random, n, m);
    const double scale = draw_scale(random, family);
    problem.cost.resize(n * m);
    std::ranges::transform(cost, problem.cost.begin(), [&](double c) { return static_cast<Cost>(c * scale); });
    std::string of_columns;
    problem.a = draw_mass(random, n, problem.masses);
    problem.b = draw_mass(random, m, of_columns);
    problem.masses += " and " + of_columns;
    problem.capacity = draw_capacity(random);
    problem.fraction = draw_fraction(random);
    return problem;
}

template struct Instance<float>;
template struct Instance<double>;
template Instance<float> draw_problem<float>(Random&, std::size_t, std::size_t);
template Instance<double> draw_problem<double>(Random&, std::size_t, std::size_t);

}  // namespace soak
