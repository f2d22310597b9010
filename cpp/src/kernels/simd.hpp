/// Vectors of one register, for the files of this folder only: they are compiled once per instruction set, and this
/// header with them, into a namespace of its own (MOVERANK_LEVEL).
///
/// The arithmetic is that of compiler vector extensions, the same source on every processor. Intrinsics appear only
/// where a compiler does not find the instruction by itself: minima, conversions, masks as bits of an integer. No
/// function here may be emitted on its own (a linker could then pick the copy of the widest set for everybody), hence
/// always_inline.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#if defined(__SSE4_2__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define MOVERANK_INLINE [[gnu::always_inline]] inline

namespace moverank::MOVERANK_LEVEL {

#if defined(__AVX512F__)
inline constexpr std::size_t register_bytes = 64;
#elif defined(__AVX2__)
inline constexpr std::size_t register_bytes = 32;
#else
inline constexpr std::size_t register_bytes = 16;
#endif

template <class T>
struct VectorOf {
    using type [[gnu::vector_size(register_bytes)]] = T;
    using unaligned [[gnu::vector_size(register_bytes), gnu::aligned(alignof(T)), gnu::may_alias]] = T;
};
template <class T>
using Vector = typename VectorOf<T>::type;
template <class T>
inline constexpr std::size_t lanes = register_bytes / sizeof(T);

using Bits = std::uint32_t;

/// Place of the lowest set bit.
MOVERANK_INLINE std::size_t first_bit(std::uint64_t bits) { return static_cast<std::size_t>(__builtin_ctzll(bits)); }

template <class T>
MOVERANK_INLINE Vector<T> load(const T* from) {
    return *reinterpret_cast<const typename VectorOf<T>::unaligned*>(from);
}
template <class T>
MOVERANK_INLINE void store(T* to, Vector<T> value) {
    *reinterpret_cast<typename VectorOf<T>::unaligned*>(to) = value;
}
template <class T>
MOVERANK_INLINE Vector<T> splat(T value) {
    return value - Vector<T>{};
}

/// splat(*from). Zen 4 copies a float32 from memory into 512 bits by a unit that also adds and multiplies, and an
/// integer as it loads it.
MOVERANK_INLINE Vector<float> load_splat(const float* from) {
#if defined(__AVX512F__)
    int bits;
    __builtin_memcpy(&bits, from, sizeof bits);
    return (Vector<float>)_mm512_set1_epi32(bits);
#else
    return splat(*from);
#endif
}

/// Entries of a table, one for each lane.
MOVERANK_INLINE Vector<float> gather(const float* table, const std::uint32_t* places) {
#if defined(__AVX512F__)
    return _mm512_i32gather_ps(_mm512_loadu_si512(places), table, sizeof(float));
#elif defined(__AVX2__)
    return _mm256_i32gather_ps(table, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(places)), sizeof(float));
#else
    Vector<float> entries;
#pragma GCC unroll 16
    for (std::size_t l = 0; l < lanes<float>; ++l) {
        entries[l] = table[places[l]];
    }
    return entries;
#endif
}

/// As many entries of `from` as a vector of To has, converted.
template <class To, class From>
MOVERANK_INLINE Vector<To> load_as(const From* from) {
    if constexpr (sizeof(To) == sizeof(From)) {
        return load(from);
    } else {
        static_assert(sizeof(To) == 8 && sizeof(From) == 4);  // float to double
#if defined(__AVX512F__)
        return _mm512_cvtps_pd(_mm256_loadu_ps(from));
#elif defined(__AVX2__)
        return _mm256_cvtps_pd(_mm_loadu_ps(from));
#elif defined(__SSE4_2__)
        return _mm_cvtps_pd(_mm_castsi128_ps(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
#else
        using Half [[gnu::vector_size(register_bytes / 2), gnu::aligned(alignof(From)), gnu::may_alias]] = From;
        return __builtin_convertvector(*reinterpret_cast<const Half*>(from), Vector<To>);
#endif
    }
}

/// IEEE binary16 into float32.
MOVERANK_INLINE Vector<float> load_float16(const std::uint16_t* from) {
#if defined(__AVX512F__)
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
#elif defined(__AVX2__)
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
#else
    // Exponent and fraction move to their place; the power of two mends the bias, of subnormal numbers as well.
    using Words [[gnu::vector_size(register_bytes)]] = std::uint32_t;
    Words half;
    for (std::size_t l = 0; l < lanes<float>; ++l) {
        half[l] = from[l];
    }
    const Words size = (half & 0x7FFFU) << 13U;
    const Vector<float> value = (Vector<float>)size * 0x1p112F;
    const Words not_finite = (Words)(size >= 0x0F800000U) & 0x7F800000U;
    return (Vector<float>)((Words)value | not_finite | (half & 0x8000U) << 16U);
#endif
}

/// The upper half of float32 into float32.
MOVERANK_INLINE Vector<float> load_bfloat16(const std::uint16_t* from) {
#if defined(__AVX512F__)
    const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    return (Vector<float>)_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16);
#elif defined(__AVX2__)
    const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    return (Vector<float>)_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16);
#elif defined(__SSE4_2__)
    const __m128i half = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
    return (Vector<float>)_mm_slli_epi32(_mm_cvtepu16_epi32(half), 16);
#else
    using Words [[gnu::vector_size(register_bytes)]] = std::uint32_t;
    Words word;
    for (std::size_t l = 0; l < lanes<float>; ++l) {
        word[l] = std::uint32_t{from[l]} << 16U;
    }
    return (Vector<float>)word;
#endif
}

/// Small integers into float32.
MOVERANK_INLINE Vector<float> load_int8(const std::int8_t* from) {
#if defined(__AVX512F__)
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
#elif defined(__AVX2__)
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
#elif defined(__SSE4_2__)
    return _mm_cvtepi32_ps(_mm_cvtepi8_epi32(_mm_loadu_si32(from)));
#else
    Vector<float> value;
    for (std::size_t l = 0; l < lanes<float>; ++l) {
        value[l] = static_cast<float>(from[l]);
    }
    return value;
#endif
}

// ---- masks ---------------------------------------------------------------------------------------------------------

template <class T>
struct IntegerOf;
template <>
struct IntegerOf<float> {
    using type = std::int32_t;
};
template <>
struct IntegerOf<double> {
    using type = std::int64_t;
};
template <>
struct IntegerOf<std::int64_t> {
    using type = std::int64_t;
};
/// Integers as wide as T: what masks and lane codes are made of.
template <class T>
using Integer = typename IntegerOf<T>::type;
template <class T>
using Mask = Vector<Integer<T>>;

template <class T>
MOVERANK_INLINE Mask<T> lane_bits() {
    Mask<T> bits{};
    for (std::size_t l = 0; l < lanes<T>; ++l) {
        bits[l] = Integer<T>{1} << l;
    }
    return bits;
}

/// Lanes of `chosen` where the bit is set, of `otherwise` elsewhere.
template <class T>
MOVERANK_INLINE Vector<T> where(Bits bits, Vector<T> chosen, Vector<T> otherwise) {
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4) {
        return (Vector<T>)_mm512_mask_mov_ps((__m512)otherwise, static_cast<__mmask16>(bits), (__m512)chosen);
    } else {
        return (Vector<T>)_mm512_mask_mov_pd((__m512d)otherwise, static_cast<__mmask8>(bits), (__m512d)chosen);
    }
#else
    return (splat(static_cast<Integer<T>>(bits)) & lane_bits<T>()) != 0 ? chosen : otherwise;
#endif
}

template <class T>
MOVERANK_INLINE Bits bits_of(Mask<T> mask) {
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4) {
        return _mm512_movepi32_mask((__m512i)mask);
    } else {
        return _mm512_movepi64_mask((__m512i)mask);
    }
#elif defined(__AVX2__)
    if constexpr (sizeof(T) == 4) {
        return static_cast<Bits>(_mm256_movemask_ps((__m256)mask));
    } else {
        return static_cast<Bits>(_mm256_movemask_pd((__m256d)mask));
    }
#elif defined(__SSE4_2__)
    if constexpr (sizeof(T) == 4) {
        return static_cast<Bits>(_mm_movemask_ps((__m128)mask));
    } else {
        return static_cast<Bits>(_mm_movemask_pd((__m128d)mask));
    }
#else
    const Mask<T> chosen = mask & lane_bits<T>();
    Integer<T> bits = 0;
    for (std::size_t l = 0; l < lanes<T>; ++l) {
        bits |= chosen[l];
    }
    return static_cast<Bits>(bits);
#endif
}

/// Lanes in which x and y have a bit in common.
MOVERANK_INLINE Bits common_bits(Vector<std::int64_t> x, Vector<std::int64_t> y) {
#if defined(__AVX512F__)
    return _mm512_test_epi64_mask((__m512i)x, (__m512i)y);
#else
    return bits_of<std::int64_t>((x & y) != 0);
#endif
}

/// Lanes in which x and y are equal.
template <class T>
MOVERANK_INLINE Bits equal_lanes(Vector<T> x, Vector<T> y) {
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4) {
        return _mm512_cmp_ps_mask((__m512)x, (__m512)y, _CMP_EQ_OQ);
    } else if constexpr (static_cast<T>(0.5) != T{0}) {
        return _mm512_cmp_pd_mask((__m512d)x, (__m512d)y, _CMP_EQ_OQ);
    } else {
        return _mm512_cmpeq_epi64_mask((__m512i)x, (__m512i)y);
    }
#else
    return bits_of<T>(x == y);
#endif
}

// ---- minima --------------------------------------------------------------------------------------------------------

template <class T>
MOVERANK_INLINE Vector<T> min(Vector<T> x, Vector<T> y) {
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4) {
        return _mm512_min_ps(x, y);
    } else {
        return _mm512_min_pd(x, y);
    }
#elif defined(__AVX2__)
    if constexpr (sizeof(T) == 4) {
        return _mm256_min_ps(x, y);
    } else {
        return _mm256_min_pd(x, y);
    }
#elif defined(__SSE4_2__)
    if constexpr (sizeof(T) == 4) {
        return _mm_min_ps(x, y);
    } else {
        return _mm_min_pd(x, y);
    }
#else
    return x < y ? x : y;
#endif
}

template <>
MOVERANK_INLINE Vector<std::int64_t> min<std::int64_t>(Vector<std::int64_t> x, Vector<std::int64_t> y) {
#if defined(__AVX512F__)
    return (Vector<std::int64_t>)_mm512_min_epi64((__m512i)x, (__m512i)y);
#else
    return x < y ? x : y;
#endif
}

MOVERANK_INLINE Vector<float> max(Vector<float> x, Vector<float> y) {
#if defined(__AVX512F__)
    return _mm512_max_ps(x, y);
#elif defined(__AVX2__)
    return _mm256_max_ps(x, y);
#elif defined(__SSE4_2__)
    return _mm_max_ps(x, y);
#else
    return x > y ? x : y;
#endif
}

template <std::size_t step, class T, std::size_t... lane>
MOVERANK_INLINE Vector<T> swap_lanes(Vector<T> x, std::index_sequence<lane...>) {
    return __builtin_shufflevector(x, x, (lane ^ step)...);
}

/// The smallest lane.
template <class T, std::size_t step = lanes<T> / 2>
MOVERANK_INLINE T reduce_min(Vector<T> x) {
    x = min<T>(x, swap_lanes<step, T>(x, std::make_index_sequence<lanes<T>>{}));
    if constexpr (step > 1) {
        return reduce_min<T, step / 2>(x);
    } else {
        return x[0];
    }
}

template <std::size_t step, class T, std::size_t... lane>
MOVERANK_INLINE Vector<T> min_pairs(Vector<T> x, Vector<T> y, std::index_sequence<lane...>) {
    constexpr std::size_t n = sizeof...(lane);
    return min<T>(__builtin_shufflevector(x, y, ((lane & step) == 0 ? lane : lane + n)...),
                  __builtin_shufflevector(x, y, ((lane & step) == 0 ? lane ^ step : (lane ^ step) + n)...));
}

/// Lane l of the result is the smallest lane of rows[first + l].
template <class T, std::size_t first = 0, std::size_t count = lanes<T>>
MOVERANK_INLINE Vector<T> min_each(const Vector<T>* rows) {
    if constexpr (count == 1) {
        return rows[first];
    } else {
        constexpr std::size_t step = count / 2;
        return min_pairs<step, T>(min_each<T, first, step>(rows), min_each<T, first + step, step>(rows),
                                  std::make_index_sequence<lanes<T>>{});
    }
}

/// The sum of all lanes.
template <class T, std::size_t step = lanes<T> / 2>
MOVERANK_INLINE T reduce_add(Vector<T> x) {
    x += swap_lanes<step, T>(x, std::make_index_sequence<lanes<T>>{});
    if constexpr (step > 1) {
        return reduce_add<T, step / 2>(x);
    } else {
        return x[0];
    }
}

// ---- arithmetic ----------------------------------------------------------------------------------------------------

/// x y + z, rounded once where the processor can.
MOVERANK_INLINE Vector<float> multiply_add(Vector<float> x, Vector<float> y, Vector<float> z) {
#if defined(__AVX512F__)
    return _mm512_fmadd_ps(x, y, z);
#elif defined(__AVX2__)
    return _mm256_fmadd_ps(x, y, z);
#elif defined(__aarch64__)
    return vfmaq_f32(z, x, y);
#else
    return x * y + z;
#endif
}

MOVERANK_INLINE Vector<double> multiply_add(Vector<double> x, Vector<double> y, Vector<double> z) {
#if defined(__AVX512F__)
    return _mm512_fmadd_pd(x, y, z);
#elif defined(__AVX2__)
    return _mm256_fmadd_pd(x, y, z);
#elif defined(__aarch64__)
    return vfmaq_f64(z, x, y);
#else
    return x * y + z;
#endif
}

MOVERANK_INLINE Vector<float> square_root(Vector<float> x) {
#if defined(__AVX512F__)
    return _mm512_sqrt_ps(x);
#elif defined(__AVX2__)
    return _mm256_sqrt_ps(x);
#elif defined(__SSE4_2__)
    return _mm_sqrt_ps(x);
#else
    for (std::size_t l = 0; l < lanes<float>; ++l) {
        x[l] = __builtin_sqrtf(x[l]);
    }
    return x;
#endif
}

MOVERANK_INLINE Vector<double> square_root(Vector<double> x) {
#if defined(__AVX512F__)
    return _mm512_sqrt_pd(x);
#elif defined(__AVX2__)
    return _mm256_sqrt_pd(x);
#elif defined(__SSE4_2__)
    return _mm_sqrt_pd(x);
#else
    for (std::size_t l = 0; l < lanes<double>; ++l) {
        x[l] = __builtin_sqrt(x[l]);
    }
    return x;
#endif
}

// ---- blocks of vectors ---------------------------------------------------------------------------------------------

template <class T, std::size_t step, std::size_t... lane>
MOVERANK_INLINE void exchange_lanes(Vector<T>& x, Vector<T>& y, std::index_sequence<lane...>) {
    constexpr std::size_t n = sizeof...(lane);
    const Vector<T> low = __builtin_shufflevector(x, y, ((lane & step) == 0 ? lane : (lane ^ step) + n)...);
    y = __builtin_shufflevector(x, y, ((lane & step) == 0 ? lane ^ step : lane + n)...);
    x = low;
}

/// Lane i of rows[j] and lane j of rows[i] change places.
template <class T, std::size_t step = lanes<T> / 2>
MOVERANK_INLINE void transpose(Vector<T>* rows) {
#pragma GCC unroll 16
    for (std::size_t i = 0; i < lanes<T>; ++i) {
        if ((i & step) == 0) {
            exchange_lanes<T, step>(rows[i], rows[i + step], std::make_index_sequence<lanes<T>>{});
        }
    }
    if constexpr (step > 1) {
        transpose<T, step / 2>(rows);
    }
}

/// The first place below n that `found` has a bit for, given the first of `width` places; there is one. A word of
/// places is looked at before the first branch, since nobody can predict where a minimum is.
template <std::size_t width, class Found>
MOVERANK_INLINE std::size_t find_first(std::size_t n, Found found) {
    constexpr std::size_t word = 64;
    for (std::size_t first = 0;; first += word) {
        const std::size_t end = n - first < word ? n - first : word;
        std::uint64_t places = 0;
        for (std::size_t j = 0; j < end; j += width) {
            places |= static_cast<std::uint64_t>(found(first + j)) << j;
        }
        if (places != 0) {
            return first + first_bit(places);
        }
    }
}

/// Lane l of the result is the smallest of rows[l][j] + addend[j] over j < n, n a multiple of the vector length.
template <class Entry, class T>
MOVERANK_INLINE Vector<T> min_of_rows(const Entry* const* rows, const T* addend, std::size_t n) {
    Vector<T> least[lanes<T>];
    const Vector<T> first = load(addend);
#pragma GCC unroll 16
    for (std::size_t l = 0; l < lanes<T>; ++l) {
        least[l] = load_as<T>(rows[l]) + first;
    }
    for (std::size_t j = lanes<T>; j < n; j += lanes<T>) {
        const Vector<T> next = load(addend + j);
#pragma GCC unroll 16
        for (std::size_t l = 0; l < lanes<T>; ++l) {
            least[l] = min<T>(least[l], load_as<T>(rows[l] + j) + next);
        }
    }
    return min_each<T>(least);
}

}  // namespace moverank::MOVERANK_LEVEL
