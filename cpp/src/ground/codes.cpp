#include "moverank/codes.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "moverank/ground_cost.hpp"

namespace moverank {

namespace {

[[nodiscard]] double norm_of(std::span<const float> x) {
    double squared = 0.0;
    for (const float component : x) {
        squared += static_cast<double>(component) * static_cast<double>(component);
    }
    return std::sqrt(squared);
}

}  // namespace

PreparedCodes::PreparedCodes(const PreparedSequences& sequences, const TokensView& codes)
    : sequences_(sequences), codes_(codes), rho_(sequences.size()) {
    const GroundCost ground = sequences.measure().ground;
    if (ground == GroundCost::sqeuclidean) {
        throw std::invalid_argument("codes give no bound under the squared Euclidean ground cost");
    }
    const std::size_t dim = sequences.dim();
    if (codes.cols() != dim || codes.rows() != sequences.n_tokens()) {
        throw std::invalid_argument("expected one code a token");
    }
    const bool is_cosine = ground == GroundCost::cosine;
    inverse_norms_.resize(is_cosine ? codes.rows() : 0);
    std::vector<float> tokens;
    std::vector<float> decoded(dim);
    for (std::size_t s = 0; s < sequences.size(); ++s) {
        const PreparedSequence sequence = sequences[s];
        const std::size_t first = sequences.first_token(s);
        tokens.resize(sequence.size() * dim);
        decode(sequence.tokens, tokens);
        double weighted = 0.0;
        double largest = 0.0;
        for (std::size_t t = 0; t < sequence.size(); ++t) {
            const std::span<const float> token(&tokens[t * dim], dim);
            decode(codes.run(first + t, 1), decoded);
            const double code_norm = norm_of(decoded);
            if (is_cosine && code_norm == 0.0) {
                throw SequenceError(s, "the code of token " + std::to_string(t) + " is a zero vector");
            }
            largest_norm_ = std::max(largest_norm_, code_norm);
            const double token_scale = is_cosine ? 1.0 / norm_of(token) : 1.0;
            const double code_scale = is_cosine ? 1.0 / code_norm : 1.0;
            double squared = 0.0;
            for (std::size_t k = 0; k < dim; ++k) {
                const double difference =
                    static_cast<double>(token[k]) * token_scale - static_cast<double>(decoded[k]) * code_scale;
                squared += difference * difference;
            }
            const double r = std::sqrt(squared);
            weighted += sequence.mass[t] * r;
            largest = std::max(largest, r);
            if (is_cosine) {
                inverse_norms_[first + t] = static_cast<float>(code_scale);
            }
        }
        // In relaxed problems a token of the document may take all.
        const bool is_limited = sequences.measure().problem != Problem::relaxed;
        rho_[s] = (is_limited ? std::min(sequences.measure().capacity * weighted, largest) : largest) * (1.0 + 1e-9);
    }
}

PreparedSequence PreparedCodes::at(std::size_t s, DocumentBuffer& buffer) const {
    const PreparedSequence sequence = sequences_.at(s, buffer);
    const std::size_t first = sequences_.first_token(s);
    const std::span<const float> norms = inverse_norms_;
    return {codes_.run(first, sequence.size()), sequence.mass,
            norms.empty() ? norms : norms.subspan(first, sequence.size())};
}

double PreparedCodes::slack(std::size_t s, double query_norm) const {
    const GroundCost ground = measure().ground;
    const double factor = ground == GroundCost::dot ? query_norm : 1.0;
    const double rounding =
        cost_error_bound(ground, sequences_.dim(), query_norm, std::max(largest_norm_, sequences_.max_norm()));
    return factor * rho_[s] + 2.0 * rounding;
}

}  // namespace moverank
