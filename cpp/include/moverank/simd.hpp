/// Which instruction set the core runs on.
#pragma once

namespace moverank {

/// "baseline", "avx2" or "avx512", on 64-bit Arm "neon": the widest that this processor has, unless the environment
/// variable MOVERANK_SIMD names a narrower one. Chosen at the first call. Throws std::runtime_error if the variable's
/// value is unknown or cannot run here, or the processor is older than x86-64-v2.
[[nodiscard]] const char* simd_level();

}  // namespace moverank
