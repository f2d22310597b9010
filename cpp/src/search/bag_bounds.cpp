#include "moverank/bag_bounds.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "../kernels/kernels.hpp"
#include "../preconditions.hpp"
#include "moverank/exact.hpp"
#include "moverank/relaxed.hpp"

namespace moverank {

namespace {

/// Unit roundoff of float32.
constexpr double unit = 0x1p-24;
/// Beyond this, float32 might not hold the difference between a cost and a potential; potentials are then not used.
constexpr double largest_sum = 0x1p120;

/// The largest float32 that is at most x. Without a branch: half of all numbers are rounded up. What is next below a
/// number has the pattern of bits that is next to its own, as one that is rounded to 0 keeps its sign.
[[nodiscard]] float rounded_down(double x) {
    const auto nearest = static_cast<float>(x);
    const auto bits = std::bit_cast<std::int32_t>(nearest);
    const auto step = static_cast<std::int32_t>(static_cast<double>(nearest) > x);
    return std::bit_cast<float>(bits + (bits < 0 ? step : -step));
}

}  // namespace

BagBounds::BagBounds(const JoinedBags& bags, const VocabularyCosts& costs, std::span<const double> query_mass,
                     std::span<const double> potentials)
    : bags_(bags),
      costs_(costs),
      query_mass_(query_mass),
      has_potentials_(!potentials.empty()),
      capacity_(bags.measure().capacity),
      g_(costs.n_words()) {
    require(costs.n_words() == bags.n_words(), "expected the costs of the words of these bags");
    require(!query_mass.empty() && query_mass.size() <= costs.stride(), "expected one mass per token of the query");
    require(potentials.empty() || potentials.size() == query_mass.size(), "expected one potential per token or none");
    double largest_f = 0.0;
    for (const double f : potentials) {
        largest_f = std::max(largest_f, std::abs(f));
    }
    if (costs.largest() + largest_f > largest_sum) {
        has_potentials_ = false;
        largest_f = 0.0;
    }
    // Any f gives valid bounds. It is rounded to float32 first, so that it is exactly what the kernels subtract.
    AlignedVector<float> minus_f(costs.stride(), 0.0F);
    for (std::size_t i = 0; has_potentials_ && i < potentials.size(); ++i) {
        minus_f[i] = static_cast<float>(-potentials[i]);
        of_rows_ -= query_mass[i] * static_cast<double>(minus_f[i]);
    }
    kernels().bags.row_minima(costs.row(0), costs.n_words(), costs.stride(), minus_f.data(), g_.data());
    if (capacity_ > 1.0 && has_potentials_) {
        std::ranges::transform(g_, g_.begin(), [](float g) { return std::min(g, 0.0F); });
    }
    // Rounded down, so that the product only lowers bounds and needs no margin.
    worth_.resize(g_.size());
    const std::span<const double> mass = bags.word_mass();
    for (std::size_t w = 0; w < g_.size(); ++w) {
        worth_[w] = mass.empty() ? g_[w] : rounded_down(mass[w] * static_cast<double>(g_[w]));
    }
    // The margin of docs/numerics.md, "Bags": g rounds once from a cost and a potential, f' once from a cost and a g,
    // both in float32; sums are in float64. Without potentials, as if f were 0 and kappa 1.
    const double size = costs.largest() + 1.001 * largest_f;
    const double weight = has_potentials_ ? capacity_ : 1.0;
    const double n_terms = static_cast<double>(query_mass.size() + bags.longest() + 16);
    margin_ = unit * (weight + 2.0) * 1.001 * size +
              4.0 * n_terms * std::numeric_limits<double>::epsilon() * (weight + 1.0) * size +
              exact_value_error(query_mass.size() + 1, bags.longest() + 1, costs.largest()) + costs.rounding();
}

bool BagBounds::has_one_sided() const {
    return has_potentials_ || (capacity_ == 1.0 && bags_.measure().fraction == 1.0);
}

/// sum_j b_j g_j
double BagBounds::worth_of_words(std::size_t s) const {
    const auto [words, counts, total] = bags_[s];
    const float* worth = worth_.data();
    // Four independent sums, because each addition would wait for the one before it.
    double sums[4] = {};
    std::size_t j = 0;
    if (counts.empty()) {
        for (; j + 4 <= words.size(); j += 4) {
            for (std::size_t k = 0; k < 4; ++k) {
                sums[k] += static_cast<double>(worth[words[j + k]]);
            }
        }
        for (; j < words.size(); ++j) {
            sums[0] += static_cast<double>(worth[words[j]]);
        }
    } else {
        counts.visit([&, words = words](const auto& own) {
            for (; j + 4 <= words.size(); j += 4) {
                for (std::size_t k = 0; k < 4; ++k) {
                    sums[k] += static_cast<double>(own[j + k]) * static_cast<double>(worth[words[j + k]]);
                }
            }
            for (; j < words.size(); ++j) {
                sums[0] += static_cast<double>(own[j]) * static_cast<double>(worth[words[j]]);
            }
        });
    }
    return (sums[0] + sums[1] + (sums[2] + sums[3])) / total;
}

double BagBounds::one_sided(std::size_t s) const {
    return of_rows_ + (has_potentials_ ? capacity_ : 1.0) * worth_of_words(s) - margin_;
}

double BagBounds::two_sided(std::size_t s, Scratch& scratch) const {
    if (!has_potentials_) {
        return relaxed(s, scratch);
    }
    grow(scratch.direct, costs_.stride());
    grow(scratch.reduced, costs_.stride());
    const std::span<const std::uint32_t> words = bags_[s].words;
    kernels().bags.bag_minima(costs_.row(0), costs_.stride(), words.data(), words.size(), g_.data(),
                              scratch.direct.data(), scratch.reduced.data());
    double direct = 0.0;
    double reduced = capacity_ * worth_of_words(s);
    for (std::size_t i = 0; i < query_mass_.size(); ++i) {
        direct += query_mass_[i] * static_cast<double>(scratch.direct[i]);
        reduced += query_mass_[i] * static_cast<double>(scratch.reduced[i]);
    }
    return std::max(direct, reduced) - margin_;
}

double BagBounds::relaxed(std::size_t s, Scratch& scratch) const {
    const PreparedSequence document = bags_.at(s, scratch.document);
    grow(scratch.direct, costs_.stride());
    grow(scratch.reduced, costs_.stride());
    grow(scratch.column_minima, document.size());
    kernels().bags.bag_minima(costs_.row(0), costs_.stride(), document.words.data(), document.size(), g_.data(),
                              scratch.direct.data(), scratch.reduced.data());
    for (std::size_t j = 0; j < document.size(); ++j) {
        scratch.column_minima[j] = g_[document.words[j]];
    }
    const Measure& measure = bags_.measure();
    return relaxed_bound<float>({scratch.direct.data(), query_mass_.size()},
                                {scratch.column_minima.data(), document.size()}, query_mass_, document.mass,
                                measure.capacity, measure.fraction, scratch.order) -
           margin_;
}

}  // namespace moverank
