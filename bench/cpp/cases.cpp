/// A fixed set of cases whose instructions bench/instruction_counts.py counts: moverank_cases CASE runs one.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "moverank/batch.hpp"
#include "moverank/codes.hpp"
#include "moverank/exact.hpp"
#include "moverank/joined.hpp"
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

void search_bags(double capacity) {
    constexpr std::uint32_t n_words = 1024;
    constexpr std::size_t n_bags = 16384;
    constexpr std::size_t longest = 16;
    Measure measure = workload::word_rotator;
    measure.capacity = capacity;
    workload::TokenSource source(128, 1);
    std::vector<float> vectors;
    for (std::uint32_t w = 0; w < n_words; ++w) {
        source.append_token(vectors);
    }
    std::vector<std::uint32_t> words;
    std::vector<std::int64_t> offsets{0};
    for (std::size_t s = 0; s < n_bags; ++s) {
        for (std::size_t n = source.length(4, longest); n > 0; --n) {
            words.push_back(static_cast<std::uint32_t>(source.length(0, n_words - 1)));
        }
        offsets.push_back(static_cast<std::int64_t>(words.size()));
    }
    const PreparedBags bags(BagsView{{vectors.data(), n_words, source.dim()}, words, offsets, {}}, measure);
    const JoinedBags corpus({&bags});
    const workload::Collection queries(source, 1, 12, 12);
    const PreparedSequences query(queries.view(), measure);
    search_for(SearchableBags(corpus), query[0]);
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
