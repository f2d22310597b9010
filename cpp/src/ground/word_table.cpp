#include "moverank/word_table.hpp"

#include <algorithm>

#include "../kernels/kernels.hpp"
#include "../preconditions.hpp"
#include "moverank/ground_cost.hpp"
#include "moverank/parallel.hpp"

namespace moverank {

namespace {

/// Their vectors stay in the cache of a core while others stream past.
constexpr std::size_t columns_per_chunk = 1024;

}  // namespace

WordList WordList::of(const JoinedBags& bags, std::span<const std::uint32_t> words) {
    require(!bags.has_given_costs(), "expected words with vectors");
    WordList list{std::vector<float>(words.size() * bags.dim()), {}, words.size(), bags.dim()};
    const std::span<const float> norms = bags.inverse_norms();
    for (std::size_t w = 0; w < words.size(); ++w) {
        require(words[w] < bags.n_words(), "a word is not in the table of vectors");
        std::size_t part = bags.n_tables() - 1;
        while (bags.first_word(part) > words[w]) {
            --part;
        }
        decode(bags.table(part).run(words[w] - bags.first_word(part), 1),
               {list.vectors.data() + w * list.dim, list.dim});
        if (!norms.empty()) {
            list.inverse_norms.push_back(norms[words[w]]);
        }
    }
    return list;
}

void WordTable::compute(GroundCost ground, const WordList& rows, const WordList& columns, int n_threads,
                        Interrupt& interrupt) {
    require(rows.dim == columns.dim, "rows and columns have vectors of different dimensions");
    n_rows_ = rows.size;
    n_columns_ = columns.size;
    grow(costs_, n_rows_ * padded(n_columns_));
    const std::size_t n_chunks = (n_columns_ + columns_per_chunk - 1) / columns_per_chunk;
    const unsigned n_workers = thread_count(n_threads, n_chunks);
    std::vector<GroundCosts> costs(n_workers, GroundCosts(ground));
    std::vector<double> largest(n_workers, 0.0);
    const std::vector<double> any_mass(columns_per_chunk, 1.0);
    const TokensView tokens(rows.vectors.data(), rows.size, rows.dim);
    const TokensView others(columns.vectors.data(), columns.size, columns.dim);
    const std::span<const float> norms(columns.inverse_norms);
    parallel_for(n_chunks, n_workers, 1, interrupt, [&](unsigned w, std::size_t begin, std::size_t end) {
        for (std::size_t chunk = begin; chunk < end; ++chunk) {
            const std::size_t first = chunk * columns_per_chunk;
            const std::size_t count = std::min(columns_per_chunk, n_columns_ - first);
            costs[w].set_query({.tokens = others.run(first, count),
                                .mass = std::span(any_mass).first(count),
                                .inverse_norms = norms.empty() ? norms : norms.subspan(first, count)});
            largest[w] =
                std::max(largest[w], costs[w].tabulate(tokens, rows.inverse_norms, costs_.data() + first * n_rows_));
        }
    });
    largest_ = n_workers == 0 ? 0.0 : *std::ranges::max_element(largest);
}

template <class Use>
void WordTable::for_each_chunk(std::span<const std::size_t> rows, Use use) const {
    std::vector<const float*> from(rows.size());
    for (std::size_t first = 0; first < n_columns_; first += columns_per_chunk) {
        const std::size_t count = std::min(columns_per_chunk, n_columns_ - first);
        for (std::size_t i = 0; i < rows.size(); ++i) {
            from[i] = costs_.data() + first * n_rows_ + rows[i] * padded(count);
        }
        use(from, first, count);
    }
}

void WordTable::minima(std::span<const std::size_t> rows, float* out) const {
    for_each_chunk(rows, [&](const std::vector<const float*>& from, std::size_t first, std::size_t count) {
        kernels().bags.minima(from.data(), from.size(), padded(count), out + first);
    });
}

void WordTable::interleave(std::span<const std::size_t> rows, std::size_t stride, float* out) const {
    for_each_chunk(rows, [&](const std::vector<const float*>& from, std::size_t first, std::size_t count) {
        kernels().bags.interleave(from.data(), from.size(), count, stride, out + first * stride);
    });
}

}  // namespace moverank
