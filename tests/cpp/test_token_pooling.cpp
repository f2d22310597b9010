#include <cmath>
#include <random>

#include "check.hpp"
#include "instances.hpp"
#include "moverank/token_pooling.hpp"

using namespace moverank;

namespace {

struct Pooled {
    std::vector<std::int64_t> offsets;
    std::vector<std::int32_t> pooled_into;
    std::vector<float> tokens;
};

Pooled pooled(const PreparedSequences& documents, double factor, int n_threads = 1) {
    Interrupt interrupt;
    Pooled found{pooled_offsets(documents, factor), std::vector<std::int32_t>(documents.n_tokens()), {}};
    const auto n_groups = static_cast<std::size_t>(found.offsets.back());
    found.tokens.resize(n_groups * documents.dim());
    group_tokens(documents, found.offsets, found.pooled_into, n_threads, interrupt);
    average_groups(documents, found.offsets, found.pooled_into, {found.tokens.data(), n_groups, documents.dim()},
                   n_threads, interrupt);
    return found;
}

/// Sum over some tokens of mass times squared distance to their mean, by definition.
double spread(const instances::Batch& batch, const std::vector<double>& mass, const std::vector<std::size_t>& members) {
    double total = 0.0;
    std::vector<double> mean(batch.dim, 0.0);
    for (const std::size_t t : members) {
        total += mass[t];
        for (std::size_t k = 0; k < batch.dim; ++k) {
            mean[k] += mass[t] * static_cast<double>(batch.tokens[t * batch.dim + k]);
        }
    }
    double sum = 0.0;
    for (const std::size_t t : members) {
        for (std::size_t k = 0; k < batch.dim; ++k) {
            const double difference = static_cast<double>(batch.tokens[t * batch.dim + k]) - mean[k] / total;
            sum += mass[t] * difference * difference;
        }
    }
    return sum;
}

/// Ward's method as it is defined: of all pairs of clusters, merge the one whose union adds least. O(n^4).
std::vector<std::int32_t> merged_by_definition(const instances::Batch& batch, const std::vector<double>& mass,
                                               std::size_t n_clusters) {
    std::vector<std::vector<std::size_t>> clusters;
    for (std::size_t t = 0; t < mass.size(); ++t) {
        clusters.push_back({t});
    }
    while (clusters.size() > n_clusters) {
        double least = std::numeric_limits<double>::infinity();
        std::size_t a = 0, b = 0;
        for (std::size_t i = 0; i < clusters.size(); ++i) {
            for (std::size_t j = i + 1; j < clusters.size(); ++j) {
                std::vector<std::size_t> both = clusters[i];
                both.insert(both.end(), clusters[j].begin(), clusters[j].end());
                const double added =
                    spread(batch, mass, both) - spread(batch, mass, clusters[i]) - spread(batch, mass, clusters[j]);
                if (added < least) {
                    least = added;
                    a = i;
                    b = j;
                }
            }
        }
        clusters[a].insert(clusters[a].end(), clusters[b].begin(), clusters[b].end());
        clusters.erase(clusters.begin() + static_cast<std::ptrdiff_t>(b));
    }
    std::vector<std::int32_t> of(mass.size());
    for (std::size_t c = 0; c < clusters.size(); ++c) {
        for (const std::size_t t : clusters[c]) {
            of[t] = static_cast<std::int32_t>(c);
        }
    }
    return of;
}

}  // namespace

TEST(groups_are_those_of_wards_method_weighted_by_mass) {
    instances::Random random(1);
    for (const std::size_t longest : {1, 2, 5, 14}) {
        for (int round = 0; round < 20; ++round) {
            const instances::Batch batch(random, 1, longest, 3);
            const std::size_t n = batch.tokens.size() / 3;
            const std::vector<double> mass = instances::masses(random, n);
            SequencesView view = batch.view();
            view.weights = mass;
            const PreparedSequences documents(view, {GroundCost::sqeuclidean, Weighting::given});
            const Pooled found = pooled(documents, 2.0);
            CHECK(found.offsets.back() == static_cast<std::int64_t>((n + 1) / 2));
            CHECK(found.pooled_into == merged_by_definition(batch, mass, (n + 1) / 2));
        }
    }
}

TEST(results_do_not_depend_on_threads) {
    instances::Random random(2);
    const instances::Batch batch(random, 50, 40, 17);
    for (const GroundCost ground : {GroundCost::cosine, GroundCost::euclidean}) {
        const PreparedSequences documents(batch.view(), {ground, Weighting::norm});
        const Pooled one = pooled(documents, 3.0, 1);
        const Pooled four = pooled(documents, 3.0, 4);
        CHECK(one.pooled_into == four.pooled_into);
        CHECK(one.tokens == four.tokens);
    }
}

TEST(equal_costs_are_settled_by_position) {
    const std::vector<float> tokens{0, 1, 2, 3, 3, 3};
    const std::vector<std::int64_t> offsets{0, 4, 6};
    const PreparedSequences documents({{tokens.data(), 6, 1}, offsets, {}},
                                      {GroundCost::euclidean, Weighting::uniform});
    const Pooled found = pooled(documents, 2.0);
    CHECK((found.pooled_into == std::vector<std::int32_t>{0, 0, 1, 1, 0, 0}));
    CHECK((found.tokens == std::vector<float>{0.5F, 2.5F, 3.0F}));
}

TEST(an_interrupt_ends_a_long_document) {
    instances::Random random(3);
    std::normal_distribution<float> normal;
    for (const std::size_t n : {longest_tabled, longest_tabled + 1}) {
        std::vector<float> tokens(n * 2);
        for (float& x : tokens) {
            x = normal(random);
        }
        const std::vector<std::int64_t> offsets{0, static_cast<std::int64_t>(n)};
        const PreparedSequences documents({{tokens.data(), n, 2}, offsets, {}},
                                          {GroundCost::euclidean, Weighting::uniform});
        const std::vector<std::int64_t> wanted = pooled_offsets(documents, 2.0);
        std::vector<std::int32_t> found(n);
        int polls = 0;
        Interrupt interrupt([&] { return ++polls == 2; }, {}, std::chrono::milliseconds(0));
        CHECK_THROWS_AS(group_tokens(documents, wanted, found, 1, interrupt), Interrupted);
        CHECK(polls == 2);
    }
}

TEST(what_does_not_fit_is_refused) {
    instances::Random random(4);
    const instances::Batch batch(random, 3, 5, 2);
    const PreparedSequences documents(batch.view(), {GroundCost::euclidean, Weighting::uniform});
    const std::size_t n = documents.n_tokens();
    std::vector<std::int32_t> groups(n, 0);
    // Each call has an interrupt of its own, which a failure stops.
    const auto group = [&](std::span<const std::int64_t> offsets, std::span<std::int32_t> out) {
        Interrupt interrupt;
        group_tokens(documents, offsets, out, 1, interrupt);
    };
    const auto average = [&](std::span<const std::int64_t> offsets, MatrixView<float> out) {
        Interrupt interrupt;
        average_groups(documents, offsets, groups, out, 1, interrupt);
    };
    CHECK_THROWS_AS((void)pooled_offsets(documents, 0.5), std::invalid_argument);
    CHECK_THROWS_AS((void)pooled_offsets(documents, std::nan("")), std::invalid_argument);
    CHECK_THROWS_AS((void)pooled_offsets(documents, std::numeric_limits<double>::infinity()), std::invalid_argument);
    const std::vector<std::int64_t> too_many{0, 100, 101, 102}, none{0, 0, 1, 2}, sound{0, 1, 2, 3};
    CHECK_THROWS_AS(group(too_many, groups), std::invalid_argument);
    CHECK_THROWS_AS(group(none, groups), std::invalid_argument);
    CHECK_THROWS_AS(group({}, groups), std::invalid_argument);
    CHECK_THROWS_AS(group(sound, std::span(groups).first(n - 1)), std::invalid_argument);
    std::vector<float> means(6);
    const MatrixView<float> room(means.data(), 3, 2);
    average(sound, room);
    CHECK_THROWS_AS(average(sound, {means.data(), 2, 2}), std::invalid_argument);
    CHECK_THROWS_AS(average(sound, {means.data(), 3, 1}), std::invalid_argument);
    groups[0] = 1;
    CHECK_THROWS_AS(average(sound, room), std::invalid_argument);
}
