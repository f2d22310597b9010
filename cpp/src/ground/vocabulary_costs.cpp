#include "moverank/vocabulary_costs.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "../kernels/kernels.hpp"
#include "../preconditions.hpp"
#include "moverank/cost_limit.hpp"
#include "moverank/ground_cost.hpp"
#include "moverank/parallel.hpp"

namespace moverank {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

constexpr std::size_t words_per_chunk = 512;
/// Entries that are sampled to estimate a typical cost.
constexpr std::size_t sample_size = 256;
/// Costs are lowered to this times a typical one. Margins of bounds are about 2^-22 of the largest cost
/// (docs/numerics.md, "Bags"), hence below a hundredth of a typical one.
constexpr double ceiling_factor = 16384.0;

/// A vocabulary as a list of its words. Clang 14 cannot compile libstdc++'s views::iota.
struct EveryWord {
    std::size_t n_words;

    [[nodiscard]] std::size_t size() const { return n_words; }
    std::size_t operator[](std::size_t w) const { return w; }
};

}  // namespace

void VocabularyCosts::refer_to(const JoinedBags& bags, const PreparedSequence& query) {
    bags_ = &bags;
    n_words_ = bags.n_words();
    stride_ = padded(query.size());
    query_words_.assign(query.words.begin(), query.words.end());
    ceiling_ = infinity;
    require(!bags.has_given_costs() || query.words.size() == query.size(),
            "under given costs, a query must be made of words");
}

void VocabularyCosts::compute(const JoinedBags& bags, const PreparedSequence& query, int n_threads,
                              Interrupt& interrupt) {
    refer_to(bags, query);
    grow(costs_, n_words_ * stride_);
    if (bags.has_given_costs()) {
        take_given(EveryWord{n_words_}, interrupt);
    } else {
        tabulate(query, n_threads, interrupt);
    }
}

void VocabularyCosts::compute(const JoinedBags& bags, const PreparedSequence& query,
                              std::span<const std::uint32_t> document_words, Interrupt& interrupt) {
    require(bags.has_given_costs(), "costs of selected words need given costs");
    refer_to(bags, query);
    grow(costs_, n_words_ * stride_);
    require(std::ranges::all_of(document_words, [this](std::uint32_t word) { return word < n_words_; }),
            "a word is not in the table of costs");
    take_given(document_words, interrupt);
}

void VocabularyCosts::take(const JoinedBags& bags, const WordTable& table, std::span<const std::size_t> rows) {
    bags_ = &bags;
    n_words_ = bags.n_words();
    stride_ = padded(rows.size());
    query_words_.clear();
    ceiling_ = infinity;
    largest_ = table.largest();
    grow(costs_, n_words_ * stride_);
    table.interleave(rows, stride_, costs_.data());
}

/// Given costs may contain +inf and numbers of any size, while bounds are float32 with margins relative to the largest
/// cost. One very large cost would make every bound useless. Lowering costs keeps bounds valid (they are bounds on a
/// smaller problem), so rows are first clamped to what float32 can hold, then lowered to a ceiling near typical costs.
template <class Words>
void VocabularyCosts::take_given(const Words& words, Interrupt& interrupt) {
    double largest_given = -infinity;
    float largest = 0.0F;
    bags_->costs().visit([&](const auto& table) {
        for (std::size_t w = 0; w < words.size(); ++w) {
            if (w % words_per_chunk == 0) {
                interrupt.check();
            }
            const std::size_t word = words[w];
            const auto* from = table.row(word);
            float* const to = costs_.data() + word * stride_;
            for (std::size_t i = 0; i < query_words_.size(); ++i) {
                const auto cost = static_cast<double>(from[query_words_[i]]);
                largest_given = std::max(largest_given, cost);
                to[i] = static_cast<float>(std::clamp(cost, -cost_limit<float>, cost_limit<float>));
                largest = std::max(largest, std::abs(to[i]));
            }
            std::fill(to + query_words_.size(), to + stride_, std::numeric_limits<float>::infinity());
        }
    });
    largest_ = static_cast<double>(largest);
    if (largest_given <= 0.0) {
        return;  // there is no positive cost to lower, and bounds need negative ones as they are
    }
    const double ceiling = ceiling_for(words);
    if (largest_given <= ceiling) {
        return;
    }
    ceiling_ = ceiling;
    largest = 0.0F;
    for (std::size_t w = 0; w < words.size(); ++w) {
        float* const row = costs_.data() + words[w] * stride_;
        for (std::size_t i = 0; i < query_words_.size(); ++i) {
            row[i] = std::min(row[i], static_cast<float>(ceiling));
            largest = std::max(largest, std::abs(row[i]));
        }
    }
    largest_ = static_cast<double>(largest);
}

/// The ceiling, rounded to float32: `ceiling_factor` times the size below which a sixteenth of the sampled costs lie.
template <class Words>
double VocabularyCosts::ceiling_for(const Words& words) const {
    std::vector<float> sizes;
    sizes.reserve(sample_size + 1);
    const std::size_t n_entries = words.size() * query_words_.size();
    const std::size_t step = n_entries / sample_size + 1;
    for (std::size_t entry = 0; entry < n_entries; entry += step) {
        const float size = std::abs(costs_[words[entry / query_words_.size()] * stride_ + entry % query_words_.size()]);
        if (size > 0.0F && static_cast<double>(size) < cost_limit<float>) {
            sizes.push_back(size);
        }
    }
    double typical = 1.0;
    if (!sizes.empty()) {
        // A low quantile, because most entries may be large numbers that stand for "forbidden".
        const auto low = sizes.begin() + static_cast<std::ptrdiff_t>(sizes.size() / 16);
        std::ranges::nth_element(sizes, low);
        typical = static_cast<double>(*low);
    }
    return static_cast<double>(static_cast<float>(std::min(ceiling_factor * typical, cost_limit<float>)));
}

template <class Cost>
void VocabularyCosts::as_given(std::span<const std::uint32_t> document_words, MatrixView<Cost> out) const {
    bags_->costs().visit([&](const auto& table) {
        // A transposing gather: the table has one row per document word, the output one row per query word. Four words
        // at a time, so that each line of the output is written in pieces of four.
        const std::size_t n_words = document_words.size();
        for (std::size_t j = 0; j < n_words; j += 4) {
            const std::size_t last = n_words - 1;
            const auto* const first_row = table.row(document_words[j]);
            const auto* const second_row = table.row(document_words[std::min(j + 1, last)]);
            const auto* const third_row = table.row(document_words[std::min(j + 2, last)]);
            const auto* const fourth_row = table.row(document_words[std::min(j + 3, last)]);
            Cost* to = out.data() + j;
            const std::size_t here = std::min<std::size_t>(4, n_words - j);
            for (const std::uint32_t word : query_words_) {
                const Cost entries[4] = {static_cast<Cost>(first_row[word]), static_cast<Cost>(second_row[word]),
                                         static_cast<Cost>(third_row[word]), static_cast<Cost>(fourth_row[word])};
                if (here == 4) {
                    std::copy_n(entries, 4, to);
                } else {
                    std::copy_n(entries, here, to);
                }
                to += out.stride();
            }
        }
    });
}

template void VocabularyCosts::as_given(std::span<const std::uint32_t>, MatrixView<float>) const;
template void VocabularyCosts::as_given(std::span<const std::uint32_t>, MatrixView<double>) const;

double VocabularyCosts::rounding() const {
    // u (1 + 2^-23) M + h of docs/numerics.md, "Given costs": half a unit in the last place of the largest cost before
    // it was rounded, and half of float32's smallest step.
    return in_double() ? 0x1.000002p-24 * largest_ + 0x1p-150 : 0.0;
}

void VocabularyCosts::tabulate(const PreparedSequence& query, int n_threads, Interrupt& interrupt) {
    const JoinedBags& bags = *bags_;
    require(query.tokens.cols() == bags.dim(), "query and words must have the same dimension");
    // Parts have tables of their own, whose words follow each other in one numbering.
    struct Chunk {
        TokensView vectors;
        std::size_t first_word;
    };
    std::vector<Chunk> chunks;
    for (std::size_t part = 0; part < bags.n_tables(); ++part) {
        const TokensView table = bags.table(part);
        for (std::size_t row = 0; row < table.rows(); row += words_per_chunk) {
            const std::size_t count = std::min(words_per_chunk, table.rows() - row);
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
