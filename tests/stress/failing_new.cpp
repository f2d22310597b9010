/// Takes the place of operator new, when loaded before all else, and lets allocations of moverank's extension fail.
#include <dlfcn.h>
#include <link.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>

namespace {

constexpr long never = std::numeric_limits<long>::max();

std::atomic<long> first{never}, last{never}, number{0}, failures{0};
std::atomic<std::size_t> code_begin{0}, code_end{0};

/// pybind11 records each new object in a table, an entry of this size, at a place where it can bear no exception.
constexpr std::size_t record_of_pybind11 = 24;

/// Where the extension's code is: others allocate as they like.
int find_extension(dl_phdr_info* library, std::size_t, void*) {
    if (std::strstr(library->dlpi_name, "/_core.") == nullptr) {
        return 0;
    }
    for (int p = 0; p < library->dlpi_phnum; ++p) {
        const auto& header = library->dlpi_phdr[p];
        if (header.p_type == PT_LOAD && (header.p_flags & PF_X) != 0) {
            code_begin = library->dlpi_addr + header.p_vaddr;
            code_end = code_begin + header.p_memsz;
        }
    }
    return 1;
}

void* allocate(std::size_t size, std::size_t alignment, void* caller) {
    const auto from = reinterpret_cast<std::size_t>(caller);
    if (first != never && size > record_of_pybind11 && from >= code_begin && from < code_end) {
        const long own = number++;
        if (own >= first && own <= last) {
            ++failures;
            throw std::bad_alloc();
        }
    }
    void* storage = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (storage == nullptr) {
        throw std::bad_alloc();
    }
    return storage;
}

}  // namespace

extern "C" {
/// From now on let one allocation fail, or all from that one on.
void begin_to_fail(long from_now, int lasting) {
    dl_iterate_phdr(find_extension, nullptr);
    number = 0;
    failures = 0;
    last = lasting != 0 ? never - 1 : from_now;
    first = from_now;
}
/// No more; how many failed.
long end_to_fail() {
    first = never;
    return failures;
}
}

void* operator new(std::size_t size) { return allocate(size, 16, __builtin_return_address(0)); }
void* operator new(std::size_t size, std::align_val_t alignment) {
    return allocate(size, static_cast<std::size_t>(alignment), __builtin_return_address(0));
}
void operator delete(void* storage) noexcept { std::free(storage); }
void operator delete(void* storage, std::size_t) noexcept { std::free(storage); }
void operator delete(void* storage, std::align_val_t) noexcept { std::free(storage); }
void operator delete(void* storage, std::size_t, std::align_val_t) noexcept { std::free(storage); }
