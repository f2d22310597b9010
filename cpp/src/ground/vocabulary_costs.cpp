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

VocabularyCosts::VocabularyCosts(const PreparedBags& bags, const PreparedSequence& query, int n_threads,
                                 Interrupt& interrupt)
    : n_words_(bags.vectors().rows()), stride_(padded(query.size())), costs_(n_words_ * stride_) {
    const std::size_t n_chunks = (n_words_ + words_a_chunk - 1) / words_a_chunk;
    const unsigned n_workers = thread_count(n_threads, n_chunks);
    std::vector<GroundCosts> costs(n_workers, GroundCosts(bags.measure().ground));
    std::vector<double> largest(n_workers, 0.0);
    for (GroundCosts& of_worker : costs) {
        of_worker.set_query(query);
    }
    parallel_for(n_chunks, n_workers, 1, interrupt, [&](unsigned w, std::size_t begin, std::size_t end) {
        for (std::size_t chunk = begin; chunk < end; ++chunk) {
            const std::size_t first = chunk * words_a_chunk;
            const std::size_t count = std::min(words_a_chunk, n_words_ - first);
            const std::span<const float> norms = bags.inverse_norms();
            largest[w] = std::max(largest[w], costs[w].tabulate(bags.vectors().run(first, count),
                                                                norms.empty() ? norms : norms.subspan(first, count),
                                                                costs_.data() + first * stride_));
        }
    });
    largest_ = *std::ranges::max_element(largest);
}

}  // namespace moverank
