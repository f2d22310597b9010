#include "moverank/codes.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "../preconditions.hpp"
#include "moverank/ground_cost.hpp"
#include "moverank/ground_traits.hpp"
#include "norm.hpp"

namespace moverank {

namespace {

/// Codes as they are kept: without data if they are interleaved, as they are then read elsewhere.
[[nodiscard]] TokensView kept(const TokensView& codes) {
    if (codes.type() != TokenType::int8) {
        return codes;
    }
    return {codes.type(), nullptr, codes.rows(), codes.cols(), codes.scales()};
}

}  // namespace

PreparedSequence CodedSequence::in_rows(std::vector<std::int8_t>& rows) const {
    if (!is_interleaved()) {
        return sequence;
    }
    const std::size_t dim = interleaved.dim();
    rows.resize(interleaved.n_tokens() * dim);
    separate(interleaved, rows);
    PreparedSequence tokens = sequence;
    tokens.tokens = {TokenType::int8, rows.data(), interleaved.n_tokens(), dim, interleaved.scales()};
    return tokens;
}

PreparedCodes::PreparedCodes(const PreparedSequences& sequences, const TokensView& codes, Interrupt* interrupt)
    : sequences_(sequences), codes_(kept(codes)), rho_(sequences.size()) {
    require_suitable();
    const Measure& measure = sequences.measure();
    const GroundCost ground = measure.ground;
    const std::size_t dim = sequences.dim();
    const bool is_cosine = ground == GroundCost::cosine;
    inverse_norms_.resize(is_cosine ? codes.rows() : 0);
    const bool is_int8 = codes.type() == TokenType::int8;
    squares_.resize(is_int8 && ground == GroundCost::euclidean ? codes.rows() : 0);
    const std::size_t n_bytes = InterleavedCodes::bytes_per_token(dim);
    interleaved_.resize(is_int8 ? codes.rows() * n_bytes : 0);
    std::vector<float> tokens;
    std::vector<float> decoded(dim);
    for (std::size_t s = 0; s < sequences.size(); ++s) {
        check(interrupt);
        const PreparedSequence sequence = sequences[s];
        const std::size_t first = sequences.first_token(s);
        tokens.resize(sequence.size() * dim);
        decode(sequence.tokens, tokens);
        if (is_int8) {
            interleave(codes.run(first, sequence.size()),
                       std::span(interleaved_).subspan(first * n_bytes, sequence.size() * n_bytes));
        }
        double weighted = 0.0;  // sum_j b_j r_j
        double largest = 0.0;   // max_j r_j
        for (std::size_t t = 0; t < sequence.size(); ++t) {
            const std::span<const float> token(&tokens[t * dim], dim);
            decode(codes.run(first + t, 1), decoded);
            const double code_norm = norm_of(decoded);
            found_.largest_norm = std::max(found_.largest_norm, code_norm);
            take_token(first + t, code_norm);
            if (sequence.mass[t] == 0.0) {
                continue;  // nothing moves to it: its code can only lower a bound, which stays valid
            }
            if (is_cosine && code_norm == 0.0) {
                throw SequenceError(s, "the code of token " + std::to_string(t) + " is a zero vector");
            }
            const double token_scale = is_cosine ? 1.0 / norm_of(token) : 1.0;
            const double code_scale = is_cosine ? 1.0 / code_norm : 1.0;
            double squared = 0.0;
            for (std::size_t k = 0; k < dim; ++k) {
                const double difference =
                    static_cast<double>(token[k]) * token_scale - static_cast<double>(decoded[k]) * code_scale;
                squared += difference * difference;
            }
            // r_j under euclidean and cosine; under dot, `slack` multiplies it by the query's norm.
            const double r = std::sqrt(squared);
            weighted += sequence.mass[t] * r;
            largest = std::max(largest, r);
        }
        // Without a limit, one document token may take all the mass. The same holds in relaxed problems, whose value an
        // entropic problem may return before it has converged. Enlarged for the rounding of rho itself.
        const bool is_limited = measure.problem == Problem::exact && !measure.unlimited();
        rho_[s] = (is_limited ? std::min(measure.capacity * weighted, largest) : largest) * (1.0 + 1e-9);
    }
    found_.interleaved = interleaved_;
    found_.inverse_norms = inverse_norms_;
    found_.squares = squares_;
    found_.rho = rho_;
}

PreparedCodes::PreparedCodes(const PreparedSequences& sequences, const TokensView& codes, const CodeArrays& found)
    : sequences_(sequences), codes_(kept(codes)), found_(found) {
    require_suitable();
    const GroundCost ground = sequences.measure().ground;
    const std::size_t n = codes.rows();
    const bool is_int8 = codes.type() == TokenType::int8;
    if (found.interleaved.size() != (is_int8 ? n * InterleavedCodes::bytes_per_token(codes.cols()) : 0) ||
        found.inverse_norms.size() != (ground == GroundCost::cosine ? n : 0) ||
        found.squares.size() != (is_int8 && ground == GroundCost::euclidean ? n : 0) ||
        found.rho.size() != sequences.size()) {
        throw std::invalid_argument("arrays of codes do not match the number of codes");
    }
}

void PreparedCodes::require_suitable() const {
    if (!traits(sequences_.measure().ground).has_codes) {
        throw std::invalid_argument("codes give no bound under the squared Euclidean ground cost");
    }
    if (codes_.cols() != sequences_.dim() || codes_.rows() != sequences_.n_tokens()) {
        throw std::invalid_argument("expected one code per token");
    }
}

void PreparedCodes::take_token(std::size_t place, double norm) {
    if (!inverse_norms_.empty()) {
        inverse_norms_[place] = norm == 0.0 ? 1.0F : static_cast<float>(1.0 / norm);
    }
    if (!squares_.empty()) {
        squares_[place] = static_cast<float>(norm * norm);
    }
}

CodedSequence PreparedCodes::at(std::size_t s) const {
    const PreparedSequence sequence = sequences_[s];
    const std::size_t first = sequences_.first_token(s);
    const auto part = [&]<class T>(std::span<const T> all) {
        return all.empty() ? all : all.subspan(first, sequence.size());
    };
    const bool is_int8 = codes_.type() == TokenType::int8;
    const InterleavedCodes interleaved(found_.interleaved.data(), codes_.scales(), codes_.rows(), codes_.cols());
    return {.sequence = {is_int8 ? TokensView() : codes_.run(first, sequence.size()), sequence.mass,
                         part(found_.inverse_norms)},
            .interleaved = is_int8 ? interleaved.run(first, sequence.size()) : InterleavedCodes(),
            .squares = part(found_.squares)};
}

double PreparedCodes::slack(std::size_t s, double query_norm) const {
    require(s < sequences_.size(), "there is no document at this position");
    // rho + 2 eta: costs to codes and costs to tokens are each off by at most eta.
    const GroundCost ground = sequences_.measure().ground;
    const double factor = ground == GroundCost::dot ? query_norm : 1.0;
    const double rounding =
        cost_error_bound(ground, sequences_.dim(), query_norm, std::max(found_.largest_norm, sequences_.max_norm()));
    return factor * found_.rho[s] + 2.0 * rounding;
}

}  // namespace moverank
