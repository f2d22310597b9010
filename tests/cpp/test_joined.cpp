#include <algorithm>
#include <numeric>
#include <random>
#include <stdexcept>
#include <vector>

#include "bag_instances.hpp"
#include "check.hpp"
#include "instances.hpp"
#include "moverank/joined.hpp"
#include "moverank/topk.hpp"

using namespace moverank;

namespace {

constexpr std::size_t cuts[] = {0, 31, 32, 90};

/// Documents first to last of a batch; offsets begin at 0.
struct Run {
    Run(const instances::Batch& batch, std::size_t first, std::size_t last) {
        const auto begin = static_cast<std::size_t>(batch.offsets[first]);
        const auto end = static_cast<std::size_t>(batch.offsets[last]);
        for (std::size_t s = first; s <= last; ++s) {
            offsets.push_back(batch.offsets[s] - batch.offsets[first]);
        }
        view = {batch.view().tokens.run(begin, end - begin), offsets, {}};
    }
    std::vector<std::int64_t> offsets;
    SequencesView view;
};

[[nodiscard]] std::vector<Hit> hits_of(TopKSearch& search, std::size_t n_documents) {
    Interrupt interrupt;
    std::vector<std::int64_t> all(n_documents);
    std::iota(all.begin(), all.end(), 0);
    search.seed(std::span(all).first(5), 1, interrupt);
    const std::span<const std::int64_t> rest = std::span(all).subspan(5);
    std::vector<double> bounds(rest.size());
    search.lower_bounds(rest, bounds, 2, interrupt);
    // Unordered candidates are examined one at a time.
    for (std::size_t c = 0; c < rest.size(); ++c) {
        search.examine(rest.subspan(c, 1), std::span(bounds).subspan(c, 1), 1, interrupt);
    }
    return search.hits();
}

[[nodiscard]] bool same(const std::vector<Hit>& x, const std::vector<Hit>& y) {
    return std::ranges::equal(
        x, y, [](const Hit& a, const Hit& b) { return a.distance == b.distance && a.position == b.position; });
}

}  // namespace

TEST(sequences_in_parts_are_searched_as_one) {
    instances::Random random(1);
    for (const Measure& measure : {Measure{GroundCost::euclidean, Weighting::uniform},
                                   Measure{GroundCost::cosine, Weighting::norm}, Measure{GroundCost::dot}}) {
        const instances::Batch batch(random, cuts[3], 9, 5);
        const PreparedSequences whole(batch.view(), measure);
        const Run first(batch, cuts[0], cuts[1]);
        const Run second(batch, cuts[1], cuts[2]);
        const Run third(batch, cuts[2], cuts[3]);
        const PreparedSequences a(first.view, measure);
        const PreparedSequences b(second.view, measure);
        const PreparedSequences fresh(third.view, measure);
        const PreparedSequences c(third.view, measure, fresh.arrays());  // as from a file
        const std::vector<const PreparedSequences*> parts{&a, &b, &c};
        const JoinedSequences joined(parts);
        CHECK(joined.size() == whole.size());
        CHECK(joined.max_norm() == whole.max_norm());
        const PreparedCodes codes(whole, batch.view().tokens);
        const PreparedCodes codes_of_a(a, first.view.tokens);
        const PreparedCodes codes_of_b(b, second.view.tokens);
        const PreparedCodes fresh_codes(c, third.view.tokens);
        const PreparedCodes codes_of_c(c, third.view.tokens, fresh_codes.arrays());
        const JoinedCodes joined_codes(parts, {&codes_of_a, &codes_of_b, &codes_of_c});
        CHECK(joined_codes.largest_norm() == codes.largest_norm());
        const PreparedSequence query = whole[7];
        for (const bool coded : {false, true}) {
            TopKSearch over_whole(whole, query, {.k = 10}, coded ? &codes : nullptr);
            TopKSearch over_parts(joined, query, {.k = 10}, coded ? &joined_codes : nullptr);
            CHECK(same(hits_of(over_parts, joined.size()), hits_of(over_whole, whole.size())));
        }
    }
}

TEST(bags_in_parts_are_searched_as_one) {
    instances::Random random(2);
    for (const Measure& measure :
         {Measure{GroundCost::euclidean, Weighting::uniform}, Measure{GroundCost::cosine, Weighting::norm}}) {
        const instances::Collection collection(random, cuts[3], 30, 6);
        const BagsView all = collection.view(true);
        const PreparedBags whole(all, measure);
        std::vector<std::vector<std::int64_t>> offsets(3);
        std::vector<std::uint32_t> known;
        std::vector<std::unique_ptr<PreparedBags>> parts;
        for (std::size_t part = 0; part < 3; ++part) {
            const auto begin = static_cast<std::size_t>(collection.offsets[cuts[part]]);
            const auto end = static_cast<std::size_t>(collection.offsets[cuts[part + 1]]);
            for (std::size_t s = cuts[part]; s <= cuts[part + 1]; ++s) {
                offsets[part].push_back(collection.offsets[s] - collection.offsets[cuts[part]]);
            }
            parts.push_back(
                std::make_unique<PreparedBags>(BagsView{all.vectors, all.words.subspan(begin, end - begin),
                                                        offsets[part], all.counts.subspan(begin, end - begin)},
                                               measure, known));
            known.insert(known.end(), parts.back()->new_rows().begin(), parts.back()->new_rows().end());
        }
        const PreparedBags stored(parts[2]->arrays(), measure);  // as from a file
        const JoinedBags joined({parts[0].get(), parts[1].get(), &stored});
        const JoinedBags alone({&whole});
        CHECK(joined.n_words() == alone.n_words());
        CHECK(joined.longest() == alone.longest());
        const instances::Query query(random, 8, 6, measure);
        Interrupt interrupt;
        TopKSearch over_whole(alone, query.prepared, {.k = 10}, 1, interrupt);
        TopKSearch over_parts(joined, query.prepared, {.k = 10}, 2, interrupt);
        CHECK(same(hits_of(over_parts, joined.size()), hits_of(over_whole, alone.size())));
    }
}

TEST(parts_that_do_not_fit_are_refused) {
    instances::Random random(3);
    const instances::Batch batch(random, 4, 3, 5);
    const instances::Batch other_dim(random, 4, 3, 6);
    const PreparedSequences documents(batch.view(), {GroundCost::euclidean, Weighting::uniform});
    const PreparedSequences other_measure(batch.view(), {GroundCost::cosine, Weighting::norm});
    const PreparedSequences wide(other_dim.view(), {GroundCost::euclidean, Weighting::uniform});
    const auto refused = [](const auto& make) {
        try {
            make();
        } catch (const std::invalid_argument&) {
            return true;
        }
        return false;
    };
    CHECK(refused([] { const JoinedSequences joined({}); }));
    CHECK(refused([&] { const JoinedSequences joined({&documents, &other_measure}); }));
    CHECK(refused([&] { const JoinedSequences joined({&documents, &wide}); }));
    CHECK(refused([&] {
        const PreparedSequences short_mass(batch.view(), documents.measure(),
                                           {.mass = documents.arrays().mass.first(2), .inverse_norms = {}});
    }));

    const instances::Collection collection(random, 10, 5, 4);
    const PreparedBags bags(collection.view(true), documents.measure());
    CHECK(refused([&] { const JoinedBags joined({&bags, &bags}); }));  // words of both begin at 0
    BagArrays arrays = bags.arrays();
    arrays.vectors = arrays.vectors.run(0, arrays.vectors.rows() - 1);
    CHECK(refused([&] { const PreparedBags stored(arrays, documents.measure()); }));
    arrays = bags.arrays();
    arrays.totals = arrays.totals.first(3);
    CHECK(refused([&] { const PreparedBags stored(arrays, documents.measure()); }));
}
