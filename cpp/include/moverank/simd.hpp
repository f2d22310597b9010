/// Which instruction set the core uses.
#pragma once

namespace moverank {

/// The name of the instruction set: "baseline", "avx2" or "avx512", or "neon" on 64-bit Arm. It is the widest that this
/// processor supports, unless the environment variable MOVERANK_SIMD names a narrower one. Chosen once, at first use.
/// Throws std::runtime_error if the variable's value is unknown or not supported here, or the processor is older than
/// x86-64-v2.
[[nodiscard]] const char* simd_level();

/// What multiplies int8 codes in whole numbers: the name of the instruction set, or "avx2_vnni", "avx512_vnni" or
/// "neon_dotprod" if this processor has its products of bytes as well. They differ in speed alone.
[[nodiscard]] const char* code_products();

}  // namespace moverank
