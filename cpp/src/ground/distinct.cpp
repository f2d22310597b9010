#include "moverank/distinct.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace moverank {

namespace {

[[nodiscard]] std::size_t bytes_of_row(const TokensView& tokens) { return row_bytes(tokens.type(), tokens.cols()); }

/// Mix `count` <= 8 bytes into a hash, by a multiplication whose high bits are folded back.
[[nodiscard]] std::uint64_t mixed(std::uint64_t hash, const std::byte* bytes, std::size_t count) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes, count);
    hash = (hash ^ word) * 0x9e3779b97f4a7c15U;
    return hash ^ (hash >> 32U);
}

/// What a token has besides its row: its scale, and the number of its anchor.
[[nodiscard]] std::uint64_t beside_row(const TokensView& tokens, std::size_t t) {
    const std::uint64_t scale = tokens.scales() == nullptr ? 0 : std::bit_cast<std::uint32_t>(tokens.scales()[t]);
    return tokens.is_anchored() ? scale << 16U | tokens.anchors().nearest[t] : scale;
}

/// Hash of the first eight bytes of a token, which nearly always differ between different tokens and are quick to read.
[[nodiscard]] std::uint64_t sample_hash(const TokensView& tokens, std::size_t t) {
    return mixed(beside_row(tokens, t), tokens.row(t), std::min<std::size_t>(bytes_of_row(tokens), 8));
}

[[nodiscard]] std::uint64_t hash_of(const TokensView& tokens, std::size_t t) {
    const std::byte* bytes = tokens.row(t);
    const std::size_t n = bytes_of_row(tokens);
    std::uint64_t hash = beside_row(tokens, t);
    for (std::size_t b = 0; b < n; b += 8) {
        hash = mixed(hash, bytes + b, std::min<std::size_t>(n - b, 8));
    }
    return hash;
}

[[nodiscard]] bool equal(const TokensView& tokens, std::size_t s, std::size_t t) {
    return std::memcmp(tokens.row(s), tokens.row(t), bytes_of_row(tokens)) == 0 &&
           beside_row(tokens, s) == beside_row(tokens, t);
}

}  // namespace

void DistinctTokens::begin_table(std::size_t n_tokens) {
    table_.assign(std::bit_ceil(2 * n_tokens), 0);
    hashes_.clear();
}

/// Whether enough tokens look like earlier ones to make merging worthwhile. Compares only sample hashes: most sequences
/// have no repetitions, and this rules them out without reading whole tokens.
bool DistinctTokens::may_repeat(const TokensView& tokens) {
    const std::size_t n = tokens.rows();
    begin_table(n);
    std::size_t n_alike = 0;
    for (std::size_t t = 0; t < n; ++t) {
        hashes_.push_back(sample_hash(tokens, t));
        std::size_t slot = hashes_[t] & (table_.size() - 1);
        while (table_[slot] != 0 && hashes_[table_[slot] - 1] != hashes_[t]) {
            slot = (slot + 1) & (table_.size() - 1);
        }
        n_alike += static_cast<std::size_t>(table_[slot] != 0);
        table_[slot] = static_cast<std::uint32_t>(t + 1);
    }
    return 4 * n_alike >= n;
}

/// Fill `places_` and `firsts_`. Returns the number of distinct tokens.
std::size_t DistinctTokens::find_equals(const TokensView& tokens) {
    const std::size_t n = tokens.rows();
    begin_table(n);
    places_.resize(n);
    firsts_.clear();
    for (std::size_t t = 0; t < n; ++t) {
        const std::uint64_t hash = hash_of(tokens, t);
        std::size_t slot = hash & (table_.size() - 1);
        while (table_[slot] != 0 &&
               (hashes_[table_[slot] - 1] != hash || !equal(tokens, firsts_[table_[slot] - 1], t))) {
            slot = (slot + 1) & (table_.size() - 1);
        }
        if (table_[slot] == 0) {
            firsts_.push_back(static_cast<std::uint32_t>(t));
            hashes_.push_back(hash);
            table_[slot] = static_cast<std::uint32_t>(firsts_.size());
        }
        places_[t] = table_[slot] - 1;
    }
    return firsts_.size();
}

PreparedSequence DistinctTokens::of(const PreparedSequence& sequence) {
    const TokensView& tokens = sequence.tokens;
    const std::size_t n = sequence.size();
    if (!sequence.words.empty() || n < shortest_with_repetitions || !may_repeat(tokens) ||
        4 * find_equals(tokens) > 3 * n) {
        places_.clear();
        return sequence;
    }
    const std::size_t dim = tokens.cols();
    tokens_.resize(firsts_.size() * dim);
    mass_.assign(firsts_.size(), 0.0);
    inverse_norms_.clear();
    for (std::size_t place = 0; place < firsts_.size(); ++place) {
        decode(tokens.run(firsts_[place], 1), std::span(tokens_).subspan(place * dim, dim));
        if (!sequence.inverse_norms.empty()) {
            inverse_norms_.push_back(sequence.inverse_norms[firsts_[place]]);
        }
    }
    for (std::size_t t = 0; t < n; ++t) {
        mass_[places_[t]] += sequence.mass[t];
    }
    return {{tokens_.data(), firsts_.size(), dim}, mass_, inverse_norms_};
}

}  // namespace moverank
