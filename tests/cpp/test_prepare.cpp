#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <string>

#include "check.hpp"
#include "instances.hpp"
#include "moverank/batch.hpp"
#include "moverank/prepared.hpp"

using namespace moverank;

namespace {

constexpr Measure wrd{GroundCost::cosine, Weighting::norm};
constexpr Measure wmd{GroundCost::euclidean, Weighting::uniform};

PreparedSequence prepare_two(const std::vector<float>& tokens, const std::vector<double>& weights,
                             const Measure& measure, std::vector<double>& mass, std::vector<float>& norms) {
    const std::size_t n = tokens.size() / 2;
    mass.resize(n);
    norms.resize(n);
    return prepare({{tokens.data(), n, 2}, weights}, measure, mass, norms, 7);
}

/// The fault that preparation finds, or an empty string.
std::string fault_of(const std::vector<float>& tokens, const std::vector<double>& weights, const Measure& measure) {
    std::vector<double> mass;
    std::vector<float> norms;
    try {
        prepare_two(tokens, weights, measure, mass, norms);
    } catch (const SequenceError& error) {
        CHECK(error.sequence() == 7);
        return error.fault();
    }
    return "";
}

/// What `distances` says of a batch of two documents, of which the second has the fault.
std::string fault_of_second(const std::vector<float>& faulty, std::size_t dim, const Measure& measure,
                            const std::vector<double>& weights = {}) {
    std::vector<float> tokens(dim, 1.0F);
    tokens.insert(tokens.end(), faulty.begin(), faulty.end());
    const std::size_t n = tokens.size() / dim;
    const std::vector<std::int64_t> offsets{0, 1, static_cast<std::int64_t>(n)};
    const std::vector<float> query(2 * dim, 0.5F);
    std::vector<double> mass(2);
    std::vector<float> norms(2);
    const PreparedSequence prepared = prepare({{query.data(), 2, dim}, {}}, measure, mass, norms, 0);
    std::vector<double> out(2);
    Interrupt interrupt;
    try {
        distances(prepared, {{tokens.data(), n, dim}, offsets, weights}, measure, out, 1, interrupt);
        return "";
    } catch (const SequenceError& error) {
        CHECK(error.sequence() == 1);
        return error.fault();
    }
}

}  // namespace

TEST(mass_is_uniform_by_norm_or_as_given_and_sums_to_one) {
    std::vector<double> mass;
    std::vector<float> norms;
    const std::vector<float> tokens{3.0F, 4.0F, 0.0F, 15.0F};
    prepare_two(tokens, {}, wmd, mass, norms);
    CHECK(mass == (std::vector<double>{0.5, 0.5}));
    prepare_two(tokens, {}, wrd, mass, norms);
    CHECK(mass == (std::vector<double>{0.25, 0.75}));
    prepare_two(tokens, {1.0, 4.0}, wrd, mass, norms);
    CHECK(mass == (std::vector<double>{0.2, 0.8}));
}

TEST(mass_survives_weights_at_the_ends_of_float64) {
    std::vector<double> mass;
    std::vector<float> norms;
    const std::vector<float> tokens{1.0F, 0.0F, 0.0F, 1.0F};
    for (const double w : {1e308, 5e-324}) {
        prepare_two(tokens, {w, w}, wmd, mass, norms);
        CHECK(mass == (std::vector<double>{0.5, 0.5}));
    }
}

TEST(masses_and_inverse_norms_are_as_near_as_stated) {
    instances::Random random(1);
    std::uniform_real_distribution<double> exponent(-30.0, 0.0);
    for (const std::size_t n : {1, 2, 7, 64, 1000}) {
        std::vector<double> mass(n);
        std::vector<float> norms(n);
        std::vector<double> weights(n);
        std::vector<float> tokens(2 * n);
        std::ranges::generate(weights, [&] { return std::pow(10.0, exponent(random)); });
        std::ranges::generate(tokens, [&] { return static_cast<float>(std::pow(10.0, exponent(random) / 3.0)); });
        prepare({{tokens.data(), n, 2}, weights}, wrd, mass, norms, 0);
        const auto total = std::accumulate(weights.begin(), weights.end(), 0.0L);
        const long double allowed = static_cast<long double>(n + 2) * 0x1p-53L;
        CHECK(std::abs(std::accumulate(mass.begin(), mass.end(), 0.0L) - 1.0L) <= allowed);
        for (std::size_t t = 0; t < n; ++t) {
            const long double share = static_cast<long double>(weights[t]) / total;
            CHECK(std::abs(static_cast<long double>(mass[t]) / share - 1.0L) <= allowed);
            const long double norm =
                std::hypot(static_cast<long double>(tokens[2 * t]), static_cast<long double>(tokens[2 * t + 1]));
            CHECK(std::abs(static_cast<long double>(norms[t]) * norm - 1.0L) <= 0x1.001p-24L);
        }
    }
}

TEST(every_fault_is_named) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const double infinity = std::numeric_limits<double>::infinity();
    CHECK(fault_of({}, {}, wmd) == "has no tokens");
    CHECK(fault_of({1, 2, 1e25F, 0}, {}, wmd) ==
          "token 1 is too long for costs in float32: its norm is 1e+25, the limit is 4.61e+18");
    CHECK(fault_of({1, 2, 1e25F, 0}, {}, wrd).empty());
    CHECK(fault_of({1, 2, 3, nan}, {}, wmd) == "token 1 is not finite");
    CHECK(fault_of({1, 2, 0, 0}, {1.0, 1.0}, wrd) ==
          "token 1 is a zero vector, which has no direction under cosine cost");
    CHECK(fault_of({1, 2, 0, 0}, {}, wrd).empty());
    CHECK(fault_of({1, 2, 0, 0}, {1.0, 0.0}, wrd).empty());
    CHECK(fault_of({0, 0, 0, 0}, {}, wrd) == "total mass is zero");
    CHECK(fault_of({1, 2, 3, 4}, {1.0, -0.5}, wmd) == "weight 1 is negative (-0.5)");
    CHECK(fault_of({1, 2, 3, 4}, {infinity, 1.0}, wmd) == "weight 0 is not finite (inf)");
    CHECK(fault_of({1, 2, 3, 4}, {0.0, 0.0}, wmd) == "total mass is zero");
    CHECK(fault_of({0, 0, 0, 0}, {}, {GroundCost::euclidean, Weighting::norm}) == "total mass is zero");
    CHECK(fault_of({1, 2}, {}, {GroundCost::euclidean, Weighting::given}) ==
          "has no weights, which weighting 'given' needs");
    CHECK(fault_of({0, 0, 1, 0}, {}, wmd).empty());
}

TEST(tokens_that_are_read_on_the_way_are_checked_as_well) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const float infinity = std::numeric_limits<float>::infinity();
    const Measure maxsim{GroundCost::dot, Weighting::uniform, unlimited_capacity};
    const Measure to_nearest{GroundCost::euclidean, Weighting::uniform, unlimited_capacity};
    const Measure rwmd{GroundCost::sqeuclidean, Weighting::uniform, 1.0, Problem::relaxed};
    const Measure part{GroundCost::dot, Weighting::uniform, 2.0, Problem::relaxed, 0.5};
    for (const Measure& measure : {maxsim, to_nearest, rwmd, part}) {
        for (const std::size_t dim : {1U, 5U, 16U, 67U}) {
            const std::size_t n_tokens = 37;
            for (const std::size_t t : {0U, 15U, 16U, 36U}) {
                for (const std::size_t k : {std::size_t{0}, dim - 1}) {
                    std::vector<float> tokens(n_tokens * dim, 0.25F);
                    float& component = tokens[t * dim + k];
                    const std::string name = "token " + std::to_string(t);
                    CHECK(fault_of_second(tokens, dim, measure).empty());
                    for (const float bad : {nan, -nan, infinity, -infinity}) {
                        component = bad;
                        CHECK(fault_of_second(tokens, dim, measure) == name + " is not finite");
                    }
                    tokens[(n_tokens - 1) * dim] = 2.0F;  // a number after a NaN does not hide it
                    component = nan;
                    CHECK(fault_of_second(tokens, dim, measure) == name + " is not finite");
                    component = -1e19F;
                    CHECK(fault_of_second(tokens, dim, measure).starts_with(name + " is too long"));
                    component = 4e18F;  // long enough to be looked at again, and let pass
                    CHECK(fault_of_second(tokens, dim, measure).empty());
                    // Nor does a weight of 0.
                    std::vector<double> weights(n_tokens + 1, 1.0);
                    weights[t + 1] = 0.0;
                    component = nan;
                    CHECK(fault_of_second(tokens, dim, measure, weights) == name + " is not finite");
                }
            }
        }
    }
}

TEST(a_batch_is_prepared_like_its_sequences_one_by_one) {
    const std::vector<float> tokens{3, 4, 6, 8, 0, 2};
    const std::vector<std::int64_t> offsets{0, 2, 3};
    const PreparedSequences batch({{tokens.data(), 3, 2}, offsets, {}}, wrd);
    CHECK(batch.size() == 2);
    CHECK(batch.max_norm() == 10.0);
    CHECK_NEAR(batch[0].mass[1], 2.0 / 3.0, 1e-15);
    CHECK(batch[1].mass[0] == 1.0);
    CHECK(batch[1].inverse_norms[0] == 0.5F);
    CHECK(max_norm(batch[0]) == 10.0);
}
