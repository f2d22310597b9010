/// Inputs that look like text: token vectors around shared topics, with a common direction and skewed norms.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "moverank/ground_cost.hpp"
#include "moverank/prepared.hpp"

namespace workload {

/// Different problems a benchmark cycles through: fewer, and the branch predictor learns them.
inline constexpr std::size_t n_problems = 1024;

inline constexpr moverank::Measure word_rotator{moverank::GroundCost::cosine, moverank::Weighting::norm};

/// Draws tokens: 64 topics plus one direction that all tokens share plus noise; lognormal norms.
class TokenSource {
  public:
    TokenSource(std::size_t dim, unsigned seed) : dim_(dim), random_(seed), topics_(64 * dim), common_(dim) {
        for (float& x : topics_) {
            x = noise();
        }
        for (float& x : common_) {
            x = noise();
        }
    }

    [[nodiscard]] std::size_t dim() const { return dim_; }

    std::size_t length(std::size_t shortest, std::size_t longest) {
        return std::uniform_int_distribution<std::size_t>(shortest, longest)(random_);
    }

    void append_token(std::vector<float>& tokens) {
        const float* topic = &topics_[random_() % 64 * dim_];
        const std::size_t start = tokens.size();
        float squared = 0.0F;
        for (std::size_t k = 0; k < dim_; ++k) {
            const float x = topic[k] + 0.5F * common_[k] + 0.7F * noise();
            squared += x * x;
            tokens.push_back(x);
        }
        const float scale = std::exp(0.35F * normal_(random_)) / std::sqrt(squared);
        for (std::size_t k = start; k < tokens.size(); ++k) {
            tokens[k] *= scale;
        }
    }

  private:
    float noise() { return normal_(random_) / std::sqrt(static_cast<float>(dim_)); }

    std::size_t dim_;
    std::mt19937 random_;
    std::normal_distribution<float> normal_;
    std::vector<float> topics_, common_;
};

/// A ragged batch with the arrays that it views.
class Collection {
  public:
    explicit Collection(std::size_t dim) : dim_(dim) {}
    Collection(TokenSource& source, std::size_t n_sequences, std::size_t shortest, std::size_t longest)
        : Collection(source.dim()) {
        for (std::size_t s = 0; s < n_sequences; ++s) {
            append(source, source.length(shortest, longest));
        }
    }

    void append(TokenSource& source, std::size_t n_tokens) {
        for (std::size_t t = 0; t < n_tokens; ++t) {
            source.append_token(tokens_);
        }
        offsets_.push_back(offsets_.back() + static_cast<std::int64_t>(n_tokens));
    }

    [[nodiscard]] moverank::SequencesView view() const { return {{tokens_.data(), n_tokens(), dim_}, offsets_, {}}; }
    [[nodiscard]] std::size_t n_tokens() const { return tokens_.size() / dim_; }

  private:
    std::size_t dim_;
    std::vector<float> tokens_;
    std::vector<std::int64_t> offsets_{0};
};

/// One Word Rotator's problem, costs computed.
struct Problem {
    moverank::GroundCosts costs{moverank::GroundCost::cosine};
    std::vector<double> a, b;
};

/// Problems of n by m tokens of dimension 300.
inline std::vector<Problem> problems(std::size_t n, std::size_t m, std::size_t count = n_problems) {
    TokenSource source(300, static_cast<unsigned>(n));
    std::vector<Problem> made(count);
    for (Problem& problem : made) {
        Collection pair(source.dim());
        pair.append(source, n);
        pair.append(source, m);
        const moverank::PreparedSequences prepared(pair.view(), word_rotator);
        problem.costs.set_query(prepared[0]);
        problem.costs.compute(prepared[1]);
        problem.a.assign(prepared[0].mass.begin(), prepared[0].mass.end());
        problem.b.assign(prepared[1].mass.begin(), prepared[1].mass.end());
    }
    return made;
}

}  // namespace workload
