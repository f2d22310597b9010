#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "bag_instances.hpp"
#include "check.hpp"
#include "instances.hpp"
#include "moverank/bag_bounds.hpp"
#include "moverank/bags.hpp"
#include "moverank/ground_cost.hpp"
#include "moverank/pair.hpp"
#include "moverank/topk.hpp"
#include "moverank/vocabulary_costs.hpp"

using namespace moverank;
using instances::Collection;
using instances::Query;

namespace {

constexpr GroundCost grounds[] = {GroundCost::cosine, GroundCost::euclidean, GroundCost::sqeuclidean, GroundCost::dot};

}  // namespace

TEST(costs_of_the_vocabulary_are_those_of_documents_to_the_last_bit) {
    instances::Random random(1);
    for (const GroundCost ground : grounds) {
        for (const std::size_t n : {1, 3, 16, 17, 70}) {
            const Collection collection(random, 40, 60, 13);
            const Measure measure{ground, Weighting::norm};
            const PreparedBags prepared(collection.view(true), measure);
            const JoinedBags bags({&prepared});
            const Query query(random, n, 13, measure);
            Interrupt interrupt;
            const VocabularyCosts table(bags, query.prepared, 2, interrupt);
            CHECK(table.n_words() <= Collection::n_words - 19);
            GroundCosts gathered(ground);
            GroundCosts computed(ground);
            gathered.set_query(query.prepared, &table);
            computed.set_query(query.prepared);
            DocumentBuffer buffer;
            for (std::size_t s = 0; s < bags.size(); ++s) {
                const PreparedSequence document = bags.at(s, buffer);
                std::vector<float> tokens(document.size() * 13);
                std::vector<float> norms;
                for (std::size_t j = 0; j < document.size(); ++j) {
                    decode(bags.table(0).run(document.words[j], 1), std::span(tokens).subspan(j * 13, 13));
                    if (ground == GroundCost::cosine) {
                        norms.push_back(bags.inverse_norms()[document.words[j]]);
                    }
                }
                gathered.compute(document);
                computed.compute({{tokens.data(), document.size(), 13}, document.mass, norms});
                for (std::size_t i = 0; i < n; ++i) {
                    CHECK(gathered.row_minima()[i] == computed.row_minima()[i]);
                    for (std::size_t j = 0; j < document.size(); ++j) {
                        CHECK(gathered.matrix().matrix(i, j) == computed.matrix().matrix(i, j));
                    }
                }
                CHECK(std::ranges::equal(gathered.column_minima(), computed.column_minima()));
                CHECK(gathered.largest() == computed.largest());
            }
        }
    }
}

TEST(any_potentials_make_bounds_of_bags) {
    instances::Random random(2);
    std::normal_distribution<double> normal;
    for (const Measure& measure :
         {Measure{GroundCost::euclidean, Weighting::uniform}, Measure{GroundCost::cosine, Weighting::norm},
          Measure{GroundCost::cosine, Weighting::norm, 4.0}, Measure{GroundCost::dot, Weighting::norm, 1.5},
          Measure{GroundCost::sqeuclidean, Weighting::uniform, 1e4}}) {
        for (const std::size_t n : {1, 9, 33}) {
            const Collection collection(random, 60, 40, 7);
            const PreparedBags prepared(collection.view(n != 9), measure);
            const JoinedBags bags({&prepared});
            const Query query(random, n, 7, measure);
            Interrupt interrupt;
            const VocabularyCosts table(bags, query.prepared, 1, interrupt);
            PairEvaluator evaluator(measure);
            evaluator.set_query(query.prepared, &table);
            DocumentBuffer buffer;
            for (const double size : {0.0, 1e-3, 1.0, 1e6, 1e30, 1e200}) {
                std::vector<double> f(size == 0.0 ? 0 : n);
                std::ranges::generate(f, [&] { return size * normal(random); });
                const BagBounds bounds(bags, table, query.prepared.mass, f);
                CHECK(bounds.has_one_sided() == ((size > 0.0 && size < 1e100) || measure.capacity == 1.0));
                BagBounds::Scratch scratch;
                for (std::size_t s = 0; s < bags.size(); ++s) {
                    const double value = evaluator.distance(bags.at(s, buffer)).distance;
                    CHECK(bounds.two_sided(s, scratch) <= value);
                    if (bounds.has_one_sided()) {
                        CHECK(bounds.one_sided(s) <= value);
                    }
                }
            }
        }
    }
}

TEST(potentials_of_near_documents_make_tight_bounds) {
    instances::Random random(3);
    const Measure measure{GroundCost::euclidean, Weighting::uniform};
    const Collection collection(random, 300, 20, 3);
    const PreparedBags prepared(collection.view(false), measure);
    const JoinedBags bags({&prepared});
    const Query query(random, 8, 3, measure);
    Interrupt interrupt;
    TopKSearch search(bags, query.prepared, {.k = 5}, 1, interrupt);
    std::vector<std::int64_t> all(bags.size());
    std::iota(all.begin(), all.end(), 0);
    std::vector<double> before(bags.size());
    std::vector<double> one_sided(bags.size());
    std::vector<double> two_sided(bags.size());
    search.lower_bounds(all, before, 1, interrupt);
    const std::vector<std::int64_t> seeds{0, 50, 100, 150, 200};
    search.seed(seeds, 2, interrupt);
    search.lower_bounds(*search.bounds().front(), all, one_sided, 2, interrupt);
    search.lower_bounds(all, two_sided, 2, interrupt);
    // Two sides are at least as good as one, up to rounding; solved documents' own potentials are the best of all.
    for (std::size_t s = 0; s < bags.size(); ++s) {
        CHECK(two_sided[s] >= one_sided[s] - 1e-6);
    }
    const auto mean = [](const std::vector<double>& x) {
        return std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
    };
    CHECK(mean(two_sided) > mean(before));
    CHECK(search.counts().seeds == 5);
}

TEST(what_bags_are_made_of_is_checked) {
    const std::vector<float> vectors{1.0F, 0.0F, 0.0F, 0.0F, std::numeric_limits<float>::infinity(), 1.0F};
    const TokensView table(vectors.data(), 3, 2);
    const std::vector<std::int64_t> offsets{0, 1, 2};
    const auto fault = [&](const std::vector<std::uint32_t>& words, const std::vector<float>& counts) {
        try {
            const PreparedBags bags(BagsView{table, words, offsets, counts}, {GroundCost::cosine, Weighting::norm});
        } catch (const SequenceError& error) {
            CHECK(error.sequence() == 1);
            return error.fault();
        }
        return std::string();
    };
    CHECK(fault({0, 0}, {}).empty());
    CHECK(fault({0, 7}, {}) == "word 7 is not in the vocabulary, which has 3 words");
    CHECK(fault({0, 1}, {}) == "total mass is zero");
    CHECK(fault({0, 2}, {}) == "word 2 has a vector that is not finite");
    CHECK(fault({0, 0}, {1.0F, 0.0F}) == "count 0 is not a positive number");
    CHECK(fault({0, 0}, {1.0F, -1.0F}) == "count 0 is not a positive number");
}

TEST(every_fault_of_a_bag_is_named) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const std::vector<float> vectors{3, 4, 0, 0, 1, nan, 1e25F, 0};
    const auto refused = [&](const Measure& measure, const std::vector<std::uint32_t>& words,
                             const std::vector<float>& counts, const std::string& fault) {
        const std::vector<std::int64_t> offsets{0, 1, static_cast<std::int64_t>(words.size())};
        const BagsView bags{{vectors.data(), 4, 2}, words, offsets, counts};
        CHECK_THROWS_SAYING(PreparedBags(bags, measure), SequenceError, "sequence 1: " + fault);
    };
    const Measure wmd{GroundCost::euclidean, Weighting::uniform};
    const Measure wrd{GroundCost::cosine, Weighting::norm};
    refused(wmd, {0}, {}, "has no words");
    refused(wmd, {0, 9}, {}, "word 9 is not in the vocabulary, which has 4 words");
    refused(wmd, {0, 2}, {}, "word 2 has a vector that is not finite");
    refused(wmd, {0, 3}, {}, "word 3 has a vector too long for costs in float32");
    refused({GroundCost::cosine, Weighting::uniform}, {0, 1}, {},
            "word 1 has a zero vector, which has no direction under cosine cost");
    refused(wrd, {0, 1}, {}, "total mass is zero");
    refused(wmd, {0, 0}, {1.0F, 0.0F}, "count 0 is not a positive number");
    refused(wmd, {0, 0}, {1.0F, nan}, "count 0 is not a positive number");
    refused({GroundCost::euclidean, Weighting::norm}, {0, 1}, {}, "total mass is zero");
    const std::vector<std::uint32_t> word{0};
    const std::vector<std::int64_t> offsets{0, 1};
    CHECK_THROWS_SAYING(
        PreparedBags(BagsView{{vectors.data(), 4, 2}, word, offsets, {}}, {GroundCost::euclidean, Weighting::given}),
        SequenceError, "sequence 0: has no counts, which weighting 'given' needs");
}
