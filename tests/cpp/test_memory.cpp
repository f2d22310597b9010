/// Memory that runs out: whichever allocation fails, the caller gets std::bad_alloc, nothing leaks, no thread ends the
/// program, and the same call, on the same objects, gives the answer once there is memory again.
#include <algorithm>
#include <functional>
#include <numeric>
#include <span>
#include <vector>

#include "bag_instances.hpp"
#include "check.hpp"
#include "instances.hpp"
#include "moverank/alignment.hpp"
#include "moverank/batch.hpp"
#include "moverank/clusters.hpp"
#include "moverank/codes.hpp"
#include "moverank/gradient.hpp"
#include "moverank/joined.hpp"
#include "moverank/topk.hpp"
#include "watched_memory.hpp"

using namespace moverank;

namespace {

using Answer = std::vector<double>;

/// A call, and what is kept from one try to the next, which a failure must leave usable.
template <class Call>
void each_allocation_may_fail(Call call) {
    const Answer expected = call();
    for (const bool lasting : {false, true}) {
        std::size_t n_failed = 0;
        for (std::size_t from_now = 0;; ++from_now) {
            const std::ptrdiff_t alive = memory::alive;
            bool has_failed = false;
            {
                Answer found;
                try {
                    const memory::Failing failing(from_now, lasting);
                    try {
                        found = call();
                        has_failed = failing.has_failed();  // what could do without
                    } catch (...) {
                        has_failed = failing.has_failed();
                        throw;
                    }
                    CHECK(found == expected);
                } catch (const std::bad_alloc&) {
                    ++n_failed;
                }
            }
            CHECK(memory::alive == alive);
            if (!has_failed) {
                break;
            }
        }
        CHECK(n_failed > 0);
    }
    CHECK(call() == expected);
}

/// The same of an object that grows: the try that failed is made again on it.
template <class Make, class Use>
void an_object_survives_failures(Make make, Use use) {
    auto fresh = make();
    const Answer expected = use(fresh);
    for (std::size_t from_now = 0;; ++from_now) {
        auto object = make();
        bool has_failed = false;
        try {
            const memory::Failing failing(from_now, false);
            const Answer found = use(object);
            has_failed = failing.has_failed();
            CHECK(found == expected);
        } catch (const std::bad_alloc&) {
            has_failed = true;
            CHECK(use(object) == expected);
        }
        if (!has_failed) {
            break;
        }
    }
}

const std::vector<Measure> measures{
    {GroundCost::cosine, Weighting::norm},
    {GroundCost::euclidean, Weighting::uniform, 4.0},
    {GroundCost::dot, Weighting::uniform, unlimited_capacity},
    {GroundCost::sqeuclidean, Weighting::norm, 1.0, Problem::relaxed},
    {GroundCost::euclidean, Weighting::norm, 2.0, Problem::exact, 0.5},
    {GroundCost::cosine, Weighting::norm, 1.0, Problem::entropic, 1.0, Sinkhorn{.debiased = true}},
};

std::vector<std::int64_t> places(std::size_t first, std::size_t last) {
    std::vector<std::int64_t> all(last - first);
    std::iota(all.begin(), all.end(), static_cast<std::int64_t>(first));
    return all;
}

/// Seeds, bounds, candidates in their order: a search as the package makes it.
Answer searched(TopKSearch& search, std::size_t n_documents, int n_threads) {
    Interrupt interrupt;
    constexpr std::size_t n_seeds = 3;
    search.seed(places(0, n_seeds), n_threads, interrupt);
    const std::vector<std::int64_t> rest = places(n_seeds, n_documents);
    std::vector<double> bounds(rest.size());
    for (const std::unique_ptr<LowerBound>& bound : search.bounds()) {
        search.lower_bounds(*bound, rest, bounds, n_threads, interrupt);
    }
    std::ranges::fill(bounds, bounds.empty() ? 0.0 : *std::ranges::min_element(bounds));
    search.examine(rest, bounds, n_threads, interrupt);
    Answer found;
    for (const Hit& hit : search.hits()) {
        found.push_back(hit.distance);
        found.push_back(static_cast<double>(hit.position));
    }
    return found;
}

}  // namespace

TEST(distances_and_preparation) {
    instances::Random random(1);
    const instances::Batch batch(random, 12, 9, 5);
    for (const Measure& measure : measures) {
        for (const int n_threads : {1, 3}) {
            each_allocation_may_fail([&] {
                const PreparedSequences prepared(batch.view(), measure);
                Interrupt interrupt;
                Answer out(batch.view().size());
                distances(prepared[1], batch.view(), measure, out, n_threads, interrupt);
                std::vector<double> all(out.size() * out.size());
                pairwise(prepared, prepared, {}, {all.data(), out.size(), out.size()}, n_threads, interrupt);
                out.insert(out.end(), all.begin(), all.end());
                std::vector<CertifiedDistance> certified(batch.view().size());
                certified_distances(prepared[1], batch.view(), measure, certified, n_threads, interrupt);
                std::ranges::transform(certified, std::back_inserter(out), &CertifiedDistance::value);
                return out;
            });
        }
    }
}

TEST(searches_of_sequences_with_codes_and_without) {
    instances::Random random(2);
    const instances::Batch batch(random, 30, 8, 5);
    const std::vector<std::int8_t> components = [&] {
        std::vector<std::int8_t> rounded(batch.tokens.size());
        std::ranges::transform(batch.tokens, rounded.begin(),
                               [](float x) { return static_cast<std::int8_t>(20.0F * x); });
        return rounded;
    }();
    const std::vector<float> scales(batch.tokens.size() / batch.dim, 0.05F);
    const TokensView coded{TokenType::int8, components.data(), scales.size(), batch.dim, scales.data()};
    for (const Measure& measure : measures) {
        const PreparedSequences corpus(batch.view(), measure);
        for (const int n_threads : {1, 3}) {
            each_allocation_may_fail([&] {
                const JoinedSequences joined({&corpus, &corpus});
                TopKSearch search(joined, corpus[4], {.k = 4});
                return searched(search, joined.size(), n_threads);
            });
            if (measure.ground != GroundCost::sqeuclidean && measure.ground != GroundCost::cosine) {
                each_allocation_may_fail([&] {
                    const PreparedCodes codes(corpus, coded);
                    const JoinedCodes joined({&corpus}, {&codes});
                    TopKSearch search(corpus, corpus[4], {.k = 4}, &joined);
                    return searched(search, corpus.size(), n_threads);
                });
            }
        }
    }
}

TEST(searches_of_bags) {
    instances::Random random(3);
    const instances::Collection collection(random, 40, 6, 4);
    for (const Measure& measure : measures) {
        const instances::Query query(random, 5, 4, measure);
        for (const int n_threads : {1, 3}) {
            each_allocation_may_fail([&] {
                const PreparedBags bags(collection.view(true), measure);
                const JoinedBags joined({&bags});
                Interrupt interrupt;
                TopKSearch search(joined, query.prepared, {.k = 4}, n_threads, interrupt);
                return searched(search, joined.size(), n_threads);
            });
        }
    }
}

TEST(clusters_alignments_and_gradients) {
    instances::Random random(4);
    const instances::Batch batch(random, 6, 9, 5);
    for (const Measure& measure : measures) {
        const PreparedSequences prepared(batch.view(), measure);
        each_allocation_may_fail([&] {
            Interrupt interrupt;
            Answer mass(2 * prepared.size());
            std::vector<float> centroids(mass.size() * batch.dim);
            std::vector<std::int64_t> counts(prepared.size());
            cluster_tokens(prepared, 2, {centroids.data(), mass.size(), batch.dim}, mass, counts, 2, interrupt);
            return mass;
        });
        each_allocation_may_fail([&] {
            const std::size_t n = prepared[0].size();
            const std::size_t m = prepared[1].size();
            std::vector<float> cost(n * m);
            Answer plan(n * m), f(n), g(m);
            align(prepared[0], prepared[1], measure, {cost.data(), n, m}, {plan.data(), n, m}, f, g);
            return plan;
        });
    }
    const std::vector<double> tokens(batch.tokens.begin(), batch.tokens.end());
    const auto sequence = [&](std::size_t s) {
        const auto begin = static_cast<std::size_t>(batch.offsets[s]);
        const auto end = static_cast<std::size_t>(batch.offsets[s + 1]);
        return DifferentiableSequence{{&tokens[begin * batch.dim], end - begin, batch.dim}, {}};
    };
    for (const Measure& measure :
         {Measure{GroundCost::cosine, Weighting::norm}, Measure{GroundCost::euclidean, Weighting::uniform, 1.0,
                                                                Problem::entropic, 1.0, Sinkhorn{.relative = false}}}) {
        each_allocation_may_fail([&] {
            const std::vector<DifferentiableSequence> queries{sequence(0), sequence(1)};
            const std::vector<DifferentiableSequence> documents{sequence(2), sequence(3)};
            Answer gradient(tokens.size());
            std::vector<double> values(2);
            const auto into = [&](std::size_t s) {
                return SequenceGradient{{&gradient[static_cast<std::size_t>(batch.offsets[s]) * batch.dim],
                                         sequence(s).tokens.rows(), batch.dim},
                                        {}};
            };
            Interrupt interrupt;
            gradients(queries, documents, measure, values, std::vector{into(0), into(1)}, std::vector{into(2), into(3)},
                      2, interrupt);
            return gradient;
        });
    }
}

TEST(batches_of_problems) {
    instances::Random random(5);
    std::uniform_real_distribution<double> uniform;
    std::vector<double> costs(std::size_t{6} * 7 * 9);
    std::ranges::generate(costs, [&] { return uniform(random); });
    const std::vector<double> a = instances::masses(random, 7);
    const std::vector<double> b = instances::masses(random, 9);
    std::vector<TransportProblem<double>> problems;
    for (std::size_t p = 0; p < 6; ++p) {
        problems.push_back({{&costs[p * 63], 7, 9}, a, b, p % 2 == 0 ? 1.0 : 3.0, p < 4 ? 1.0 : 0.7});
    }
    for (const int n_threads : {1, 3}) {
        each_allocation_may_fail([&] {
            std::vector<SolveSummary> solved(problems.size());
            std::vector<SinkhornResult> scaled(problems.size());
            Interrupt interrupt;
            transport_batch(problems, solved, n_threads, interrupt);
            sinkhorn_batch(problems, Sinkhorn{}, scaled, n_threads, interrupt);
            Answer values;
            std::ranges::transform(solved, std::back_inserter(values), &SolveSummary::value);
            std::ranges::transform(scaled, std::back_inserter(values), [](const auto& s) { return s.summary.value; });
            return values;
        });
    }
}

TEST(what_failed_to_grow_grows_later) {
    instances::Random random(6);
    const instances::Batch batch(random, 4, 40, 6);
    for (const Measure& measure : measures) {
        const PreparedSequences prepared(batch.view(), measure);
        an_object_survives_failures([&] { return PairEvaluator(measure); },
                                    [&](PairEvaluator& evaluator) {
                                        Answer found;
                                        for (std::size_t query = 0; query < 2; ++query) {
                                            evaluator.set_query(prepared[query]);
                                            for (std::size_t s = 0; s < prepared.size(); ++s) {
                                                found.push_back(evaluator.distance(prepared[s]).distance);
                                                found.push_back(evaluator.lower_bound(prepared[s]));
                                            }
                                        }
                                        return found;
                                    });
    }
    std::uniform_real_distribution<double> uniform;
    std::vector<double> costs(std::size_t{30} * 40);
    std::ranges::generate(costs, [&] { return uniform(random); });
    const std::vector<double> a = instances::masses(random, 30);
    const std::vector<double> b = instances::masses(random, 40);
    const TransportProblem<double> problem{{costs.data(), 30, 40}, a, b, 2.0, 0.8};
    an_object_survives_failures([] { return ExactSolver(); },
                                [&](ExactSolver& solver) {
                                    return Answer{solver.solve(problem).value,
                                                  static_cast<double>(solver.flows().size())};
                                });
    an_object_survives_failures([] { return SinkhornSolver(); },
                                [&](SinkhornSolver& solver) {
                                    const double value = solver.solve(problem, Sinkhorn{}).value;
                                    return Answer{value, solver.bounds().lower, solver.bounds().upper};
                                });
}
