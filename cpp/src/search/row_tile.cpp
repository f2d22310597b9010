#include "row_tile.hpp"

#include <numeric>
#include <utility>

namespace moverank {

std::vector<std::uint32_t> every_word(const JoinedBags& bags) {
    std::vector<std::uint32_t> words(bags.n_words());
    std::iota(words.begin(), words.end(), 0);
    return words;
}

RowTile::RowTile(std::size_t first, std::size_t last, std::vector<std::uint32_t> all)
    : begin(first), end(last), words(std::move(all)), place_of(words.size()) {
    std::iota(place_of.begin(), place_of.end(), 0);
}

RowTile::RowTile(const JoinedBags& rows, std::size_t first, std::size_t n_rows, std::size_t n_words)
    : begin(first), end(first), place_of(rows.n_words(), none) {
    for (; end < rows.size() && end - begin < n_rows; ++end) {
        const std::size_t before = words.size();
        for (const std::uint32_t word : rows[end].words) {
            if (place_of[word] == none) {
                place_of[word] = words.size();
                words.push_back(word);
            }
        }
        if (end > begin && words.size() > n_words) {
            while (words.size() > before) {
                place_of[words.back()] = none;
                words.pop_back();
            }
            return;
        }
    }
}

void RowTile::find_places(const PreparedSequence& bag, std::vector<std::size_t>& places) const {
    places.clear();
    for (std::size_t t = 0; t < bag.size(); ++t) {
        if (bag.mass[t] > 0.0) {
            places.push_back(place_of[bag.words[t]]);
        }
    }
}

}  // namespace moverank
