#include "moverank/bags.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>

#include "../kernels/kernels.hpp"
#include "moverank/mass.hpp"

namespace moverank {

namespace {

[[nodiscard]] std::string word_name(std::uint32_t word) { return "word " + std::to_string(word); }

/// Rows of the table that occur in bags, those of most bags first: neighbours in memory are then asked for together.
[[nodiscard]] std::vector<std::uint32_t> rows_in_use(const BagsView& bags) {
    std::vector<std::uint32_t> uses(bags.vectors.rows(), 0);
    for (std::size_t s = 0; s < bags.size(); ++s) {
        for (auto t = static_cast<std::size_t>(bags.offsets[s]); t < static_cast<std::size_t>(bags.offsets[s + 1]);
             ++t) {
            if (bags.words[t] >= uses.size()) {
                throw SequenceError(s, word_name(bags.words[t]) + " is not in the vocabulary, which has " +
                                           std::to_string(uses.size()) + " words");
            }
            ++uses[bags.words[t]];
        }
    }
    std::vector<std::uint32_t> rows;
    for (std::uint32_t row = 0; row < uses.size(); ++row) {
        if (uses[row] > 0) {
            rows.push_back(row);
        }
    }
    std::ranges::stable_sort(rows, std::greater{}, [&](std::uint32_t row) { return uses[row]; });
    return rows;
}

[[nodiscard]] std::vector<double> norms_of(const TokensView& vectors) {
    std::vector<double> norms(vectors.rows());
    kernels().cost.squared_norms(vectors, norms.data());
    std::ranges::transform(norms, norms.begin(), [](double squared) { return std::sqrt(squared); });
    return norms;
}

}  // namespace

PreparedBags::PreparedBags(const BagsView& bags, const Measure& measure)
    : measure_(measure), dim_(bags.vectors.cols()), offsets_(bags.offsets), counts_(bags.counts) {
    const std::vector<std::uint32_t> rows = rows_in_use(bags);
    take_words(bags, rows);
    const std::vector<double> norms = norms_of(vectors());
    if (measure_.ground == GroundCost::cosine) {
        inverse_norms_.resize(norms.size());
        std::ranges::transform(norms, inverse_norms_.begin(),
                               [](double norm) { return static_cast<float>(1.0 / norm); });
    }
    if (measure_.weighting == Weighting::norm) {
        word_mass_ = norms;
    }
    totals_.resize(size());
    for (std::size_t s = 0; s < size(); ++s) {
        measure_bag(s, norms, rows);
    }
}

void PreparedBags::take_words(const BagsView& bags, std::span<const std::uint32_t> rows) {
    vectors_.resize(rows.size() * dim_);
    std::vector<std::uint32_t> place(bags.vectors.rows());
    for (std::size_t word = 0; word < rows.size(); ++word) {
        decode(bags.vectors.run(rows[word], 1), std::span(vectors_).subspan(word * dim_, dim_));
        place[rows[word]] = static_cast<std::uint32_t>(word);
    }
    words_.resize(bags.words.size());
    std::ranges::transform(bags.words, words_.begin(), [&](std::uint32_t row) { return place[row]; });
}

void PreparedBags::measure_bag(std::size_t s, std::span<const double> norms, std::span<const std::uint32_t> rows) {
    const std::span<const std::uint32_t> own_words = words(s);
    const std::span<const float> own_counts = counts(s);
    if (own_words.empty()) {
        throw SequenceError(s, "has no words");
    }
    if (measure_.weighting == Weighting::given && own_counts.empty()) {
        throw SequenceError(s, "has no counts, which weighting 'given' needs");
    }
    double total = 0.0;
    for (std::size_t j = 0; j < own_words.size(); ++j) {
        const std::uint32_t word = own_words[j];
        if (!std::isfinite(norms[word])) {
            throw SequenceError(s, word_name(rows[word]) + " has a vector that is not finite");
        }
        if (measure_.ground == GroundCost::cosine && norms[word] == 0.0) {
            throw SequenceError(s,
                                word_name(rows[word]) + " has a zero vector, which has no direction under cosine cost");
        }
        if (measure_.ground != GroundCost::cosine && norms[word] > largest_norm) {
            throw SequenceError(s, word_name(rows[word]) + " has a vector too long for costs in float32");
        }
        const double count = own_counts.empty() ? 1.0 : static_cast<double>(own_counts[j]);
        if (!(count > 0.0) || !std::isfinite(count)) {
            throw SequenceError(s, "count " + std::to_string(j) + " is not a positive number");
        }
        total += count * (word_mass_.empty() ? 1.0 : word_mass_[word]);
    }
    if (!(total > 0.0)) {
        throw SequenceError(s, "total mass is zero");
    }
    totals_[s] = total;
    longest_ = std::max(longest_, own_words.size());
}

PreparedSequence PreparedBags::at(std::size_t s, DocumentBuffer& buffer) const {
    std::span<const std::uint32_t> own_words = words(s);
    const std::span<const float> own_counts = counts(s);
    buffer.mass.resize(own_words.size());
    bool massless = false;
    for (std::size_t j = 0; j < own_words.size(); ++j) {
        const double count = own_counts.empty() ? 1.0 : static_cast<double>(own_counts[j]);
        buffer.mass[j] = count * (word_mass_.empty() ? 1.0 : word_mass_[own_words[j]]);
        massless |= buffer.mass[j] == 0.0;
    }
    if (massless) {  // zero vectors under weighting by norm
        buffer.words.clear();
        std::size_t kept = 0;
        for (std::size_t j = 0; j < own_words.size(); ++j) {
            if (buffer.mass[j] > 0.0) {
                buffer.words.push_back(own_words[j]);
                buffer.mass[kept++] = buffer.mass[j];
            }
        }
        buffer.mass.resize(kept);
        own_words = buffer.words;
    }
    normalise(buffer.mass);
    if (measure_.problem == Problem::entropic && measure_.sinkhorn.debiased) {
        return with_tokens(own_words, buffer);  // costs within the document are asked for as well
    }
    return {.tokens = {}, .mass = buffer.mass, .inverse_norms = {}, .words = own_words};
}

PreparedSequence PreparedBags::with_tokens(std::span<const std::uint32_t> own_words, DocumentBuffer& buffer) const {
    buffer.tokens.resize(own_words.size() * dim_);
    buffer.inverse_norms.resize(inverse_norms_.empty() ? 0 : own_words.size());
    for (std::size_t j = 0; j < own_words.size(); ++j) {
        decode(vectors().run(own_words[j], 1), std::span(buffer.tokens).subspan(j * dim_, dim_));
        if (!inverse_norms_.empty()) {
            buffer.inverse_norms[j] = inverse_norms_[own_words[j]];
        }
    }
    return {{buffer.tokens.data(), own_words.size(), dim_}, buffer.mass, buffer.inverse_norms};
}

}  // namespace moverank
