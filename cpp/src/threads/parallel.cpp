#include "moverank/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <vector>

#include "../preconditions.hpp"
#include "cpus.hpp"
#include "parked_threads.hpp"
#include "spin.hpp"

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

    /// Said by each thread that `wait_for` waits for.
    void finish() noexcept {
        const std::scoped_lock lock(guard_);
        n_finished_.fetch_add(1, std::memory_order_release);
        finished_.notify_one();
    }

    /// The caller has nothing left to do, but still has to listen for Ctrl-C while others are busy.
    void wait_for(std::size_t n_others) noexcept {
        const auto are_finished = [&] { return n_finished_.load(std::memory_order_acquire) == n_others; };
        const bool is_over = n_others == 0 || spin_until(are_finished);
        while (true) {
            {
                // Under the lock also if all have finished: the last one may not have left `finish`.
                std::unique_lock lock(guard_);
                if (is_over || finished_.wait_for(lock, std::chrono::milliseconds(20), are_finished)) {
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
    std::atomic<std::size_t> n_finished_{0};
    std::exception_ptr failure_;
    bool late_ = false;
};

/// A loop's part for one of its threads.
class Part final : public Work {
  public:
    Part(Loop& loop, unsigned worker) : loop_(loop), worker_(worker) {}
    void run() noexcept override { loop_.run(worker_); }
    void finish() noexcept override { loop_.finish(); }

  private:
    Loop& loop_;
    unsigned worker_;
};

/// The threads that were offered parts of a loop.
class Helpers {
  public:
    /// Offers parts to this many threads, or to as many as the system grants: those that exist do all the work.
    Helpers(Loop& loop, std::size_t count) : loop_(loop) {
        // Nothing may fail after the first offer.
        offered_.reserve(count);
        parts_.reserve(count);
        for (std::size_t h = 0; h < count; ++h) {
            std::shared_ptr<ParkedThread> thread = threads_.borrow();
            if (thread == nullptr) {
                return;
            }
            parts_.emplace_back(loop, static_cast<unsigned>(h + 1));
            offered_.push_back(std::move(thread));
            offered_.back()->offer(parts_.back());
        }
    }

    /// Waits for those that have begun. Whoever is not awake by now is not needed any more.
    void wait() noexcept {
        std::size_t n_begun = 0;
        for (std::size_t h = 0; h < offered_.size(); ++h) {
            if (offered_[h]->withdraw(parts_[h])) {
                threads_.park(std::move(offered_[h]));
            } else {
                ++n_begun;
            }
        }
        loop_.wait_for(n_begun);
    }

  private:
    Loop& loop_;
    ParkedThreads& threads_ = ParkedThreads::instance();
    std::vector<Part> parts_;
    std::vector<std::shared_ptr<ParkedThread>> offered_;
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
    const std::size_t n_workers = std::min<std::size_t>(n_threads, n_chunks);
    if (n_workers <= 1) {
        loop.run(0);
    } else {
        Helpers helpers(loop, n_workers - 1);
        loop.run(0);
        helpers.wait();
    }
    loop.rethrow();
}

}  // namespace moverank
