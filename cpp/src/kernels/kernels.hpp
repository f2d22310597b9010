/// The hot loops, compiled once per instruction set and chosen once, when they are first asked for.
#pragma once

#include <span>

#include "cost.hpp"
#include "scan.hpp"
#include "simplex.hpp"

namespace moverank {

/// All kernels of one instruction set.
struct Kernels {
    const char* level;  ///< "baseline", "avx2", "avx512", "neon"
    const SimplexKernels<float>& simplex_float;
    const SimplexKernels<double>& simplex_double;
    const CostKernels& cost;
    const ScanKernels& scan;

    template <class Cost>
    [[nodiscard]] const SimplexKernels<Cost>& simplex() const {
        if constexpr (sizeof(Cost) == sizeof(float)) {
            return simplex_float;
        } else {
            return simplex_double;
        }
    }
};

/// The widest level that this processor runs, or the one that the environment variable MOVERANK_SIMD names. Throws
/// std::runtime_error if that is unknown or cannot run here.
[[nodiscard]] const Kernels& kernels();

}  // namespace moverank
