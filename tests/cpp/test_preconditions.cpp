/// Public calls refuse what would lead them out of bounds: sizes that differ, positions that do not exist, other
/// dimensions. What is accepted is tested with each subject.
#include <cmath>
#include <limits>
#include <memory>
#include <stdexcept>

#include "check.hpp"
#include "instances.hpp"
#include "moverank/alignment.hpp"
#include "moverank/bag_batch.hpp"
#include "moverank/bag_bounds.hpp"
#include "moverank/bags.hpp"
#include "moverank/batch.hpp"
#include "moverank/clusters.hpp"
#include "moverank/codes.hpp"
#include "moverank/gradient.hpp"
#include "moverank/joined.hpp"
#include "moverank/parallel.hpp"
#include "moverank/pooled.hpp"
#include "moverank/relaxed.hpp"
#include "moverank/topk.hpp"
#include "moverank/verified.hpp"

namespace {

using namespace moverank;

constexpr std::size_t dim = 7;
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

/// Everything a caller needs for one measure: documents, a query, and a query of another dimension.
struct World {
    explicit World(const Measure& of)
        : measure(of), documents(random, 9, 6, dim), single(random, 1, 5, dim), wider(random, 1, 5, dim + 9) {
        corpus = std::make_unique<PreparedSequences>(documents.view(), measure);
        queries = std::make_unique<PreparedSequences>(single.view(), measure);
        others = std::make_unique<PreparedSequences>(wider.view(), measure);
        joined = std::make_unique<JoinedSequences>(std::vector<const PreparedSequences*>{corpus.get()});
    }

    instances::Random random{1};
    Measure measure;
    instances::Batch documents, single, wider;
    std::unique_ptr<PreparedSequences> corpus, queries, others;
    std::unique_ptr<JoinedSequences> joined;

    [[nodiscard]] PreparedSequence query() const { return (*queries)[0]; }
    [[nodiscard]] PreparedSequence wider_query() const { return (*others)[0]; }
};

constexpr Measure wmd{.ground = GroundCost::euclidean, .weighting = Weighting::uniform};
constexpr Measure wrd{.ground = GroundCost::cosine, .weighting = Weighting::norm};

/// An interrupt that has stopped one call would stop the next.
Interrupt& fresh() {
    static std::unique_ptr<Interrupt> latest;
    latest = std::make_unique<Interrupt>();
    return *latest;
}

#define REFUSED(expression) CHECK_THROWS_AS((expression), std::invalid_argument)

TEST(queries_of_another_dimension_are_refused) {
    for (const Measure& measure : {wmd, wrd}) {
        const World world(measure);
        std::vector<double> out(world.corpus->size());
        std::vector<CertifiedDistance> certified(world.corpus->size());
        const PreparedSequence query = world.wider_query();
        REFUSED(distances(query, world.documents.view(), measure, out, 2, fresh()));
        REFUSED(certified_distances(query, world.documents.view(), measure, certified, 2, fresh()));
        REFUSED(pairwise(*world.others, *world.corpus, {}, {out.data(), 1, out.size()}, 2, fresh()));
        PairEvaluator evaluator(measure);
        REFUSED(evaluator.distance(world.query()));  // no query yet
        evaluator.set_query(query);
        REFUSED(evaluator.distance(world.query()));
        REFUSED(evaluator.certified(world.query()));
        REFUSED(evaluator.lower_bound(world.query()));
        const std::vector<std::int64_t> positions{0, 1};
        std::vector<double> bounds(2);
        TopKSearch search(*world.joined, query, {.k = 1});
        REFUSED(search.seed(positions, 1, fresh()));
        REFUSED(search.lower_bounds(positions, bounds, 1, fresh()));
        REFUSED(search.examine(positions, bounds, 1, fresh()));
        std::vector<float> cost(query.size() * world.query().size());
        std::vector<double> plan(cost.size()), f(query.size()), g(world.query().size());
        REFUSED(align(query, world.query(), measure, {cost.data(), f.size(), g.size()},
                      {plan.data(), f.size(), g.size()}, f, g));
    }
}

TEST(sequences_with_spans_of_other_sizes_are_refused) {
    const World world(wrd);
    const PreparedSequence query = world.query();
    PairEvaluator evaluator(wrd);
    for (const std::size_t shorter : {std::size_t{0}, query.size() - 1}) {
        PreparedSequence bad = query;
        bad.mass = bad.mass.first(shorter);
        REFUSED(evaluator.set_query(bad));
        bad = query;
        bad.inverse_norms = bad.inverse_norms.first(shorter);
        REFUSED(evaluator.set_query(bad));
        evaluator.set_query(query);
        REFUSED(evaluator.distance(bad));
        REFUSED(evaluator.lower_bound(bad));
        std::vector<float> pooled(dim);
        bad = query;
        bad.mass = bad.mass.first(shorter);
        REFUSED(pool(GroundCost::cosine, bad, pooled));
        REFUSED(max_norm(bad));
    }
    std::vector<float> pooled(dim - 1);
    REFUSED(pool(GroundCost::cosine, query, pooled));
    std::vector<float> little(query.size() * dim - 1);
    REFUSED(decode(query.tokens, little));
    std::vector<double> mass(query.size());
    std::vector<float> norms(query.size());
    const SequenceView raw{query.tokens, {}};
    REFUSED(prepare(raw, wrd, std::span(mass).first(mass.size() - 1), norms, 0));
    REFUSED(prepare(raw, wrd, mass, std::span(norms).first(norms.size() - 1), 0));
    REFUSED(prepare({query.tokens, std::vector<double>(query.size() + 1, 1.0)}, wrd, mass, norms, 0));
}

TEST(batches_whose_offsets_lead_astray_are_refused) {
    const World world(wmd);
    const SequencesView good = world.documents.view();
    const std::vector<std::int64_t> offsets(good.offsets.begin(), good.offsets.end());
    std::vector<double> out(good.size());
    const std::vector<double> weights(good.tokens.rows() - 1, 1.0);
    const auto refused = [&](const SequencesView& bad) {
        REFUSED(PreparedSequences(bad, wmd));
        REFUSED(PreparedSequences(bad, wmd, world.corpus->arrays()));
        REFUSED(distances(world.query(), bad, wmd, out, 1, fresh()));
    };
    for (const auto& [place, value] : {std::pair{std::size_t{0}, std::int64_t{1}},
                                       {1, -1},
                                       {2, offsets[1] - 1},
                                       {3, std::int64_t{1} << 40},
                                       {offsets.size() - 1, offsets.back() + 1},
                                       {offsets.size() - 1, offsets.back() - 1}}) {
        std::vector<std::int64_t> bad = offsets;
        bad[place] = value;
        refused({good.tokens, bad, {}});
    }
    refused({good.tokens, offsets, weights});
    REFUSED(distances(world.query(), good, wmd, std::span(out).first(1), 1, fresh()));
    std::vector<CertifiedDistance> certified(good.size() + 1);
    REFUSED(certified_distances(world.query(), good, wmd, certified, 1, fresh()));
    REFUSED(pairwise(*world.corpus, *world.corpus, {}, {out.data(), 1, out.size()}, 1, fresh()));
    REFUSED(pairwise(*world.queries, PreparedSequences(good, wrd), {}, {out.data(), 1, out.size()}, 1, fresh()));
    REFUSED((*world.corpus)[good.size()]);
}

TEST(positions_that_do_not_exist_are_refused) {
    const World world(wmd);
    const PreparedCodes codes(*world.corpus, world.documents.view().tokens);
    const JoinedCodes joined_codes({world.corpus.get()}, {&codes});
    const auto n = static_cast<std::int64_t>(world.corpus->size());
    for (const std::int64_t position : {n, std::int64_t{-1}, std::int64_t{1} << 40}) {
        const std::vector<std::int64_t> positions{0, position};
        std::vector<double> bounds(2, 0.0);
        for (const DocumentCodes* of :
             {static_cast<const DocumentCodes*>(nullptr), static_cast<const DocumentCodes*>(&joined_codes)}) {
            TopKSearch search(*world.joined, world.query(), {.k = 2}, of);
            REFUSED(search.seed(positions, 1, fresh()));
            REFUSED(search.lower_bounds(positions, bounds, 1, fresh()));
            REFUSED(search.examine(positions, std::vector<double>{0.0, 0.0}, 1, fresh()));
        }
        REFUSED(joined_codes.slack(static_cast<std::size_t>(position), 1.0));
    }
    const PreparedCodes of_others(*world.queries, world.single.view().tokens);
    REFUSED(JoinedCodes({world.corpus.get()}, {&of_others}));
}

TEST(searches_with_bounds_of_another_size_or_order_are_refused) {
    const World world(wmd);
    TopKSearch search(*world.joined, world.query(), {.k = 2});
    const std::vector<std::int64_t> positions{0, 1, 2};
    std::vector<double> two(2);
    REFUSED(search.lower_bounds(positions, two, 1, fresh()));
    REFUSED(search.examine(positions, two, 1, fresh()));
    REFUSED(search.examine(positions, std::vector<double>{0.0, 2.0, 1.0}, 1, fresh()));
    REFUSED(search.examine(positions, std::vector<double>{0.0, not_a_number, 1.0}, 1, fresh()));
    REFUSED(TopKSearch(*world.joined, world.query(), {.k = 1, .slack = -0.5}));
    REFUSED(TopKSearch(*world.joined, world.query(), {.k = 1, .radius = not_a_number}));
}

TEST(bags_that_do_not_fit_are_refused) {
    const World world(wmd);
    const std::vector<std::uint32_t> words{0, 2, 1};
    const std::vector<std::int64_t> offsets{0, 2, 3};
    const std::vector<std::int64_t> falling{0, 4, 3};
    const std::vector<float> counts(2, 1.0F);
    const TokensView table = world.documents.view().tokens;
    REFUSED(PreparedBags(BagsView{table, words, falling, {}}, wmd));
    REFUSED(PreparedBags(BagsView{table, words, offsets, counts}, wmd));
    const PreparedBags bags(BagsView{table, words, offsets, {}}, wmd);
    BagArrays found = bags.arrays();
    found.offsets = falling;
    REFUSED(PreparedBags(found, wmd));
    const JoinedBags joined({&bags});
    REFUSED(joined[2]);
    DocumentBuffer buffer;
    REFUSED(joined.at(2, buffer));
    REFUSED(VocabularyCosts(joined, world.wider_query(), 1, fresh()));
    REFUSED(TopKSearch(joined, world.wider_query(), {.k = 1}, 1, fresh()));

    const VocabularyCosts costs(joined, world.query(), 1, fresh());
    const std::vector<double> mass(world.query().mass.begin(), world.query().mass.end());
    const std::vector<double> potentials(mass.size() + 1, 0.0);
    REFUSED(BagBounds(joined, costs, mass, potentials));
    REFUSED(BagBounds(joined, costs, {}, {}));
    const BagBounds bounds(joined, costs, mass, {});
    BagBounds::Scratch scratch;
    REFUSED(bounds.one_sided(2));
    REFUSED(bounds.two_sided(2, scratch));

    // A document made of words, for an evaluator without their costs, or with a word that has none.
    PairEvaluator evaluator(wmd);
    evaluator.set_query(world.query());
    PreparedSequence document = joined.at(0, buffer);
    REFUSED(evaluator.distance(document));
    evaluator.set_query(world.query(), &costs);
    const std::vector<std::uint32_t> unknown{0, 99};
    document.words = unknown;
    REFUSED(evaluator.distance(document));
    TopKSearch search(joined, world.query(), {.k = 1}, 1, fresh());
    const std::vector<std::int64_t> positions{5};
    std::vector<double> out(1);
    REFUSED(search.seed(positions, 1, fresh()));
    REFUSED(search.lower_bounds(*search.bounds().front(), positions, out, 1, fresh()));
    REFUSED(search.lower_bounds(*search.bounds().front(), positions, std::span<double>{}, 1, fresh()));
    std::vector<CertifiedDistance> certified;
    REFUSED(distances(world.query(), joined, std::span<double>{}, 1, fresh()));
    REFUSED(certified_distances(world.query(), joined, certified, 1, fresh()));
    REFUSED(pairwise(joined, joined, {}, {out.data(), 1, 1}, 1, fresh()));
}

template <class Cost>
void refuse_malformed_problems() {
    const std::vector<Cost> cost(6, Cost{1});
    const std::vector<double> two(2, 0.5);
    const std::vector<double> three(3, 1.0 / 3);
    const MatrixView<const Cost> matrix(cost.data(), 2, 3);
    ExactSolver exact;
    VerifiedSolver verified;
    SinkhornSolver sinkhorn;
    const Sinkhorn settings{};
    const auto refused = [&](const TransportProblem<Cost>& problem) {
        REFUSED(exact.solve(problem));
        REFUSED(verified.solve(problem));
        REFUSED(sinkhorn.solve(problem, settings));
    };
    CHECK_NEAR(exact.solve({matrix, two, three}).value, 1.0, 1e-9);
    refused({matrix, three, three});
    refused({matrix, two, two});
    refused({matrix, std::span(two).first(1), three});
    refused({matrix, {}, three});
    refused({{cost.data(), 2, 0}, two, {}});
    refused({{cost.data(), 2, 3, 2}, two, three});
    refused({matrix, std::vector{0.5, 0.6}, three});
    refused({matrix, std::vector{1.5, -0.5}, three});
    refused({matrix, std::vector{not_a_number, 1.0}, three});
    refused({matrix, two, three, 0.5});
    refused({matrix, two, three, not_a_number});
    refused({matrix, two, three, 1.0, 0.0});
    refused({matrix, two, three, 1.0, 1.5});
    sinkhorn.solve({matrix, two, three}, settings);
    std::vector<double> plan(5);
    REFUSED(sinkhorn.plan({plan.data(), 1, 5}));
    const std::vector<TransportProblem<Cost>> problems{{matrix, two, three}};
    REFUSED(transport_batch(problems, std::span<SolveSummary>{}, 1, fresh()));
    std::vector<SolveSummary> one(1);
    REFUSED(transport_batch(problems, one, 1, fresh(), plan));
    REFUSED(sinkhorn_batch(problems, settings, std::span<SinkhornResult>{}, 1, fresh()));
}

TEST(problems_that_are_malformed_are_refused) {
    refuse_malformed_problems<float>();
    refuse_malformed_problems<double>();
}

TEST(relaxations_of_other_sizes_are_refused) {
    const std::vector<float> minima(3, 1.0F);
    const std::vector<double> mass(4, 0.25);
    std::vector<std::size_t> order;
    REFUSED(relaxed_side(std::span<const float>(minima), mass));
    REFUSED(relaxed_bound(std::span<const float>(minima), std::span<const float>(minima), mass, mass, 1.0, 1.0, order));
    REFUSED(cheapest_part(std::span<const float>(minima), mass, 0.5, order));
}

TEST(gradients_of_other_shapes_are_refused) {
    std::vector<double> tokens(12, 1.0), out(12), weights(3, 1.0), weight_out(3);
    const DifferentiableSequence x{{tokens.data(), 3, 4}, {}};
    const SequenceGradient dx{{out.data(), 3, 4}, {}};
    GradientEvaluator evaluator(wmd);
    REFUSED(evaluator.evaluate(x, {{tokens.data(), 4, 3}, {}}, dx, {{out.data(), 4, 3}, {}}));
    REFUSED(evaluator.evaluate(x, x, dx, {{out.data(), 2, 4}, {}}));
    REFUSED(evaluator.evaluate({x.tokens, std::span(weights).first(2)}, x, {dx.tokens, weight_out}, dx));
    REFUSED(evaluator.evaluate({x.tokens, weights}, x, dx, dx));
    REFUSED(evaluator.evaluate({{tokens.data(), 0, 4}, {}}, x, {{out.data(), 0, 4}, {}}, dx));
    std::vector<double> values(1);
    const std::vector xs{x}, two{x, x};
    const std::vector gradients_of_x{dx};
    REFUSED(gradients(two, xs, wmd, values, gradients_of_x, gradients_of_x, 1, fresh()));
    REFUSED(gradients(xs, xs, wmd, {}, gradients_of_x, gradients_of_x, 1, fresh()));
    REFUSED(gradients(xs, xs, wmd, values, {}, gradients_of_x, 1, fresh()));
}

TEST(alignments_and_clusters_without_room_are_refused) {
    const World world(wmd);
    const PreparedSequence query = world.query();
    const std::size_t n = query.size();
    std::vector<float> cost(n * n);
    std::vector<double> plan(n * n), f(n), g(n);
    const MatrixView<float> costs(cost.data(), n, n);
    const MatrixView<double> moved(plan.data(), n, n);
    CHECK(align(query, query, wmd, costs, moved, f, g).value < 1e-6);
    REFUSED(align(query, query, wmd, {cost.data(), n, n - 1}, moved, f, g));
    REFUSED(align(query, query, wmd, costs, {plan.data(), n + 1, n}, f, g));
    REFUSED(align(query, query, wmd, costs, moved, std::span(f).first(n - 1), g));
    REFUSED(align(query, query, wmd, costs, moved, f, {}));

    const std::size_t n_documents = world.corpus->size();
    std::vector<float> centroids(2 * n_documents * dim);
    std::vector<double> mass(2 * n_documents);
    std::vector<std::int64_t> counts(n_documents);
    const MatrixView<float> room(centroids.data(), 2 * n_documents, dim);
    REFUSED(cluster_tokens(*world.corpus, 3, room, mass, counts, 1, fresh()));
    REFUSED(cluster_tokens(*world.corpus, 0, room, mass, counts, 1, fresh()));
    REFUSED(cluster_tokens(*world.corpus, 2, room, std::span(mass).first(2), counts, 1, fresh()));
    REFUSED(cluster_tokens(*world.corpus, 2, room, mass, std::span(counts).first(2), 1, fresh()));
    REFUSED(cluster_tokens(*world.corpus, 2, {centroids.data(), 2 * n_documents, dim - 1}, mass, counts, 1, fresh()));
    REFUSED(parallel_for(5, 2, 0, fresh(), [](unsigned, std::size_t, std::size_t) {}));
}

}  // namespace
