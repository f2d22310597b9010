#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>

#include "../kernels/kernels.hpp"
#include "moverank/mass.hpp"
#include "moverank/prepared.hpp"

namespace moverank {

namespace {

void squared_norms(const MatrixView<const float>& tokens, double* squared) {
    kernels().cost.squared_norms(tokens.data(), tokens.stride(), tokens.rows(), tokens.cols(), squared);
}

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

/// What both ways of preparing share. Returns the largest norm.
double prepare_into(const SequenceView& sequence, const Measure& measure, std::span<double> mass,
                    std::span<float> inverse_norms, std::size_t index) {
    const std::size_t n = sequence.tokens.rows();
    if (n == 0) {
        throw SequenceError(index, "has no tokens");
    }
    const bool weighted = !sequence.weights.empty();
    if (!weighted && measure.weighting == Weighting::given) {
        throw SequenceError(index, "has no weights, which weighting 'given' needs");
    }
    double largest = 0.0;
    squared_norms(sequence.tokens, mass.data());
    for (std::size_t t = 0; t < n; ++t) {
        const double squared = mass[t];
        if (!std::isfinite(squared)) {  // squares of float32 cannot leave float64's range
            throw SequenceError(index, token_name(t) + " is not finite");
        }
        const double norm = std::sqrt(squared);
        if (measure.ground == GroundCost::cosine) {
            if (norm == 0.0) {
                throw SequenceError(index,
                                    token_name(t) + " is a zero vector, which has no direction under cosine cost");
            }
            inverse_norms[t] = static_cast<float>(1.0 / norm);
        } else if (norm > largest_norm) {
            throw SequenceError(index, token_name(t) + " is too long for costs in float32: " + scientific(norm) +
                                           ", where " + scientific(largest_norm) + " is the limit");
        }
        mass[t] = measure.weighting == Weighting::norm ? norm : 1.0;
        largest = std::max(largest, norm);
    }
    if (weighted) {
        require_mass(sequence.weights, index);
        std::ranges::copy(sequence.weights, mass.begin());
    } else if (measure.weighting == Weighting::norm) {
        require_mass(mass, index);
    }
    normalise(mass);
    return largest;
}

}  // namespace

PreparedSequence prepare(const SequenceView& sequence, const Measure& measure, std::span<double> mass,
                         std::span<float> inverse_norms, std::size_t index) {
    prepare_into(sequence, measure, mass, inverse_norms, index);
    return {sequence.tokens, mass,
            measure.ground == GroundCost::cosine ? std::span<const float>(inverse_norms) : std::span<const float>{}};
}

PreparedSequences::PreparedSequences(const SequencesView& sequences, const Measure& measure)
    : sequences_(sequences),
      measure_(measure),
      mass_(sequences.tokens.rows()),
      inverse_norms_(measure.ground == GroundCost::cosine ? sequences.tokens.rows() : 0) {
    for (std::size_t s = 0; s < sequences.size(); ++s) {
        const auto begin = static_cast<std::size_t>(sequences.offsets[s]);
        const SequenceView raw = sequences[s];
        const std::size_t length = raw.tokens.rows();
        const std::span<float> norms =
            inverse_norms_.empty() ? std::span<float>{} : std::span(inverse_norms_).subspan(begin, length);
        max_norm_ = std::max(max_norm_, prepare_into(raw, measure, std::span(mass_).subspan(begin, length), norms, s));
    }
}

PreparedSequence PreparedSequences::operator[](std::size_t s) const {
    const auto begin = static_cast<std::size_t>(sequences_.offsets[s]);
    const MatrixView<const float> tokens = sequences_[s].tokens;
    const std::span<const float> norms = inverse_norms_;
    return {tokens, std::span(mass_).subspan(begin, tokens.rows()),
            norms.empty() ? norms : norms.subspan(begin, tokens.rows())};
}

double max_norm(const PreparedSequence& sequence) {
    double largest = 0.0;
    for (std::size_t t = 0; t < sequence.size(); ++t) {
        double squared = 0.0;
        squared_norms({sequence.tokens.row(t), 1, sequence.tokens.cols()}, &squared);
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
    mass_.clear();
    inverse_norms_.clear();
    for (std::size_t t = 0; t < sequence.size(); ++t) {
        if (sequence.mass[t] > 0.0) {
            const float* token = sequence.tokens.row(t);
            tokens_.insert(tokens_.end(), token, token + dim);
            mass_.push_back(sequence.mass[t]);
            if (!sequence.inverse_norms.empty()) {
                inverse_norms_.push_back(sequence.inverse_norms[t]);
            }
        }
    }
    return {{tokens_.data(), mass_.size(), dim}, mass_, inverse_norms_};
}

}  // namespace moverank
