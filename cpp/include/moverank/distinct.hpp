/// Tokens that a sequence has several times, made one: the transport problem is the same, and smaller.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "moverank/prepared.hpp"

namespace moverank {

/// Shorter sequences are left as they are: to look for repetitions would take longer than it saves.
inline constexpr std::size_t shortest_with_repetitions = 128;

/// A sequence whose tokens are all different, with the mass of equal ones added. Equal are tokens that are stored as
/// the same bits. Storage grows to the longest seen.
class DistinctTokens {
  public:
    /// The sequence itself if it is short, made of words, or fewer than a quarter of its tokens repeat earlier ones;
    /// otherwise a copy of the first of each, in their order, valid until the next call.
    PreparedSequence of(const PreparedSequence& sequence);

    /// Where each token of the sequence is in what `of` returned; empty if that was the sequence itself.
    [[nodiscard]] std::span<const std::uint32_t> places() const { return places_; }

  private:
    [[nodiscard]] bool may_repeat(const TokensView& tokens);
    std::size_t find_equals(const TokensView& tokens);
    void begin_table(std::size_t n_tokens);

    std::vector<std::uint32_t> places_, firsts_;
    std::vector<std::uint32_t> table_;  ///< open addressing: 1 + token or place, 0 where nothing is
    std::vector<std::uint64_t> hashes_;
    std::vector<float> tokens_, inverse_norms_;
    std::vector<double> mass_;
};

}  // namespace moverank
