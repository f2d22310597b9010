/// One level of parallelism: a loop over independent items of uneven cost, handed out in small chunks.
#pragma once

#include <cstddef>
#include <functional>

#include "moverank/interrupt.hpp"

namespace moverank {

/// Threads to use for `requested` (0: as many as there are CPUs that this process may use) on `n_items` items, and
/// never more than 1024.
[[nodiscard]] unsigned thread_count(int requested, std::size_t n_items);

/// Run body(worker, begin, end) over [0, n_items) in chunks. `worker` < n_threads names the executing thread, so
/// that a body can own a workspace each; the calling thread is worker 0. Threads live for the call only: nothing
/// survives into a forked child. The first exception stops the loop and is rethrown here after all have joined.
void parallel_for(std::size_t n_items, unsigned n_threads, std::size_t chunk, Interrupt& interrupt,
                  const std::function<void(unsigned worker, std::size_t begin, std::size_t end)>& body);

}  // namespace moverank
