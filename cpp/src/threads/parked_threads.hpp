/// Threads that stay for a while after their work: making one takes longer than many a loop.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace moverank {

/// Work for one thread. Who offers it keeps it until it has been taken back or is finished.
class Work {
  public:
    /// What has to be done. The thread can get other work before this returns.
    virtual void run() noexcept = 0;
    /// Says so to the thread that offered it. This object is not touched afterwards.
    virtual void finish() noexcept = 0;

  protected:
    ~Work() = default;
};

/// One thread with a place for one offer.
class ParkedThread {
  public:
    void offer(Work& work);
    /// Takes an offer back. False if the thread has begun with it; it then calls `finish`.
    [[nodiscard]] bool withdraw(Work& work);

  private:
    friend class ParkedThreads;

    /// Waits for an offer; nullptr if the thread has to end.
    [[nodiscard]] Work* take();
    void ask_to_end();
    [[nodiscard]] Work* offered() { return offer_.exchange(nullptr, std::memory_order_acq_rel); }

    std::atomic<Work*> offer_{nullptr};
    std::atomic<bool> has_to_end_{false};
    std::mutex guard_;  // all below
    std::condition_variable changed_;
    bool is_asleep_ = false;
    std::thread thread_;
};

/// The threads of this process that have no work. They end before a fork, so that the child has none that it knows of
/// but that do not run; after it, both processes make new ones when they need them. At most as many stay as there are
/// processors.
class ParkedThreads {
  public:
    /// The only object of this kind. It is never destroyed, as threads may come back while the process ends.
    static ParkedThreads& instance();

    /// One of them, or a new one; nullptr if the system grants none.
    [[nodiscard]] std::shared_ptr<ParkedThread> borrow();
    /// Where a thread goes whose offer was withdrawn, and each thread by itself after `run`.
    void park(std::shared_ptr<ParkedThread> thread);
    [[nodiscard]] std::size_t count();

  private:
    ParkedThreads();
    void run(const std::shared_ptr<ParkedThread>& self);
    /// Ends those of a list, and waits until they have ended.
    static void end(std::vector<std::shared_ptr<ParkedThread>>& threads);

    std::size_t most_;
    std::mutex guard_;  // all below
    std::vector<std::shared_ptr<ParkedThread>> idle_;
};

}  // namespace moverank
