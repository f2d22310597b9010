#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "check.hpp"
#include "instances.hpp"
#include "kernels/kernels.hpp"
#include "moverank/finite.hpp"
#include "moverank/simd.hpp"

using namespace moverank;

template <class T>
static void check_finiteness() {
    instances::Random random(1);
    for (std::size_t n = 0; n < 150; ++n) {
        std::vector<T> values(n, T{-1});
        CHECK(all_finite(std::span<const T>(values)));
        if (n == 0) {
            continue;
        }
        const std::size_t place = random() % n;
        for (const T bad : {std::numeric_limits<T>::quiet_NaN(), -std::numeric_limits<T>::quiet_NaN(),
                            std::numeric_limits<T>::infinity(), -std::numeric_limits<T>::infinity()}) {
            values[place] = bad;
            CHECK(!all_finite(std::span<const T>(values)));
        }
        for (const T good : {std::numeric_limits<T>::max(), std::numeric_limits<T>::lowest(),
                             std::numeric_limits<T>::denorm_min(), T{0}}) {
            values[place] = good;
            CHECK(all_finite(std::span<const T>(values)));
        }
    }
}

TEST(no_value_that_is_not_finite_goes_unseen) {
    check_finiteness<float>();
    check_finiteness<double>();
}

TEST(entries_that_are_large_enough_are_found_in_order) {
    instances::Random random(2);
    std::uniform_int_distribution<int> few(0, 9);
    for (std::size_t n = 0; n <= 160; n += 16) {
        std::vector<float> values(n);
        for (float& value : values) {
            value = few(random) == 0 ? std::numeric_limits<float>::quiet_NaN() : static_cast<float>(few(random) - 4);
        }
        for (const float least : {-10.0F, -1.0F, 0.0F, 5.0F, 6.0F}) {
            std::vector<std::uint32_t> expected;
            for (std::size_t k = 0; k < n; ++k) {
                if (values[k] >= least) {
                    expected.push_back(static_cast<std::uint32_t>(k));
                }
            }
            std::vector<std::uint32_t> places(n);
            places.resize(kernels().scan.at_least(values.data(), n, least, places.data()));
            CHECK(places == expected);
        }
    }
}

TEST(the_level_is_known_and_the_one_that_was_asked_for) {
    const std::string level = simd_level();
    CHECK(level == "baseline" || level == "avx2" || level == "avx512" || level == "neon");
    const char* wanted = std::getenv("MOVERANK_SIMD");
    CHECK(wanted == nullptr || level == wanted);
}
