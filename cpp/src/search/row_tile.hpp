/// Bags that are queries one after the other, and share a table of costs between words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "moverank/joined.hpp"
#include "moverank/prepared.hpp"

namespace moverank {

[[nodiscard]] std::vector<std::uint32_t> every_word(const JoinedBags& bags);

/// Some rows in a row, and their words.
struct RowTile {
    std::size_t begin = 0, end = 0;
    std::vector<std::uint32_t> words;
    std::vector<std::size_t> place_of;  ///< in `words`, of every word of the rows

    /// Some rows whose words are all words.
    RowTile(std::size_t first, std::size_t last, std::vector<std::uint32_t> all);
    /// Rows from `first` on, at most `n_rows`, with at most `n_words` different words; at least one row.
    RowTile(const JoinedBags& rows, std::size_t first, std::size_t n_rows, std::size_t n_words);

    /// Replace `places` by those of the words that have mass, of a bag of these rows as `JoinedBags::at` returns it.
    void find_places(const PreparedSequence& bag, std::vector<std::size_t>& places) const;

  private:
    static constexpr std::size_t none = static_cast<std::size_t>(-1);
};

}  // namespace moverank
