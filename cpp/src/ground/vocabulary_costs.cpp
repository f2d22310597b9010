#include "moverank/vocabulary_costs.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "../kernels/kernels.hpp"
#include "../preconditions.hpp"
#include "moverank/ground_cost.hpp"
#include "moverank/parallel.hpp"

namespace moverank {

namespace {

constexpr std::size_t words_a_chunk = 512;

}  // namespace

void VocabularyCosts::compute(const JoinedBags& bags, const PreparedSequence& query, int n_threads,
                              Interrupt& interrupt) {
    bags_ = &bags;
    n_words_ = bags.n_words();
    stride_ = padded(query.size());
    query_words_.assign(query.words.begin(), query.words.end());
    grow(costs_, n_words_ * stride_);
    if (bags.has_given_costs()) {
        take_given(query, interrupt);
    } else {
        tabulate(query, n_threads, interrupt);
    }
}

void VocabularyCosts::take_given(const PreparedSequence& query, Interrupt& interrupt) {
    require(query.words.size() == query.size(), "where costs are given, queries are made of words");
    float largest = 0.0F;
    bags_->costs().visit([&](const auto& table) {
        for (std::size_t word = 0; word < n_words_; ++word) {
            if (word % words_a_chunk == 0) {
                interrupt.check();
            }
            const auto* from = table.row(word);
            float* const to = costs_.data() + word * stride_;
            for (std::size_t i = 0; i < query_words_.size(); ++i) {
                to[i] = static_cast<float>(from[query_words_[i]]);
                largest = std::max(largest, std::abs(to[i]));
            }
            std::fill(to + query_words_.size(), to + stride_, std::numeric_limits<float>::infinity());
        }
    });
    largest_ = static_cast<double>(largest);
}

void VocabularyCosts::exact(std::span<const std::uint32_t> document_words, MatrixView<double> out) const {
    bags_->costs().visit([&](const auto& table) {
        for (std::size_t j = 0; j < document_words.size(); ++j) {
            const auto* from = table.row(document_words[j]);
            for (std::size_t i = 0; i < query_words_.size(); ++i) {
                out(i, j) = static_cast<double>(from[query_words_[i]]);
            }
        }
    });
}

double VocabularyCosts::rounding() const {
    // Half a unit in the last place of float32, of the cost before it was rounded; below its normal range, of its step.
    return in_double() ? 0x1.000002p-24 * largest_ + 0x1p-150 : 0.0;
}

void VocabularyCosts::tabulate(const PreparedSequence& query, int n_threads, Interrupt& interrupt) {
    const JoinedBags& bags = *bags_;
    require(query.tokens.cols() == bags.dim(), "query and words must have vectors of one dimension");
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
