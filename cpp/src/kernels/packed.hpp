/// Codes of a few bits, packed into bytes, into float32.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "simd.hpp"

namespace moverank::MOVERANK_LEVEL {

/// Reads codes of `bits` bits, the first in the lowest, as (code - half) scale: their values lie evenly about 0. The
/// difference is exact, so a value is rounded once, on every level alike.
template <std::size_t bits>
class PackedCodes {
    static_assert(bits == 2 || bits == 4);
    using Words = Vector<std::uint32_t>;
    static constexpr std::uint32_t largest = (1U << bits) - 1;
    static constexpr float half = static_cast<float>(largest) / 2.0F;

  public:
    /// What a register of float32 is read from.
    static constexpr std::size_t bytes = lanes<float> * bits / 8;

#if defined(__AVX512F__)
    // A register holds what every code stands for, so that reading one is a look-up.
    MOVERANK_INLINE explicit PackedCodes(float scale) {
        for (std::size_t l = 0; l < lanes<float>; ++l) {
            values_[l] = static_cast<float>(l & largest) - half;
            shift_[l] = static_cast<std::uint32_t>(l * bits % 32);
            word_[l] = static_cast<std::uint32_t>(l * bits / 32);
        }
        values_ *= splat(scale);
    }

    MOVERANK_INLINE Vector<float> operator()(const std::byte* from) const {
        if constexpr (bits == 4) {
            const __m512i words = _mm512_castsi128_si512(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
            const Words own = (Words)_mm512_permutexvar_epi32((__m512i)word_, words);
            return _mm512_permutexvar_ps((__m512i)(own >> shift_), (__m512)values_);
        } else {
            return _mm512_permutevar_ps((__m512)values_, (__m512i)(splat(read<std::uint32_t>(from)) >> shift_));
        }
    }

  private:
    Vector<float> values_;
    Words shift_, word_;
#elif defined(__AVX2__)
    // Of values that a quarter of a register holds, reading one is a look-up as well. Otherwise as below.
    MOVERANK_INLINE explicit PackedCodes(float scale) : scale_(splat(scale)) {
        for (std::size_t l = 0; l < lanes<float>; ++l) {
            values_[l] = static_cast<float>(l & largest) - half;
            shift_[l] = static_cast<std::uint32_t>(l * bits);
            const std::size_t place = 8 + l % 2 * bits;  // in the second byte
            mask_[l] = largest << place;
            exponent_[l] = exponent_of(place);
            offset_[l] = offset_of(place);
            byte_[l] = 0x80800080U | static_cast<std::uint32_t>(l / 2) << 8U;
        }
        values_ *= scale_;
    }

    MOVERANK_INLINE Vector<float> operator()(const std::byte* from) const {
        if constexpr (bits == 2) {
            const Words words = (Words)_mm256_set1_epi16(read<std::int16_t>(from));
            return _mm256_permutevar_ps((__m256)values_, (__m256i)(words >> shift_));
        } else {
            // The byte that has a lane's code becomes the second of the lane, all others become 0.
            const Words own = (Words)_mm256_shuffle_epi8((__m256i)splat(read<std::uint32_t>(from)), (__m256i)byte_);
            return ((Vector<float>)((own & mask_) | exponent_) - offset_) * scale_;
        }
    }

  private:
    Words shift_, mask_, exponent_, byte_;
    Vector<float> values_, offset_, scale_;
#else
    MOVERANK_INLINE explicit PackedCodes(float scale) : scale_(splat(scale)) {
        for (std::size_t l = 0; l < lanes<float>; ++l) {
            const std::size_t place = 1 + l * bits;  // above bit 0, as halves count too
            mask_[l] = largest << place;
            exponent_[l] = exponent_of(place);
            offset_[l] = offset_of(place);
        }
    }

    MOVERANK_INLINE Vector<float> operator()(const std::byte* from) const {
        using Stored = std::conditional_t<bytes == 1, std::uint8_t, std::uint16_t>;
        const Words words = splat(std::uint32_t{read<Stored>(from)} << 1U);
        return ((Vector<float>)((words & mask_) | exponent_) - offset_) * scale_;
    }

  private:
    Words mask_, exponent_;
    Vector<float> offset_, scale_;
#endif

    // Under the exponent of 2^(23 - p), a number that begins at bit p of a float32's fraction counts as it is: no code
    // has to be moved or converted.
    MOVERANK_INLINE static constexpr std::uint32_t exponent_of(std::size_t place) {
        return static_cast<std::uint32_t>(127 + 23 - place) << 23U;
    }
    MOVERANK_INLINE static constexpr float offset_of(std::size_t place) {
        return static_cast<float>(std::uint32_t{1} << (23 - place)) + half;
    }
    template <class T>
    MOVERANK_INLINE static T read(const std::byte* from) {
        T value;
        __builtin_memcpy(&value, from, sizeof value);
        return value;
    }
};

}  // namespace moverank::MOVERANK_LEVEL
