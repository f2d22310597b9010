/// One look at every entry of an array.
#pragma once

#include <cstddef>

namespace moverank {

/// Compiled once per instruction set.
struct ScanKernels {
    /// The largest absolute value; NaN or infinity where an entry is not finite.
    float (*largest_float)(const float* values, std::size_t n);
    double (*largest_double)(const double* values, std::size_t n);

    [[nodiscard]] float largest(const float* values, std::size_t n) const { return largest_float(values, n); }
    [[nodiscard]] double largest(const double* values, std::size_t n) const { return largest_double(values, n); }
};

}  // namespace moverank
