/// One level of parallelism: a loop over independent items of uneven cost, which threads take in small chunks.
#pragma once

#include <cstddef>
#include <functional>

#include "moverank/interrupt.hpp"

namespace moverank {

/// Number of threads to use for n_items items: `requested`, or, if that is 0, the number of CPUs that this process may
/// use; never more than the items, nor more than 1024; at least 1.
[[nodiscard]] unsigned thread_count(int requested, std::size_t n_items);

/// Run body(worker, begin, end) over [0, n_items) in chunks of `chunk` items. `worker` < n_threads identifies the
/// executing thread, so that each can have a workspace of its own; the calling thread is worker 0. If the system grants
/// fewer threads, those that exist do all the work. Threads wait for the next call afterwards, no more than there are
/// processors; they end before a fork, and let no signal but faults interrupt them. Checks `interrupt` between chunks.
/// The first exception stops the loop and is rethrown here after all threads have ended their part.
void parallel_for(std::size_t n_items, unsigned n_threads, std::size_t chunk, Interrupt& interrupt,
                  const std::function<void(unsigned worker, std::size_t begin, std::size_t end)>& body);

}  // namespace moverank
