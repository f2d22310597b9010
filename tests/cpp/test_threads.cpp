/// Many threads over what they share, as a service has them. Under ThreadSanitizer this is the proof that shared things
/// are only read, and that what is each thread's own stays so.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <numeric>
#include <thread>
#include <vector>

#include "bag_instances.hpp"
#include "check.hpp"
#include "instances.hpp"
#include "moverank/batch.hpp"
#include "moverank/codes.hpp"
#include "moverank/joined.hpp"
#include "moverank/topk.hpp"

using namespace moverank;

namespace {

constexpr Measure wmd{GroundCost::euclidean, Weighting::uniform};
constexpr Measure wrd{GroundCost::cosine, Weighting::norm};

/// What searches see at one time: it never changes, and lives as long as anybody holds it.
struct Snapshot {
    std::vector<std::shared_ptr<const PreparedSequences>> parts;
    JoinedSequences joined;

    explicit Snapshot(std::vector<std::shared_ptr<const PreparedSequences>> all)
        : parts(std::move(all)), joined(pointers(parts)) {}
    static std::vector<const PreparedSequences*> pointers(
        const std::vector<std::shared_ptr<const PreparedSequences>>& parts) {
        std::vector<const PreparedSequences*> found;
        for (const auto& part : parts) {
            found.push_back(part.get());
        }
        return found;
    }
};

/// The one place where a new state is published.
class Published {
  public:
    explicit Published(std::shared_ptr<const Snapshot> first) : latest_(std::move(first)) {}
    [[nodiscard]] std::shared_ptr<const Snapshot> get() const {
        const std::scoped_lock lock(guard_);
        return latest_;
    }
    void set(std::shared_ptr<const Snapshot> next) {
        const std::scoped_lock lock(guard_);
        latest_ = std::move(next);
    }

  private:
    mutable std::mutex guard_;
    std::shared_ptr<const Snapshot> latest_;
};

std::vector<Hit> search(TopKSearch& ladder, std::size_t n_documents, int n_threads, Interrupt& interrupt) {
    std::vector<std::int64_t> all(n_documents);
    std::iota(all.begin(), all.end(), 0);
    ladder.seed(std::span(all).first(5), n_threads, interrupt);
    const std::span<const std::int64_t> rest = std::span(all).subspan(5);
    std::vector<double> bounds(rest.size());
    ladder.lower_bounds(rest, bounds, n_threads, interrupt);
    std::vector<std::size_t> order(rest.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::sort(order, {}, [&](std::size_t c) { return bounds[c]; });
    std::vector<std::int64_t> candidates;
    for (const std::size_t c : order) {
        candidates.push_back(rest[c]);
    }
    std::ranges::sort(bounds);
    ladder.examine(candidates, bounds, n_threads, interrupt);
    return ladder.hits();
}

[[nodiscard]] std::vector<double> distances_of(const std::vector<Hit>& hits) {
    std::vector<double> found;
    std::ranges::transform(hits, std::back_inserter(found), &Hit::distance);
    return found;
}

}  // namespace

TEST(many_search_while_one_adds) {
    constexpr std::size_t n_parts = 6;
    instances::Random random(1);
    std::vector<instances::Batch> batches;
    for (std::size_t p = 0; p < n_parts; ++p) {
        batches.emplace_back(random, 40, 12, 8);
    }
    const PreparedSequences queries(batches.front().view(), wrd);

    // What each state answers, found alone.
    std::vector<std::shared_ptr<const PreparedSequences>> parts;
    std::vector<std::shared_ptr<const Snapshot>> states;
    std::vector<std::vector<double>> expected;
    for (const instances::Batch& batch : batches) {
        parts.push_back(std::make_shared<const PreparedSequences>(batch.view(), wrd));
        states.push_back(std::make_shared<const Snapshot>(parts));
        TopKSearch ladder(states.back()->joined, queries[3], {.k = 7});
        Interrupt interrupt;
        expected.push_back(distances_of(search(ladder, states.back()->joined.size(), 1, interrupt)));
    }

    Published published(states.front());
    std::atomic<bool> over{false};
    std::atomic<int> wrong{0};
    std::atomic<int> searches{0};
    {
        std::vector<std::jthread> searchers;
        for (int t = 0; t < 4; ++t) {
            searchers.emplace_back([&, t] {
                while (!over.load()) {
                    const std::shared_ptr<const Snapshot> seen = published.get();
                    TopKSearch ladder(seen->joined, queries[3], {.k = 7});
                    Interrupt interrupt;
                    const auto hits = search(ladder, seen->joined.size(), 1 + t % 3, interrupt);
                    wrong += distances_of(hits) == expected[seen->parts.size() - 1] ? 0 : 1;
                    ++searches;
                }
            });
        }
        std::vector<std::shared_ptr<const PreparedSequences>> grown{states.front()->parts};
        for (std::size_t p = 1; p < n_parts; ++p) {
            const int before = searches.load();
            grown.push_back(std::make_shared<const PreparedSequences>(batches[p].view(), wrd));
            published.set(std::make_shared<const Snapshot>(grown));
            while (searches.load() < before + 8) {
                std::this_thread::yield();
            }
        }
        over = true;
    }
    CHECK(wrong == 0);
}

TEST(codes_and_bags_are_only_read) {
    instances::Random random(2);
    const instances::Batch batch(random, 80, 10, 8);
    const PreparedSequences corpus(batch.view(), wmd);
    const PreparedCodes codes(corpus, batch.view().tokens);
    const instances::Collection collection(random, 200, 9, 8);
    const PreparedBags bags(collection.view(true), wmd);
    const JoinedBags joined({&bags});
    const auto by_codes = [&] {
        TopKSearch ladder(corpus, corpus[2], {.k = 5}, &codes);
        Interrupt interrupt;
        return distances_of(search(ladder, corpus.size(), 2, interrupt));
    };
    const auto by_bags = [&] {
        Interrupt interrupt;
        TopKSearch ladder(joined, corpus[2], {.k = 5}, 2, interrupt);
        return distances_of(search(ladder, joined.size(), 2, interrupt));
    };
    const std::vector<double> of_codes = by_codes();
    const std::vector<double> of_bags = by_bags();
    std::atomic<int> wrong{0};
    {
        std::vector<std::jthread> searchers;
        for (int t = 0; t < 4; ++t) {
            searchers.emplace_back([&, t] {
                for (int round = 0; round < 15; ++round) {
                    wrong += (t % 2 == 0 ? by_codes() == of_codes : by_bags() == of_bags) ? 0 : 1;
                }
            });
        }
    }
    CHECK(wrong == 0);
}

TEST(solving_is_cancelled_from_another_thread) {
    instances::Random random(3);
    const instances::Batch batch(random, 4000, 60, 8);  // much longer than it takes to stop
    const PreparedSequences corpus(batch.view(), wmd);
    int cancelled = 0;
    for (int round = 0; round < 12; ++round) {
        Interrupt interrupt;
        std::vector<double> out(corpus.size());
        const std::jthread canceller([&] {
            std::this_thread::sleep_for(std::chrono::microseconds(200 * round));
            interrupt.stop();
        });
        try {
            distances(corpus[round], batch.view(), wmd, out, 3, interrupt);
        } catch (const Interrupted&) {
            ++cancelled;
        }
    }
    CHECK(cancelled > 0);
}

TEST(a_search_is_cancelled_or_right) {
    instances::Random random(4);
    const instances::Batch batch(random, 300, 40, 8);
    const PreparedSequences corpus(batch.view(), wrd);
    std::vector<double> expected;
    {
        Interrupt interrupt;
        TopKSearch ladder(corpus, corpus[9], {.k = 5});
        expected = distances_of(search(ladder, corpus.size(), 1, interrupt));
    }
    for (int round = 0; round < 12; ++round) {
        Interrupt interrupt;
        TopKSearch ladder(corpus, corpus[9], {.k = 5});
        const std::jthread canceller([&] {
            std::this_thread::sleep_for(std::chrono::microseconds(400 * round));
            interrupt.stop();
        });
        try {
            CHECK(distances_of(search(ladder, corpus.size(), 3, interrupt)) == expected);
        } catch (const Interrupted&) {
            // What was found until then is consistent.
            CHECK(std::ranges::is_sorted(distances_of(ladder.hits())));
        }
    }
}

TEST(deadlines_of_many_searches_do_not_meet) {
    instances::Random random(5);
    const instances::Batch batch(random, 200, 30, 8);
    const PreparedSequences corpus(batch.view(), wrd);
    std::atomic<int> wrong{0};
    {
        std::vector<std::jthread> searchers;
        for (int t = 0; t < 4; ++t) {
            searchers.emplace_back([&, t] {
                for (int round = 0; round < 10; ++round) {
                    const bool hurried = (round + t) % 2 == 0;
                    Interrupt interrupt({},
                                        Interrupt::Clock::now() + std::chrono::microseconds(hurried ? 50 : 60'000'000));
                    TopKSearch ladder(corpus, corpus[static_cast<std::size_t>(t)], {.k = 5});
                    const std::vector<Hit> hits = search(ladder, corpus.size(), 2, interrupt);
                    wrong += hurried || (hits.size() == 5 && hits.front().position == t) ? 0 : 1;
                }
            });
        }
    }
    CHECK(wrong == 0);
}
