/// Stopping long work from outside: Ctrl-C on the calling thread, the first failure on any other.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <stdexcept>
#include <thread>

namespace moverank {

/// Thrown out of a computation that was asked to stop.
class Interrupted : public std::runtime_error {
  public:
    Interrupted() : std::runtime_error("interrupted") {}
};

/// Shared by the threads of one call. The thread that made it polls the outside world, at most every 20 ms; the
/// others only look at a flag.
class Interrupt {
  public:
    /// `poll` returns true when the work should stop; it may also throw.
    explicit Interrupt(std::function<bool()> poll = {}) : poll_(std::move(poll)) {}

    /// Throws Interrupted once a stop was asked for. Cheap enough for every few microseconds of work.
    void check() {
        if (stopped()) {
            throw Interrupted();
        }
        if (!poll_ || std::this_thread::get_id() != owner_) {
            return;
        }
        const auto now = std::chrono::steady_clock::now();
        if (now - last_poll_ < std::chrono::milliseconds(20)) {
            return;
        }
        last_poll_ = now;
        if (poll_()) {
            stop();
            throw Interrupted();
        }
    }
    void stop() { stopped_.store(true, std::memory_order_relaxed); }
    [[nodiscard]] bool stopped() const { return stopped_.load(std::memory_order_relaxed); }

  private:
    std::function<bool()> poll_;
    std::thread::id owner_ = std::this_thread::get_id();
    std::chrono::steady_clock::time_point last_poll_ = std::chrono::steady_clock::now();
    std::atomic<bool> stopped_{false};
};

}  // namespace moverank
