/// Bags laid out for sums over all of them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "../kernels/bags.hpp"
#include "moverank/joined.hpp"

namespace moverank {

/// The masses and words of bags, some bags of about the same length at a time: word after word, one of each bag.
class FlatBags {
  public:
    /// Bags [begin, end). `place_of` gives the place of a word in what `sums` reads.
    template <class PlaceOf>
    FlatBags(const JoinedBags& bags, std::size_t begin, std::size_t end, PlaceOf place_of) : size_(end - begin) {
        take_order(bags, begin, end);
        DocumentBuffer buffer;
        for (std::size_t first = 0; first < size_; first += bags_at_once) {
            const std::size_t count = std::min(bags_at_once, size_ - first);
            const std::size_t longest = bags[begin + order_[first + count - 1]].words.size();
            const std::size_t place = words_.size();
            words_.resize(place + longest * bags_at_once, 0);
            mass_.resize(place + longest * bags_at_once, 0.0F);
            for (std::size_t l = 0; l < count; ++l) {
                const std::size_t s = begin + order_[first + l];
                const PreparedSequence bag = bags.at(s, buffer);  // without words of no mass
                for (std::size_t j = 0; j < bag.size(); ++j) {
                    words_[place + j * bags_at_once + l] = static_cast<std::uint32_t>(place_of(bag.words[j]));
                    mass_[place + j * bags_at_once + l] = static_cast<float>(bag.mass[j]);
                }
            }
            ends_.push_back(words_.size());
        }
    }

    [[nodiscard]] std::size_t size() const { return size_; }

    /// out[s] = sum of mass times worth over the words of bag s; each is off by at most `rounding` of the largest
    /// worth.
    void sums(const float* worth, float* out) const;
    [[nodiscard]] double rounding() const { return rounding_; }

  private:
    void take_order(const JoinedBags& bags, std::size_t begin, std::size_t end);

    std::size_t size_;
    std::vector<std::size_t> order_;  ///< by length
    std::vector<std::uint32_t> words_;
    std::vector<float> mass_;
    std::vector<std::size_t> ends_;
    double rounding_ = 0.0;
};

}  // namespace moverank
