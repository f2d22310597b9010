#include <algorithm>
#include <cstdint>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "bag_instances.hpp"
#include "check.hpp"
#include "instances.hpp"
#include "moverank/cell_lists.hpp"

using namespace moverank;
using instances::Query;

namespace {

constexpr std::size_t n_cells = 40;
constexpr std::size_t dim = 7;
/// More than one pass over the costs takes.
constexpr std::size_t n_tokens = 21;

/// Lists of documents per cell, each document in some cells.
struct Lists {
    std::vector<std::vector<std::uint32_t>> of_cell;
    std::vector<std::int64_t> offsets{0};
    std::vector<std::uint32_t> documents;
    std::size_t size;

    Lists(instances::Random& random, std::size_t n_documents) : of_cell(n_cells), size(n_documents) {
        std::uniform_int_distribution<std::size_t> cell(0, n_cells - 1);
        for (std::uint32_t d = 0; d < n_documents; ++d) {
            for (int t = 0; t < 4; ++t) {
                std::vector<std::uint32_t>& own = of_cell[cell(random)];
                if (own.empty() || own.back() != d) {
                    own.push_back(d);
                }
            }
        }
        for (const std::vector<std::uint32_t>& own : of_cell) {
            documents.insert(documents.end(), own.begin(), own.end());
            offsets.push_back(static_cast<std::int64_t>(documents.size()));
        }
    }
    [[nodiscard]] CellLists view() const { return {offsets, documents}; }
    [[nodiscard]] bool has(std::size_t cell, std::uint32_t document) const {
        return std::ranges::binary_search(of_cell[cell], document);
    }
};

/// A bag per centroid, so that all are words of the vocabulary.
struct Centroids {
    std::vector<float> vectors;
    std::vector<std::uint32_t> words;
    std::vector<std::int64_t> offsets;

    explicit Centroids(instances::Random& random) : vectors(n_cells * dim), words(n_cells), offsets(n_cells + 1) {
        std::normal_distribution<float> normal;
        std::ranges::generate(vectors, [&] { return normal(random); });
        std::iota(words.begin(), words.end(), 0U);
        std::iota(offsets.begin(), offsets.end(), 0);
    }
    [[nodiscard]] BagsView view() const { return {{vectors.data(), n_cells, dim}, words, offsets, {}}; }
};

/// A query, and its costs to all centroids.
struct Asked {
    Measure measure{GroundCost::cosine, Weighting::uniform};
    Centroids centroids;
    PreparedBags prepared;
    JoinedBags bags;
    Query query;
    VocabularyCosts costs;

    Asked(instances::Random& random, Interrupt& interrupt)
        : centroids(random),
          prepared(centroids.view(), measure),
          bags({&prepared}),
          query(random, n_tokens, dim, measure),
          costs(bags, query.prepared, 1, interrupt) {}
};

}  // namespace

TEST(documents_of_the_nearest_cells_are_found_by_what_they_and_the_missed_cells_cost) {
    instances::Random random(3);
    Interrupt interrupt;
    const Asked asked(random, interrupt);
    // Blocks of documents and parts meet in the second.
    const std::vector<Lists> parts{Lists(random, 300), Lists(random, 70'000), Lists(random, 1)};
    std::vector<CellLists> views;
    std::vector<std::size_t> sizes;
    for (const Lists& part : parts) {
        views.push_back(part.view());
        sizes.push_back(part.size);
    }
    const JoinedCellLists lists(views, sizes);
    CHECK(lists.size() == 70'301 && lists.n_cells() == n_cells);
    for (const std::size_t probes : {std::size_t{1}, std::size_t{6}, n_cells, n_cells + 3}) {
        std::vector<std::vector<std::size_t>> order(n_tokens, std::vector<std::size_t>(n_cells));
        for (std::size_t i = 0; i < n_tokens; ++i) {
            std::iota(order[i].begin(), order[i].end(), 0U);
            std::ranges::stable_sort(order[i], {}, [&](std::size_t cell) { return asked.costs.row(cell)[i]; });
        }
        std::vector<Hit> expected;
        std::int64_t position = 0;
        for (const Lists& part : parts) {
            for (std::uint32_t d = 0; d < part.size; ++d, ++position) {
                double estimate = 0.0;
                bool found = false;
                for (std::size_t i = 0; i < n_tokens; ++i) {
                    const auto end = order[i].begin() + static_cast<std::ptrdiff_t>(std::min(probes, n_cells));
                    const auto cell =
                        std::find_if(order[i].begin(), end, [&](std::size_t c) { return part.has(c, d); });
                    found = found || cell != end;
                    const std::size_t paid = cell != end ? *cell : order[i][std::min(probes, n_cells - 1)];
                    estimate += asked.query.prepared.mass[i] * static_cast<double>(asked.costs.row(paid)[i]);
                }
                if (found) {
                    expected.push_back({estimate, position});
                }
            }
        }
        const auto nearer = [](const Hit& x, const Hit& y) { return x.distance < y.distance; };
        std::ranges::sort(expected, nearer);
        for (const int n_threads : {1, 3}) {
            const std::vector<Hit> found =
                lists.nearest(asked.costs, asked.query.prepared.mass, {probes, 500}, {}, n_threads, interrupt);
            CHECK(found.size() == std::min<std::size_t>(500, expected.size()));
            for (std::size_t h = 0; h < found.size(); ++h) {
                CHECK_NEAR(found[h].distance, expected[h].distance, 1e-5);
            }
            // Among given ones, the same in their order.
            std::vector<std::int64_t> some;
            for (std::int64_t s = 5; s < 70'301; s += 7) {
                some.push_back(s);
            }
            const std::vector<Hit> among =
                lists.nearest(asked.costs, asked.query.prepared.mass, {probes, 200}, some, n_threads, interrupt);
            CHECK(std::ranges::all_of(among, [](const Hit& hit) { return (hit.position - 5) % 7 == 0; }));
            std::size_t at = 0;
            for (const Hit& hit : expected) {
                if (at < among.size() && hit.position >= 5 && (hit.position - 5) % 7 == 0) {
                    CHECK_NEAR(among[at++].distance, hit.distance, 1e-5);
                }
            }
            CHECK(at == among.size() && at == 200);
        }
    }
}

TEST(threads_that_read_many_blocks_find_what_threads_that_read_one_do) {
    instances::Random random(5);
    Interrupt interrupt;
    const Asked asked(random, interrupt);
    const Lists lists(random, 300'000);
    const JoinedCellLists joined({lists.view()}, std::vector<std::size_t>{lists.size});
    const auto found = [&](int n_threads) {
        return joined.nearest(asked.costs, asked.query.prepared.mass, {3, 5000}, {}, n_threads, interrupt);
    };
    const std::vector<Hit> by_one = found(1);
    const std::vector<Hit> by_eight = found(8);
    CHECK(by_one.size() == 5000);
    CHECK(std::ranges::equal(by_one, by_eight, [](const Hit& x, const Hit& y) {
        return x.position == y.position && x.distance == y.distance;
    }));
}

TEST(lists_that_do_not_fit_are_refused) {
    instances::Random random(4);
    Lists lists(random, 50);
    CHECK_THROWS_AS(JoinedCellLists({}, {}), std::invalid_argument);
    CHECK_THROWS_AS(
        JoinedCellLists({lists.view(), {std::span(lists.offsets).first(3), {}}}, std::vector<std::size_t>{50, 0}),
        std::invalid_argument);
}

TEST(damaged_lists_lead_to_no_document_that_does_not_exist) {
    instances::Random random(6);
    Interrupt interrupt;
    const Asked asked(random, interrupt);
    Lists lists(random, 70'000);
    for (std::uint32_t& document : lists.documents) {
        document = std::uniform_int_distribution<std::uint32_t>(0, 100'000)(random);
    }
    const JoinedCellLists damaged({lists.view()}, std::vector<std::size_t>{70'000});
    std::vector<std::int64_t> found;
    for (const Hit& hit : damaged.nearest(asked.costs, asked.query.prepared.mass, {4, 70'000}, {}, 2, interrupt)) {
        found.push_back(hit.position);
    }
    std::ranges::sort(found);
    CHECK(!found.empty() && found.front() >= 0 && found.back() < 70'000);
    CHECK(std::ranges::adjacent_find(found) == found.end());
}
