#include <cstdint>
#include <iostream>
#include <random>
#include <thread>
#include <vector>

#include "moverank/prepared.hpp"
#include "moverank/search.hpp"

using namespace moverank;

/// Sequences of 8 to 24 tokens in 64 dimensions, all tokens in one array.
struct Batch {
    Batch(std::size_t n_sequences, unsigned seed) {
        std::mt19937 random(seed);
        std::normal_distribution<float> normal;
        for (std::size_t s = 0; s < n_sequences; ++s) {
            offsets.push_back(offsets.back() + 8 + random() % 17);
        }
        tokens.resize(static_cast<std::size_t>(offsets.back()) * dim);
        for (float& component : tokens) {
            component = normal(random);
        }
    }
    SequencesView view() const { return {{tokens.data(), tokens.size() / dim, dim}, offsets, {}}; }

    static constexpr std::size_t dim = 64;
    std::vector<float> tokens;
    std::vector<std::int64_t> offsets{0};
};

int main() {
    // Word Mover's Distance. Preparation checks the vectors and makes mass; the tokens stay the caller's.
    const Measure measure{.ground = GroundCost::euclidean, .weighting = Weighting::uniform};
    const Batch documents(10'000, 1), queries(4, 2);
    const PreparedSequences corpus(documents.view(), measure), prepared(queries.view(), measure);
    const SearchableSequences searchable(corpus);

    const SearchResult found = search(searchable, prepared[0], {.k = 10});
    for (const Hit& hit : found.hits) {
        std::cout << "document " << hit.position << " at " << hit.distance << "\n";
    }
    const Certificate& proof = found.certificate;
    std::cout << (proof.exact ? "exact: " : "not exact: ") << proof.unsolved << " of " << found.n_documents
              << " documents were not solved, none is nearer than " << proof.bound << "\n";

    // With a deadline the certificate says what the answer is worth.
    const SearchResult quick = search(searchable, prepared[0], {.k = 10, .timeout = std::chrono::milliseconds(20)});
    std::cout << quick.certificate.certain << " of " << quick.hits.size() << " hits are certain after 20 ms\n";

    // One corpus serves any number of threads: what a search changes is its own.
    std::vector<SearchResult> answers(prepared.size());
    std::vector<std::thread> threads;
    for (std::size_t q = 0; q < prepared.size(); ++q) {
        threads.emplace_back([&, q] { answers[q] = search(searchable, prepared[q], {.k = 10, .n_threads = 1}); });
    }
    bool all_exact = proof.exact;
    for (std::size_t q = 0; q < prepared.size(); ++q) {
        threads[q].join();
        all_exact = all_exact && answers[q].certificate.exact;
    }
    // The answer does not depend on the number of threads.
    return all_exact && answers[0].hits.front().position == found.hits.front().position ? 0 : 1;
}
