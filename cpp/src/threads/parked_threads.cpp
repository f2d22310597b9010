#include "parked_threads.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "spin.hpp"

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>

#include <csignal>
#define MOVERANK_HAS_PTHREADS
#endif

namespace moverank {

namespace {

#ifdef MOVERANK_HAS_PTHREADS

/// While it lives, new threads are made that no signal interrupts: a signal that one of them got would not wake the
/// thread that waits for it, as Python's main thread does for Ctrl-C. Faults of their own still reach them.
class WithoutSignals {
  public:
    WithoutSignals() {
        sigset_t all;
        sigfillset(&all);
        for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS}) {
            sigdelset(&all, fault);
        }
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~WithoutSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    WithoutSignals(const WithoutSignals&) = delete;
    WithoutSignals& operator=(const WithoutSignals&) = delete;

  private:
    sigset_t before_{};
};

#else

class WithoutSignals {};

#endif

}  // namespace

void ParkedThread::offer(Work& work) {
    offer_.store(&work, std::memory_order_release);
    bool is_asleep = false;
    {
        // Either the thread sees the offer when it looks under this lock, or it is seen to sleep.
        const std::scoped_lock lock(guard_);
        is_asleep = is_asleep_;
    }
    if (is_asleep) {
        changed_.notify_one();
    }
}

bool ParkedThread::withdraw(Work& work) {
    Work* expected = &work;
    return offer_.compare_exchange_strong(expected, nullptr, std::memory_order_acq_rel);
}

Work* ParkedThread::take() {
    Work* work = nullptr;
    const auto has_news = [&] {
        work = offered();
        return work != nullptr || has_to_end_.load(std::memory_order_acquire);
    };
    // Whoever calls in a loop comes back before a sleeping thread would be awake.
    if (spin_until(has_news)) {
        return work;
    }
    std::unique_lock lock(guard_);
    is_asleep_ = true;
    changed_.wait(lock, has_news);
    is_asleep_ = false;
    return work;
}

void ParkedThread::ask_to_end() {
    const std::scoped_lock lock(guard_);
    has_to_end_.store(true, std::memory_order_release);
    changed_.notify_one();
}

ParkedThreads& ParkedThreads::instance() {
    static ParkedThreads& threads = *new ParkedThreads();
    // Where the library is unloaded, its code must not be in use.
    static const struct AtExit {
        ~AtExit() {
            const std::scoped_lock lock(instance().guard_);
            end(instance().idle_);
        }
    } at_exit;
    return threads;
}

ParkedThreads::ParkedThreads() : most_(std::max(1U, std::thread::hardware_concurrency())) {
    idle_.reserve(most_);  // parking may not fail
#ifdef MOVERANK_HAS_PTHREADS
    // The lock is held over the fork, so that no thread parks meanwhile.
    pthread_atfork(
        [] {
            instance().guard_.lock();
            end(instance().idle_);
        },
        [] { instance().guard_.unlock(); }, [] { instance().guard_.unlock(); });
#endif
}

std::shared_ptr<ParkedThread> ParkedThreads::borrow() {
    {
        const std::scoped_lock lock(guard_);
        if (!idle_.empty()) {
            // The last one that came is most likely to be awake.
            std::shared_ptr<ParkedThread> thread = std::move(idle_.back());
            idle_.pop_back();
            return thread;
        }
    }
    try {
        auto thread = std::make_shared<ParkedThread>();
        [[maybe_unused]] const WithoutSignals guard;
        thread->thread_ = std::thread([this, thread] { run(thread); });
        return thread;
    } catch (const std::exception&) {
        return nullptr;  // no more threads, or no memory for one
    }
}

void ParkedThreads::park(std::shared_ptr<ParkedThread> thread) {
    const std::scoped_lock lock(guard_);
    if (idle_.size() < most_) {
        idle_.push_back(std::move(thread));
        return;
    }
    thread->thread_.detach();
    thread->ask_to_end();
}

std::size_t ParkedThreads::count() {
    const std::scoped_lock lock(guard_);
    return idle_.size();
}

void ParkedThreads::run(const std::shared_ptr<ParkedThread>& self) {
    while (Work* work = self->take()) {
        work->run();
        // Before anybody hears that the work is done: a caller in a loop gets this thread again, not a new one.
        park(self);
        work->finish();
    }
}

void ParkedThreads::end(std::vector<std::shared_ptr<ParkedThread>>& threads) {
    for (const std::shared_ptr<ParkedThread>& thread : threads) {
        thread->ask_to_end();
    }
    for (const std::shared_ptr<ParkedThread>& thread : threads) {
        thread->thread_.join();
    }
    threads.clear();  // keeps its room
}

}  // namespace moverank
