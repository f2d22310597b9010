#include "documents_query.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

#include "../preconditions.hpp"
#include "moverank/parallel.hpp"
#include "timed_for.hpp"

namespace moverank {

namespace {

/// Candidates per chunk. Small, so that threads soon see a lower cutoff; a candidate costs tens of microseconds, much
/// more than taking a chunk.
constexpr std::size_t candidates_per_chunk = 4;

}  // namespace

std::vector<PairEvaluator> DocumentsQuery::make_evaluators(unsigned n_workers, Interrupt& interrupt) const {
    std::vector<PairEvaluator> evaluators;
    evaluators.reserve(n_workers);
    for (unsigned w = 0; w < n_workers; ++w) {
        PairEvaluator& evaluator = evaluators.emplace_back(documents_.measure(), &interrupt);
        evaluator.set_query(query_, vocabulary());
        evaluator.reuse_potentials(potentials_);
    }
    return evaluators;
}

Solved DocumentsQuery::solve(std::span<const std::int64_t> positions, std::span<double> distances, int n_threads,
                             Interrupt& interrupt) {
    require(distances.size() == positions.size(), "expected room for one distance per position");
    const unsigned n_workers = thread_count(n_threads, positions.size());
    std::vector<PairEvaluator> evaluators = make_evaluators(n_workers, interrupt);
    std::vector<DocumentBuffer> buffers(n_workers);
    std::vector<std::uint8_t> is_solved(positions.size(), 0);
    std::vector<std::vector<double>> potentials(positions.size());
    Solved solved;
    solved.spent = timed_for(positions.size(), n_workers, 1, interrupt, [&](unsigned w, std::size_t s) {
        const PreparedSequence document = documents_.at(static_cast<std::size_t>(positions[s]), buffers[w]);
        distances[s] = evaluators[w].distance(document).distance;
        if (evaluators[w].can_reuse_potentials()) {
            const std::span<const double> f = evaluators[w].potentials();
            potentials[s].assign(f.begin(), f.end());
        }
        is_solved[s] = 1;
    });
    solved.count = std::ranges::count(is_solved, 1);
    // The mean is summed in the order of the positions, so that its rounding does not depend on the threads.
    for (std::size_t s = 0; s < positions.size(); ++s) {
        if (is_solved[s] == 0) {
            distances[s] = std::numeric_limits<double>::quiet_NaN();
            continue;
        }
        if (std::isnan(distances[s])) {
            throw std::invalid_argument("a distance is not a number");
        }
        solved.potentials.resize(potentials[s].size(), 0.0);
        for (std::size_t i = 0; i < potentials[s].size(); ++i) {
            solved.potentials[i] += potentials[s][i] / static_cast<double>(solved.count);
        }
    }
    return solved;
}

std::size_t DocumentsQuery::n_potentials() const {
    Interrupt never;
    const PairEvaluator evaluator = std::move(make_evaluators(1, never).front());
    return evaluator.can_reuse_potentials() ? evaluator.n_query_tokens() : 0;
}

Examined DocumentsQuery::examine(std::span<const std::int64_t> positions, std::span<const double> bounds,
                                 Nearest& nearest, int n_threads, Interrupt& interrupt) {
    require(bounds.size() == positions.size(), "expected one bound per position");
    require_numbers(bounds);
    require(std::ranges::is_sorted(bounds), "candidates must come in increasing order of their bounds");
    // Bounds rise, so everything from the first bound beyond the cutoff on is ruled out without starting threads. The
    // first of these bounds is the least.
    const auto first_out = std::ranges::upper_bound(bounds, nearest.cutoff());
    const auto n_candidates = static_cast<std::size_t>(first_out - bounds.begin());
    if (first_out != bounds.end()) {
        nearest.leave_out(*first_out);
    }
    const unsigned n_workers = thread_count(n_threads, n_candidates);
    std::vector<PairEvaluator> evaluators = make_evaluators(n_workers, interrupt);
    std::vector<DocumentBuffer> buffers(n_workers);
    std::vector<Examined> by_worker(n_workers);
    std::vector<std::uint8_t> settled(n_candidates, 0);
    const auto examine_one = [&](unsigned w, std::size_t c) {
        const double limit = nearest.cutoff();
        if (bounds[c] > limit) {
            nearest.leave_out(bounds[c]);
            return false;
        }
        double seconds = 0.0;
        PairResult result{};
        {
            const Stopwatch watch(seconds);
            result = evaluators[w].distance(documents_.at(static_cast<std::size_t>(positions[c]), buffers[w]), limit);
        }
        settled[c] = 1;
        Examined& own = by_worker[w];
        (result.outcome == PairOutcome::pruned_by_bound ? own.bound_seconds : own.solve_seconds) += seconds;
        switch (result.outcome) {
            case PairOutcome::evaluated:
                ++own.solved;
                nearest.offer({result.distance, positions[c]});
                return true;
            case PairOutcome::pruned_by_bound: ++own.pruned_by_bound; break;
            case PairOutcome::pruned_by_solver: ++own.pruned_by_solver; break;
        }
        nearest.leave_out(result.distance);
        return true;
    };
    Examined all;
    try {
        parallel_for(n_candidates, n_workers, candidates_per_chunk, interrupt,
                     [&](unsigned w, std::size_t begin, std::size_t end) {
                         // Bounds rise: after a candidate that is ruled out, the rest of the chunk is too.
                         for (std::size_t c = begin; c < end && examine_one(w, c); ++c) {
                         }
                     });
    } catch (const DeadlinePassed&) {
        all.timed_out = true;
        // Bounds rise, so the first candidate that was not settled has the least bound of those that were not.
        const auto first_left = std::ranges::find(settled, 0);
        if (first_left != settled.end()) {
            nearest.leave_out(bounds[static_cast<std::size_t>(first_left - settled.begin())]);
        }
    }
    for (const Examined& own : by_worker) {
        all.solved += own.solved;
        all.pruned_by_bound += own.pruned_by_bound;
        all.pruned_by_solver += own.pruned_by_solver;
        all.bound_seconds += own.bound_seconds;
        all.solve_seconds += own.solve_seconds;
    }
    return all;
}

}  // namespace moverank
