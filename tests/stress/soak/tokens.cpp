#include "tokens.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

using namespace moverank;

namespace soak {

namespace {

/// The upper half of a float32, which is what bfloat16 is.
[[nodiscard]] std::uint16_t bfloat16_of(float x) {
    return static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(x) >> 16);
}

/// Cut off, and drawn into the range of normal numbers: any half will do.
[[nodiscard]] std::uint16_t float16_of(float x) {
    const auto bits = std::bit_cast<std::uint32_t>(x);
    const int exponent = std::clamp(static_cast<int>(bits >> 23 & 255U) - 127 + 15, 1, 30);
    return static_cast<std::uint16_t>((bits >> 16 & 0x8000U) | static_cast<unsigned>(exponent) << 10 |
                                      (bits >> 13 & 0x3ffU));
}

[[nodiscard]] float value_of_float16(std::uint16_t half) {
    const int exponent = static_cast<int>(half >> 10 & 31U) - 15;
    const float size = std::ldexp(1.0F + std::ldexp(static_cast<float>(half & 0x3ffU), -10), exponent);
    return (half & 0x8000U) != 0 ? -size : size;
}

}  // namespace

std::vector<float> draw_vectors(Random& random, std::size_t n, std::size_t dim, std::string& sort) {
    constexpr const char* sorts[] = {"bell-shaped", "few", "grid", "far", "axes", "near duplicates", "sizes apart"};
    const std::size_t drawn = random.below(std::size(sorts));
    sort = sorts[drawn];
    std::vector<float> vectors(n * dim);
    const std::size_t n_few = random.between(1, 6);
    std::vector<double> few(n_few * dim);
    std::ranges::generate(few, [&] { return random.bell(); });
    for (std::size_t t = 0; t < n; ++t) {
        const std::size_t like = random.below(n_few);
        const double size = sort == "sizes apart" ? random.across(-20, 20) : 1.0;
        for (std::size_t k = 0; k < dim; ++k) {
            const double base = few[like * dim + k];
            double x = 0.0;
            switch (drawn) {
                case 1: x = base; break;
                case 2: x = static_cast<double>(random.below(5)) - 2.0; break;
                case 3: x = 500.0 + static_cast<double>(k) + 1e-3 * random.bell(); break;
                case 4: x = k == like % dim ? 1.0 : 0.0; break;
                case 5: x = base * (1.0 + 1e-7 * random.bell()); break;
                default: x = size * random.bell();
            }
            vectors[t * dim + k] = static_cast<float>(x);
        }
    }
    const float scale = random.chance(0.7) ? 1.0F : std::ldexp(1.0F, static_cast<int>(random.below(61)) - 30);
    for (std::size_t t = 0; t < n; ++t) {
        const std::span<float> vector = std::span(vectors).subspan(t * dim, dim);
        std::ranges::transform(vector, vector.begin(), [scale](float x) { return scale * x; });
        if (std::ranges::all_of(vector, [](float x) { return x == 0.0F; })) {
            vector.front() = scale;
        }
    }
    return vectors;
}

Documents::Documents(Random& random, std::size_t n_documents, std::size_t longest, std::size_t dimension,
                     const Measure& measure)
    : dim(dimension) {
    for (std::size_t s = 0; s < n_documents; ++s) {
        offsets_.push_back(offsets_.back() + static_cast<std::int64_t>(random.between(1, longest)));
    }
    const auto n_tokens = static_cast<std::size_t>(offsets_.back());
    tokens = draw_vectors(random, n_tokens, dim, sort);
    repeat_some(random);
    if (measure.ground != GroundCost::cosine && random.chance(0.15)) {
        // One token is zero, but not a document's first, as norms may be mass.
        const std::span<float> own = own_tokens(random.below(n_documents));
        std::ranges::fill(own.last(own.size() > dim ? dim : 0), 0.0F);
    }
    encode(random.chance(0.6) ? TokenType::float32
                              : random.one_of({TokenType::float16, TokenType::bfloat16, TokenType::int8,
                                               TokenType::int4, TokenType::int2}));
    if (measure.weighting == Weighting::given) {
        draw_weights(random);
    }
}

SequencesView Documents::run(std::size_t first, std::size_t last, std::vector<std::int64_t>& offsets) const {
    const auto begin = static_cast<std::size_t>(offsets_[first]);
    const auto count = static_cast<std::size_t>(offsets_[last]) - begin;
    for (std::size_t s = first; s <= last; ++s) {
        offsets.push_back(offsets_[s] - offsets_[first]);
    }
    const std::span<const double> weights = weights_;
    return {tokens_view().run(begin, count), offsets, weights.empty() ? weights : weights.subspan(begin, count)};
}

void Documents::repeat_some(Random& random) {
    for (std::size_t s = 1; s < size(); ++s) {
        const std::size_t from = random.below(s);
        const std::span<float> to = own_tokens(s);
        if (random.chance(0.2)) {
            for (std::size_t t = 0; t < to.size(); ++t) {
                to[t] = own_tokens(from)[t % own_tokens(from).size()];
            }
        }
    }
}

void Documents::encode(TokenType wanted) {
    type_ = wanted;
    if (type_ == TokenType::float16 || type_ == TokenType::bfloat16) {
        halves_.resize(tokens.size());
        for (std::size_t t = 0; t < tokens.size(); ++t) {
            const bool is_float16 = type_ == TokenType::float16;
            halves_[t] = is_float16 ? float16_of(tokens[t]) : bfloat16_of(tokens[t]);
            tokens[t] = is_float16 ? value_of_float16(halves_[t])
                                   : std::bit_cast<float>(static_cast<std::uint32_t>(halves_[t]) << 16);
        }
    } else if (type_ == TokenType::int8) {
        coded_.emplace(tokens, dim, 127);
        for (std::size_t t = 0; t < tokens.size(); ++t) {
            tokens[t] = static_cast<float>(coded_->codes[t]) * coded_->scales[t / dim];
        }
    } else if (type_ == TokenType::int4 || type_ == TokenType::int2) {
        packed_.emplace(tokens, dim, type_);
        tokens = packed_->values;
    }
}

TokensView Documents::tokens_view() const {
    const std::size_t n_tokens = tokens.size() / dim;
    switch (type_) {
        case TokenType::float32: break;
        case TokenType::int8: return coded_->view();
        case TokenType::int4:
        case TokenType::int2: return packed_->view();
        case TokenType::float16:
        case TokenType::bfloat16: return {type_, halves_.data(), n_tokens, dim};
    }
    return {tokens.data(), n_tokens, dim};
}

void Documents::draw_weights(Random& random) {
    const auto n_tokens = static_cast<std::size_t>(offsets_.back());
    const bool wide = random.chance(0.2);
    const double zeros = random.one_of({0.0, 0.0, 0.3});
    weights_.resize(n_tokens);
    std::ranges::generate(weights_, [&] { return wide ? random.across(-100, 0) : random.unit() + 1e-6; });
    for (std::size_t s = 0; s < size(); ++s) {
        for (std::int64_t t = offsets_[s] + 1; t < offsets_[s + 1]; ++t) {
            double& weight = weights_[static_cast<std::size_t>(t)];
            weight = random.chance(zeros) ? 0.0 : weight;
        }
    }
}

}  // namespace soak
