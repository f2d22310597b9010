#include "moverank/bags.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>

#include "../kernels/kernels.hpp"
#include "../preconditions.hpp"
#include "moverank/cost_limit.hpp"
#include "moverank/mass.hpp"
#include "moverank/weighting_traits.hpp"

namespace moverank {

namespace {

[[nodiscard]] std::string word_name(std::uint32_t word) { return "word " + std::to_string(word); }

/// Check the interrupt every 1024 steps: a bag, or a word, takes less time than reading the clock.
void check_now_and_then(Interrupt* interrupt, std::size_t done) {
    constexpr std::size_t steps_between_checks = 1024;
    if (done % steps_between_checks == 0) {
        check(interrupt);
    }
}

/// How many bags use each row of the table.
[[nodiscard]] std::vector<std::uint32_t> uses_of_rows(const BagsView& bags, Interrupt* interrupt) {
    std::vector<std::uint32_t> uses(std::max(bags.vectors.rows(), bags.costs.rows()), 0);
    for (std::size_t s = 0; s < bags.size(); ++s) {
        check_now_and_then(interrupt, s);
        for (auto t = static_cast<std::size_t>(bags.offsets[s]); t < static_cast<std::size_t>(bags.offsets[s + 1]);
             ++t) {
            if (bags.words[t] >= uses.size()) {
                throw SequenceError(s, word_name(bags.words[t]) + " is not in the vocabulary, which has " +
                                           std::to_string(uses.size()) + " words");
            }
            ++uses[bags.words[t]];
        }
    }
    return uses;
}

/// Refuse measures that need vectors, or costs between words of the same side.
void require_measure_of_given_costs(const Measure& measure) {
    if (const WeightingTraits& weighting = traits(measure.weighting); weighting.needs_vectors) {
        throw std::invalid_argument("weighting '" + std::string(weighting.name) +
                                    "' needs vectors, but costs are given");
    }
    if (measure.problem == Problem::entropic && measure.sinkhorn.debiased) {
        throw std::invalid_argument(
            "a debiased problem needs costs within each side, but only those between the sides are given");
    }
}

[[nodiscard]] std::vector<double> norms_of(const TokensView& vectors) {
    std::vector<double> norms(vectors.rows());
    kernels().cost.squared_norms(vectors, norms.data());
    std::ranges::transform(norms, norms.begin(), [](double squared) { return std::sqrt(squared); });
    return norms;
}

}  // namespace

PreparedBags::PreparedBags(const BagsView& bags, const Measure& measure, std::span<const std::uint32_t> known,
                           Interrupt* interrupt)
    : measure_(measure) {
    require_offsets(bags.offsets, bags.words.size());
    require(bags.counts.empty() || bags.counts.size() == bags.words.size(), "expected one count per word");
    if (has_given_costs()) {
        take_costs(bags, known, interrupt);
        return;
    }
    take_words(bags, known, interrupt);
    const std::size_t dim = bags.vectors.cols();
    found_.vectors = {vectors_.data(), new_rows_.size(), dim};
    found_.words = words_;
    found_.offsets = bags.offsets;
    found_.counts = bags.counts;
    found_.first_word = known.size();
    norms_ = norms_of(found_.vectors);
    // Checks and totals need the norms of known words as well, which are not kept: the part that introduced them has
    // them.
    std::vector<double> norms_of_rows(bags.vectors.rows());
    for (std::size_t word = 0; word < new_rows_.size(); ++word) {
        norms_of_rows[new_rows_[word]] = norms_[word];
    }
    for (const std::uint32_t row : known) {
        if (row < norms_of_rows.size()) {
            kernels().cost.squared_norms(bags.vectors.run(row, 1), &norms_of_rows[row]);
            norms_of_rows[row] = std::sqrt(norms_of_rows[row]);
        }
    }
    take_totals(bags, norms_of_rows, interrupt);
}

void PreparedBags::take_totals(const BagsView& bags, std::span<const double> norms_of_rows, Interrupt* interrupt) {
    totals_.resize(size());
    for (std::size_t s = 0; s < size(); ++s) {
        check_now_and_then(interrupt, s);
        totals_[s] = total_of(bags, s, norms_of_rows);
    }
    found_.totals = totals_;
    find_longest();
}

void PreparedBags::take_costs(const BagsView& bags, std::span<const std::uint32_t> known, Interrupt* interrupt) {
    require_measure_of_given_costs(measure_);
    if (!(known.empty() || known.size() == bags.costs.rows())) {
        throw std::invalid_argument("under given costs, expected all words to be known, or none");
    }
    (void)uses_of_rows(bags, interrupt);
    bags.costs.visit([&](const auto& costs) {
        for (std::size_t word = 0; word < costs.rows(); ++word) {
            check_now_and_then(interrupt, word);
            const std::span row(costs.row(word), costs.cols());
            if (std::ranges::all_of(row, [](auto cost) { return static_cast<double>(cost) >= -cost_limit<float>; })) {
                continue;
            }
            throw std::invalid_argument(word_name(static_cast<std::uint32_t>(word)) +
                                        " has a cost that is NaN, or below -1.28e+38");
        }
    });
    found_ = {.vectors = {},
              .words = bags.words,
              .offsets = bags.offsets,
              .counts = bags.counts,
              .totals = {},
              .first_word = known.size(),
              .costs = known.empty() ? bags.costs : bags.costs.without_rows()};
    take_totals(bags, {}, interrupt);
}

PreparedBags::PreparedBags(const BagArrays& found, const Measure& measure)
    : measure_(measure), norms_(norms_of(found.vectors)), found_(found) {
    if (has_given_costs()) {
        require_measure_of_given_costs(measure);
    }
    if (!(found.counts.empty() || found.counts.size() == found.words.size()) || found.totals.size() != size()) {
        throw std::invalid_argument("expected one count per word and one total per bag");
    }
    require_offsets(found.offsets, found.words.size());
    const std::size_t n_words = found.first_word + n_new_words();
    if (std::ranges::any_of(found.words, [&](std::uint32_t word) { return word >= n_words; })) {
        throw std::invalid_argument("a bag has a word with neither a vector nor costs");
    }
    find_longest();
}

void PreparedBags::take_words(const BagsView& bags, std::span<const std::uint32_t> known, Interrupt* interrupt) {
    const std::vector<std::uint32_t> uses = uses_of_rows(bags, interrupt);
    std::vector<std::uint32_t> number(uses.size());
    std::vector<bool> is_known(uses.size());
    for (std::size_t word = 0; word < known.size(); ++word) {
        if (known[word] < number.size()) {
            number[known[word]] = static_cast<std::uint32_t>(word);
            is_known[known[word]] = true;
        }
    }
    for (std::uint32_t row = 0; row < uses.size(); ++row) {
        if (uses[row] > 0 && !is_known[row]) {
            new_rows_.push_back(row);
        }
    }
    // Words of most bags first: words that occur together are then more often neighbours in memory.
    std::ranges::stable_sort(new_rows_, std::greater{}, [&](std::uint32_t row) { return uses[row]; });
    const std::size_t dim = bags.vectors.cols();
    vectors_.resize(new_rows_.size() * dim);
    for (std::size_t word = 0; word < new_rows_.size(); ++word) {
        decode(bags.vectors.run(new_rows_[word], 1), std::span(vectors_).subspan(word * dim, dim));
        number[new_rows_[word]] = static_cast<std::uint32_t>(known.size() + word);
    }
    words_.reserve(bags.words.size());  // but filled step by step, so that the interrupt is checked meanwhile
    for (const std::uint32_t row : bags.words) {
        check_now_and_then(interrupt, words_.size());
        words_.push_back(number[row]);
    }
}

/// Check bag s, and return its sum of counts times word masses.
double PreparedBags::total_of(const BagsView& bags, std::size_t s, std::span<const double> norms_of_rows) const {
    const auto begin = static_cast<std::size_t>(bags.offsets[s]);
    const std::span<const std::uint32_t> rows =
        bags.words.subspan(begin, static_cast<std::size_t>(bags.offsets[s + 1]) - begin);
    const Counts own_counts = counts(s);
    if (rows.empty()) {
        throw SequenceError(s, "has no words");
    }
    const WeightingTraits& weighting = traits(measure_.weighting);
    if (weighting.needs_weights && own_counts.empty()) {
        throw SequenceError(s, "has no counts, which weighting '" + std::string(weighting.name) + "' needs");
    }
    double total = 0.0;
    for (std::size_t j = 0; j < rows.size(); ++j) {
        const double norm = has_given_costs() ? 1.0 : norms_of_rows[rows[j]];
        if (!std::isfinite(norm)) {
            throw SequenceError(s, word_name(rows[j]) + " has a vector that is not finite");
        }
        if (measure_.ground == GroundCost::cosine && norm == 0.0 && !weighting.needs_vectors) {
            throw SequenceError(s, word_name(rows[j]) + " has a zero vector, which has no direction under cosine cost");
        }
        if (measure_.ground != GroundCost::cosine && norm > largest_norm) {
            throw SequenceError(s, word_name(rows[j]) + " has a vector too long for costs in float32");
        }
        const double count = own_counts.empty() ? 1.0 : own_counts[j];
        if (!(count > 0.0) || !std::isfinite(count)) {
            throw SequenceError(s, "count " + std::to_string(j) + " is not a positive number");
        }
        total += count * weighting.mass(norm);
    }
    if (!(total > 0.0)) {
        throw SequenceError(s, "total mass is zero");
    }
    if (!std::isfinite(total)) {
        throw SequenceError(s, "total mass exceeds the range of float64");
    }
    return total;
}

void PreparedBags::find_longest() {
    for (std::size_t s = 0; s < size(); ++s) {
        longest_ = std::max(longest_, words(s).size());
    }
}

PreparedSequence prepare_words(std::span<const std::uint32_t> words, std::span<const double> weights,
                               std::size_t n_words, std::span<double> mass, std::size_t index) {
    if (words.empty()) {
        throw SequenceError(index, "has no words");
    }
    if (mass.size() != words.size() || !(weights.empty() || weights.size() == words.size())) {
        throw std::invalid_argument("expected one mass per word, and one weight per word or none");
    }
    for (const std::uint32_t word : words) {
        if (word >= n_words) {
            throw SequenceError(index, word_name(word) + " has no costs, which the table has for " +
                                           std::to_string(n_words) + " words of queries");
        }
    }
    if (weights.empty()) {
        std::ranges::fill(mass, 1.0);
    } else {
        if (const std::string fault = fault_of(weights); !fault.empty()) {
            throw SequenceError(index, fault);
        }
        std::ranges::copy(weights, mass.begin());
    }
    normalise(mass);
    return {.tokens = {}, .mass = mass, .inverse_norms = {}, .words = words};
}

}  // namespace moverank
