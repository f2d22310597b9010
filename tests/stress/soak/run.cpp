#include "run.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <iostream>
#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "documents.hpp"
#include "moverank/simd.hpp"
#include "state.hpp"

namespace soak {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t no_seed = ~std::uint64_t{0};
std::atomic<std::uint64_t> running[max_threads];  ///< what each worker is at
std::atomic<bool> asked_to_stop{false};

void stop_soon(int) { asked_to_stop = true; }

/// Say which seeds were at work; nothing here may allocate.
void report_crash(int signal) {
    static constexpr char head[] = "\ncrashed at one of the seeds";
    (void)!write(STDERR_FILENO, head, sizeof head - 1);
    for (const auto& seed : running) {
        std::uint64_t left = seed.load();
        if (left == no_seed) {
            continue;
        }
        char digits[24];
        std::size_t place = sizeof digits;
        do {
            digits[--place] = static_cast<char>('0' + left % 10);
            left /= 10;
        } while (left > 0);
        digits[--place] = ' ';
        (void)!write(STDERR_FILENO, digits + place, sizeof digits - place);
    }
    (void)!write(STDERR_FILENO, "\n", 1);
    std::signal(signal, SIG_DFL);
    std::raise(signal);
}

[[nodiscard]] double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

struct Block {
    Counts counts;
    Digests digests{};
};

/// Hands out blocks and puts them together in order, so that the state is always that of all seeds up to one.
class Soak {
  public:
    Soak(const Options& options, State state)
        : options_(options),
          state_(std::move(state)),
          end_(state_.from + state_.count),
          begun_with_(state_.seconds),
          cpu_begun_with_(state_.cpu_seconds),
          handed_out_(state_.next) {}

    void run() {
        for (auto& seed : running) {
            seed = no_seed;
        }
        std::vector<std::jthread> workers;
        for (unsigned w = 0; w < options_.threads; ++w) {
            workers.emplace_back([this, w] { work(w); });
        }
        Clock::time_point printed = Clock::now();
        Clock::time_point saved = printed;
        while (active_ > 0) {
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
            const Clock::time_point now = Clock::now();
            if (!options_.quiet && now - printed > std::chrono::seconds(5)) {
                print_progress();
                printed = now;
            }
            if (now - saved > std::chrono::seconds(20)) {
                save();
                saved = now;
            }
        }
        workers.clear();
        save();
    }

    [[nodiscard]] const State& state() const { return state_; }

  private:
    void work(unsigned w) {
        Solvers solvers;
        while (!asked_to_stop) {
            std::uint64_t begin = 0;
            {
                const std::scoped_lock lock(guard_);
                begin = handed_out_;
                handed_out_ = std::min(end_, begin + seeds_per_block);
            }
            if (begin == end_) {
                break;
            }
            std::optional<Block> block = check_block(w, begin, solvers);
            if (block) {
                const std::scoped_lock lock(guard_);
                done_.emplace(begin, std::move(*block));
                take_in_order();
            }
        }
        --active_;
    }

    [[nodiscard]] std::optional<Block> check_block(unsigned w, std::uint64_t begin, Solvers& solvers) {
        Block block;
        for (std::uint64_t seed = begin; seed < std::min(end_, begin + seeds_per_block); ++seed) {
            if (asked_to_stop) {
                return std::nullopt;
            }
            running[w] = seed;
            Report report(seed, options_.planted);
            check_seed(seed, solvers, report);
            report.add_to(block.counts);
            for (std::size_t d = 0; d < block.digests.size(); ++d) {
                // By the seed as well: two seeds that exchange their results do not match.
                block.digests[d] += (report.digests()[d] ^ seed) * 0x9e3779b97f4a7c15U;
            }
            if (!report.holds()) {
                const std::scoped_lock lock(guard_);
                std::cerr << block.counts.violations.back() << std::endl;
            }
        }
        running[w] = no_seed;
        return block;
    }

    void take_in_order() {
        while (!asked_to_stop && !done_.empty() && done_.begin()->first == state_.next) {
            const auto block = done_.extract(done_.begin());
            state_.counts.add(block.mapped().counts);
            state_.digests.push_back(block.mapped().digests);
            state_.next = std::min(end_, state_.next + seeds_per_block);
            if (++taken_ == options_.interrupt) {
                (void)std::raise(SIGINT);
            }
        }
    }

    void save() {
        const std::scoped_lock lock(guard_);
        state_.seconds = begun_with_ + std::chrono::duration<double>(Clock::now() - started_).count();
        state_.cpu_seconds = cpu_begun_with_ + cpu_seconds();
        if (!options_.state.empty()) {
            state_.save(options_.state);
        }
    }

    void print_progress() {
        const std::scoped_lock lock(guard_);
        std::cout << state_.next - state_.from << " of " << state_.count << " problems, "
                  << state_.counts.violations.size() << " violations; at seed";
        for (unsigned w = 0; w < options_.threads; ++w) {
            std::cout << ' ' << running[w];
        }
        std::cout << std::endl;
    }

    const Options& options_;
    std::mutex guard_;  ///< what follows, and the streams
    State state_;
    std::uint64_t end_;
    double begun_with_, cpu_begun_with_;
    std::uint64_t handed_out_;
    std::uint64_t taken_ = 0;              ///< blocks
    std::map<std::uint64_t, Block> done_;  ///< by their first seeds; those before are still at work
    Clock::time_point started_ = Clock::now();
    std::atomic<int> active_{static_cast<int>(options_.threads)};
};

[[nodiscard]] State first_state(const Options& options) {
    State state;
    state.level = moverank::simd_level();
    state.from = options.from;
    state.count = options.count;
    state.next = options.from;
    if (options.state.empty()) {
        return state;
    }
    const std::optional<State> found = State::load(options.state);
    if (!found) {
        return state;
    }
    if (found->level != state.level || found->from != state.from || found->count != state.count) {
        throw std::invalid_argument(options.state + " is of another run: level " + found->level + ", from " +
                                    std::to_string(found->from) + ", count " + std::to_string(found->count));
    }
    return *found;
}

/// Products are fused from AVX2 on; only there are distances the same bits.
[[nodiscard]] bool fuses(const std::string& level) { return level != "baseline"; }

/// The number of blocks in which digests of another level, which has seen these seeds, differ.
[[nodiscard]] int differing_blocks(const State& state, const State& other) {
    if (other.from != state.from || other.next < state.next) {
        throw std::invalid_argument("the other state is of other seeds, or has not come as far");
    }
    // Where one goes on, its last block of these has more seeds.
    const std::size_t n_blocks =
        other.next == state.next ? state.digests.size() : (state.next - state.from) / seeds_per_block;
    int differing = 0;
    for (std::size_t block = 0; block < n_blocks; ++block) {
        for (std::size_t d = 0; d < std::size(digest_names); ++d) {
            const Digest of = static_cast<Digest>(d);
            const bool comparable = state.level == other.level || of == Digest::exact ||
                                    (of == Digest::distances && fuses(state.level) && fuses(other.level));
            if (comparable && state.digests[block][d] != other.digests[block][d]) {
                ++differing;
                std::cerr << digest_names[d] << " differ between " << state.level << " and " << other.level
                          << " within the seeds from " << state.from + block * seeds_per_block << " on\n";
            }
        }
    }
    return differing;
}

void print_table(const State& state) {
    std::cout << "\nproblems by family\n";
    for (const auto& [name, problems] : state.counts.families) {
        std::printf("  %9lld  %s\n", static_cast<long long>(problems), name.c_str());
    }
    std::cout << "checks by claim\n";
    std::int64_t all = 0;
    for (std::size_t c = 0; c < n_claims; ++c) {
        std::printf("  %11lld  %s\n", static_cast<long long>(state.counts.checks[c]), claim_names[c]);
        all += state.counts.checks[c];
    }
    std::printf("%s: seeds %llu to %llu, %lld problems, %lld checks, %zu violations; %.0f s, %.0f s of CPU\n",
                state.level.c_str(), static_cast<unsigned long long>(state.from),
                static_cast<unsigned long long>(state.next) - 1, static_cast<long long>(state.counts.problems),
                static_cast<long long>(all), state.counts.violations.size(), state.seconds, state.cpu_seconds);
}

}  // namespace

void check_seed(std::uint64_t seed, Solvers& solvers, Report& report) {
    Random random(seed);
    const double kind = random.unit();
    try {
        if (report.plants(Flaw::exception)) {
            throw std::runtime_error("planted");
        }
        if (kind < 0.75) {
            check_transport(random, solvers, report);
        } else if (kind < 0.81) {
            check_batch(random, solvers, report);
        } else if (kind < 0.94) {
            check_documents(random, solvers, report);
        } else {
            check_bags(random, report);
        }
        report.require(true, Claim::no_exception);
    } catch (const std::exception& error) {
        report.require(false, Claim::no_exception, error.what());
    }
}

int soak_all(const Options& options) {
    for (const int signal : {SIGINT, SIGTERM}) {
        std::signal(signal, stop_soon);
    }
    for (const int signal : {SIGSEGV, SIGABRT, SIGFPE, SIGBUS, SIGILL}) {
        std::signal(signal, report_crash);
    }
    State state = first_state(options);
    std::cout << "level " << state.level << ", seeds " << state.from << " to " << state.from + state.count - 1
              << ", from " << state.next << " on " << options.threads << " threads" << std::endl;
    Soak soak(options, std::move(state));
    soak.run();
    print_table(soak.state());
    int differing = 0;
    const bool finished = soak.state().next == options.from + options.count;
    if (!finished) {
        std::cout << "stopped; the same command goes on\n";
    } else if (!options.expect.empty()) {
        const std::optional<State> other = State::load(options.expect);
        if (!other) {
            throw std::invalid_argument(options.expect + " does not exist");
        }
        differing = differing_blocks(soak.state(), *other);
        std::cout << "against " << other->level << ": " << differing << " digests differ\n";
    }
    for (const std::string& violation : soak.state().counts.violations) {
        std::cout << violation << '\n';
    }
    return soak.state().counts.violations.empty() && differing == 0 && finished ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace soak
