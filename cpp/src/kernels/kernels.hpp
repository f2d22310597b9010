/// The hot loops, compiled once per instruction set and chosen once, at their first use.
#pragma once

#include <span>
#include <vector>

#include "assignment.hpp"
#include "bags.hpp"
#include "centroids.hpp"
#include "codes.hpp"
#include "columns.hpp"
#include "cost.hpp"
#include "pack.hpp"
#include "scaling.hpp"
#include "scan.hpp"
#include "simplex.hpp"

namespace moverank {

/// All kernels of one instruction set.
struct Kernels {
    const char* level;  ///< "baseline", "avx2", "avx512", "neon"
    const SimplexKernels<float>& simplex_float;
    const SimplexKernels<double>& simplex_double;
    const ScalingKernels<float, float>& scaling_single;
    const ScalingKernels<float, double>& scaling_mixed;
    const ScalingKernels<double, double>& scaling_double;
    const CostKernels& cost;
    const CodeKernels& codes;  ///< of the level's extension for bytes, if this processor has it
    const CentroidKernels& centroids;
    const ScanKernels& scan;
    const BagKernels& bags;
    const PackKernels& packing;
    const ColumnKernels<float>& columns_float;
    const ColumnKernels<double>& columns_double;
    const AssignmentKernels<float>& assignment_float;
    const AssignmentKernels<double>& assignment_double;

    template <class Cost>
    [[nodiscard]] const SimplexKernels<Cost>& simplex() const {
        if constexpr (sizeof(Cost) == sizeof(float)) {
            return simplex_float;
        } else {
            return simplex_double;
        }
    }
    template <class Cost>
    [[nodiscard]] const ColumnKernels<Cost>& columns() const {
        if constexpr (sizeof(Cost) == sizeof(float)) {
            return columns_float;
        } else {
            return columns_double;
        }
    }
    template <class Cost>
    [[nodiscard]] const AssignmentKernels<Cost>& assignment() const {
        if constexpr (sizeof(Cost) == sizeof(float)) {
            return assignment_float;
        } else {
            return assignment_double;
        }
    }
    /// Scaling in numbers of type T over costs of type Cost.
    template <class Cost, class T>
    [[nodiscard]] const ScalingKernels<Cost, T>& scaling() const {
        if constexpr (sizeof(Cost) == sizeof(double)) {
            return scaling_double;
        } else if constexpr (sizeof(T) == sizeof(double)) {
            return scaling_mixed;
        } else {
            return scaling_single;
        }
    }
};

/// The widest level that this processor runs, or the one that the environment variable MOVERANK_SIMD names. Throws
/// std::runtime_error if that is unknown or cannot run here.
[[nodiscard]] const Kernels& kernels();

/// All products of codes that this processor runs, of every level and with every extension: tests compare them.
[[nodiscard]] std::vector<const CodeKernels*> code_kernels();

}  // namespace moverank
