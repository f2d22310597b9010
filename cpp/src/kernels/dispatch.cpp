#include <array>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>

#include "kernels.hpp"
#include "moverank/simd.hpp"

#ifdef MOVERANK_X86
#include <cpuid.h>
#endif

// What the other files of this folder define in each level's namespace.
#define MOVERANK_DECLARE_LEVEL(name)                            \
    namespace moverank::name {                                  \
    extern const SimplexKernels<float> simplex_float;           \
    extern const SimplexKernels<double> simplex_double;         \
    extern const ScalingKernels<float, float> scaling_single;   \
    extern const ScalingKernels<float, double> scaling_mixed;   \
    extern const ScalingKernels<double, double> scaling_double; \
    extern const CostKernels cost;                              \
    extern const CentroidKernels centroids;                     \
    extern const ScanKernels scan;                              \
    extern const BagKernels bags;                               \
    extern const PackKernels packing;                           \
    extern const ColumnKernels<float> columns_float;            \
    extern const ColumnKernels<double> columns_double;          \
    }
#if defined(MOVERANK_X86)
MOVERANK_DECLARE_LEVEL(baseline)
MOVERANK_DECLARE_LEVEL(avx2)
MOVERANK_DECLARE_LEVEL(avx512)
#elif defined(MOVERANK_ARM)
MOVERANK_DECLARE_LEVEL(neon)
#else
MOVERANK_DECLARE_LEVEL(baseline)
#endif

#define MOVERANK_KERNELS(name) \
    {#name,                    \
     name::simplex_float,      \
     name::simplex_double,     \
     name::scaling_single,     \
     name::scaling_mixed,      \
     name::scaling_double,     \
     name::cost,               \
     name::centroids,          \
     name::scan,               \
     name::bags,               \
     name::packing,            \
     name::columns_float,      \
     name::columns_double}

namespace moverank {

namespace {

struct Level {
    Kernels kernels;
    bool runs_here;
};

#ifdef MOVERANK_X86
[[nodiscard]] bool has_baseline() { return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt"); }
/// clang 14, which Debian 12 has, does not know this name in __builtin_cpu_supports.
[[nodiscard]] bool has_f16c() {
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}
[[nodiscard]] bool has_avx2() {
    return has_baseline() && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") && has_f16c();
}
[[nodiscard]] bool has_avx512() {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}
#endif

/// Narrowest first.
[[nodiscard]] auto levels() {
    return std::to_array<Level>({
#if defined(MOVERANK_X86)
        {MOVERANK_KERNELS(baseline), has_baseline()},
        {MOVERANK_KERNELS(avx2), has_avx2()},
        {MOVERANK_KERNELS(avx512), has_avx512()},
#elif defined(MOVERANK_ARM)
        {MOVERANK_KERNELS(neon), true},  // every 64-bit Arm processor has it
#else
        {MOVERANK_KERNELS(baseline), true},
#endif
    });
}

[[nodiscard]] Kernels choose() {
    const auto all = levels();
    const char* wanted = std::getenv("MOVERANK_SIMD");
    if (wanted == nullptr || *wanted == '\0') {
        for (auto level = all.rbegin(); level != all.rend(); ++level) {
            if (level->runs_here) {
                return level->kernels;
            }
        }
        throw std::runtime_error("this processor is too old: x86-64-v2 (SSE4.2 and POPCNT) is needed");
    }
    std::string names;
    bool is_known = false;
    for (const Level& level : all) {
        is_known = is_known || std::string_view(wanted) == level.kernels.level;
        if (level.runs_here && std::string_view(wanted) == level.kernels.level) {
            return level.kernels;
        }
        if (level.runs_here) {
            names += (names.empty() ? "" : ", ") + std::string(level.kernels.level);
        }
    }
    // Tests of one level are skipped by the first message, and by nothing else: a misspelt level fails them.
    if (is_known) {
        throw std::runtime_error("MOVERANK_SIMD: this processor does not have " + std::string(wanted) + ", only " +
                                 names);
    }
    throw std::runtime_error("MOVERANK_SIMD must be one of " + names + " on this machine, got '" + wanted + "'");
}

}  // namespace

const Kernels& kernels() {
    static const Kernels chosen = [] {
        Kernels found = choose();
#ifdef MOVERANK_X86
        found.multiplies_codes = found.cost.fill_codes[0] != nullptr && __builtin_cpu_supports("avx512vnni");
#endif
        return found;
    }();
    return chosen;
}

const char* simd_level() { return kernels().level; }

}  // namespace moverank
