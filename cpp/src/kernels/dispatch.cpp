#include <array>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels.hpp"
#include "moverank/simd.hpp"

#ifdef MOVERANK_X86
#include <cpuid.h>
#endif
#if defined(MOVERANK_ARM) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

// What the other files of this folder define in each level's namespace, and codes.cpp in that of an extension.
#define MOVERANK_DECLARE_EXTENSION(name) \
    namespace moverank::name {           \
    extern const CodeKernels codes;      \
    }
#define MOVERANK_DECLARE_LEVEL(name)                            \
    namespace moverank::name {                                  \
    extern const SimplexKernels<float> simplex_float;           \
    extern const SimplexKernels<double> simplex_double;         \
    extern const ScalingKernels<float, float> scaling_single;   \
    extern const ScalingKernels<float, double> scaling_mixed;   \
    extern const ScalingKernels<double, double> scaling_double; \
    extern const CostKernels cost;                              \
    extern const CodeKernels codes;                             \
    extern const CentroidKernels centroids;                     \
    extern const ScanKernels scan;                              \
    extern const BagKernels bags;                               \
    extern const PackKernels packing;                           \
    extern const ColumnKernels<float> columns_float;            \
    extern const ColumnKernels<double> columns_double;          \
    extern const AssignmentKernels<float> assignment_float;     \
    extern const AssignmentKernels<double> assignment_double;   \
    }
#if defined(MOVERANK_X86)
MOVERANK_DECLARE_LEVEL(baseline)
MOVERANK_DECLARE_LEVEL(avx2)
MOVERANK_DECLARE_LEVEL(avx512)
MOVERANK_DECLARE_EXTENSION(avx2_vnni)
MOVERANK_DECLARE_EXTENSION(avx512_vnni)
#elif defined(MOVERANK_ARM)
MOVERANK_DECLARE_LEVEL(neon)
MOVERANK_DECLARE_EXTENSION(neon_dotprod)
#else
MOVERANK_DECLARE_LEVEL(baseline)
#endif

#define MOVERANK_KERNELS(name, codes_of) \
    {#name,                              \
     name::simplex_float,                \
     name::simplex_double,               \
     name::scaling_single,               \
     name::scaling_mixed,                \
     name::scaling_double,               \
     name::cost,                         \
     codes_of,                           \
     name::centroids,                    \
     name::scan,                         \
     name::bags,                         \
     name::packing,                      \
     name::columns_float,                \
     name::columns_double,               \
     name::assignment_float,             \
     name::assignment_double}

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
[[nodiscard]] bool has_avx2_vnni() {
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    const bool has_leaf = has_avx2() && __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && eax >= 1;
    constexpr unsigned avx_vnni = 1U << 4U;  // of eax; cpuid.h of older compilers has no name for it
    return has_leaf && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax & avx_vnni) != 0;
}
[[nodiscard]] bool has_avx512_vnni() { return has_avx512() && __builtin_cpu_supports("avx512vnni"); }
#endif

#ifdef MOVERANK_ARM
[[nodiscard]] bool has_neon_dotprod() {
#if defined(__linux__)
    return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#elif defined(__APPLE__)
    return true;  // all Macs that have an Arm processor
#else
    return false;
#endif
}
#endif

/// Narrowest first.
[[nodiscard]] auto levels() {
    return std::to_array<Level>({
#if defined(MOVERANK_X86)
        {MOVERANK_KERNELS(baseline, baseline::codes), has_baseline()},
        {MOVERANK_KERNELS(avx2, has_avx2_vnni() ? avx2_vnni::codes : avx2::codes), has_avx2()},
        {MOVERANK_KERNELS(avx512, has_avx512_vnni() ? avx512_vnni::codes : avx512::codes), has_avx512()},
#elif defined(MOVERANK_ARM)
        // Every 64-bit Arm processor has it.
        {MOVERANK_KERNELS(neon, has_neon_dotprod() ? neon_dotprod::codes : neon::codes), true},
#else
        {MOVERANK_KERNELS(baseline, baseline::codes), true},
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
    static const Kernels chosen = choose();
    return chosen;
}

std::vector<const CodeKernels*> code_kernels() {
    const std::pair<const CodeKernels*, bool> all[] = {
#if defined(MOVERANK_X86)
        {&baseline::codes, has_baseline()},       {&avx2::codes, has_avx2()},
        {&avx2_vnni::codes, has_avx2_vnni()},     {&avx512::codes, has_avx512()},
        {&avx512_vnni::codes, has_avx512_vnni()},
#elif defined(MOVERANK_ARM)
        {&neon::codes, true},
        {&neon_dotprod::codes, has_neon_dotprod()},
#else
        {&baseline::codes, true},
#endif
    };
    std::vector<const CodeKernels*> here;
    for (const auto& [codes, runs_here] : all) {
        if (runs_here) {
            here.push_back(codes);
        }
    }
    return here;
}

const char* simd_level() { return kernels().level; }

const char* code_products() { return kernels().codes.name; }

}  // namespace moverank
