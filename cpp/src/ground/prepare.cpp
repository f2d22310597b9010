#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>

#include "../kernels/kernels.hpp"
#include "../preconditions.hpp"
#include "moverank/mass.hpp"
#include "moverank/prepared.hpp"
#include "moverank/weighting_traits.hpp"
#include "well_formed.hpp"

namespace moverank {

namespace {

[[nodiscard]] std::string scientific(double x) {
    char text[32];
    std::snprintf(text, sizeof text, "%.3g", x);
    return text;
}

[[nodiscard]] std::string token_name(std::size_t t) { return "token " + std::to_string(t); }

void require_mass(std::span<const double> weights, std::size_t index) {
    if (const std::string fault = fault_of(weights); !fault.empty()) {
        throw SequenceError(index, fault);
    }
}

void require_tokens_and_weights(const SequenceView& sequence, const Measure& measure, std::size_t index) {
    if (measure.ground == GroundCost::given) {
        throw std::invalid_argument("under given costs, sequences must be made of words, not of vectors");
    }
    if (sequence.tokens.rows() == 0) {
        throw SequenceError(index, "has no tokens");
    }
    if (const WeightingTraits& weighting = traits(measure.weighting);
        weighting.needs_weights && sequence.weights.empty()) {
        throw SequenceError(index, "has no weights, which weighting '" + std::string(weighting.name) + "' needs");
    }
}

[[nodiscard]] bool mass_is_by_norm(const SequenceView& sequence, const Measure& measure) {
    return sequence.weights.empty() && traits(measure.weighting).needs_vectors;
}

[[nodiscard]] bool needs_norms(const SequenceView& sequence, const Measure& measure) {
    return measure.ground == GroundCost::cosine || mass_is_by_norm(sequence, measure);
}

/// Whether a zero vector has no mass either, so that its direction does not matter.
[[nodiscard]] bool is_massless(const SequenceView& sequence, const Measure& measure, std::size_t t) {
    return sequence.weights.empty() ? traits(measure.weighting).needs_vectors : !(sequence.weights[t] > 0.0);
}

/// Check all tokens, and write their norms into `mass` and, under cosine, their inverse norms. Returns the largest
/// norm. `mass` serves for squared norms, norms and masses in turn, so that preparation needs no other storage.
double take_norms(const SequenceView& sequence, const Measure& measure, std::span<double> mass,
                  std::span<float> inverse_norms, std::size_t index) {
    double largest = 0.0;
    kernels().cost.squared_norms(sequence.tokens, mass.data());
    for (std::size_t t = 0; t < mass.size(); ++t) {
        const double squared = mass[t];
        if (!std::isfinite(squared)) {  // squares of float32 cannot leave float64's range
            throw SequenceError(index, token_name(t) + " is not finite");
        }
        const double norm = std::sqrt(squared);
        if (measure.ground == GroundCost::cosine) {
            if (norm == 0.0 && !is_massless(sequence, measure, t)) {
                throw SequenceError(index,
                                    token_name(t) + " is a zero vector, which has no direction under cosine cost");
            }
            // A zero vector without mass takes part in nothing: any finite number will do.
            inverse_norms[t] = norm == 0.0 ? 1.0F : static_cast<float>(1.0 / norm);
        } else if (norm > largest_norm) {
            throw SequenceError(index, token_name(t) + " is too long for costs in float32: its norm is " +
                                           scientific(norm) + ", the limit is " + scientific(largest_norm));
        }
        mass[t] = norm;
        largest = std::max(largest, norm);
    }
    return largest;
}

/// Whether the largest component already proves that all tokens are finite and short enough, as |x| <= sqrt(d) max
/// |x_k|. Cheaper than norms, and enough for most tokens under costs that need no norms.
[[nodiscard]] bool proves_short(float largest_component, std::size_t dim) {
    return static_cast<double>(largest_component) * std::sqrt(static_cast<double>(dim)) <= largest_norm;
}

[[nodiscard]] bool surely_short(const TokensView& tokens) {
    if (tokens.type() != TokenType::float32 || tokens.stride() != tokens.cols() * sizeof(float)) {
        return false;
    }
    const auto* components = static_cast<const float*>(tokens.data());
    return proves_short(kernels().scan.largest(components, tokens.rows() * tokens.cols()), tokens.cols());
}

/// Mass of total 1: from weights if there are any, otherwise as the measure's weighting makes it.
void take_mass(const SequenceView& sequence, const Measure& measure, std::span<double> mass, std::size_t index) {
    if (mass_is_by_norm(sequence, measure)) {
        std::ranges::transform(mass, mass.begin(), traits(measure.weighting).mass);
        require_mass(mass, index);
    } else if (sequence.weights.empty()) {
        std::ranges::fill(mass, 1.0 / static_cast<double>(mass.size()));
        return;
    } else {
        require_mass(sequence.weights, index);
        std::ranges::copy(sequence.weights, mass.begin());
    }
    normalise(mass);
}

PreparedSequence prepare(const SequenceView& sequence, const Measure& measure, std::span<double> mass,
                         std::span<float> inverse_norms, std::size_t index, bool unread) {
    const std::size_t n = sequence.tokens.rows();
    require_tokens_and_weights(sequence, measure, index);
    require(sequence.weights.empty() || sequence.weights.size() == n, "expected one weight per token");
    require(mass.size() == n, "expected room for one mass per token");
    const bool is_cosine = measure.ground == GroundCost::cosine;
    require(!is_cosine || inverse_norms.size() == n,
            "expected room for one inverse norm per token under the cosine ground cost");
    if (needs_norms(sequence, measure) || (!unread && !surely_short(sequence.tokens))) {
        take_norms(sequence, measure, mass, inverse_norms, index);
    }
    take_mass(sequence, measure, mass, index);
    return {.tokens = sequence.tokens,
            .mass = mass,
            .inverse_norms = is_cosine ? std::span<const float>(inverse_norms) : std::span<const float>{},
            .unread = unread && !needs_norms(sequence, measure)};
}

}  // namespace

PreparedSequence prepare(const SequenceView& sequence, const Measure& measure, std::span<double> mass,
                         std::span<float> inverse_norms, std::size_t index) {
    return prepare(sequence, measure, mass, inverse_norms, index, false);
}

PreparedSequence prepare_unread(const SequenceView& sequence, const Measure& measure, std::span<double> mass,
                                std::span<float> inverse_norms, std::size_t index) {
    return prepare(sequence, measure, mass, inverse_norms, index, true);
}

void require_measurable(const SequenceView& sequence, const Measure& measure, float largest_component,
                        std::span<double> scratch, std::size_t index) {
    if (!needs_norms(sequence, measure) && !proves_short(largest_component, sequence.tokens.cols())) {
        take_norms(sequence, measure, scratch, {}, index);
    }
}

PreparedSequences::PreparedSequences(const SequencesView& sequences, const Measure& measure, Interrupt* interrupt)
    : sequences_(sequences), measure_(measure) {
    require_well_formed(sequences);
    const std::size_t n_tokens = sequences.tokens.rows();
    const bool is_cosine = measure.ground == GroundCost::cosine;
    mass_.reserve(n_tokens);  // but filled document by document: to touch all pages at once would delay an interrupt
    inverse_norms_.reserve(is_cosine ? n_tokens : 0);
    for (std::size_t s = 0; s < sequences.size(); ++s) {
        check(interrupt);
        const auto begin = static_cast<std::size_t>(sequences.offsets[s]);
        const SequenceView raw = sequences[s];
        const std::size_t length = raw.tokens.rows();
        mass_.resize(begin + length);
        inverse_norms_.resize(is_cosine ? begin + length : 0);
        const std::span<float> norms = is_cosine ? std::span(inverse_norms_).last(length) : std::span<float>{};
        const std::span<double> mass = std::span(mass_).last(length);
        require_tokens_and_weights(raw, measure, s);
        found_.max_norm = std::max(found_.max_norm, take_norms(raw, measure, mass, norms, s));
        take_mass(raw, measure, mass, s);
    }
    found_.mass = mass_;
    found_.inverse_norms = inverse_norms_;
}

PreparedSequences::PreparedSequences(const SequencesView& sequences, const Measure& measure,
                                     const PreparedArrays& found)
    : sequences_(sequences), measure_(measure), found_(found) {
    require_well_formed(sequences);
    const std::size_t n_tokens = sequences.tokens.rows();
    if (found.mass.size() != n_tokens ||
        found.inverse_norms.size() != (measure.ground == GroundCost::cosine ? n_tokens : 0)) {
        throw std::invalid_argument(
            "expected one mass per token, and one inverse norm per token under the cosine ground cost");
    }
}

PreparedSequence PreparedSequences::operator[](std::size_t s) const {
    require(s < size(), "there is no document at this position");
    const auto begin = static_cast<std::size_t>(sequences_.offsets[s]);
    const TokensView tokens = sequences_[s].tokens;
    const std::span<const float> norms = found_.inverse_norms;
    return {tokens, found_.mass.subspan(begin, tokens.rows()),
            norms.empty() ? norms : norms.subspan(begin, tokens.rows())};
}

void decode(const TokensView& tokens, std::span<float> out) {
    require(out.size() >= tokens.rows() * tokens.cols(), "expected room for all components of the tokens");
    kernels().cost.decode(tokens, out.data());
}

double max_norm(const PreparedSequence& sequence) {
    require_well_formed(sequence, GroundCost::dot);  // inverse norms are not read
    double largest = 0.0;
    for (std::size_t t = 0; t < sequence.size(); ++t) {
        double squared = 0.0;
        kernels().cost.squared_norms(sequence.tokens.run(t, 1), &squared);
        largest = std::max(largest, squared);
    }
    return std::sqrt(largest);
}

PreparedSequence PositivePart::of(const PreparedSequence& sequence) {
    if (std::ranges::all_of(sequence.mass, [](double x) { return x > 0.0; })) {
        return sequence;
    }
    const std::size_t dim = sequence.tokens.cols();
    tokens_.clear();
    words_.clear();
    mass_.clear();
    inverse_norms_.clear();
    for (std::size_t t = 0; t < sequence.size(); ++t) {
        if (sequence.mass[t] > 0.0) {
            if (sequence.words.empty()) {
                tokens_.resize(tokens_.size() + dim);
                decode(sequence.tokens.run(t, 1), std::span(tokens_).last(dim));
            } else {
                words_.push_back(sequence.words[t]);
            }
            mass_.push_back(sequence.mass[t]);
            if (!sequence.inverse_norms.empty()) {
                inverse_norms_.push_back(sequence.inverse_norms[t]);
            }
        }
    }
    const TokensView tokens = sequence.words.empty() ? TokensView(tokens_.data(), mass_.size(), dim) : TokensView{};
    return {tokens, mass_, inverse_norms_, words_};
}

}  // namespace moverank
