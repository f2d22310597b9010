/// Merges tokens that occur several times in a sequence: the transport problem stays the same and becomes smaller.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "moverank/prepared.hpp"

namespace moverank {

/// Shorter sequences (in tokens) are left as they are: looking for repetitions would take longer than it saves.
inline constexpr std::size_t shortest_with_repetitions = 128;

/// Makes sequences whose tokens are all different, adding up the masses of equal tokens. Tokens are equal if they are
/// stored as the same bits. Storage grows to the longest sequence seen. Not thread-safe: one object per thread.
class DistinctTokens {
  public:
    /// The sequence itself if it is short, is made of words, or fewer than a quarter of its tokens repeat earlier ones.
    /// Otherwise a copy of the first of each group of equal tokens, in order, valid until the next call.
    PreparedSequence of(const PreparedSequence& sequence);

    /// For each token of the latest sequence, its position in what `of` returned; empty if that was the sequence
    /// itself.
    [[nodiscard]] std::span<const std::uint32_t> places() const { return places_; }

  private:
    [[nodiscard]] bool may_repeat(const TokensView& tokens);
    std::size_t find_equals(const TokensView& tokens);
    void begin_table(std::size_t n_tokens);

    std::vector<std::uint32_t> places_, firsts_;
    std::vector<std::uint32_t> table_;  ///< hash table by open addressing: 1 + token or place; 0 if free
    std::vector<std::uint64_t> hashes_;
    std::vector<float> tokens_, inverse_norms_;
    std::vector<double> mass_;
};

}  // namespace moverank
