/// Waiting without sleep, for as long as it takes to wake a thread that sleeps.
#pragma once

#include <chrono>
#include <thread>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

namespace moverank {

/// Tells the processor that this is a loop that waits: its other hardware thread gets on faster.
inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield" ::: "memory");
#endif
}

/// Asks until the answer is yes, for some 50 microseconds at most; whether it was. Sleeping at once would cost as much
/// in waking up, so this at most doubles the time of a wait. Other threads that want the core get it.
template <class Predicate>
[[nodiscard]] bool spin_until(Predicate holds) {
    using Clock = std::chrono::steady_clock;
    constexpr int looks_per_round = 32;
    const Clock::time_point end = Clock::now() + std::chrono::microseconds(50);
    do {
        for (int look = 0; look < looks_per_round; ++look) {
            if (holds()) {
                return true;
            }
            relax();
        }
        std::this_thread::yield();
    } while (Clock::now() < end);
    return false;
}

}  // namespace moverank
