#include "moverank/vocabulary_costs.hpp"

#include <algorithm>
#include <vector>

#include "../kernels/kernels.hpp"
#include "moverank/ground_cost.hpp"
#include "moverank/parallel.hpp"

namespace moverank {

namespace {

constexpr std::size_t words_a_chunk = 512;

}  // namespace

VocabularyCosts::VocabularyCosts(const JoinedBags& bags, const PreparedSequence& query, int n_threads,
                                 Interrupt& interrupt)
    : n_words_(bags.n_words()), stride_(padded(query.size())), costs_(n_words_ * stride_) {
    struct Chunk {
        TokensView vectors;
        std::size_t first_word;
    };
    std::vector<Chunk> chunks;
    for (std::size_t part = 0; part < bags.n_tables(); ++part) {
        const TokensView table = bags.table(part);
        for (std::size_t row = 0; row < table.rows(); row += words_a_chunk) {
            const std::size_t count = std::min(words_a_chunk, table.rows() - row);
            chunks.push_back({table.run(row, count), bags.first_word(part) + row});
        }
    }
    const unsigned n_workers = thread_count(n_threads, chunks.size());
    std::vector<GroundCosts> costs(n_workers, GroundCosts(bags.measure().ground));
    std::vector<double> largest(n_workers, 0.0);
    for (GroundCosts& of_worker : costs) {
        of_worker.set_query(query);
    }
    const std::span<const float> norms = bags.inverse_norms();
    parallel_for(chunks.size(), n_workers, 1, interrupt, [&](unsigned w, std::size_t begin, std::size_t end) {
        for (std::size_t c = begin; c < end; ++c) {
            const auto [vectors, first] = chunks[c];
            largest[w] = std::max(
                largest[w], costs[w].tabulate(vectors, norms.empty() ? norms : norms.subspan(first, vectors.rows()),
                                              costs_.data() + first * stride_));
        }
    });
    largest_ = *std::ranges::max_element(largest);
}

}  // namespace moverank
