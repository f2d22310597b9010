/// Stopping long work: by Ctrl-C on the calling thread, by the first failure on any other thread, or by a deadline.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <stdexcept>
#include <thread>

namespace moverank {

/// Thrown out of a computation that was asked to stop.
class Interrupted : public std::runtime_error {
  public:
    Interrupted() : std::runtime_error("interrupted") {}
};

/// Thrown out of a computation whose deadline has passed.
class DeadlinePassed : public std::runtime_error {
  public:
    DeadlinePassed() : std::runtime_error("the deadline has passed") {}
};

/// Shared by the threads of one call; safe to use from all of them. The thread that made it also polls the outside
/// world, at most once per interval. The others only read a flag, and the clock if there is a deadline.
class Interrupt {
  public:
    using Clock = std::chrono::steady_clock;
    using Poll = std::function<bool()>;

    /// `poll` returns true if the work should stop; it may also throw. It is called only from the thread that makes
    /// this object. Without arguments, only `stop` ends the work.
    explicit Interrupt(Poll poll = {}, std::optional<Clock::time_point> deadline = {},
                       Clock::duration between_polls = std::chrono::milliseconds(20))
        : poll_(std::move(poll)), deadline_(deadline), between_polls_(between_polls) {}

    /// Throws Interrupted if a stop has been requested, DeadlinePassed if the deadline has passed, and whatever `poll`
    /// throws. Cheap enough to be called every few microseconds of work.
    void check() {
        if (stopped()) {
            throw Interrupted();
        }
        const bool polls = poll_ && std::this_thread::get_id() == owner_;
        if (!polls && !deadline_) {
            return;
        }
        const Clock::time_point now = Clock::now();
        if (deadline_ && now >= *deadline_) {
            throw DeadlinePassed();
        }
        if (!polls) {
            return;
        }
        if (now - last_poll_ < between_polls_) {
            return;
        }
        last_poll_ = now;
        if (poll_()) {
            stop();
            throw Interrupted();
        }
    }
    /// Make every following `check` throw, on all threads.
    void stop() { stopped_.store(true, std::memory_order_relaxed); }
    [[nodiscard]] bool stopped() const { return stopped_.load(std::memory_order_relaxed); }

  private:
    Poll poll_;
    std::optional<Clock::time_point> deadline_;
    Clock::duration between_polls_;
    std::thread::id owner_ = std::this_thread::get_id();
    Clock::time_point last_poll_ = Clock::now();
    std::atomic<bool> stopped_{false};
};

/// interrupt->check(), unless `interrupt` is null.
inline void check(Interrupt* interrupt) {
    if (interrupt != nullptr) {
        interrupt->check();
    }
}

}  // namespace moverank
