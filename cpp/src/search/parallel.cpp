#include "moverank/parallel.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <exception>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#ifdef __linux__
#include <sched.h>
#endif

namespace moverank {

namespace {

/// CPUs that a Linux control group grants (cgroup v2 cpu.max: "quota period" or "max period"); 0 when unlimited.
[[nodiscard]] unsigned cgroup_cpus() {
    std::ifstream file("/sys/fs/cgroup/cpu.max");
    std::string quota;
    double period = 0.0;
    if (!(file >> quota >> period) || quota == "max" || period <= 0.0) {
        return 0;
    }
    return static_cast<unsigned>(std::max(1.0, std::ceil(std::strtod(quota.c_str(), nullptr) / period)));
}

/// CPUs that the scheduler may put this process on. hardware_concurrency() says so too with some C++ libraries; with
/// others it counts every CPU of the machine.
[[nodiscard]] unsigned affinity_cpus() {
#ifdef __linux__
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
        return static_cast<unsigned>(std::max(1, CPU_COUNT(&allowed)));
    }
#endif
    return std::max(1U, std::thread::hardware_concurrency());
}

[[nodiscard]] unsigned usable_cpus() {
    const unsigned by_affinity = affinity_cpus();
    const unsigned by_group = cgroup_cpus();
    return by_group == 0 ? by_affinity : std::min(by_affinity, by_group);
}

/// The loop's state, shared by its threads.
class Loop {
  public:
    Loop(std::size_t n_items, std::size_t chunk, Interrupt& interrupt,
         const std::function<void(unsigned, std::size_t, std::size_t)>& body)
        : n_items_(n_items), chunk_(chunk), interrupt_(interrupt), body_(body) {}

    void run(unsigned worker) noexcept {
        guarded([&] {
            while (true) {
                const std::size_t begin = next_.fetch_add(chunk_, std::memory_order_relaxed);
                if (begin >= n_items_) {
                    return;
                }
                interrupt_.check();  // only now: what is complete was not stopped
                body_(worker, begin, std::min(begin + chunk_, n_items_));
            }
        });
    }

    /// The same on a thread that `wait_for` waits for.
    void run_beside(unsigned worker) noexcept {
        run(worker);
        const std::scoped_lock lock(guard_);
        ++n_finished_;
        finished_.notify_one();
    }

    /// The caller has nothing left to do, but still has to listen for Ctrl-C while others are busy.
    void wait_for(std::size_t n_others) noexcept {
        while (true) {
            {
                std::unique_lock lock(guard_);
                if (finished_.wait_for(lock, std::chrono::milliseconds(20), [&] { return n_finished_ == n_others; })) {
                    return;
                }
            }
            guarded([&] { interrupt_.check(); });
        }
    }

    void rethrow() const {
        if (failure_) {
            std::rethrow_exception(failure_);
        }
        if (late_) {
            throw DeadlinePassed();
        }
    }

  private:
    template <class Work>
    void guarded(Work work) noexcept {
        try {
            work();
        } catch (const DeadlinePassed&) {
            const std::scoped_lock lock(guard_);
            late_ = true;  // the others have the same clock
        } catch (...) {
            const std::scoped_lock lock(guard_);
            // Whoever stopped first has the reason; the others only report that they were stopped.
            if (!failure_) {
                failure_ = std::current_exception();
            }
            interrupt_.stop();
        }
    }

    std::size_t n_items_;
    std::size_t chunk_;
    Interrupt& interrupt_;
    const std::function<void(unsigned, std::size_t, std::size_t)>& body_;
    std::atomic<std::size_t> next_{0};
    std::mutex guard_;  // all below
    std::condition_variable finished_;
    std::size_t n_finished_ = 0;
    std::exception_ptr failure_;
    bool late_ = false;
};

}  // namespace

unsigned thread_count(int requested, std::size_t n_items) {
    const unsigned wanted = requested > 0 ? static_cast<unsigned>(requested) : usable_cpus();
    return static_cast<unsigned>(std::clamp<std::size_t>(n_items, 1, wanted));
}

void parallel_for(std::size_t n_items, unsigned n_threads, std::size_t chunk, Interrupt& interrupt,
                  const std::function<void(unsigned worker, std::size_t begin, std::size_t end)>& body) {
    Loop loop(n_items, chunk, interrupt, body);
    const std::size_t n_chunks = (n_items + chunk - 1) / chunk;
    std::vector<std::thread> workers;  // the C++ library of macOS has no std::jthread yet
    workers.reserve(n_threads);
    for (unsigned w = 1; w < n_threads && w < n_chunks; ++w) {
        try {
            workers.emplace_back([&loop, w] { loop.run_beside(w); });
        } catch (const std::exception&) {
            break;  // no more threads to be had, or no memory for one: those that exist do the work
        }
    }
    loop.run(0);
    loop.wait_for(workers.size());
    for (std::thread& worker : workers) {
        worker.join();
    }
    loop.rethrow();
}

}  // namespace moverank
