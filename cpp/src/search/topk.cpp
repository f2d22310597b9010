#include "moverank/topk.hpp"

#include <algorithm>
#include <atomic>
#include <limits>
#include <mutex>

#include "moverank/parallel.hpp"

namespace moverank {

namespace {

/// A chunk shares one look at the threshold, so chunks are small; a candidate costs tens of microseconds.
constexpr std::size_t candidates_a_chunk = 4;

}  // namespace

TopKSearch::TopKSearch(const PreparedSequences& corpus, const PreparedSequence& query, std::size_t k,
                       std::span<const std::int64_t> tie_ranks)
    : corpus_(corpus), query_(query), k_(std::min(k, corpus.size())), tie_ranks_(tie_ranks) {
    heap_.reserve(k_ + 1);
}

double TopKSearch::threshold() const {
    return heap_.size() < k_ ? std::numeric_limits<double>::infinity() : heap_.front().distance;
}

bool TopKSearch::nearer(const Hit& x, const Hit& y) const {
    if (x.distance != y.distance) {
        return x.distance < y.distance;
    }
    if (tie_ranks_.empty()) {
        return x.position < y.position;
    }
    return tie_ranks_[static_cast<std::size_t>(x.position)] < tie_ranks_[static_cast<std::size_t>(y.position)];
}

void TopKSearch::offer(const Hit& hit) {
    const auto order = [this](const Hit& x, const Hit& y) { return nearer(x, y); };
    heap_.push_back(hit);
    std::push_heap(heap_.begin(), heap_.end(), order);
    if (heap_.size() > k_) {
        std::pop_heap(heap_.begin(), heap_.end(), order);
        heap_.pop_back();
    }
}

void TopKSearch::seed(std::span<const std::int64_t> positions, int n_threads, Interrupt& interrupt) {
    const unsigned n_workers = thread_count(n_threads, positions.size());
    std::vector<PairEvaluator> evaluators = evaluators_of(n_workers, interrupt);
    std::vector<double> distances(positions.size());
    std::vector<std::vector<double>> potentials(positions.size());
    parallel_for(positions.size(), n_workers, 1, interrupt, [&](unsigned w, std::size_t begin, std::size_t end) {
        for (std::size_t s = begin; s < end; ++s) {
            distances[s] = evaluators[w].distance(corpus_[static_cast<std::size_t>(positions[s])]).distance;
            if (evaluators[w].can_reuse_potentials()) {
                const std::span<const double> f = evaluators[w].potentials();
                potentials[s].assign(f.begin(), f.end());
            }
        }
    });
    // In the order of the seeds, so that rounding does not depend on the threads.
    for (std::size_t s = 0; s < positions.size(); ++s) {
        offer({distances[s], positions[s]});
        potentials_.resize(potentials[s].size(), 0.0);
        for (std::size_t i = 0; i < potentials_.size(); ++i) {
            potentials_[i] += potentials[s][i] / static_cast<double>(positions.size());
        }
    }
    counts_.examined += static_cast<std::int64_t>(positions.size());
    counts_.exact_solves += static_cast<std::int64_t>(positions.size());
}

void TopKSearch::lower_bounds(std::span<const std::int64_t> positions, std::span<double> out, int n_threads,
                              Interrupt& interrupt) const {
    const unsigned n_workers = thread_count(n_threads, positions.size());
    std::vector<PairEvaluator> evaluators = evaluators_of(n_workers, interrupt);
    parallel_for(positions.size(), n_workers, candidates_a_chunk, interrupt,
                 [&](unsigned w, std::size_t begin, std::size_t end) {
                     for (std::size_t c = begin; c < end; ++c) {
                         out[c] = evaluators[w].lower_bound(corpus_[static_cast<std::size_t>(positions[c])]);
                     }
                 });
}

std::vector<PairEvaluator> TopKSearch::evaluators_of(unsigned n_workers, Interrupt& interrupt) const {
    std::vector<PairEvaluator> evaluators;
    evaluators.reserve(n_workers);
    for (unsigned w = 0; w < n_workers; ++w) {
        PairEvaluator& evaluator = evaluators.emplace_back(corpus_.measure(), &interrupt);
        evaluator.set_query(query_);
        evaluator.reuse_potentials(potentials_);
    }
    return evaluators;
}

bool TopKSearch::examine(std::span<const std::int64_t> positions, std::span<const double> bounds, int n_threads,
                         Interrupt& interrupt) {
    const unsigned n_workers = thread_count(n_threads, positions.size());
    std::vector<PairEvaluator> evaluators = evaluators_of(n_workers, interrupt);

    // An outdated threshold is larger than the true one: it prunes less and never wrongly, so the answer depends on
    // the candidates alone and not on who evaluated them when. Equal distances may still win by rank, hence the
    // strict comparisons.
    std::mutex guard;  // heap_ and counts_
    std::atomic<double> shared_threshold{threshold()};
    std::atomic<bool> complete{false};
    parallel_for(positions.size(), n_workers, candidates_a_chunk, interrupt,
                 [&](unsigned w, std::size_t begin, std::size_t end) {
                     for (std::size_t c = begin; c < end; ++c) {
                         const double cutoff = shared_threshold.load(std::memory_order_relaxed);
                         if (bounds[c] > cutoff) {
                             complete.store(true, std::memory_order_relaxed);
                             return;
                         }
                         const std::int64_t position = positions[c];
                         const PairResult result =
                             evaluators[w].distance(corpus_[static_cast<std::size_t>(position)], cutoff);
                         const std::scoped_lock lock(guard);
                         ++counts_.examined;
                         switch (result.outcome) {
                             case PairOutcome::pruned_by_bound: ++counts_.pruned_by_bound; break;
                             case PairOutcome::pruned_by_solver: ++counts_.pruned_by_solver; break;
                             case PairOutcome::evaluated:
                                 ++counts_.exact_solves;
                                 offer({result.distance, position});
                                 shared_threshold.store(threshold(), std::memory_order_relaxed);
                                 break;
                         }
                     }
                 });
    return complete.load() || k_ == 0;
}

std::vector<Hit> TopKSearch::hits() const {
    std::vector<Hit> sorted = heap_;
    std::sort(sorted.begin(), sorted.end(), [this](const Hit& x, const Hit& y) { return nearer(x, y); });
    return sorted;
}

}  // namespace moverank
