/// Octets as ragged batches: tokens of any type with whatever is in their octets, and measures for them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "input.hpp"
#include "moverank/measure.hpp"
#include "moverank/prepared.hpp"
#include "moverank/views.hpp"

namespace fuzz {

/// Tokens, and the memory that their view reads.
class Tokens {
  public:
    Tokens(Input& input, std::size_t n_tokens, std::size_t dim) {
        using moverank::TokenType;
        const TokenType type = input.one_of({TokenType::float32, TokenType::float16, TokenType::bfloat16,
                                             TokenType::int8, TokenType::int4, TokenType::int2});
        const std::size_t size = std::max<std::size_t>(moverank::component_bits(type) / 8, 1);
        // Mostly numbers of a few bits: ties, and distances that make sense.
        const bool raw = type != TokenType::float32 || input.up_to(3) == 3;
        const std::size_t row = moverank::row_bytes(type, dim);
        const std::size_t stride = row + input.up_to(2) * size;
        // No more than that: what reads beyond the last token is to be seen.
        octets_.resize(n_tokens == 0 ? 0 : (n_tokens - 1) * stride + row);
        for (std::size_t place = 0; place + size <= octets_.size(); place += size) {
            const auto bits = raw ? input.take<std::uint32_t>(size) : 0;
            const auto small = raw ? 0.0F : static_cast<float>(input.take<std::int8_t>()) / 16.0F;
            std::memcpy(octets_.data() + place, raw ? static_cast<const void*>(&bits) : &small, size);
        }
        if (moverank::has_scales(type)) {
            for (std::size_t t = 0; t < n_tokens; ++t) {
                scales_.push_back(input.one_of({1.0F, 0.01F, 1e-30F, 1e15F, 0.0F}));
            }
        }
        view_ = {type, octets_.data(), n_tokens, dim, stride, scales_.empty() ? nullptr : scales_.data()};
    }
    [[nodiscard]] const moverank::TokensView& view() const { return view_; }

  private:
    std::vector<std::byte> octets_;
    std::vector<float> scales_;
    moverank::TokensView view_;
};

/// Where up to eight sequences begin, some of them perhaps empty.
inline std::vector<std::int64_t> offsets(Input& input) {
    std::vector<std::int64_t> cuts{0};
    for (std::size_t s = 1 + input.up_to(7); s > 0; --s) {
        cuts.push_back(cuts.back() + static_cast<std::int64_t>(input.up_to(9)));
    }
    return cuts;
}

inline moverank::Measure measure(Input& input) {
    using moverank::GroundCost, moverank::Weighting, moverank::Problem;
    moverank::Measure made;
    made.ground = input.one_of({GroundCost::cosine, GroundCost::euclidean, GroundCost::sqeuclidean, GroundCost::dot});
    made.weighting = input.one_of({Weighting::uniform, Weighting::norm, Weighting::given});
    made.capacity = input.one_of({1.0, 1.0, 1.5, 4.0, infinity});
    made.problem = input.one_of({Problem::exact, Problem::exact, Problem::relaxed, Problem::entropic});
    made.fraction = input.one_of({1.0, 1.0, 0.5});
    made.sinkhorn.max_iterations = 20;
    made.sinkhorn.debiased = made.problem == Problem::entropic && made.balanced() && input.up_to(1) == 0;
    return made;
}

}  // namespace fuzz
