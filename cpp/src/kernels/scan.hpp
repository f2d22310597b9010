/// One look at every entry of an array.
#pragma once

#include <cstddef>
#include <cstdint>

namespace moverank {

/// Compiled once per instruction set.
struct ScanKernels {
    /// The largest absolute value; NaN or infinity where an entry is not finite.
    float (*largest_float)(const float* values, std::size_t n);
    double (*largest_double)(const double* values, std::size_t n);
    /// The lower median of the sizes of an n_rows x n_columns matrix's entries. All must be finite; those after the
    /// last column, up to `stride`, a multiple of lane_padding, infinite.
    float (*median_size_float)(const float* values, std::size_t n_rows, std::size_t n_columns, std::size_t stride);
    double (*median_size_double)(const double* values, std::size_t n_rows, std::size_t n_columns, std::size_t stride);

    /// The places of all entries that are at least `least`, rising, and how many there are. `n` is a multiple of
    /// lane_padding; there must be room for n places.
    std::size_t (*at_least)(const float* values, std::size_t n, float least, std::uint32_t* places);

    [[nodiscard]] float largest(const float* values, std::size_t n) const { return largest_float(values, n); }
    [[nodiscard]] double largest(const double* values, std::size_t n) const { return largest_double(values, n); }
    [[nodiscard]] float median_size(const float* values, std::size_t n_rows, std::size_t n_columns,
                                    std::size_t stride) const {
        return median_size_float(values, n_rows, n_columns, stride);
    }
    [[nodiscard]] double median_size(const double* values, std::size_t n_rows, std::size_t n_columns,
                                     std::size_t stride) const {
        return median_size_double(values, n_rows, n_columns, stride);
    }
};

}  // namespace moverank
