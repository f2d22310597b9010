#include "pack.hpp"

#include <limits>

#include "simd.hpp"

namespace moverank::MOVERANK_LEVEL {

namespace {

using Floats = Vector<float>;
using Codes = Vector<std::int32_t>;
constexpr std::size_t width = lanes<float>;

/// Least step that is tried, in root mean squares of the token: 0.9 of the best uniform step for normally distributed
/// components (Max, *Quantizing for minimum distortion*, IRE Transactions on Information Theory, 1960).
template <std::size_t bits>
constexpr float least_step = 0.9F * (bits == 4 ? 0.335F : 0.996F);

/// Rounds components to multiples (code - half) of a step.
template <std::size_t bits>
struct Quantiser {
    static constexpr float largest = static_cast<float>((1U << bits) - 1);
    static constexpr float half = largest / 2.0F;
    float step;
    float per_step = 1.0F / step;

    /// The code nearest to each component.
    MOVERANK_INLINE Codes codes(Floats x) const {
        const Floats place = x * splat(per_step) + splat(half + 0.5F);
        return __builtin_convertvector(min<float>(max(place, Floats{}), splat(largest)), Codes);
    }
    /// What it stands for, in steps.
    MOVERANK_INLINE Floats multiple(Floats x) const { return __builtin_convertvector(codes(x), Floats) - splat(half); }
    MOVERANK_INLINE Floats squared_error(Floats x) const {
        const Floats difference = x - multiple(x) * splat(step);
        return difference * difference;
    }
};

/// The sum of a term over all components and their padding: sixteen partial sums on every level, added up by halves, so
/// that their number of registers does not show.
template <class Term>
MOVERANK_INLINE float sum(const float* x, std::size_t dim, Term term) {
    constexpr std::size_t n_sums = pack_padding / width;
    Floats sums[n_sums] = {};
    for (std::size_t k = 0; k < dim; k += pack_padding) {
#pragma GCC unroll 4
        for (std::size_t s = 0; s < n_sums; ++s) {
            sums[s] += term(load(x + k + s * width));
        }
    }
#pragma GCC unroll 4
    for (std::size_t n = n_sums; n > 1; n /= 2) {
        for (std::size_t s = 0; s < n / 2; ++s) {
            sums[s] += sums[s + n / 2];
        }
    }
    return reduce_add<float>(sums[0]);
}

MOVERANK_INLINE void scale(const PackBlock& block, std::size_t padded) {
    std::size_t k = 0;
    for (; k + width <= block.dim; k += width) {
        store(block.scaled + k, load(block.token + k) * splat(block.factors[0]) * splat(block.factors[1]));
    }
    for (; k < padded; ++k) {
        block.scaled[k] = k < block.dim ? block.token[k] * block.factors[0] * block.factors[1] : 0.0F;
    }
}

/// A step that leaves a small squared error.
template <std::size_t bits>
MOVERANK_INLINE float fitted_step(const PackBlock& block, std::size_t n_padding) {
    using Of = Quantiser<bits>;
    // From the step that cuts nothing off down to one that cuts off the tails of a normal distribution.
    const float most = block.largest / Of::half;
    const float squares = sum(block.scaled, block.dim, [](Floats x) { return x * x; });
    const float least_wanted = least_step<bits> * __builtin_sqrtf(squares / static_cast<float>(block.dim));
    const float least = least_wanted < most ? least_wanted : most;
    const float middle = __builtin_sqrtf(most * least);
    const float steps[] = {most, __builtin_sqrtf(most * middle), middle, __builtin_sqrtf(middle * least), least};
    float best = most;
    float least_error = std::numeric_limits<float>::infinity();
    for (const float step : steps) {
        const Of quantiser{step};
        // Padding is half a step off.
        const float error = sum(block.scaled, block.dim, [&](Floats x) { return quantiser.squared_error(x); }) -
                            static_cast<float>(n_padding) * (0.5F * step) * (0.5F * step);
        if (error < least_error) {
            least_error = error;
            best = step;
        }
        if (least == most) {
            break;
        }
    }
    // For codes that are fixed, the error is a parabola of the step.
    const Of quantiser{best};
    const float products = sum(block.scaled, block.dim, [&](Floats x) { return x * quantiser.multiple(x); });
    const float own_squares = sum(block.scaled, block.dim, [&](Floats x) {
        const Floats multiple = quantiser.multiple(x);
        return multiple * multiple;
    });
    return products / (own_squares - 0.25F * static_cast<float>(n_padding));
}

template <std::size_t bits>
MOVERANK_INLINE void write_codes(const PackBlock& block, const Quantiser<bits>& quantiser) {
    constexpr std::size_t per_byte = 8 / bits;
    for (std::size_t k = 0; k < block.dim; k += pack_padding) {
        std::int32_t codes[pack_padding];
        for (std::size_t l = 0; l < pack_padding; l += width) {
            store(codes + l, quantiser.codes(load(block.scaled + k + l)));
        }
        const std::size_t count = k + pack_padding < block.dim ? pack_padding : block.dim - k;
        for (std::size_t l = count; l < pack_padding; ++l) {
            codes[l] = 0;
        }
        for (std::size_t first = 0; first < count; first += per_byte) {
            std::int32_t byte = 0;
            for (std::size_t place = 0; place < per_byte; ++place) {
                byte |= codes[first + place] << (place * bits);
            }
            block.codes[(k + first) / per_byte] = static_cast<std::uint8_t>(byte);
        }
    }
}

template <std::size_t bits>
float pack(const PackBlock& block) {
    const std::size_t padded = (block.dim + pack_padding - 1) / pack_padding * pack_padding;
    scale(block, padded);
    const float step = fitted_step<bits>(block, padded - block.dim);
    write_codes(block, Quantiser<bits>{step});
    return step;
}

}  // namespace

extern const PackKernels packing;
const PackKernels packing{&pack<4>, &pack<2>};

}  // namespace moverank::MOVERANK_LEVEL
