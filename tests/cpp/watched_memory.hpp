/// Counts what the program allocates with `new`, and lets it fail where a test says so. Include it once in an
/// executable.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <new>

namespace memory {

inline constexpr std::size_t never = std::numeric_limits<std::size_t>::max();

inline std::atomic<std::size_t> allocations{0};
inline std::atomic<std::size_t> allocated_bytes{0};
inline std::atomic<std::ptrdiff_t> alive{0};  ///< allocations that were not given back
inline std::atomic<std::size_t> first_failing{never}, last_failing{never};
inline std::atomic<std::size_t> failures{0};

/// As long as this lives, allocations fail: one, so many from now, or all from that one on.
class Failing {
  public:
    Failing(std::size_t from_now, bool lasting) : failures_before_(failures) {
        const std::size_t first = allocations + from_now;
        last_failing = lasting ? never : first;
        first_failing = first;
    }
    Failing(const Failing&) = delete;
    Failing& operator=(const Failing&) = delete;
    ~Failing() { first_failing = never; }

    [[nodiscard]] bool has_failed() const { return failures != failures_before_; }

  private:
    std::size_t failures_before_;
};

inline void* allocate(std::size_t size, std::size_t alignment) {
    const std::size_t number = allocations++;
    allocated_bytes += size;
    const bool fails = number >= first_failing && number <= last_failing;
    failures += fails ? 1 : 0;
    void* storage = fails ? nullptr : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (storage == nullptr) {
        throw std::bad_alloc();
    }
    ++alive;
    return storage;
}

inline void give_back(void* storage) noexcept {
    alive -= storage == nullptr ? 0 : 1;
    std::free(storage);
}

inline constexpr std::size_t usual_alignment = alignof(std::max_align_t);

}  // namespace memory

// Every form that the core could call.
void* operator new(std::size_t size) { return memory::allocate(size, memory::usual_alignment); }
void* operator new(std::size_t size, std::align_val_t alignment) {
    return memory::allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    try {
        return memory::allocate(size, memory::usual_alignment);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}
void operator delete(void* storage) noexcept { memory::give_back(storage); }
void operator delete(void* storage, std::size_t) noexcept { memory::give_back(storage); }
void operator delete(void* storage, std::align_val_t) noexcept { memory::give_back(storage); }
void operator delete(void* storage, std::size_t, std::align_val_t) noexcept { memory::give_back(storage); }
