/// A fixed set of cases whose instructions bench/instruction_counts.py counts: moverank_cases CASE runs one.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <iostream>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "moverank/batch.hpp"
#include "moverank/codes.hpp"
#include "moverank/exact.hpp"
#include "moverank/joined.hpp"
#include "moverank/neighbours.hpp"
#include "moverank/pair_plans.hpp"
#include "moverank/search.hpp"
#include "moverank/sinkhorn.hpp"
#include "workload.hpp"

using namespace moverank;

namespace {

constexpr std::size_t n_items = 32;

/// What is counted: nothing inlined into it leaves it, nothing else is counted.
[[gnu::noinline]] void counted(const std::function<void()>& run) { run(); }

void solve(std::size_t n, std::size_t m, double capacity) {
    const auto problems = workload::problems(n, m, n * m > 4096 ? n_items / 8 : n_items);
    ExactSolver solver;
    double sum = 0.0;
    counted([&] {
        for (std::size_t p = 0; p < problems.size(); ++p) {
            sum += solver.solve(problems[p].costs.matrix(), problems[p].a, problems[p].b, capacity).value;
        }
    });
    std::cout << sum << "\n";
}

/// With the interval.
void scale(std::size_t n, std::size_t m) {
    const auto problems = workload::problems(n, m, n_items);
    SinkhornSolver solver;
    double sum = 0.0;
    counted([&] {
        for (std::size_t p = 0; p < problems.size(); ++p) {
            sum += solver.solve(problems[p].costs.matrix(), problems[p].a, problems[p].b, 1.0, 1.0, {}).value;
            sum += solver.bounds().upper;
        }
    });
    std::cout << sum << "\n";
}

void one_to_many(const Measure& measure) {
    workload::TokenSource source(128, 1);
    const workload::Collection documents(source, n_items, 8, 64);
    const workload::Collection queries(source, 1, 16, 16);
    const PreparedSequences query(queries.view(), measure);
    std::vector<double> out(n_items);
    Interrupt interrupt;
    counted([&] { distances(query[0], documents.view(), measure, out, 1, interrupt); });
    std::cout << out.back() << "\n";
}

/// Of one query, on one thread.
void search_for(const Searchable& corpus, const PreparedSequence& query) {
    double last = 0.0;
    counted([&] { last = search(corpus, query, {.k = 10, .n_threads = 1}).hits.back().distance; });
    std::cout << last << "\n";
}

void search_sequences() {
    workload::TokenSource source(128, 1);
    const workload::Collection documents(source, 512, 8, 32);
    const workload::Collection queries(source, 1, 16, 16);
    const PreparedSequences corpus(documents.view(), workload::word_rotator);
    const PreparedSequences query(queries.view(), workload::word_rotator);
    search_for(SearchableSequences(corpus), query[0]);
}

/// The same documents, bounded by their int8 codes.
void search_codes() {
    workload::TokenSource source(128, 1);
    const workload::Collection documents(source, 512, 8, 32);
    const workload::Collection queries(source, 1, 16, 16);
    const PreparedSequences corpus(documents.view(), workload::word_rotator);
    const PreparedSequences query(queries.view(), workload::word_rotator);
    std::vector<std::int8_t> codes(documents.n_tokens() * source.dim());
    std::vector<float> scales(documents.n_tokens());
    std::vector<float> token(source.dim());
    for (std::size_t t = 0; t < scales.size(); ++t) {
        decode(documents.view().tokens.run(t, 1), token);
        const auto size = [](float x) { return std::abs(x); };
        scales[t] = size(*std::ranges::max_element(token, {}, size)) / 127.0F;
        std::ranges::transform(token, codes.begin() + static_cast<std::ptrdiff_t>(t * source.dim()),
                               [&](float x) { return static_cast<std::int8_t>(std::lround(x / scales[t])); });
    }
    const PreparedCodes prepared(corpus, {TokenType::int8, codes.data(), scales.size(), source.dim(), scales.data()});
    search_for(SearchableSequences(corpus, &prepared), query[0]);
}

/// Bags of 4 to 16 words out of 1024.
class Bags {
  public:
    Bags(workload::TokenSource& source, std::size_t n_bags, const Measure& measure) {
        constexpr std::uint32_t n_words = 1024;
        constexpr std::size_t longest = 16;
        for (std::uint32_t w = 0; w < n_words; ++w) {
            source.append_token(vectors_);
        }
        for (std::size_t s = 0; s < n_bags; ++s) {
            for (std::size_t n = source.length(4, longest); n > 0; --n) {
                words_.push_back(static_cast<std::uint32_t>(source.length(0, n_words - 1)));
            }
            offsets_.push_back(static_cast<std::int64_t>(words_.size()));
        }
        prepared_.emplace(BagsView{{vectors_.data(), n_words, source.dim()}, words_, offsets_, {}}, measure);
    }
    [[nodiscard]] JoinedBags joined() const { return JoinedBags({&*prepared_}); }

  private:
    std::vector<float> vectors_;
    std::vector<std::uint32_t> words_;
    std::vector<std::int64_t> offsets_{0};
    std::optional<PreparedBags> prepared_;
};

[[nodiscard]] Measure rotator_of(double capacity) {
    Measure measure = workload::word_rotator;
    measure.capacity = capacity;
    return measure;
}

void search_bags(double capacity) {
    const Measure measure = rotator_of(capacity);
    workload::TokenSource source(128, 1);
    const Bags bags(source, 16384, measure);
    const JoinedBags corpus = bags.joined();
    const workload::Collection queries(source, 1, 12, 12);
    const PreparedSequences query(queries.view(), measure);
    search_for(SearchableBags(corpus), query[0]);
}

void near_bags(double capacity) {
    const Measure measure = rotator_of(capacity);
    workload::TokenSource source(128, 1);
    const Bags bags(source, 512, measure);
    const JoinedBags corpus = bags.joined();
    Interrupt interrupt;
    double last = 0.0;
    counted([&] { last = neighbours(corpus, corpus, {.k = 10, .skip_itself = true}, 1, interrupt).distances.back(); });
    std::cout << last << "\n";
}

/// Distances of four queries to all documents, and derivatives by both sides.
void plan(const Measure& measure) {
    constexpr std::size_t n_queries = 4;
    workload::TokenSource source(128, 1);
    const workload::Collection documents(source, n_items, 8, 64);
    const workload::Collection queries(source, n_queries, 16, 16);
    const PreparedSequences left(queries.view(), measure);
    const PreparedSequences right(documents.view(), measure);
    std::vector<std::int64_t> query_of;
    std::vector<std::int64_t> document_of;
    for (std::size_t p = 0; p < n_queries * n_items; ++p) {
        query_of.push_back(static_cast<std::int64_t>(p / n_items));
        document_of.push_back(static_cast<std::int64_t>(p % n_items));
    }
    const std::vector<double> upstream(query_of.size(), 1.0);
    std::vector<float> tokens(right.n_tokens() * source.dim());
    std::vector<double> mass(right.n_tokens());
    Interrupt interrupt;
    counted([&] {
        const PairPlans plans(left, right, query_of, document_of, 1, interrupt);
        for (const auto& [side, n_tokens] :
             {std::pair{PlanSide::query, left.n_tokens()}, std::pair{PlanSide::document, right.n_tokens()}}) {
            plans.derivatives(upstream, side, {tokens.data(), n_tokens, source.dim()}, std::span(mass).first(n_tokens),
                              1, interrupt);
        }
    });
    std::cout << tokens.front() << "\n";
}

const std::map<std::string, std::function<void()>> cases{
    {"exact 8x8", [] { solve(8, 8, 1.0); }},
    {"exact 32x32", [] { solve(32, 32, 1.0); }},
    {"exact 128x128", [] { solve(128, 128, 1.0); }},
    {"exact 256x256", [] { solve(256, 256, 1.0); }},
    {"exact 16x64", [] { solve(16, 64, 1.0); }},
    {"exact 16x64 capacity 4", [] { solve(16, 64, 4.0); }},
    {"sinkhorn 32x32", [] { scale(32, 32); }},
    {"wrd 16 to many", [] { one_to_many(workload::word_rotator); }},
    {"rwmd 16 to many", [] { one_to_many({GroundCost::euclidean, Weighting::uniform, 1.0, Problem::relaxed}); }},
    {"maxsim 16 to many",
     [] { one_to_many({GroundCost::dot, Weighting::uniform, unlimited_capacity, Problem::relaxed}); }},
    {"search sequences", search_sequences},
    {"search codes", search_codes},
    {"search bags", [] { search_bags(1.0); }},
    {"search bags capacity 4", [] { search_bags(4.0); }},
    {"neighbours of bags", [] { near_bags(1.0); }},
    {"neighbours of bags capacity 4", [] { near_bags(4.0); }},
    {"plans and derivatives", [] { plan(workload::word_rotator); }},
    {"plans and derivatives, maxsim", [] { plan({GroundCost::dot, Weighting::uniform, unlimited_capacity}); }},
};

}  // namespace

int main(int argc, char** argv) {
    const auto found = argc == 2 ? cases.find(argv[1]) : cases.end();
    if (found != cases.end()) {
        found->second();
        return 0;
    }
    for (const auto& [name, run] : cases) {
        std::cout << name << "\n";
    }
    return argc == 1 ? 0 : 2;
}
