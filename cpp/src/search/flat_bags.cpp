#include "flat_bags.hpp"

#include <algorithm>
#include <numeric>

#include "../kernels/kernels.hpp"

namespace moverank {

void FlatBags::take_order(const JoinedBags& bags, std::size_t begin, std::size_t end) {
    order_.resize(end - begin);
    std::iota(order_.begin(), order_.end(), 0);
    const auto length = [&](std::size_t s) { return bags[begin + s].words.size(); };
    std::ranges::stable_sort(order_, {}, length);
    // A rounded mass, a product, and the additions, each to half a unit in the last place; masses sum to 1.
    const std::size_t longest = order_.empty() ? 0 : length(order_.back());
    rounding_ = 0x1p-24 * 1.01 * static_cast<double>(longest + 2);
}

void FlatBags::sums(const float* worth, float* out) const {
    std::size_t begin = 0;
    for (std::size_t group = 0; group < ends_.size(); ++group) {
        float total[bags_at_once];
        kernels().bags.weighted_sums(worth, &words_[begin], &mass_[begin], (ends_[group] - begin) / bags_at_once,
                                     total);
        begin = ends_[group];
        const std::size_t first = group * bags_at_once;
        for (std::size_t l = 0; l < bags_at_once && first + l < size_; ++l) {
            out[order_[first + l]] = total[l];
        }
    }
}

}  // namespace moverank
