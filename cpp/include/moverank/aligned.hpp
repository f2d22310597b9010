/// Storage whose vectors do not straddle cache lines.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

namespace moverank {

inline constexpr std::size_t cache_line = 64;

template <class T>
struct CacheLineAllocator {
    using value_type = T;

    CacheLineAllocator() = default;
    template <class U>
    CacheLineAllocator(const CacheLineAllocator<U>&) {}

    [[nodiscard]] T* allocate(std::size_t n) {
        return static_cast<T*>(::operator new(n * sizeof(T), std::align_val_t{cache_line}));
    }
    void deallocate(T* storage, std::size_t) { ::operator delete(storage, std::align_val_t{cache_line}); }
    friend bool operator==(const CacheLineAllocator&, const CacheLineAllocator&) { return true; }
};

template <class T>
using AlignedVector = std::vector<T, CacheLineAllocator<T>>;

/// Make room for `size` entries: workspaces grow to the largest problem seen.
template <class T>
void grow(AlignedVector<T>& storage, std::size_t size) {
    if (storage.size() < size) {
        storage.resize(size);
    }
}

}  // namespace moverank
