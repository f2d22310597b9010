#include "moverank/topk.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <mutex>
#include <numeric>
#include <stdexcept>

#include "../preconditions.hpp"
#include "moverank/parallel.hpp"

namespace moverank {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// A chunk shares one look at the threshold, so chunks are small; a candidate costs tens of microseconds.
constexpr std::size_t candidates_a_chunk = 4;
/// A bound on a bag costs less than taking it from the queue.
constexpr std::size_t bags_a_chunk = 512;

/// Adds the time of a scope to a worker's sum.
class Stopwatch {
  public:
    explicit Stopwatch(double& seconds) : seconds_(seconds) {}
    ~Stopwatch() { seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count(); }
    Stopwatch(const Stopwatch&) = delete;
    Stopwatch& operator=(const Stopwatch&) = delete;

  private:
    double& seconds_;
    std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

/// A bound that is not a number would drop its document without a word.
void require_numbers(std::span<const double> bounds) {
    if (std::ranges::any_of(bounds, [](double bound) { return std::isnan(bound); })) {
        throw std::invalid_argument("a bound is not a number");
    }
}

}  // namespace

/// Call body(worker, item) for all items that the deadline lets through; returns the seconds of all threads together.
template <class Body>
double TopKSearch::timed_for(std::size_t n_items, unsigned n_workers, std::size_t chunk, Interrupt& interrupt,
                             Body body) {
    std::vector<double> seconds(n_workers, 0.0);
    try {
        parallel_for(n_items, n_workers, chunk, interrupt, [&](unsigned w, std::size_t begin, std::size_t end) {
            const Stopwatch watch(seconds[w]);
            for (std::size_t item = begin; item < end; ++item) {
                body(w, item);
            }
        });
    } catch (const DeadlinePassed&) {
        timed_out_ = true;
    }
    return std::accumulate(seconds.begin(), seconds.end(), 0.0);
}

TopKSearch::TopKSearch(const PreparedDocuments& corpus, const PreparedSequence& query, const SearchGoal& goal,
                       const DocumentCodes* codes)
    : corpus_(corpus),
      codes_(codes),
      query_norm_(codes == nullptr ? 0.0 : max_norm(query)),
      query_(query),
      goal_(goal) {
    require(goal.slack >= 0.0 && !std::isnan(goal.radius), "slack must be at least 0, and radius a number");
    goal_.k = std::min(goal_.k, corpus.size());
}

TopKSearch::TopKSearch(const JoinedBags& bags, const PreparedSequence& query, const SearchGoal& goal, int n_threads,
                       Interrupt& interrupt)
    : TopKSearch(bags, query, goal) {
    PositivePart part;
    const PreparedSequence positive = part.of(query);
    over_bags_ = std::make_unique<OverBags>(OverBags{.bags = bags,
                                                     .costs = VocabularyCosts(bags, positive, n_threads, interrupt),
                                                     .query_mass = {positive.mass.begin(), positive.mass.end()},
                                                     .bounds = {}});
}

double TopKSearch::threshold() const {
    return heap_.size() < goal_.k || goal_.k == 0 ? goal_.radius : std::min(goal_.radius, heap_.front().distance);
}

double TopKSearch::cutoff() const { return threshold() / (1.0 + goal_.slack); }

void TopKSearch::offer(const Hit& hit) {
    if (std::isnan(hit.distance)) {
        throw std::invalid_argument("a distance is not a number");
    }
    if (hit.distance > goal_.radius || goal_.k == 0) {
        return;
    }
    if (heap_.size() < goal_.k) {
        heap_.push_back(hit);
        std::ranges::push_heap(heap_, {}, &Hit::distance);
        return;
    }
    const double last = heap_.front().distance;
    if (hit.distance > last) {
        return;
    }
    if (hit.distance == last) {
        ties_.push_back(hit);
        return;
    }
    std::ranges::pop_heap(heap_, {}, &Hit::distance);
    ties_.push_back(heap_.back());
    heap_.back() = hit;
    std::ranges::push_heap(heap_, {}, &Hit::distance);
    if (heap_.front().distance < last) {
        ties_.clear();
    }
}

void TopKSearch::seed(std::span<const std::int64_t> positions, int n_threads, Interrupt& interrupt) {
    const unsigned n_workers = thread_count(n_threads, positions.size());
    std::vector<PairEvaluator> evaluators = evaluators_of(n_workers, interrupt);
    std::vector<DocumentBuffer> buffers(n_workers);
    std::vector<std::optional<double>> distances(positions.size());
    std::vector<std::vector<double>> potentials(positions.size());
    counts_.seed_seconds += timed_for(positions.size(), n_workers, 1, interrupt, [&](unsigned w, std::size_t s) {
        const PreparedSequence document = corpus_.at(static_cast<std::size_t>(positions[s]), buffers[w]);
        distances[s] = evaluators[w].distance(document).distance;
        if (evaluators[w].can_reuse_potentials()) {
            const std::span<const double> f = evaluators[w].potentials();
            potentials[s].assign(f.begin(), f.end());
        }
    });
    const auto n_solved = std::ranges::count_if(distances, [](const auto& found) { return found.has_value(); });
    // In the order of the seeds, so that rounding does not depend on the threads.
    potentials_.clear();
    for (std::size_t s = 0; s < positions.size(); ++s) {
        const std::optional<double>& distance = distances[s];
        if (!distance) {
            floor_ = -infinity;
            continue;
        }
        offer({*distance, positions[s]});
        potentials_.resize(potentials[s].size(), 0.0);
        for (std::size_t i = 0; i < potentials_.size(); ++i) {
            potentials_[i] += potentials[s][i] / static_cast<double>(n_solved);
        }
    }
    if (over_bags_) {
        over_bags_->bounds.reset();
    }
    counts_.seeds += n_solved;
    counts_.exact_solves += n_solved;
}

void TopKSearch::lower_bounds(std::span<const std::int64_t> positions, std::span<double> out, int n_threads,
                              Interrupt& interrupt) {
    require(out.size() == positions.size(), "expected room for one bound per position");
    std::ranges::fill(out, -infinity);
    if (!corpus_.measure().bounded_by_relaxation()) {
        return;
    }
    const unsigned n_workers = thread_count(n_threads, positions.size());
    if (over_bags_) {
        const BagBounds& bounds = bag_bounds(*over_bags_);
        std::vector<BagBounds::Scratch> scratch(n_workers);
        counts_.bound_seconds +=
            timed_for(positions.size(), n_workers, bags_a_chunk, interrupt, [&](unsigned w, std::size_t c) {
                out[c] = bounds.two_sided(static_cast<std::size_t>(positions[c]), scratch[w]);
            });
        require_numbers(out);
        return;
    }
    std::vector<PairEvaluator> evaluators = evaluators_of(n_workers, interrupt);
    std::vector<DocumentBuffer> buffers(n_workers);
    counts_.bound_seconds +=
        timed_for(positions.size(), n_workers, candidates_a_chunk, interrupt, [&](unsigned w, std::size_t c) {
            const auto s = static_cast<std::size_t>(positions[c]);
            out[c] = codes_ == nullptr ? evaluators[w].lower_bound(corpus_.at(s, buffers[w]))
                                       : evaluators[w].lower_bound(codes_->at(s), codes_->largest_norm()) -
                                             codes_->slack(s, query_norm_);
        });
    require_numbers(out);
}

const BagBounds& TopKSearch::bag_bounds(OverBags& over) const {
    if (over.bounds) {
        return *over.bounds;
    }
    const bool usable = corpus_.measure().fraction == 1.0;
    return over.bounds.emplace(over.bags, over.costs, over.query_mass,
                               usable ? std::span<const double>(potentials_) : std::span<const double>{});
}

bool TopKSearch::has_one_sided_bounds() {
    return over_bags_ && corpus_.measure().bounded_by_relaxation() && bag_bounds(*over_bags_).has_one_sided();
}

void TopKSearch::one_sided_bounds(std::span<const std::int64_t> positions, std::span<double> out, int n_threads,
                                  Interrupt& interrupt) {
    if (!has_one_sided_bounds()) {
        throw std::logic_error("this search has no one-sided bounds");
    }
    require(out.size() == positions.size(), "expected room for one bound per position");
    std::ranges::fill(out, -infinity);
    const BagBounds& bounds = bag_bounds(*over_bags_);
    counts_.scan_seconds +=
        timed_for(positions.size(), thread_count(n_threads, positions.size()), bags_a_chunk, interrupt,
                  [&](unsigned, std::size_t c) { out[c] = bounds.one_sided(static_cast<std::size_t>(positions[c])); });
    require_numbers(out);
}

std::vector<PairEvaluator> TopKSearch::evaluators_of(unsigned n_workers, Interrupt& interrupt) const {
    std::vector<PairEvaluator> evaluators;
    evaluators.reserve(n_workers);
    for (unsigned w = 0; w < n_workers; ++w) {
        PairEvaluator& evaluator = evaluators.emplace_back(corpus_.measure(), &interrupt);
        evaluator.set_query(query_, over_bags_ ? &over_bags_->costs : nullptr);
        evaluator.reuse_potentials(potentials_);
    }
    return evaluators;
}

void TopKSearch::examine(std::span<const std::int64_t> positions, std::span<const double> bounds, int n_threads,
                         Interrupt& interrupt) {
    require(bounds.size() == positions.size(), "expected one bound per position");
    require_numbers(bounds);
    require(std::ranges::is_sorted(bounds), "candidates must come in rising order of their bounds");
    if (goal_.k == 0) {
        return;
    }
    // Those that are out already need not pass through the threads.
    const auto first_out = std::ranges::upper_bound(bounds, cutoff());
    const auto n_candidates = static_cast<std::size_t>(first_out - bounds.begin());
    if (first_out != bounds.end()) {
        floor_ = std::min(floor_, *first_out);
    }
    const unsigned n_workers = thread_count(n_threads, n_candidates);
    std::vector<PairEvaluator> evaluators = evaluators_of(n_workers, interrupt);
    std::vector<DocumentBuffer> buffers(n_workers);

    // An outdated cutoff is larger than the true one: it prunes less and never wrongly, so the answer depends on the
    // candidates alone and not on who evaluated them when (but for slack, which leaves a choice). Equal distances
    // may still belong to the answer, hence the strict comparisons.
    std::vector<std::uint8_t> settled(n_candidates, 0);
    std::mutex guard;  // heap_, floor_ and counts_
    std::atomic<double> shared_cutoff{cutoff()};
    const auto examine_one = [&](unsigned w, std::size_t c) {
        const double limit = shared_cutoff.load(std::memory_order_relaxed);
        if (bounds[c] > limit) {
            const std::scoped_lock lock(guard);
            floor_ = std::min(floor_, bounds[c]);
            return false;
        }
        double seconds = 0.0;
        PairResult result{};
        {
            const Stopwatch watch(seconds);
            result = evaluators[w].distance(corpus_.at(static_cast<std::size_t>(positions[c]), buffers[w]), limit);
        }
        settled[c] = 1;
        const std::scoped_lock lock(guard);
        if (result.outcome == PairOutcome::evaluated) {
            ++counts_.exact_solves;
            offer({result.distance, positions[c]});
            shared_cutoff.store(cutoff(), std::memory_order_relaxed);
        } else {
            floor_ = std::min(floor_, result.distance);
        }
        counts_.pruned_by_bound += result.outcome == PairOutcome::pruned_by_bound ? 1 : 0;
        counts_.pruned_by_solver += result.outcome == PairOutcome::pruned_by_solver ? 1 : 0;
        (result.outcome == PairOutcome::pruned_by_bound ? counts_.bound_seconds : counts_.solve_seconds) += seconds;
        return true;
    };
    try {
        parallel_for(n_candidates, n_workers, candidates_a_chunk, interrupt,
                     [&](unsigned w, std::size_t begin, std::size_t end) {
                         // Bounds rise: what follows one that is out, is out as well.
                         for (std::size_t c = begin; c < end && examine_one(w, c); ++c) {
                         }
                     });
    } catch (const DeadlinePassed&) {
        timed_out_ = true;
        const auto first_left = std::ranges::find(settled, 0);
        floor_ = std::min(floor_, bounds[static_cast<std::size_t>(first_left - settled.begin())]);
    }
}

std::vector<Hit> TopKSearch::hits() const {
    std::vector<Hit> sorted = heap_;
    sorted.insert(sorted.end(), ties_.begin(), ties_.end());
    std::ranges::sort(sorted, [](const Hit& x, const Hit& y) {
        return x.distance != y.distance ? x.distance < y.distance : x.position < y.position;
    });
    return sorted;
}

}  // namespace moverank
