#include <cstdlib>
#include <string>

#include "check.hpp"
#include "moverank/simd.hpp"

using namespace moverank;

TEST(the_level_is_known_and_the_one_that_was_asked_for) {
    const std::string level = simd_level();
    CHECK(level == "baseline" || level == "avx2" || level == "avx512");
    const char* wanted = std::getenv("MOVERANK_SIMD");
    CHECK(wanted == nullptr || level == wanted);
}
