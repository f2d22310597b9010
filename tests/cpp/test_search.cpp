#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <functional>
#include <iterator>
#include <limits>
#include <memory>
#include <numeric>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bag_instances.hpp"
#include "check.hpp"
#include "instances.hpp"
#include "moverank/batch.hpp"
#include "moverank/ground_traits.hpp"
#include "moverank/nearest.hpp"
#include "moverank/search.hpp"
#include "moverank/topk.hpp"
#include "moverank/vocabulary_costs.hpp"

using namespace moverank;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

constexpr Measure measures[] = {
    {GroundCost::euclidean, Weighting::uniform},
    {GroundCost::cosine, Weighting::norm},
    {GroundCost::cosine, Weighting::norm, 4.0},
    {GroundCost::dot, Weighting::uniform, unlimited_capacity},
    {GroundCost::euclidean, Weighting::norm, 2.0, Problem::exact, 0.4},
    {GroundCost::cosine, Weighting::norm, 1.0, Problem::entropic, 1.0, Sinkhorn{.epsilon = 0.2}}};

/// Positions by distance, ties by position.
[[nodiscard]] std::vector<std::int64_t> by_distance(std::span<const double> values) {
    std::vector<std::int64_t> order(values.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, {}, [&](std::int64_t s) { return values[static_cast<std::size_t>(s)]; });
    return order;
}

/// Finds documents in an order given, of which it knows the distances: a perfect source, or a perfectly bad one.
class Ordered final : public CandidateSource {
  public:
    Ordered(std::vector<std::int64_t> order, std::span<const double> values)
        : order_(std::move(order)), values_(values) {}

    Candidates nearest(std::size_t count) override {
        ++calls;
        const std::size_t n = std::min(count, order_.size());
        double bound = infinity;
        for (std::size_t c = n; c < values_.size(); ++c) {
            bound = std::min(bound, values_[static_cast<std::size_t>(order_[c])]);
        }
        return {{order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(n)}, bound};
    }

    int calls = 0;

  private:
    std::vector<std::int64_t> order_;
    std::span<const double> values_;
};

/// Two corpora searched as one, as shards would be: only arrays pass between them and the search.
class Sharded final : public Searchable {
  public:
    Sharded(const Searchable& first, const Searchable& second) : shards_{&first, &second} {}

    [[nodiscard]] std::size_t size() const override { return shards_[0]->size() + shards_[1]->size(); }
    [[nodiscard]] const Measure& measure() const override { return shards_[0]->measure(); }
    [[nodiscard]] std::unique_ptr<CorpusQuery> ask(const PreparedSequence& query, int n_threads,
                                                   Interrupt& interrupt) const override {
        return std::make_unique<Query>(*this, query, n_threads, interrupt);
    }

  private:
    class Query final : public CorpusQuery {
      public:
        Query(const Sharded& corpus, const PreparedSequence& query, int n_threads, Interrupt& interrupt)
            : first_of_second_(static_cast<std::int64_t>(corpus.shards_[0]->size())) {
            for (const Searchable* shard : corpus.shards_) {
                queries_.push_back(shard->ask(query, n_threads, interrupt));
            }
            for (std::size_t b = 0; b < queries_.front()->bounds().size(); ++b) {
                add_bound(std::make_unique<Bound>(*this, b));
            }
        }

        Solved solve(std::span<const std::int64_t> positions, std::span<double> distances, int n_threads,
                     Interrupt& interrupt) override {
            Solved all;
            for_each_shard(positions, [&](CorpusQuery& query, const auto& own, const auto& places) {
                std::vector<double> found(own.size());
                const Solved solved = query.solve(own, found, n_threads, interrupt);
                for (std::size_t c = 0; c < places.size(); ++c) {
                    distances[places[c]] = found[c];
                }
                all.potentials.resize(std::max(all.potentials.size(), solved.potentials.size()), 0.0);
                for (std::size_t i = 0; i < solved.potentials.size(); ++i) {
                    all.potentials[i] += solved.potentials[i] * static_cast<double>(solved.count);
                }
                all.count += solved.count;
                all.spent.timed_out |= solved.spent.timed_out;
            });
            for (double& potential : all.potentials) {
                potential /= static_cast<double>(all.count);
            }
            return all;
        }
        void reuse(std::span<const double> potentials) override {
            for (const auto& query : queries_) {
                query->reuse(potentials);
            }
        }
        [[nodiscard]] std::size_t n_potentials() const override { return queries_.front()->n_potentials(); }
        Examined examine(std::span<const std::int64_t> positions, std::span<const double> bounds, Nearest& nearest,
                         int n_threads, Interrupt& interrupt) override {
            Examined all;
            int shard = 0;
            for_each_shard(positions, [&](CorpusQuery& query, const auto& own, const auto& places) {
                std::vector<double> found(own.size());
                std::ranges::transform(places, found.begin(), [&](std::size_t place) { return bounds[place]; });
                // The hits of a shard are in its own positions.
                Nearest of_shard({nearest.wanted().k, nearest.cutoff(), 0.0});
                const Examined examined = query.examine(own, found, of_shard, n_threads, interrupt);
                for (const Hit& hit : of_shard.hits()) {
                    nearest.offer({hit.distance, hit.position + shard * first_of_second_});
                }
                nearest.leave_out(of_shard.floor());
                all.solved += examined.solved;
                all.timed_out |= examined.timed_out;
                ++shard;
            });
            return all;
        }

      private:
        /// A bound that each shard computes for its own documents.
        class Bound final : public LowerBound {
          public:
            Bound(Query& asked, std::size_t place)
                : LowerBound(asked.queries_.front()->bounds()[place]->name()), asked_(asked), place_(place) {}

            [[nodiscard]] bool is_useful() override {
                return std::ranges::all_of(asked_.queries_,
                                           [&](const auto& query) { return query->bounds()[place_]->is_useful(); });
            }

          private:
            Spent fill(std::span<const std::int64_t> positions, std::span<double> out, int n_threads,
                       Interrupt& interrupt, double cutoff) override {
                Spent all;
                asked_.for_each_shard(positions, [&](CorpusQuery& query, const auto& own, const auto& places) {
                    std::vector<double> found(own.size());
                    all.timed_out |=
                        query.bounds()[place_]->compute(own, found, n_threads, interrupt, cutoff).timed_out;
                    for (std::size_t c = 0; c < places.size(); ++c) {
                        out[places[c]] = found[c];
                    }
                });
                return all;
            }

            Query& asked_;
            std::size_t place_;
        };

        template <class Use>
        void for_each_shard(std::span<const std::int64_t> positions, Use use) {
            for (std::int64_t shard = 0; shard < 2; ++shard) {
                std::vector<std::int64_t> own;
                std::vector<std::size_t> places;
                for (std::size_t c = 0; c < positions.size(); ++c) {
                    if ((positions[c] >= first_of_second_) == (shard == 1)) {
                        own.push_back(positions[c] - shard * first_of_second_);
                        places.push_back(c);
                    }
                }
                use(*queries_[static_cast<std::size_t>(shard)], own, places);
            }
        }

        std::int64_t first_of_second_;
        std::vector<std::unique_ptr<CorpusQuery>> queries_;
    };

    const Searchable* shards_[2];
};

/// What a certificate claims, held against all distances.
void require_true(const SearchResult& found, std::span<const double> values, std::span<const std::int64_t> order,
                  std::size_t k) {
    std::vector<double> unsolved(values.begin(), values.end());
    for (const Hit& hit : found.hits) {
        CHECK(hit.distance == values[static_cast<std::size_t>(hit.position)]);
    }
    const std::size_t n = std::min(k, found.hits.size());
    for (std::size_t h = 0; h < std::min(found.certificate.certain, n); ++h) {
        CHECK(found.hits[h].distance == values[static_cast<std::size_t>(order[h])]);
    }
    if (found.certificate.exact) {
        CHECK(n == std::min(k, values.size()));
    }
    std::int64_t left = found.n_documents;
    for (const Rung& rung : found.rungs) {
        CHECK(rung.seen >= rung.dropped && rung.dropped >= 0 && rung.seen <= left && rung.seconds >= 0.0);
    }
}

}  // namespace

TEST(a_search_finds_what_brute_force_finds_and_says_that_it_is_exact) {
    instances::Random random(11);
    const instances::Batch batch(random, 300, 12, 8);
    for (const Measure& measure : measures) {
        const PreparedSequences corpus(batch.view(), measure);
        const SearchableSequences searchable(corpus);
        std::vector<double> values(corpus.size());
        Interrupt interrupt;
        distances(corpus[7], batch.view(), measure, values, 1, interrupt);
        const std::vector<std::int64_t> order = by_distance(values);
        for (const std::size_t k : {1, 10, 300, 500}) {
            for (const int n_threads : {1, 3}) {
                const SearchResult found = search(searchable, corpus[7], {.k = k, .n_threads = n_threads});
                CHECK(found.certificate.exact && !found.timed_out && found.certificate.error == 0.0);
                CHECK(found.hits.size() >= std::min<std::size_t>(k, corpus.size()));
                for (std::size_t h = 0; h < std::min<std::size_t>(k, corpus.size()); ++h) {
                    CHECK(found.hits[h].distance == values[static_cast<std::size_t>(order[h])]);
                }
                require_true(found, values, order, k);
            }
        }
        // Those within a radius, of some of the documents.
        std::vector<std::int64_t> every_third;
        for (std::int64_t s = 0; s < 300; s += 3) {
            every_third.push_back(s);
        }
        const double radius = values[static_cast<std::size_t>(order[60])];
        const SearchResult within =
            search(searchable, corpus[7], {.k = 300, .radius = radius, .positions = every_third});
        CHECK(within.certificate.exact && within.n_documents == 100);
        CHECK(std::cmp_equal(within.hits.size(), std::ranges::count_if(every_third, [&](std::int64_t s) {
                                 return values[static_cast<std::size_t>(s)] <= radius;
                             })));
    }
}

TEST(a_search_of_shards_finds_what_a_search_of_the_whole_finds) {
    instances::Random random(12);
    const instances::Batch batch(random, 200, 12, 8);
    const instances::Batch other(random, 150, 12, 8);
    for (const Measure& measure : measures) {
        const PreparedSequences first(batch.view(), measure);
        const PreparedSequences second(other.view(), measure);
        const JoinedSequences joined({&first, &second});
        const SearchableSequences whole(joined);
        const SearchableSequences of_first(first);
        const SearchableSequences of_second(second);
        const Sharded sharded(of_first, of_second);
        for (const std::size_t k : {1, 12}) {
            const SearchResult expected = search(whole, first[3], {.k = k});
            const SearchResult found = search(sharded, first[3], {.k = k, .n_threads = 2});
            CHECK(found.certificate.exact && found.hits.size() == expected.hits.size());
            for (std::size_t h = 0; h < std::min(found.hits.size(), expected.hits.size()); ++h) {
                CHECK(found.hits[h].position == expected.hits[h].position);
                CHECK(found.hits[h].distance == expected.hits[h].distance);
            }
        }
    }
}

/// Search two corpora in two waves, and check that together they have what a search of both as one finds.
void require_waves(const Searchable& whole, const Searchable& first, const Searchable& second,
                   const PreparedSequence& query, const SearchGoal& goal) {
    const SearchResult expected = search(whole, query, goal);
    const auto n_first = static_cast<std::int64_t>(first.size());
    for (const bool forgets : {false, true}) {  // whether the second has to continue what it did not begin
        SplitSearch one(first, query, goal);
        SplitSearch two(second, query, goal);
        const Seeds seeds[] = {one.begin(), two.begin()};
        std::vector<double> distances;
        for (const Seeds& own : seeds) {
            CHECK(own.potentials.empty() || own.potentials.size() == one.n_potentials());
            CHECK(own.potentials.empty() == (own.n_with_potentials == 0));
            for (const Hit& hit : own.hits) {
                distances.push_back(hit.distance);
            }
        }
        std::ranges::sort(distances);
        const double cutoff = distances.size() < goal.k ? infinity : distances[goal.k - 1];
        std::vector<double> mean(seeds[0].potentials.size());
        for (std::size_t i = 0; i < mean.size(); ++i) {
            mean[i] = (seeds[0].potentials[i] + seeds[1].potentials[i]) / 2.0;
        }
        SplitSearch anew(second, query, goal);
        const SearchResult found[] = {one.finish(cutoff, mean), (forgets ? anew : two).finish(cutoff, mean)};
        std::vector<Hit> hits = found[0].hits;
        for (const Hit& hit : found[1].hits) {
            hits.push_back({hit.distance, hit.position + n_first});
        }
        std::ranges::sort(hits, [](const Hit& x, const Hit& y) {
            return x.distance != y.distance ? x.distance < y.distance : x.position < y.position;
        });
        CHECK(hits.size() >= std::min(goal.k, expected.hits.size()));
        for (std::size_t h = 0; h < std::min({goal.k, hits.size(), expected.hits.size()}); ++h) {
            CHECK(hits[h].distance == expected.hits[h].distance && hits[h].position == expected.hits[h].position);
        }
        for (const SearchResult& result : found) {
            CHECK(result.certificate.exact && result.certificate.error == 0.0);
            CHECK(std::ranges::all_of(result.hits, [&](const Hit& hit) { return hit.distance <= cutoff; }));
        }
        CHECK_THROWS_AS((void)one.begin(), std::logic_error);
        CHECK_THROWS_AS((void)one.finish(infinity, {}), std::logic_error);
    }
}

TEST(two_waves_find_what_one_search_of_the_whole_finds) {
    instances::Random random(22);
    const instances::Batch batch(random, 200, 12, 8);
    const instances::Batch other(random, 150, 12, 8);
    for (const Measure& measure : measures) {
        const PreparedSequences first(batch.view(), measure);
        const PreparedSequences second(other.view(), measure);
        const JoinedSequences joined({&first, &second});
        const SearchableSequences whole(joined);
        const SearchableSequences of_first(first);
        const SearchableSequences of_second(second);
        for (const std::size_t k : {1, 12, 400}) {
            require_waves(whole, of_first, of_second, first[3], {.k = k});
            require_waves(whole, of_first, of_second, second[5], {.k = k, .n_seeds = 3, .n_threads = 2});
            require_waves(whole, of_first, of_second, first[3],
                          {.k = k, .timeout = std::chrono::duration<double>(600.0)});
        }
    }
}

TEST(two_waves_find_what_one_search_of_bags_finds) {
    instances::Random random(23);
    for (const Measure& measure : measures) {
        const instances::Collection collection(random, 300, 12, 6);
        const BagsView all = collection.view(true);
        constexpr std::size_t n_first = 130;
        const std::span<const std::int64_t> offsets(collection.offsets);
        const auto cut = static_cast<std::size_t>(offsets[n_first]);
        std::vector<std::int64_t> of_rest(offsets.begin() + n_first, offsets.end());
        for (std::int64_t& offset : of_rest) {
            offset -= offsets[n_first];
        }
        const BagsView start{all.vectors, all.words.first(cut), offsets.first(n_first + 1), all.counts.subspan(0, cut)};
        const BagsView rest{all.vectors, all.words.subspan(cut), of_rest,
                            all.counts.subspan(cut, all.words.size() - cut)};
        const PreparedBags parts[] = {PreparedBags(all, measure), PreparedBags(start, measure),
                                      PreparedBags(rest, measure)};
        const JoinedBags whole({&parts[0]});
        const JoinedBags first({&parts[1]});
        const JoinedBags second({&parts[2]});
        const instances::Query prepared(random, 8, 6, measure);
        for (const std::size_t k : {1, 12, 400}) {
            require_waves(SearchableBags(whole), SearchableBags(first), SearchableBags(second), prepared.prepared,
                          {.k = k, .n_threads = 2});
        }
    }
}

TEST(potentials_from_elsewhere_are_checked) {
    instances::Random random(24);
    const instances::Batch batch(random, 60, 12, 8);
    const PreparedSequences corpus(batch.view(), measures[1]);
    const SearchableSequences searchable(corpus);
    const std::vector<double> potentials(corpus[3].size(), 0.1);
    for (const double wrong : {infinity, std::numeric_limits<double>::quiet_NaN()}) {
        std::vector<double> bad = potentials;
        bad.back() = wrong;
        CHECK_THROWS_AS((void)SplitSearch(searchable, corpus[3], {.k = 3}).finish(infinity, bad),
                        std::invalid_argument);
    }
    const auto too_few = std::span(potentials).first(potentials.size() - 1);
    CHECK_THROWS_AS((void)SplitSearch(searchable, corpus[3], {.k = 3}).finish(infinity, too_few),
                    std::invalid_argument);
    CHECK_THROWS_AS((void)SplitSearch(searchable, corpus[3], {.k = 3}).finish(std::nan(""), {}), std::invalid_argument);
    // Any finite ones give the true answer.
    std::normal_distribution<double> normal;
    const SearchResult expected = search(searchable, corpus[3], {.k = 3});
    for (const double scale : {0.0, 1.0, -1e3, 1e30}) {
        std::vector<double> odd = potentials;
        std::ranges::transform(odd, odd.begin(), [&](double f) { return scale * f * normal(random); });
        const SearchResult found = SplitSearch(searchable, corpus[3], {.k = 3}).finish(infinity, odd);
        for (std::size_t h = 0; h < 3; ++h) {
            CHECK(found.hits[h].distance == expected.hits[h].distance);
        }
    }
    // Entropic values may be below dual bounds, so that no potentials may be used.
    const PreparedSequences entropic(batch.view(), measures[5]);
    const SearchableSequences smooth(entropic);
    SplitSearch search(smooth, entropic[3], {.k = 3});
    CHECK(search.n_potentials() == 0);
    CHECK_THROWS_AS((void)search.finish(infinity, potentials), std::invalid_argument);
}

TEST(a_budget_looks_at_so_many_documents_and_claims_no_more_than_is_true) {
    instances::Random random(13);
    const instances::Batch batch(random, 300, 12, 8);
    for (const Measure& measure : measures) {
        const PreparedSequences corpus(batch.view(), measure);
        const SearchableSequences searchable(corpus);
        std::vector<double> values(corpus.size());
        Interrupt interrupt;
        distances(corpus[7], batch.view(), measure, values, 1, interrupt);
        const std::vector<std::int64_t> order = by_distance(values);
        const std::vector<std::int64_t> worst(order.rbegin(), order.rend());
        for (const bool is_good : {true, false}) {
            for (const bool gives_seeds : {true, false}) {
                for (const std::size_t budget : {1, 30, 300}) {
                    Ordered source(is_good ? order : worst, values);
                    const SearchResult found =
                        search(searchable, corpus[7],
                               {.k = 10, .budget = budget, .source = &source, .source_gives_seeds = gives_seeds});
                    CHECK(found.certificate.unsolved >= 300 - static_cast<std::int64_t>(budget));
                    require_true(found, values, order, 10);
                    CHECK(budget < 300 || found.certificate.exact);
                }
            }
        }
    }
}

TEST(a_timeout_returns_what_is_true_so_far) {
    instances::Random random(14);
    const instances::Batch batch(random, 400, 40, 8);
    const Measure measure{GroundCost::euclidean, Weighting::uniform};
    const PreparedSequences corpus(batch.view(), measure);
    const SearchableSequences searchable(corpus);
    std::vector<double> values(corpus.size());
    Interrupt interrupt;
    distances(corpus[7], batch.view(), measure, values, 1, interrupt);
    const std::vector<std::int64_t> order = by_distance(values);
    for (const double seconds : {0.0, 1e-4, 1e-3, 1e-2, 60.0, 1e300}) {
        for (const bool with_source : {false, true}) {
            Ordered source(order, values);
            const SearchResult found = search(
                searchable, corpus[7],
                {.k = 5, .timeout = std::chrono::duration<double>(seconds), .source = with_source ? &source : nullptr});
            require_true(found, values, order, 5);
            CHECK(seconds > 0.0 || (found.timed_out && found.hits.empty() && !found.certificate.exact));
            CHECK(seconds < 60.0 || (!found.timed_out && found.certificate.exact));
        }
    }
}

TEST(bags_are_searched_by_the_same_call) {
    instances::Random random(15);
    for (const Measure& measure :
         {Measure{GroundCost::euclidean, Weighting::uniform}, Measure{GroundCost::dot, Weighting::uniform, 3.0}}) {
        const instances::Collection collection(random, 400, 12, 6);
        const PreparedBags bags(collection.view(true), measure);
        const JoinedBags joined({&bags});
        const SearchableBags searchable(joined);
        const instances::Query prepared(random, 8, 6, measure);
        const PreparedSequence& query = prepared.prepared;
        std::vector<double> values(joined.size());
        Interrupt interrupt;
        const VocabularyCosts costs(joined, query, 1, interrupt);
        PairEvaluator evaluator(measure);
        evaluator.set_query(query, &costs);
        for (std::size_t s = 0; s < joined.size(); ++s) {
            DocumentBuffer of_document;
            values[s] = evaluator.distance(joined.at(s, of_document)).distance;
        }
        const std::vector<std::int64_t> order = by_distance(values);
        const SearchResult found = search(searchable, query, {.k = 10, .n_threads = 2});
        CHECK(found.certificate.exact && found.hits.size() >= 10);
        for (std::size_t h = 0; h < 10; ++h) {
            CHECK(found.hits[h].distance == values[static_cast<std::size_t>(order[h])]);
        }
        for (const std::size_t budget : {1, 40, 200}) {
            const SearchResult some = search(searchable, query, {.k = 10, .budget = budget});
            CHECK(some.certificate.unsolved > 0 && some.rungs.size() >= 4);
        }
    }
}

TEST(a_stop_ends_a_search_and_so_does_what_it_throws) {
    instances::Random random(16);
    const instances::Batch batch(random, 2000, 60, 16);
    const Measure measure{GroundCost::euclidean,
                          Weighting::uniform,
                          1.0,
                          Problem::entropic,
                          1.0,
                          Sinkhorn{.epsilon = 1e-3, .tolerance = 1e-12, .max_iterations = 1'000'000}};
    const PreparedSequences corpus(batch.view(), measure);
    const SearchableSequences searchable(corpus);
    CHECK_THROWS_AS(search(searchable, corpus[7], {.k = 1000, .stop = [] { return true; }}), Interrupted);
    CHECK_THROWS_AS(search(searchable, corpus[7], {.k = 1000, .stop = []() -> bool { throw std::range_error("so"); }}),
                    std::range_error);
}

TEST(a_goal_that_cannot_be_met_is_refused_by_what_is_wrong) {
    instances::Random random(17);
    const instances::Batch batch(random, 30, 5, 4);
    const Measure dot{GroundCost::dot, Weighting::uniform};
    const PreparedSequences corpus(batch.view(), dot);
    const SearchableSequences searchable(corpus);
    const auto refused = [&](const SearchGoal& goal, const char* message) {
        CHECK_THROWS_SAYING(search(searchable, corpus[0], goal), std::invalid_argument, message);
    };
    const std::int64_t outside[] = {3, 30};
    const std::int64_t falling[] = {4, 4};
    refused({.slack = -1.0}, "slack must be at least 0, and radius a number");
    refused({.slack = 0.5}, "slack is for costs that cannot be negative");
    refused({.positions = outside}, "a position lies outside the corpus");
    refused({.positions = falling}, "positions must rise");
    refused({.budget = 10}, "a budget needs a source of candidates, as bounds of this corpus are not cheap");
    refused({.timeout = std::chrono::duration<double>(-1.0)}, "timeout must be at least 0 seconds");
}

TEST(what_no_search_asks_for_is_refused) {
    instances::Random random(19);
    const Measure with_capacity{GroundCost::euclidean, Weighting::uniform, 2.0};
    const instances::Collection collection(random, 40, 12, 6);
    const PreparedBags bags(collection.view(true), with_capacity);
    const JoinedBags joined({&bags});
    const SearchableBags searchable(joined);
    const instances::Query query(random, 8, 6, with_capacity);
    Interrupt interrupt;
    const std::unique_ptr<CorpusQuery> asked = searchable.ask(query.prepared, 1, interrupt);
    CHECK(!asked->bounds().front()->is_useful());
    CHECK(asked->bounds().back()->is_useful());
    std::vector<double> out(1, 0.0);
    asked->bounds().front()->compute(std::vector<std::int64_t>{3}, out, 1, interrupt);
    CHECK(std::isinf(out[0]) && out[0] < 0.0);  // nothing is known without potentials
    Nearest nearest({.k = 3});
    CHECK_THROWS_AS(nearest.offer({std::nan(""), 0}), std::invalid_argument);
    CHECK_THROWS_AS(traits(static_cast<GroundCost>(77)), std::invalid_argument);
}

/// A fraction of the distance, as a bound.
class Share final : public LowerBound {
  public:
    Share(std::string name, double share, std::span<const double> values, bool useful = true)
        : LowerBound(std::move(name)), share_(share), values_(values), useful_(useful) {}

    [[nodiscard]] bool uses_potentials() const override { return false; }
    [[nodiscard]] bool is_useful() override { return useful_; }

  private:
    Spent fill(std::span<const std::int64_t> positions, std::span<double> out, int, Interrupt&, double) override {
        std::ranges::transform(positions, out.begin(),
                               [&](std::int64_t p) { return share_ * values_[static_cast<std::size_t>(p)]; });
        return {};
    }

    double share_;
    std::span<const double> values_;
    bool useful_;
};

/// Sequences whose bounds are the shares that a test lists.
class Listed final : public Searchable {
  public:
    using Bounds = std::vector<std::unique_ptr<LowerBound>>;

    Listed(const Searchable& corpus, bool cheap, std::function<Bounds()> bounds)
        : corpus_(corpus), cheap_(cheap), bounds_(std::move(bounds)) {}

    [[nodiscard]] std::size_t size() const override { return corpus_.size(); }
    [[nodiscard]] const Measure& measure() const override { return corpus_.measure(); }
    [[nodiscard]] bool has_cheap_bounds() const override { return cheap_; }
    [[nodiscard]] std::unique_ptr<CorpusQuery> ask(const PreparedSequence& query, int n_threads,
                                                   Interrupt& interrupt) const override {
        return std::make_unique<Query>(corpus_.ask(query, n_threads, interrupt), bounds_());
    }

  private:
    class Query final : public CorpusQuery {
      public:
        Query(std::unique_ptr<CorpusQuery> asked, Bounds bounds) : asked_(std::move(asked)) {
            for (std::unique_ptr<LowerBound>& bound : bounds) {
                add_bound(std::move(bound));
            }
        }
        Solved solve(std::span<const std::int64_t> positions, std::span<double> distances, int n_threads,
                     Interrupt& interrupt) override {
            return asked_->solve(positions, distances, n_threads, interrupt);
        }
        void reuse(std::span<const double> potentials) override { asked_->reuse(potentials); }
        [[nodiscard]] std::size_t n_potentials() const override { return asked_->n_potentials(); }
        Examined examine(std::span<const std::int64_t> positions, std::span<const double> bounds, Nearest& nearest,
                         int n_threads, Interrupt& interrupt) override {
            return asked_->examine(positions, bounds, nearest, n_threads, interrupt);
        }

      private:
        std::unique_ptr<CorpusQuery> asked_;
    };

    const Searchable& corpus_;
    bool cheap_;
    std::function<Bounds()> bounds_;
};

TEST(a_search_climbs_whatever_bounds_a_corpus_lists) {
    instances::Random random(21);
    const instances::Batch batch(random, 300, 12, 8);
    const Measure measure{GroundCost::euclidean, Weighting::uniform};
    const PreparedSequences corpus(batch.view(), measure);
    const SearchableSequences sequences(corpus);
    std::vector<double> values(corpus.size());
    Interrupt interrupt;
    distances(corpus[7], batch.view(), measure, values, 1, interrupt);
    const std::vector<std::int64_t> order = by_distance(values);
    const auto shares = [&] {
        Listed::Bounds bounds;
        bounds.push_back(std::make_unique<Share>("weak", 0.5, values));
        bounds.push_back(std::make_unique<Share>("useless", 1.0, values, false));
        bounds.push_back(std::make_unique<Share>("better", 0.8, values));
        bounds.push_back(std::make_unique<Share>("best", 0.95, values));
        return bounds;
    };
    const auto names = [](const SearchResult& found) {
        std::vector<std::string> all;
        std::ranges::transform(found.rungs, std::back_inserter(all), &Rung::name);
        return all;
    };
    const std::vector<std::string> ladder{"seeds, solved", "weak", "better", "best", "exact solver"};
    for (const bool cheap : {true, false}) {
        const Listed listed(sequences, cheap, shares);
        const SearchResult found = search(listed, corpus[7], {.k = 10, .n_threads = 2});
        const SearchResult timed = search(listed, corpus[7], {.k = 10, .timeout = std::chrono::duration<double>(60.0)});
        const Listed bare(sequences, cheap, [] { return Listed::Bounds(); });
        const SearchResult solved = search(bare, corpus[7], {.k = 10});
        TopKSearch steps(bare, corpus[7], {.k = 10}, 1, interrupt);
        std::vector<double> none(order.size());
        CHECK_THROWS_AS(steps.lower_bounds(order, none, 1, interrupt), std::logic_error);
        CHECK(names(found) == ladder && names(timed) == ladder);
        CHECK(names(solved).front() == ladder.front() && names(solved).back() == ladder.back());
        for (const SearchResult* result : {&found, &timed, &solved}) {
            CHECK(result->certificate.exact && result->hits.size() >= 10);
            for (std::size_t h = 0; h < 10; ++h) {
                CHECK(result->hits[h].distance == values[static_cast<std::size_t>(order[h])]);
            }
            require_true(*result, values, order, 10);
        }
        CHECK(found.rungs[2].dropped + found.rungs[3].dropped > 0 && found.rungs[3].seen <= found.rungs[2].seen);
    }
}

TEST(of_no_documents_all_is_known) {
    instances::Random random(18);
    const instances::Batch batch(random, 30, 5, 4);
    const PreparedSequences corpus(batch.view(), {GroundCost::euclidean, Weighting::uniform});
    const SearchableSequences searchable(corpus);
    const SearchResult found = search(searchable, corpus[0], {.k = 3, .positions = std::span<const std::int64_t>{}});
    CHECK(found.hits.empty() && found.certificate.exact && found.certificate.unsolved == 0);
    CHECK(std::isinf(found.certificate.bound));
}
