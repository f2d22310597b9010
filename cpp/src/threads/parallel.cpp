#include "moverank/parallel.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "../preconditions.hpp"
#include "cpus.hpp"

namespace moverank {

namespace {

/// No call uses more threads than this, whatever its argument: each has a workspace.
constexpr unsigned max_threads = 1024;

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
    return static_cast<unsigned>(std::clamp<std::size_t>(n_items, 1, std::min(wanted, max_threads)));
}

void parallel_for(std::size_t n_items, unsigned n_threads, std::size_t chunk, Interrupt& interrupt,
                  const std::function<void(unsigned worker, std::size_t begin, std::size_t end)>& body) {
    require(chunk > 0, "a chunk must have at least one item");
    Loop loop(n_items, chunk, interrupt, body);
    const std::size_t n_chunks = (n_items + chunk - 1) / chunk;
    std::vector<std::thread> workers;  // the C++ library of macOS has no std::jthread yet
    workers.reserve(n_threads);
    for (unsigned w = 1; w < n_threads && w < n_chunks; ++w) {
        try {
            workers.emplace_back([&loop, w] { loop.run_beside(w); });
        } catch (const std::exception&) {
            break;  // the system grants no more threads, or memory for one: those that exist do the work
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
