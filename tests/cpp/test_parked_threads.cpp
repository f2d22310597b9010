/// Threads that stay after a loop: who gets them, how many stay, and what a forked child has of them.
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "check.hpp"
#include "moverank/parallel.hpp"
#include "threads/parked_threads.hpp"

using namespace moverank;

namespace {

/// A loop of as many items as threads, each of which waits until all have begun. Returns the threads.
std::set<std::thread::id> together(unsigned n_threads) {
    std::atomic<unsigned> begun{0};
    std::mutex guard;
    std::set<std::thread::id> ids;
    Interrupt interrupt;
    parallel_for(n_threads, n_threads, 1, interrupt, [&](unsigned, std::size_t, std::size_t) {
        {
            const std::scoped_lock lock(guard);
            ids.insert(std::this_thread::get_id());
        }
        for (++begun; begun < n_threads;) {
            std::this_thread::yield();
        }
    });
    return ids;
}

#ifndef __SANITIZE_THREAD__

/// The exit status of a child that does this; 99 if it hangs.
template <class Body>
int in_child(Body body) {
    const pid_t child = fork();
    if (child == 0) {
        alarm(60);
        _exit(body());
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

#endif

}  // namespace

TEST(loops_one_after_another_run_on_the_same_threads) {
    const std::set<std::thread::id> first = together(2);
    CHECK(first.size() == 2);
    for (int loop = 0; loop < 200; ++loop) {
        CHECK(together(2) == first);
    }
    // After a pause the thread sleeps, and is the same still.
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    CHECK(together(2) == first);
}

TEST(loops_at_the_same_time_do_not_share_threads) {
    std::atomic<unsigned> failed{0};
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 4; ++caller) {
        callers.emplace_back([&] {
            for (int loop = 0; loop < 100; ++loop) {
                failed += together(3).size() != 3;
            }
        });
    }
    for (std::thread& caller : callers) {
        caller.join();
    }
    CHECK(failed == 0);
}

TEST(no_more_threads_stay_than_there_are_processors) {
    const std::size_t most = std::max(1U, std::thread::hardware_concurrency());
    CHECK(together(static_cast<unsigned>(most) + 5).size() == most + 5);
    CHECK(ParkedThreads::instance().count() <= most);
    CHECK(together(2).size() == 2);
}

TEST(a_loop_that_ends_early_takes_its_offers_back) {
    for (int loop = 0; loop < 2000; ++loop) {
        std::atomic<int> sum{0};
        Interrupt interrupt;
        parallel_for(2, 2, 1, interrupt, [&](unsigned, std::size_t begin, std::size_t) { sum += 1 + int(begin); });
        CHECK(sum == 3);
        if (loop % 100 == 0) {  // now and then the thread sleeps when it is offered the next part
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    }
}

// ThreadSanitizer does not let a child of several threads start any.
#ifndef __SANITIZE_THREAD__

TEST(parent_and_child_have_threads_after_a_fork) {
    for (int round = 0; round < 20; ++round) {
        CHECK(together(3).size() == 3);
        const int status = in_child([] {
            const bool begins_alone = ParkedThreads::instance().count() == 0;
            return begins_alone && together(3).size() == 3 ? 7 : 1;
        });
        CHECK(status == 7);
        CHECK(together(3).size() == 3);
    }
}

// AddressSanitizer keeps no watch over the locks of its allocator in a fork: a child of threads that allocate may wait
// for one that nobody holds any more.
#ifndef __SANITIZE_ADDRESS__

TEST(a_child_forked_while_others_loop_has_threads_of_its_own) {
    std::atomic<bool> over{false};
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 3; ++caller) {
        callers.emplace_back([&] {
            while (!over) {
                static_cast<void>(together(3));
            }
        });
    }
    for (int round = 0; round < 20; ++round) {
        const int status = in_child([] { return together(3).size() == 3 && together(2).size() == 2 ? 7 : 1; });
        CHECK(status == 7);
    }
    over = true;
    for (std::thread& caller : callers) {
        caller.join();
    }
}

#endif

#endif

TEST(signals_are_left_to_the_caller) {
    std::atomic<int> blocked{-1};
    std::atomic<unsigned> begun{0};
    Interrupt interrupt;
    parallel_for(2, 2, 1, interrupt, [&](unsigned worker, std::size_t, std::size_t) {
        for (++begun; begun < 2;) {
            std::this_thread::yield();
        }
        if (worker == 1) {
            sigset_t mask;
            pthread_sigmask(SIG_SETMASK, nullptr, &mask);
            blocked = sigismember(&mask, SIGINT) + 10 * sigismember(&mask, SIGSEGV);
        }
    });
    CHECK(blocked == 1);
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    CHECK(sigismember(&mask, SIGINT) == 0);
}
