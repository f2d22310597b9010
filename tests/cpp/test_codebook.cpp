#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "instances.hpp"
#include "moverank/codebook.hpp"

using namespace moverank;

namespace {

/// Vectors one after the other.
struct Rows {
    std::vector<float> components;
    std::size_t dim;

    Rows(instances::Random& random, std::size_t count, std::size_t own_dim)
        : components(count * own_dim), dim(own_dim) {
        std::normal_distribution<float> normal;
        std::ranges::generate(components, [&] { return normal(random); });
    }
    [[nodiscard]] std::size_t size() const { return components.size() / dim; }
    [[nodiscard]] MatrixView<const float> view() const { return {components.data(), size(), dim}; }
    [[nodiscard]] TokensView tokens() const { return {components.data(), size(), dim}; }
};

[[nodiscard]] double squared_distance(const float* x, const float* y, std::size_t dim) {
    double squared = 0.0;
    for (std::size_t k = 0; k < dim; ++k) {
        const double difference = static_cast<double>(x[k]) - static_cast<double>(y[k]);
        squared += difference * difference;
    }
    return squared;
}

struct Assigned {
    std::vector<std::uint16_t> cells;
    std::vector<float> distances;
};

[[nodiscard]] Assigned assign(const Codebook& codebook, const TokensView& tokens, std::span<const float> factors = {},
                              int n_threads = 1) {
    Interrupt interrupt;
    Assigned found{std::vector<std::uint16_t>(tokens.rows()), std::vector<float>(tokens.rows())};
    codebook.assign(tokens, factors, found.cells, found.distances, n_threads, interrupt);
    return found;
}

/// Each token has the nearest centroid among those of its two nearest coarse cells.
void check_nearest(const Rows& tokens, const Rows& centroids, const Rows& coarse,
                   const std::vector<std::int64_t>& firsts) {
    const Assigned found = assign(Codebook(centroids.view(), coarse.view(), firsts), tokens.tokens());
    const std::size_t dim = tokens.dim;
    for (std::size_t t = 0; t < tokens.size(); ++t) {
        const float* const token = tokens.view().row(t);
        std::vector<std::size_t> near(coarse.size());
        std::iota(near.begin(), near.end(), std::size_t{0});
        std::ranges::sort(near, {}, [&](std::size_t c) { return squared_distance(token, coarse.view().row(c), dim); });
        double best = std::numeric_limits<double>::infinity();
        for (std::size_t place = 0; place < std::min<std::size_t>(near.size(), 2); ++place) {
            for (std::int64_t c = firsts[near[place]]; c < firsts[near[place] + 1]; ++c) {
                best = std::min(best, squared_distance(token, centroids.view().row(static_cast<std::size_t>(c)), dim));
            }
        }
        const double own = squared_distance(token, centroids.view().row(found.cells[t]), dim);
        CHECK_NEAR(own, best, 1e-5 * (1.0 + best));
        CHECK_NEAR(static_cast<double>(found.distances[t]), own, 1e-5 * (1.0 + own));
    }
}

}  // namespace

TEST(a_token_gets_the_nearest_centroid_of_the_nearest_coarse_cells) {
    instances::Random random(1);
    for (const std::size_t dim : {1U, 3U, 16U, 70U, 129U}) {
        // Sizes around those of groups and registers; the second codebook has one level.
        check_nearest(Rows(random, 203, dim), Rows(random, 60, dim), Rows(random, 5, dim), {0, 1, 16, 33, 50, 60});
        check_nearest(Rows(random, 17, dim), Rows(random, 37, dim), Rows(random, 1, dim), {0, 37});
        check_nearest(Rows(random, 1, dim), Rows(random, 1, dim), Rows(random, 1, dim), {0, 1});
    }
}

TEST(blocks_and_threads_do_not_show) {
    instances::Random random(2);
    const Rows tokens(random, 10'000, 6);
    const Rows centroids(random, 90, 6);
    const Rows coarse(random, 9, 6);
    std::vector<std::int64_t> firsts(10);
    std::ranges::generate(firsts, [n = std::int64_t{0}]() mutable { return 10 * n++; });
    const Codebook codebook(centroids.view(), coarse.view(), firsts);
    const Assigned one = assign(codebook, tokens.tokens());
    const Assigned three = assign(codebook, tokens.tokens(), {}, 3);
    CHECK(one.cells == three.cells && one.distances == three.distances);
    for (std::size_t t = 0; t < tokens.size(); t += 997) {
        const Assigned alone = assign(codebook, tokens.tokens().run(t, 1));
        CHECK(alone.cells[0] == one.cells[t] && alone.distances[0] == one.distances[t]);
    }
}

TEST(factors_make_directions) {
    instances::Random random(3);
    const Rows tokens(random, 300, 5);
    Rows scaled = tokens;
    std::vector<float> factors(300);
    for (std::size_t t = 0; t < 300; ++t) {
        factors[t] = t % 2 == 0 ? 0.25F : 2.0F;  // exact in float32
        std::for_each_n(&scaled.components[5 * t], 5, [&](float& component) { component *= factors[t]; });
    }
    const Rows centroids(random, 20, 5);
    const Codebook codebook(centroids.view(), Rows(random, 1, 5).view(), std::vector<std::int64_t>{0, 20});
    const Assigned found = assign(codebook, tokens.tokens(), factors);
    const Assigned expected = assign(codebook, scaled.tokens());
    CHECK(found.cells == expected.cells && found.distances == expected.distances);
}

TEST(of_equal_centroids_the_first_is_taken) {
    const std::vector<float> centroids(40, 1.0F);
    const std::vector<float> token{1.5F};
    const Codebook codebook({centroids.data(), 40, 1}, {centroids.data(), 2, 1}, std::vector<std::int64_t>{0, 20, 40});
    const Assigned found = assign(codebook, {token.data(), 1, 1});
    CHECK(found.cells[0] == 0);
    CHECK_NEAR(static_cast<double>(found.distances[0]), 0.25, 1e-6);
}

TEST(a_token_that_is_not_finite_is_told_by_its_distance) {
    instances::Random random(4);
    const Rows centroids(random, 20, 3);
    const Rows coarse(random, 4, 3);
    const Codebook codebook(centroids.view(), coarse.view(), std::vector<std::int64_t>{0, 5, 10, 15, 20});
    Rows tokens(random, 3, 3);
    tokens.components[0] = std::numeric_limits<float>::quiet_NaN();
    tokens.components[4] = -std::numeric_limits<float>::infinity();
    const Assigned found = assign(codebook, tokens.tokens());
    CHECK(!std::isfinite(found.distances[0]) && !std::isfinite(found.distances[1]));
    CHECK(std::isfinite(found.distances[2]));
    CHECK(std::ranges::all_of(found.cells, [](std::uint16_t cell) { return cell < 20; }));
}

TEST(codebooks_and_calls_that_do_not_fit_are_refused) {
    const std::vector<float> numbers(100);
    const auto refuses = [](auto&& call) {
        try {
            call();
        } catch (const std::invalid_argument&) {
            return true;
        }
        return false;
    };
    using Firsts = std::vector<std::int64_t>;
    const MatrixView<const float> ten(numbers.data(), 10, 2);
    const MatrixView<const float> two(numbers.data(), 2, 2);
    CHECK(refuses([&] { Codebook(ten, two, Firsts{0, 10}); }));
    CHECK(refuses([&] { Codebook(ten, two, Firsts{0, 10, 10}); }));
    CHECK(refuses([&] { Codebook(ten, two, Firsts{0, 5, 9}); }));
    CHECK(refuses([&] { Codebook(ten, two, Firsts{0, 12, 10}); }));
    CHECK(refuses([&] { Codebook({numbers.data(), 0, 2}, {numbers.data(), 0, 2}, Firsts{0}); }));
    CHECK(refuses([&] { Codebook(ten, {numbers.data(), 2, 3}, Firsts{0, 5, 10}); }));
    const Codebook codebook(ten, two, Firsts{0, 5, 10});
    CHECK(refuses([&] { (void)assign(codebook, {numbers.data(), 4, 3}); }));
    CHECK(refuses([&] { (void)assign(codebook, {numbers.data(), 4, 2}, std::vector<float>(3)); }));
}
