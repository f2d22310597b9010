#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <stdexcept>
#include <vector>

#include "bag_instances.hpp"
#include "check.hpp"
#include "instances.hpp"
#include "moverank/bag_batch.hpp"
#include "moverank/batch.hpp"
#include "moverank/topk.hpp"
#include "moverank/vocabulary_costs.hpp"

using namespace moverank;
using instances::Collection;

namespace {

/// Bags over a vocabulary of 40 words, and costs of these from 30 words of queries.
template <class Cost>
struct Histograms {
    static constexpr std::size_t n_words = 40;
    static constexpr std::size_t n_query_words = 30;

    Histograms(instances::Random& random, std::size_t n_bags, std::size_t vocabulary) {
        std::normal_distribution<double> normal;
        std::uniform_real_distribution<double> mass(1e-3, 1.0);
        std::uniform_int_distribution<std::size_t> length(1, 20);
        std::vector<std::uint32_t> all(vocabulary);
        for (std::uint32_t word = 0; word < vocabulary; ++word) {
            all[word] = word;
        }
        for (std::size_t s = 0; s < n_bags; ++s) {
            std::ranges::shuffle(all, random);
            words.insert(words.end(), all.begin(), all.begin() + static_cast<std::ptrdiff_t>(length(random)));
            offsets.push_back(static_cast<std::int64_t>(words.size()));
        }
        counts.resize(words.size());
        std::ranges::generate(counts, [&] { return mass(random); });
        costs.resize(n_words * n_query_words);
        std::ranges::generate(costs, [&] { return static_cast<Cost>(normal(random)); });
    }

    [[nodiscard]] MatrixView<const Cost> table() const { return {costs.data(), n_words, n_query_words}; }
    [[nodiscard]] BagsView documents() const { return {{}, words, offsets, counts, CostTable(table())}; }
    /// The same bags as queries: their words are those that costs are about.
    [[nodiscard]] BagsView queries() const {
        return {{}, words, offsets, counts, CostTable(MatrixView<const Cost>(nullptr, n_query_words, 0))};
    }

    std::vector<std::uint32_t> words;
    std::vector<std::int64_t> offsets{0};
    std::vector<double> counts;
    std::vector<Cost> costs;
};

/// The value of one pair by the solver, from a matrix gathered entry by entry.
template <class Cost>
double solved(const Histograms<Cost>& rows, std::size_t r, const Histograms<Cost>& columns, std::size_t s,
              const Measure& measure) {
    const auto part = [](const auto& bags, std::size_t b) {
        const auto begin = static_cast<std::size_t>(bags.offsets[b]);
        const auto size = static_cast<std::size_t>(bags.offsets[b + 1]) - begin;
        std::vector<double> mass(bags.counts.begin() + bags.offsets[b], bags.counts.begin() + bags.offsets[b + 1]);
        double total = 0.0;
        for (const double x : mass) {
            total += x;
        }
        for (double& x : mass) {
            x /= total;
        }
        return std::pair(std::span(bags.words).subspan(begin, size), mass);
    };
    const auto [query_words, a] = part(rows, r);
    const auto [document_words, b] = part(columns, s);
    std::vector<double> cost;
    for (const std::uint32_t i : query_words) {
        for (const std::uint32_t j : document_words) {
            cost.push_back(static_cast<double>(columns.table()(j, i)));
        }
    }
    ExactSolver solver;
    return solver
        .solve(TransportProblem<double>{{cost.data(), a.size(), b.size()}, a, b, measure.capacity, measure.fraction})
        .value;
}

template <class Cost>
void check_given_costs(double tolerance) {
    instances::Random random(5);
    const Histograms<Cost> rows(random, 23, Histograms<Cost>::n_query_words);
    const Histograms<Cost> columns(random, 31, Histograms<Cost>::n_words);
    for (const Measure& measure :
         {Measure{GroundCost::given, Weighting::uniform}, Measure{GroundCost::given, Weighting::given, 2.5},
          Measure{GroundCost::given, Weighting::uniform, 1.0, Problem::exact, 0.4}}) {
        const PreparedBags prepared_rows(rows.queries(), measure);
        const PreparedBags prepared_columns(columns.documents(), measure);
        const JoinedBags queries({&prepared_rows});
        const JoinedBags documents({&prepared_columns});
        std::vector<double> values(queries.size() * documents.size());
        std::vector<double> again(values.size());
        const MatrixView<double> out(values.data(), queries.size(), documents.size());
        Interrupt interrupt;
        pairwise(queries, documents, {}, out, 1, interrupt);
        pairwise(queries, documents, {}, {again.data(), queries.size(), documents.size()}, 16, interrupt);
        CHECK(values == again);
        DocumentBuffer buffer;
        std::vector<double> one(documents.size());
        std::vector<CertifiedDistance> certified(documents.size());
        for (std::size_t r = 0; r < queries.size(); ++r) {
            distances(queries.query(r, buffer), documents, one, 2, interrupt);
            certified_distances(queries.query(r, buffer), documents, certified, 2, interrupt);
            for (std::size_t s = 0; s < documents.size(); ++s) {
                CHECK_NEAR(out(r, s), solved(rows, r, columns, s, measure), tolerance);
                CHECK(one[s] == out(r, s));
                CHECK(certified[s].value == out(r, s));
                CHECK(certified[s].lower <= out(r, s) && out(r, s) - certified[s].lower < 1e-11);
            }
        }
    }
}

/// 1 and a little: every cost is the same float32 number.
constexpr double beside_one(std::size_t step) { return 1.0 + 1e-10 * static_cast<double>(step); }

}  // namespace

TEST(bags_have_the_distances_of_their_sequences_to_the_last_bit) {
    instances::Random random(1);
    for (const Measure& measure :
         {Measure{GroundCost::cosine, Weighting::uniform}, Measure{GroundCost::euclidean, Weighting::norm, 3.0},
          Measure{GroundCost::dot, Weighting::uniform, 1.0, Problem::relaxed},
          Measure{GroundCost::sqeuclidean, Weighting::uniform, 1.0, Problem::exact, 0.5},
          Measure{GroundCost::euclidean, Weighting::uniform, 1.0, Problem::entropic},
          Measure{GroundCost::euclidean, Weighting::uniform, 1.0, Problem::entropic, 1.0,
                  Sinkhorn{.debiased = true}}}) {
        const Collection collection(random, 25, 12, 5);
        std::vector<float> tokens;
        for (const std::uint32_t word : collection.words) {
            const auto* vector = collection.vectors.data() + word * collection.dim;
            tokens.insert(tokens.end(), vector, vector + collection.dim);
        }
        const PreparedSequences sequences(
            {{tokens.data(), collection.words.size(), collection.dim}, collection.offsets, {}}, measure);
        const PreparedBags prepared(collection.view(false), measure);
        const JoinedBags bags({&prepared});
        const std::size_t n = bags.size();
        std::vector<double> of_sequences(n * n);
        std::vector<double> of_bags(n * n);
        std::vector<double> mirrored(n * n);
        Interrupt interrupt;
        pairwise(sequences, sequences, {}, {of_sequences.data(), n, n}, 2, interrupt);
        for (const int n_threads : {1, 3, 16}) {
            pairwise(bags, bags, {}, {of_bags.data(), n, n}, n_threads, interrupt);
            CHECK(of_bags == of_sequences);
            pairwise(bags, bags, {.mirrored = true, .zero_diagonal = true}, {mirrored.data(), n, n}, n_threads,
                     interrupt);
            for (std::size_t r = 0; r < n; ++r) {
                CHECK(mirrored[r * n + r] == 0.0);
                for (std::size_t s = r + 1; s < n; ++s) {
                    CHECK(mirrored[r * n + s] == of_sequences[r * n + s]);
                    CHECK(mirrored[s * n + r] == mirrored[r * n + s]);
                }
            }
            const KnownPairs known{.mirrored = true, .zero_diagonal = true};
            std::vector<double> of_halves(n * n);
            PairCount n_done{0};
            pairwise(sequences, sequences, known, {of_halves.data(), n, n}, n_threads, interrupt, &n_done);
            CHECK(of_halves == mirrored);
            CHECK(n_done == n_pairs(n, n, known));
            std::vector<double> paired(n);
            paired_distances(sequences, sequences, paired, n_threads, interrupt, &n_done);
            for (std::size_t r = 0; r < n; ++r) {
                CHECK(paired[r] == of_sequences[r * n + r]);
            }
        }
    }
}

TEST(rows_of_more_words_than_a_table_of_costs_takes_have_the_same_distances) {
    // 80 000 words of columns, so a table has room for the costs of 838 words of rows.
    constexpr std::size_t n_words = 80000, words_per_column = 1000, words_per_row = 5, n_rows = 400, dim = 3;
    instances::Random random(11);
    std::normal_distribution<float> normal;
    std::vector<float> vectors(n_words * dim);
    std::ranges::generate(vectors, [&] { return normal(random); });
    const auto bags_of = [&](std::size_t n_used, std::size_t words_per_bag, std::vector<std::uint32_t>& words,
                             std::vector<std::int64_t>& offsets) {
        for (std::size_t word = 0; word < n_used; ++word) {
            words.push_back(static_cast<std::uint32_t>((word * 7919) % n_words));
        }
        for (std::size_t end = 0; end <= n_used; end += words_per_bag) {
            offsets.push_back(static_cast<std::int64_t>(end));
        }
        return BagsView{{vectors.data(), n_words, dim}, words, offsets, {}, {}};
    };
    std::vector<std::uint32_t> row_words, column_words;
    std::vector<std::int64_t> row_offsets, column_offsets;
    const Measure measure{GroundCost::euclidean, Weighting::uniform, 1.0, Problem::relaxed};
    const PreparedBags of_rows(bags_of(n_rows * words_per_row, words_per_row, row_words, row_offsets), measure);
    const PreparedBags of_columns(bags_of(n_words, words_per_column, column_words, column_offsets), measure);
    const JoinedBags rows({&of_rows}), columns({&of_columns});
    std::vector<double> found(rows.size() * columns.size());
    Interrupt interrupt;
    PairCount n_done{0};
    pairwise(rows, columns, {}, {found.data(), rows.size(), columns.size()}, 2, interrupt, &n_done);
    CHECK(n_done == found.size());
    std::vector<double> one(columns.size());
    DocumentBuffer buffer;
    for (std::size_t r = 0; r < rows.size(); r += 13) {
        distances(rows.query(r, buffer), columns, one, 1, interrupt);
        CHECK(std::ranges::equal(one, std::span(found).subspan(r * columns.size(), columns.size())));
    }
}

TEST(given_costs_in_float32_are_solved_as_they_are) { check_given_costs<float>(1e-11); }

TEST(given_costs_in_float64_are_solved_as_they_are) { check_given_costs<double>(1e-11); }

TEST(differences_that_float32_does_not_hold_decide) {
    // Words at a cost of 1 + 1e-10 times their distance.
    constexpr std::size_t n = 12;
    std::vector<double> costs(n * n);
    std::vector<std::uint32_t> words(n);
    std::vector<std::int64_t> offsets{0};
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = 0; j < n; ++j) {
            costs[j * n + i] = beside_one(i > j ? i - j : j - i);
        }
        words[i] = static_cast<std::uint32_t>(i);
        offsets.push_back(static_cast<std::int64_t>(i + 1));
    }
    const CostTable table(MatrixView<const double>(costs.data(), n, n));
    for (const Measure& measure : {Measure{GroundCost::given, Weighting::uniform},
                                   Measure{GroundCost::given, Weighting::uniform, unlimited_capacity},
                                   Measure{GroundCost::given, Weighting::uniform, 1.0, Problem::relaxed}}) {
        const PreparedBags prepared({{}, words, offsets, {}, table}, measure);
        const JoinedBags bags({&prepared});
        std::vector<double> mass{1.0};
        const std::vector<std::uint32_t> query{3};
        Interrupt interrupt;
        TopKSearch search(bags, prepare_words(query, {}, n, mass, 0), {.k = 3}, 1, interrupt);
        const std::vector<std::int64_t> seeds{0, 11};
        const std::vector<std::int64_t> others{1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
        search.seed(seeds, 1, interrupt);
        std::vector<double> bounds(others.size());
        search.lower_bounds(others, bounds, 1, interrupt);
        for (std::size_t c = 0; c < others.size(); ++c) {
            const auto distance = static_cast<std::size_t>(std::abs(others[c] - 3));
            CHECK(bounds[c] <= beside_one(distance));
            CHECK(bounds[c] > 1.0 - 1e-6);
        }
        std::ranges::fill(bounds, *std::ranges::min_element(bounds));
        search.examine(others, bounds, 1, interrupt);
        const std::vector<Hit> hits = search.hits();
        CHECK(hits.size() == 3);
        CHECK(hits[0].position == 3 && hits[1].position == 2 && hits[2].position == 4);
        CHECK(hits.front().distance == 1.0);
    }
}

TEST(forbidden_and_dear_costs_are_solved_as_given) {
    const double infinity = std::numeric_limits<double>::infinity();
    // Two documents over words 0 to 2, and one that only word 3 reaches.
    const std::vector<std::uint32_t> words{0, 1, 1, 2, 3};
    const std::vector<std::int64_t> offsets{0, 2, 4, 5};
    const std::vector<std::uint32_t> asked{0, 1, 1, 2, 0, 1};
    const std::vector<std::int64_t> asked_offsets{0, 2, 4, 6};
    for (const double dear : {1e12, infinity}) {
        const std::vector<double> costs{0.25, dear, 1.0, 1.0, dear, 0.5,  dear, 1.0,
                                        2.0,  1.0,  0.0, 1.0, dear, dear, dear, 0.0};
        const CostTable table(MatrixView<const double>(costs.data(), 4, 4));
        const Measure measure{GroundCost::given, Weighting::uniform};
        const PreparedBags documents({{}, words, offsets, {}, table}, measure);
        const PreparedBags queries({{}, asked, asked_offsets, {}, CostTable(MatrixView<const double>(nullptr, 4, 0))},
                                   measure);
        const JoinedBags rows({&queries});
        const JoinedBags columns({&documents});
        std::vector<double> paired(3);
        std::vector<double> all(9);
        Interrupt interrupt;
        PairCount n_done = 0;
        paired_distances(rows, columns, paired, 2, interrupt, &n_done);
        pairwise(rows, columns, {}, {all.data(), 3, 3}, 1, interrupt);
        CHECK(n_done == 3);
        CHECK(paired == (std::vector<double>{0.375, 0.25, dear}));
        CHECK(all[0] == paired[0] && all[4] == paired[1] && all[8] == paired[2]);
        CHECK_THROWS_AS(paired_distances(rows, columns, std::span(paired).first(2), 1, interrupt),
                        std::invalid_argument);
    }
}

TEST(given_costs_say_what_is_wrong_with_them) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const std::vector<std::uint32_t> words{0, 1};
    const std::vector<std::int64_t> offsets{0, 1, 2};
    const std::vector<float> costs{0, 1, 2, 3};
    const std::vector<float> bad{0, 1, 2, nan};
    const CostTable table(MatrixView<const float>(costs.data(), 2, 2));
    const BagsView bags{{}, words, offsets, {}, table};
    const Measure measure{GroundCost::given, Weighting::uniform};
    CHECK_THROWS_SAYING(
        PreparedBags(BagsView{{}, words, offsets, {}, CostTable(MatrixView<const float>(bad.data(), 2, 2))}, measure),
        std::invalid_argument, "word 1 has a cost that is NaN, or below -1.28e+38");
    CHECK_THROWS_SAYING(
        PreparedBags(BagsView{{}, words, offsets, {}, CostTable(MatrixView<const float>(costs.data(), 1, 2))}, measure),
        SequenceError, "sequence 1: word 1 is not in the vocabulary, which has 1 words");
    CHECK_THROWS_AS(PreparedBags(bags, {GroundCost::given, Weighting::norm}), std::invalid_argument);
    CHECK_THROWS_AS(PreparedBags(bags, {GroundCost::given, Weighting::uniform, 1.0, Problem::entropic, 1.0,
                                        Sinkhorn{.debiased = true}}),
                    std::invalid_argument);
    const std::vector<std::uint32_t> one_known{0};
    CHECK_THROWS_AS(PreparedBags(bags, measure, one_known), std::invalid_argument);
    CHECK_THROWS_SAYING(PreparedBags(bags, {GroundCost::given, Weighting::given}), SequenceError,
                        "sequence 0: has no counts, which weighting 'given' needs");

    std::vector<double> mass(2);
    const std::vector<std::uint32_t> unknown{0, 2};
    const std::vector<double> weights{1.0, -1.0};
    CHECK_THROWS_SAYING((void)prepare_words(unknown, {}, 2, mass, 7), SequenceError,
                        "sequence 7: word 2 has no costs, which the table has for 2 words of queries");
    CHECK_THROWS_SAYING((void)prepare_words(words, weights, 2, mass, 7), SequenceError,
                        "sequence 7: weight 1 is negative (-1)");
    CHECK_THROWS_AS((void)prepare_words({}, {}, 2, {}, 0), SequenceError);
    CHECK_THROWS_AS((void)prepare_words(words, {}, 2, std::span(mass).first(1), 0), std::invalid_argument);

    const std::vector<float> vector{1.0F};
    CHECK_THROWS_AS((void)prepare({{vector.data(), 1, 1}, {}}, measure, std::span(mass).first(1), {}, 0),
                    std::invalid_argument);
    CHECK_THROWS_AS(PairEvaluator(measure).distance({{}, std::span(mass).first(1), {}, {}}), std::invalid_argument);

    const PreparedBags prepared(bags, measure);
    const PreparedBags same(bags, measure);
    CHECK_THROWS_AS(JoinedBags({&prepared, &same}), std::invalid_argument);  // two tables
    const std::vector<std::uint32_t> known{0, 1};
    const PreparedBags more(bags, measure, known);
    const JoinedBags joined({&prepared, &more});
    CHECK(joined.size() == 4 && joined.n_words() == 2 && joined.dim() == 2);
    Interrupt interrupt;
    std::vector<double> out(16);
    CHECK_THROWS_AS(pairwise(joined, JoinedBags({&prepared}), {.mirrored = true}, {out.data(), 4, 2}, 1, interrupt),
                    std::invalid_argument);
}
