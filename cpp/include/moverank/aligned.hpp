/// Storage that starts at a cache line, so that no register loaded from it straddles two lines.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

namespace moverank {

/// Bytes of a cache line, which is also the width of the widest register.
inline constexpr std::size_t cache_line = 64;

/// Allocator whose blocks start at a cache line. Stateless: any instance frees the blocks of any other.
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

/// A vector whose first entry lies at the start of a cache line.
template <class T>
using AlignedVector = std::vector<T, CacheLineAllocator<T>>;

/// Make room for `size` entries. Never shrinks: workspaces grow to the largest problem seen and are then reused.
template <class T>
void grow(AlignedVector<T>& storage, std::size_t size) {
    if (storage.size() < size) {
        storage.resize(size);
    }
}

}  // namespace moverank
