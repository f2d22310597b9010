#include <algorithm>
#include <iterator>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include "check.hpp"
#include "instances.hpp"
#include "moverank/batch.hpp"
#include "moverank/topk.hpp"

using namespace moverank;

namespace {

constexpr Measure measures[] = {{GroundCost::euclidean, Weighting::uniform},
                                {GroundCost::cosine, Weighting::norm},
                                {GroundCost::cosine, Weighting::norm, 4.0},
                                {GroundCost::dot, Weighting::uniform, unlimited_capacity},
                                {GroundCost::euclidean, Weighting::uniform, 1.0, Problem::relaxed}};

/// A batch in which each of the first ten sequences comes three times.
instances::Batch with_duplicates(instances::Random& random) {
    instances::Batch batch(random, 100, 12, 8);
    for (int copy = 0; copy < 2; ++copy) {
        for (std::size_t s = 0; s < 10; ++s) {
            const auto begin = batch.offsets[s] * static_cast<std::int64_t>(batch.dim);
            const auto end = batch.offsets[s + 1] * static_cast<std::int64_t>(batch.dim);
            const std::vector<float> tokens(batch.tokens.begin() + begin, batch.tokens.begin() + end);
            batch.tokens.insert(batch.tokens.end(), tokens.begin(), tokens.end());
            batch.offsets.push_back(batch.offsets.back() + batch.offsets[s + 1] - batch.offsets[s]);
        }
    }
    return batch;
}

}  // namespace

TEST(the_search_finds_what_brute_force_finds_with_all_ties_at_the_end) {
    instances::Random random(1);
    const instances::Batch batch = with_duplicates(random);
    for (const Measure& measure : measures) {
        const PreparedSequences corpus(batch.view(), measure);
        for (const std::size_t asked : {0, 5, 42}) {
            const PreparedSequence query = corpus[asked];
            std::vector<double> all(corpus.size());
            std::vector<double> bounds(corpus.size());
            Interrupt interrupt;
            distances(query, batch.view(), measure, all, 1, interrupt);
            std::vector<std::int64_t> order(corpus.size());
            std::iota(order.begin(), order.end(), 0);
            TopKSearch(corpus, query, {.k = 1}).lower_bounds(order, bounds, 2, interrupt);
            std::vector<std::int64_t> best(corpus.size());
            std::iota(best.begin(), best.end(), 0);
            std::ranges::sort(best, [&](std::int64_t x, std::int64_t y) {
                const auto i = static_cast<std::size_t>(x);
                const auto j = static_cast<std::size_t>(y);
                return all[i] != all[j] ? all[i] < all[j] : i < j;
            });
            std::ranges::sort(order, {}, [&](std::int64_t x) { return bounds[static_cast<std::size_t>(x)]; });
            std::ranges::sort(bounds);
            for (const std::size_t k : {1, 3, 10, 500}) {
                for (const int n_threads : {1, 2, 5}) {
                    TopKSearch search(corpus, query, {.k = k});
                    search.examine(order, bounds, n_threads, interrupt);
                    const std::vector<Hit> hits = search.hits();
                    const std::size_t last = std::min(k, corpus.size()) - 1;
                    const double limit = all[static_cast<std::size_t>(best[last])];
                    CHECK(
                        std::cmp_equal(hits.size(), std::ranges::count_if(all, [&](double d) { return d <= limit; })));
                    for (std::size_t h = 0; h < hits.size(); ++h) {
                        CHECK(hits[h].position == best[h]);
                        CHECK(hits[h].distance == all[static_cast<std::size_t>(best[h])]);
                    }
                }
            }
        }
    }
}

TEST(seeded_searches_find_what_brute_force_finds_and_their_bounds_hold) {
    instances::Random random(5);
    const instances::Batch batch = with_duplicates(random);
    std::vector<Measure> all_measures(std::begin(measures), std::end(measures));
    all_measures.push_back({GroundCost::euclidean, Weighting::norm, 2.0, Problem::exact, 0.4});
    all_measures.push_back(
        {GroundCost::cosine, Weighting::norm, 1.0, Problem::entropic, 1.0, Sinkhorn{.epsilon = 0.2}});
    for (const Measure& measure : all_measures) {
        const PreparedSequences corpus(batch.view(), measure);
        for (const std::size_t asked : {0, 5, 42}) {
            std::vector<double> values(corpus.size());
            std::vector<double> bounds(corpus.size());
            std::vector<std::int64_t> everything(corpus.size());
            std::iota(everything.begin(), everything.end(), 0);
            Interrupt interrupt;
            distances(corpus[asked], batch.view(), measure, values, 1, interrupt);
            for (const std::size_t k : {1, 7}) {
                for (const int n_threads : {1, 3}) {
                    TopKSearch search(corpus, corpus[asked], {.k = k});
                    const std::vector<std::int64_t> seeds{3, 99, 17, 40};
                    search.seed(seeds, n_threads, interrupt);
                    search.lower_bounds(everything, bounds, n_threads, interrupt);
                    std::vector<std::int64_t> order;
                    for (std::size_t s = 0; s < corpus.size(); ++s) {
                        CHECK(bounds[s] <= values[s]);
                        if (std::ranges::find(seeds, static_cast<std::int64_t>(s)) == seeds.end()) {
                            order.push_back(static_cast<std::int64_t>(s));
                        }
                    }
                    std::ranges::sort(order, {}, [&](std::int64_t x) { return bounds[static_cast<std::size_t>(x)]; });
                    std::vector<double> sorted;
                    for (const std::int64_t s : order) {
                        sorted.push_back(bounds[static_cast<std::size_t>(s)]);
                    }
                    search.examine(order, sorted, n_threads, interrupt);
                    std::vector<double> best = values;
                    std::ranges::sort(best);
                    const std::vector<Hit> hits = search.hits();
                    for (std::size_t h = 0; h < k; ++h) {
                        CHECK(hits[h].distance == best[h]);
                    }
                }
            }
        }
    }
}

TEST(any_potentials_at_all_make_a_bound) {
    instances::Random random(6);
    const instances::Batch batch(random, 30, 12, 5);
    std::normal_distribution<double> normal;
    for (const Measure& measure :
         {Measure{GroundCost::euclidean, Weighting::norm}, Measure{GroundCost::cosine, Weighting::uniform, 3.0},
          Measure{GroundCost::dot, Weighting::uniform, 2.0, Problem::exact, 0.3}}) {
        const PreparedSequences corpus(batch.view(), measure);
        PairEvaluator evaluator(measure);
        for (std::size_t q = 0; q < corpus.size(); ++q) {
            evaluator.set_query(corpus[q]);
            for (const double size : {1e-3, 1.0, 1e6, 1e30}) {
                std::vector<double> f(corpus[q].size());
                std::ranges::generate(f, [&] { return size * normal(random); });
                evaluator.reuse_potentials(f);
                for (std::size_t s = 0; s < corpus.size(); ++s) {
                    const double bound = evaluator.lower_bound(corpus[s]);
                    CHECK(bound <= evaluator.distance(corpus[s]).distance);
                }
            }
        }
    }
}

TEST(a_solve_that_is_cut_off_proves_no_more_than_the_value_to_the_end) {
    // Masses below a quantum are rounded up, to where costs are least: the value is under the optimum by that much.
    constexpr std::size_t m = 64;
    const std::vector<float> query_tokens{1.0F, 0.0F, 0.0F, 1.0F};
    std::vector<float> tokens(2 * m, 1.0F);
    std::vector<double> weights(m, 1e-18);
    std::ranges::copy(std::vector{-0.0F, -0.25F, -0.5F, -0.625F}, tokens.begin());
    weights[0] = weights[1] = 0.5;
    const std::vector<std::int64_t> one{0, 2};
    const std::vector<std::int64_t> all{0, static_cast<std::int64_t>(m)};
    const Measure measure{GroundCost::dot, Weighting::uniform};
    const PreparedSequences query({{query_tokens.data(), 2, 2}, one, {}}, measure);
    const PreparedSequences document({{tokens.data(), m, 2}, all, weights}, measure);
    PairEvaluator evaluator(measure);
    evaluator.set_query(query[0]);
    const double value = evaluator.distance(document[0]).distance;
    CHECK(value < 0.3125 - 1e-13);
    const double cutoff = value - 1e-11;
    const PairResult result = evaluator.distance(document[0], cutoff);
    CHECK(result.outcome == PairOutcome::pruned_by_solver);
    CHECK(result.distance > cutoff);
    CHECK(result.distance <= value);
}

TEST(candidates_may_come_in_several_calls_and_the_search_says_when_to_stop) {
    instances::Random random(2);
    const instances::Batch batch(random, 200, 10, 4);
    const Measure measure{GroundCost::euclidean, Weighting::uniform};
    const PreparedSequences corpus(batch.view(), measure);
    Interrupt interrupt;
    std::vector<double> bounds(corpus.size());
    std::vector<std::int64_t> order(corpus.size());
    std::iota(order.begin(), order.end(), 0);
    TopKSearch search(corpus, corpus[7], {.k = 5});
    search.lower_bounds(order, bounds, 1, interrupt);
    std::ranges::sort(order, {}, [&](std::int64_t x) { return bounds[static_cast<std::size_t>(x)]; });
    std::ranges::sort(bounds);

    std::size_t sent = 0;
    for (; sent < order.size() && bounds[sent] <= search.cutoff(); sent += 10) {
        search.examine(std::span(order).subspan(sent, 10), std::span(bounds).subspan(sent, 10), 1, interrupt);
    }
    CHECK(sent < 100);
    CHECK(search.hits().front().position == 7);
    CHECK(search.cutoff() == search.hits().back().distance);
    const SearchCounts& counts = search.counts();
    CHECK(counts.exact_solves + counts.pruned_by_bound + counts.pruned_by_solver <= static_cast<std::int64_t>(sent));
}

TEST(a_deadline_leaves_a_true_floor) {
    instances::Random random(3);
    const instances::Batch batch(random, 300, 40, 8);
    for (const Measure& measure : measures) {
        const PreparedSequences corpus(batch.view(), measure);
        std::vector<double> all(corpus.size());
        Interrupt unlimited;
        distances(corpus[7], batch.view(), measure, all, 1, unlimited);
        std::vector<std::int64_t> order(corpus.size());
        std::iota(order.begin(), order.end(), 0);
        for (const int microseconds : {0, 100, 300, 1000, 3000, 60'000'000}) {
            Interrupt interrupt({}, Interrupt::Clock::now() + std::chrono::microseconds(microseconds));
            TopKSearch search(corpus, corpus[7], {.k = 5});
            search.seed(std::span(order).first(8), 2, interrupt);
            const std::span<const std::int64_t> others = std::span(order).subspan(8);
            std::vector<double> bounds(others.size());
            search.lower_bounds(others, bounds, 2, interrupt);
            std::vector<std::size_t> rising(others.size());
            std::iota(rising.begin(), rising.end(), 0);
            std::ranges::sort(rising, {}, [&](std::size_t c) { return bounds[c]; });
            std::vector<std::int64_t> candidates;
            for (const std::size_t c : rising) {
                candidates.push_back(others[c]);
            }
            std::ranges::sort(bounds);
            search.examine(candidates, bounds, 2, interrupt);

            std::vector<double> outside = all;
            for (const Hit& hit : search.hits()) {
                CHECK(hit.distance == all[static_cast<std::size_t>(hit.position)]);
                outside[static_cast<std::size_t>(hit.position)] = std::numeric_limits<double>::infinity();
            }
            // Only documents that were solved and are farther than the hits may be nearer than the floor.
            const double nearest = *std::ranges::min_element(outside);
            CHECK(search.floor() <= nearest || search.hits().back().distance <= nearest);
            CHECK(search.timed_out() || search.hits().size() >= 5);
            CHECK(microseconds > 0 || (search.timed_out() && search.hits().empty()));
            CHECK(microseconds < 60'000'000 || !search.timed_out());
        }
    }
}
