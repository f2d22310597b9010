#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "check.hpp"
#include "moverank/parallel.hpp"

using namespace moverank;

TEST(every_item_is_done_once_by_a_worker_in_range) {
    for (const unsigned n_threads : {1U, 2U, 7U}) {
        for (const std::size_t n_items : {0U, 1U, 5U, 1000U}) {
            std::vector<std::atomic<int>> done(n_items);
            Interrupt interrupt;
            parallel_for(n_items, n_threads, 3, interrupt, [&](unsigned worker, std::size_t begin, std::size_t end) {
                CHECK(worker < n_threads);
                for (std::size_t i = begin; i < end; ++i) {
                    ++done[i];
                }
            });
            for (const std::atomic<int>& count : done) {
                CHECK(count == 1);
            }
        }
    }
}

TEST(the_first_failure_stops_the_loop_and_reaches_the_caller) {
    for (int round = 0; round < 50; ++round) {
        Interrupt interrupt;
        std::string message;
        try {
            // More items than anybody could do: only the failure can end this.
            parallel_for(std::size_t{1} << 60U, 4, 1, interrupt, [&](unsigned, std::size_t begin, std::size_t) {
                if (begin == 20) {
                    throw std::runtime_error("item 20");
                }
            });
        } catch (const std::runtime_error& error) {
            message = error.what();
        }
        CHECK(message == "item 20");
    }
}

TEST(a_poll_that_says_stop_interrupts) {
    Interrupt interrupt([] { return true; });
    CHECK_THROWS_AS((parallel_for(1000, 2, 1, interrupt,
                                  [](unsigned, std::size_t, std::size_t) {
                                      std::this_thread::sleep_for(std::chrono::milliseconds(1));
                                  }),
                     0),
                    Interrupted);
}

TEST(a_caller_without_work_still_polls) {
    std::atomic<bool> asked{false};
    Interrupt interrupt([&] { return asked.load(); });
    bool interrupted = false;
    try {
        parallel_for(2, 2, 1, interrupt, [&](unsigned worker, std::size_t, std::size_t) {
            if (worker == 0) {
                while (!asked) {  // until the other has begun
                    std::this_thread::yield();
                }
                return;
            }
            asked = true;
            while (true) {  // a long solve, which looks up now and then
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
                interrupt.check();
            }
        });
    } catch (const Interrupted&) {
        interrupted = true;
    }
    CHECK(interrupted);
}

TEST(a_failure_says_more_than_a_deadline) {
    for (const int failing : {0, 1}) {
        std::atomic<int> begun{0};
        Interrupt interrupt;
        const auto body = [&](unsigned worker, std::size_t, std::size_t) {
            for (++begun; begun < 2;) {
                std::this_thread::yield();
            }
            if (static_cast<int>(worker) == failing) {
                throw std::runtime_error("broken");
            }
            throw DeadlinePassed();
        };
        CHECK_THROWS_AS((parallel_for(2, 2, 1, interrupt, body), 0), std::runtime_error);
    }
}

TEST(threads_are_as_many_as_asked_for_but_never_more_than_items) {
    CHECK(thread_count(3, 100) == 3);
    CHECK(thread_count(3, 2) == 2);
    CHECK(thread_count(3, 0) == 1);
    CHECK(thread_count(0, 1000000) >= 1);
    CHECK(thread_count(1'000'000'000, 1000000) == 1024);
}
