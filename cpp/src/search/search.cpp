#include "moverank/search.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>

#include "../preconditions.hpp"
#include "moverank/lower_bound.hpp"
#include "moverank/parallel.hpp"
#include "moverank/topk.hpp"
#include "timed_for.hpp"

namespace moverank {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Number of documents, likely to be near, that are solved before anything is bounded. The mean of more row potentials
/// gives no better bounds. See docs/architecture.md, "Numbers that must not drift".
constexpr std::size_t near_seeds = 20;

/// Number of documents, spread over the collection, that are solved first if nothing says which documents are near.
constexpr std::size_t spread_seeds = 64;

/// If bounds are cheap, the better bound is computed for this many documents per document of the budget.
constexpr std::size_t bounds_per_candidate = 8;

/// If a search may run out of time, each thread bounds and then solves this many documents before the next ones.
constexpr std::size_t documents_per_step = 64;

using Positions = std::vector<std::int64_t>;

/// Documents with a lower bound on the distance of each.
struct Bounded {
    Positions positions;
    std::vector<double> bounds = {};  ///< empty before the first bound: nothing is known
};

/// Places of the `count` lowest bounds, in increasing order; all places in their own order if there are no more.
[[nodiscard]] std::vector<std::size_t> lowest(std::span<const double> bounds, std::size_t count) {
    std::vector<std::size_t> places;
    if (count >= bounds.size()) {
        places.resize(bounds.size());
        std::iota(places.begin(), places.end(), 0);
        return places;
    }
    if (count == 0) {
        return places;
    }
    // Exactly `count`: of documents that tie at the edge, the first.
    std::vector<double> sorted(bounds.begin(), bounds.end());
    const auto last = sorted.begin() + static_cast<std::ptrdiff_t>(count - 1);
    std::ranges::nth_element(sorted, last);
    const double edge = *last;
    auto n_ties = static_cast<std::ptrdiff_t>(count) -
                  std::ranges::count_if(bounds, [edge](double bound) { return bound < edge; });
    places.reserve(count);
    for (std::size_t place = 0; place < bounds.size(); ++place) {
        if (bounds[place] < edge || (bounds[place] == edge && n_ties-- > 0)) {
            places.push_back(place);
        }
    }
    std::ranges::stable_sort(places, {}, [&](std::size_t place) { return bounds[place]; });
    return places;
}

[[nodiscard]] std::size_t n_searched(const Searchable& corpus, const SearchGoal& goal) {
    return goal.positions ? goal.positions->size() : corpus.size();
}

}  // namespace

/// One search: the stages of a multi-step search, from cheap bounds of many documents to solves of few. It records what
/// each stage saw, and the least bound of everything that it left out, from which the certificate follows.
class Ladder {
  public:
    Ladder(const Searchable& corpus, const PreparedSequence& query, const SearchGoal& goal)
        : goal_(goal),
          has_cheap_bounds_(corpus.has_cheap_bounds()),
          interrupt_(goal.stop, deadline_of(goal)),
          n_documents_(n_searched(corpus, goal)),
          k_(std::min(goal.k, n_documents_)),
          // A radius says nothing about how many documents are within it, so k does not set the number of seeds then.
          n_seeds_(
              std::min(goal.n_seeds.value_or(std::max(near_seeds, std::isinf(goal.radius) ? k_ : 1)), n_documents_)),
          steps_(corpus, query, {.k = k_, .radius = goal.radius, .slack = goal.slack}, goal.n_threads, whole_) {}

    /// Look for no seeds, as potentials are known.
    void without_seeds() { n_seeds_ = 0; }

    /// Choose the seeds, and solve them.
    void begin() {
        begun_ = true;
        if (has_cheap_bounds_) {
            begin_with_cheap_bounds();
        } else {
            begin_with_costly_bounds();
        }
    }
    [[nodiscard]] bool has_begun() const { return begun_; }
    [[nodiscard]] Seeds seeds() const { return {steps_.hits(), steps_.potentials(), steps_.n_with_potentials()}; }

    [[nodiscard]] std::size_t n_potentials() const { return steps_.n_potentials(); }
    void reuse(std::span<const double> potentials) {
        steps_.reuse(potentials);
        has_new_potentials_ = true;
    }
    void lower_radius(double cutoff) {
        cutoff_ = cutoff;
        steps_.lower_radius(cutoff);
    }

    /// Search the documents that are left.
    void finish() {
        if (has_cheap_bounds_) {
            finish_with_cheap_bounds();
        } else if (goal_.timeout) {
            finish_in_steps();
        } else {
            climb(useful_bounds(first_), rest_, rungs_.size());
            examine(std::move(rest_));
        }
    }

    [[nodiscard]] SearchResult result(double least_distance) const {
        SearchResult result{.hits = steps_.hits(), .rungs = rungs_, .timed_out = steps_.timed_out()};
        result.n_documents = static_cast<std::int64_t>(n_documents_);
        std::vector<double> distances;
        for (const Hit& hit : std::span(result.hits).first(std::min(k_, result.hits.size()))) {
            distances.push_back(hit.distance);
        }
        // Whatever has no distance was left out by a bound, here or in the steps.
        const double bound = std::max(std::min(steps_.floor(), left_out_), least_distance);
        result.certificate =
            certify(distances, bound, result.n_documents - steps_.counts().exact_solves, k_, goal_.radius);
        if (bound > cutoff_) {  // what is missing is of no interest
            result.certificate.exact = true;
            result.certificate.certain = distances.size();
            result.certificate.error = 0.0;
        }
        // Each stage sees what the one before did not drop, so the numbers of dropped documents follow.
        const SearchCounts& counts = steps_.counts();
        const std::int64_t solved = counts.exact_solves - counts.seeds;
        result.rungs.insert(result.rungs.begin(), {"seeds, solved", counts.seeds, 0, seed_seconds_});
        result.rungs.push_back({"exact solver", solved + counts.pruned_by_solver, 0, solve_seconds_});
        for (std::size_t rung = 1; rung < result.rungs.size(); ++rung) {
            const bool is_last = rung + 1 == result.rungs.size();
            result.rungs[rung].dropped = result.rungs[rung].seen - (is_last ? solved : result.rungs[rung + 1].seen);
        }
        return result;
    }

  private:
    /// None for a timeout beyond the range of the clock, which never passes.
    [[nodiscard]] static std::optional<Interrupt::Clock::time_point> deadline_of(const SearchGoal& goal) {
        constexpr std::chrono::duration<double> ages(1e9);
        if (!goal.timeout || *goal.timeout > ages) {
            return {};
        }
        return Interrupt::Clock::now() + std::chrono::duration_cast<Interrupt::Clock::duration>(*goal.timeout);
    }

    template <class T>
    [[nodiscard]] static std::vector<T> pick(const std::vector<T>& all, std::span<const std::size_t> places) {
        std::vector<T> picked;
        picked.reserve(places.size());
        std::ranges::transform(places, std::back_inserter(picked), [&](std::size_t place) { return all[place]; });
        return picked;
    }
    template <class T>
    [[nodiscard]] static std::vector<T> unmarked(const std::vector<T>& all, std::span<const std::uint8_t> marks) {
        std::vector<T> left;
        left.reserve(all.size());
        for (std::size_t place = 0; place < all.size(); ++place) {
            if (marks[place] == 0) {
                left.push_back(all[place]);
            }
        }
        return left;
    }

    [[nodiscard]] static std::vector<std::uint8_t> marked_at(const Bounded& documents,
                                                             std::span<const std::size_t> places) {
        std::vector<std::uint8_t> marked(documents.positions.size(), 0);
        for (const std::size_t place : places) {
            marked[place] = 1;
        }
        return marked;
    }

    [[nodiscard]] static std::ptrdiff_t offset(std::size_t count) { return static_cast<std::ptrdiff_t>(count); }

    /// Places of some positions among others, increasing.
    [[nodiscard]] static std::vector<std::size_t> places_of(Positions some, const Positions& all) {
        std::ranges::sort(some);
        std::vector<std::size_t> places;
        places.reserve(some.size());
        for (std::size_t place = 0; place < all.size(); ++place) {
            if (std::ranges::binary_search(some, all[place])) {
                places.push_back(place);
            }
        }
        return places;
    }

    /// Places at even distances, from the first to the last: at most a sixteenth of the documents, and at least one.
    /// Where fewer near seeds than usual are wanted, there are fewer of these in proportion.
    [[nodiscard]] std::vector<std::size_t> spread_over(std::size_t n) const {
        const std::size_t most = std::min(spread_seeds, (spread_seeds * n_seeds_ + near_seeds - 1) / near_seeds);
        const std::size_t count = std::min(most, std::max<std::size_t>(n / 16, 1));
        std::vector<std::size_t> places;
        places.reserve(count);
        for (std::size_t s = 0; s < count; ++s) {
            places.push_back(count == 1 ? 0 : s * (n - 1) / (count - 1));
        }
        places.erase(std::unique(places.begin(), places.end()), places.end());
        return places;
    }

    /// The documents to search. A search within a budget never lists them: of a million, that takes longer than the
    /// rest.
    [[nodiscard]] Positions all() const {
        if (goal_.positions) {
            return {goal_.positions->begin(), goal_.positions->end()};
        }
        Positions positions(n_documents_);
        std::iota(positions.begin(), positions.end(), 0);
        return positions;
    }

    /// The documents that the budget lets through, in the order of the source; where only time is limited, all.
    [[nodiscard]] Positions by_source() {
        const std::size_t limit = std::min(goal_.budget.value_or(n_documents_), n_documents_);
        double seconds = 0.0;
        Candidates found;
        {
            const Stopwatch watch(seconds);
            found = goal_.source->nearest(limit);
            left_out_ = found.bound;
            if (!goal_.budget && found.positions.size() < n_documents_) {
                // An approximate source finds only some documents. If there is no budget, the others follow in any
                // order, and nothing is left out.
                Positions known = found.positions;
                std::ranges::sort(known);
                std::ranges::set_difference(all(), known, std::back_inserter(found.positions));
                left_out_ = infinity;
            }
        }
        const std::size_t n_seeds = std::min(n_seeds_, found.positions.size());
        begin_rung(goal_.source->name(), n_documents_ - n_seeds, seconds);
        return found.positions;
    }

    /// Each bound costs a cost matrix. A source of candidates chooses the documents to bound, or at least the seeds.
    void begin_with_costly_bounds() {
        const bool is_limited = goal_.budget || goal_.timeout;
        rest_.positions = is_limited && goal_.source != nullptr ? by_source() : all();
        const std::size_t n_seeds = std::min(n_seeds_, rest_.positions.size());
        if (goal_.timeout) {
            // The deadline may pass before anything has a bound, so that bounds cannot choose.
            seed(std::span(rest_.positions).first(n_seeds));
            done_ = n_seeds;
        } else if (n_seeds > 0) {
            const Positions seeds = seeds_of_source(n_seeds);
            if (!seeds.empty()) {
                solve(rest_, places_of(seeds, rest_.positions));
            } else if (const std::vector<LowerBound*> bounds = useful_bounds(); !bounds.empty()) {
                // Without seeds, the first bound comes from minima. It chooses the seeds and fixes the order; the same
                // bound from the seeds' potentials is only computed when a document's turn comes, as `examine` builds
                // its cost matrix anyway.
                first_ = bounds.front();
                choose_seeds(rest_, *first_, n_seeds);
            }
        }
    }

    /// Documents of the source that are good seeds, if it gives any.
    [[nodiscard]] Positions seeds_of_source(std::size_t count) const {
        if (goal_.source == nullptr || !goal_.source_gives_seeds) {
            return {};
        }
        // Within a budget, the documents are in the source's order already.
        return goal_.budget ? Positions(rest_.positions.begin(), rest_.positions.begin() + offset(count))
                            : goal_.source->nearest(count).positions;
    }

    /// The first bound costs nanoseconds per word, so every document gets one.
    void begin_with_cheap_bounds() {
        rest_.positions = all();
        if (n_seeds_ > 0 && !steps_.bounds().empty() && steps_.bounds().front()->uses_potentials()) {
            solve(rest_, spread_over(rest_.positions.size()));
        }
        limit_ = std::min(goal_.budget.value_or(rest_.positions.size()), rest_.positions.size());
        if (const std::vector<LowerBound*> useful = useful_bounds(); !useful.empty()) {
            first_ = useful.front();
            limit_ -= choose_seeds(rest_, *first_, std::min(n_seeds_, limit_));
        }
    }

    void finish_with_cheap_bounds() {
        if (first_ != nullptr) {
            if (limit_ < rest_.positions.size()) {
                // The first bound preselects; the better bounds then choose among these.
                keep(rest_, lowest(rest_.bounds, bounds_per_candidate * limit_));
            }
            climb_from(*first_, rest_);
        }
        if (limit_ < rest_.positions.size()) {
            rest_.bounds.resize(rest_.positions.size(), -infinity);
            keep(rest_, lowest(rest_.bounds, limit_));
        }
        examine(std::move(rest_));
    }

    /// The deadline may pass before all documents have bounds, so the first are solved before the next are bounded.
    void finish_in_steps() {
        const std::span<const std::int64_t> all(rest_.positions);
        const std::size_t step = documents_per_step * thread_count(goal_.n_threads, documents_per_step);
        const std::vector<LowerBound*> bounds = useful_bounds();
        const std::size_t rung = rungs_.size();
        for (const LowerBound* bound : bounds) {
            begin_rung(bound->name(), 0, 0.0);
        }
        while (done_ < all.size() && !steps_.timed_out()) {
            const std::span<const std::int64_t> chunk = all.subspan(done_, std::min(step, all.size() - done_));
            Bounded candidates{{chunk.begin(), chunk.end()}};
            climb(bounds, candidates, rung);
            examine(std::move(candidates));
            done_ += chunk.size();
        }
        if (done_ < all.size()) {
            // Documents after `done_` have no bound of their own, only that of the source: they are not among its
            // first.
            const double bound = goal_.source == nullptr ? -infinity : goal_.source->nearest(done_).bound;
            left_out_ = std::min(left_out_, bound);
        }
    }

    void seed(std::span<const std::int64_t> positions) {
        if (!positions.empty()) {
            seed_seconds_ += steps_.seed(positions, goal_.n_threads, interrupt_);
            has_new_potentials_ = true;
        }
    }
    /// Solve the documents at some places as seeds, and remove them.
    void solve(Bounded& documents, std::span<const std::size_t> places) {
        seed(pick(documents.positions, places));
        const std::vector<std::uint8_t> is_seed = marked_at(documents, places);
        documents = {unmarked(documents.positions, is_seed), unmarked(documents.bounds, is_seed)};
    }

    /// Compute `first` for all documents, solve the `count` that are nearest by it, and drop what these rule out.
    /// Documents near the query resemble the answer, so their potentials give better bounds than those of documents
    /// spread over the collection. Returns how many there were.
    std::size_t choose_seeds(Bounded& documents, LowerBound& first, std::size_t count) {
        const double seconds = raise(documents, first);
        const std::vector<std::size_t> near = lowest(documents.bounds, count);
        begin_rung(first.name(), documents.positions.size() - near.size(), seconds);
        if (!near.empty()) {
            solve(documents, near);
        }
        keep_within_cutoff(documents);
        return near.size();
    }

    /// Bounds that are of use with the latest potentials, cheapest first: all, or those after one of them.
    [[nodiscard]] std::vector<LowerBound*> useful_bounds(const LowerBound* last = nullptr) {
        const LowerBounds all = steps_.bounds();
        auto next = all.begin();
        if (last != nullptr) {
            next = std::ranges::find(all, last, &std::unique_ptr<LowerBound>::get) + 1;
        }
        std::vector<LowerBound*> useful;
        for (; next != all.end(); ++next) {
            if ((*next)->is_useful()) {
                useful.push_back(next->get());
            }
        }
        return useful;
    }

    /// Climb the bounds after `first`. If there is none, `first` itself can be better by now.
    void climb_from(LowerBound& first, Bounded& documents) {
        std::vector<LowerBound*> better = useful_bounds(&first);
        const bool again = better.empty() && first.uses_potentials() && has_new_potentials_;
        if (again) {
            better = {&first};
        }
        const std::size_t rung = rungs_.size();
        climb(better, documents, rung);
        if (again) {
            rungs_[rung].name = "the same by near seeds";
        }
    }

    /// Compute some bounds, each for the documents that those before it did not rule out. What they see and cost is
    /// added to the rungs from `rung` on, which are begun unless there are any.
    void climb(std::span<LowerBound* const> bounds, Bounded& documents, std::size_t rung) {
        for (LowerBound* const bound : bounds) {
            if (bound != bounds.front()) {
                keep_within_cutoff(documents);
            }
            if (rung == rungs_.size()) {
                begin_rung(bound->name(), 0, 0.0);
            }
            rungs_[rung].seen += static_cast<std::int64_t>(documents.positions.size());
            rungs_[rung++].seconds += raise(documents, *bound);
        }
    }

    /// Raise the bounds of documents to those that `bound` gives. Returns the cost.
    double raise(Bounded& documents, LowerBound& bound) {
        has_new_potentials_ = false;
        std::vector<double> found(documents.positions.size());
        const double seconds =
            steps_.lower_bounds(bound, documents.positions, found, goal_.n_threads, interrupt_, steps_.cutoff());
        if (documents.bounds.empty()) {
            documents.bounds = std::move(found);
        } else {
            std::ranges::transform(documents.bounds, found, documents.bounds.begin(),
                                   [](double x, double y) { return std::max(x, y); });
        }
        return seconds;
    }

    void examine(Bounded candidates) {
        candidates.bounds.resize(candidates.positions.size(), -infinity);  // if no bound was of use
        // Most candidates are beyond the cutoff already: sorting them would take longer than solving the others.
        keep_within_cutoff(candidates);
        std::vector<std::size_t> order(candidates.positions.size());
        std::iota(order.begin(), order.end(), 0);
        std::ranges::stable_sort(order, {}, [&](std::size_t place) { return candidates.bounds[place]; });
        const Examined examined = steps_.examine(pick(candidates.positions, order), pick(candidates.bounds, order),
                                                 goal_.n_threads, interrupt_);
        (rungs_.empty() ? solve_seconds_ : rungs_.back().seconds) += examined.bound_seconds;
        solve_seconds_ += examined.solve_seconds;
    }

    void keep_within_cutoff(Bounded& candidates) {
        const double cutoff = steps_.cutoff();
        std::size_t kept = 0;
        for (std::size_t place = 0; place < candidates.positions.size(); ++place) {
            if (candidates.bounds[place] > cutoff) {
                left_out_ = std::min(left_out_, candidates.bounds[place]);
                continue;
            }
            candidates.positions[kept] = candidates.positions[place];
            candidates.bounds[kept++] = candidates.bounds[place];
        }
        candidates.positions.resize(kept);
        candidates.bounds.resize(kept);
    }

    /// Keep the documents at some places, and remember the least bound of the others.
    void keep(Bounded& candidates, std::span<const std::size_t> places) {
        for (const double bound : unmarked(candidates.bounds, marked_at(candidates, places))) {
            left_out_ = std::min(left_out_, bound);
        }
        candidates = {pick(candidates.positions, places), pick(candidates.bounds, places)};
    }

    void begin_rung(std::string name, std::size_t seen, double seconds) {
        rungs_.push_back({std::move(name), static_cast<std::int64_t>(seen), 0, seconds});
    }

    const SearchGoal goal_;
    const bool has_cheap_bounds_;
    Interrupt whole_{goal_.stop};  ///< without the deadline, for what must be complete to be of any use
    Interrupt interrupt_;
    std::size_t n_documents_;
    std::size_t k_;
    std::size_t n_seeds_;
    TopKSearch steps_;
    bool begun_ = false;
    Bounded rest_;                 ///< the documents that are left after the seeds
    LowerBound* first_ = nullptr;  ///< the bound that chose the seeds
    std::size_t limit_ = 0;        ///< with cheap bounds, how many of the rest to examine
    std::size_t done_ = 0;         ///< in steps, how many of the rest were examined
    double cutoff_ = infinity;
    bool has_new_potentials_ = false;  ///< since the last bound was computed
    std::vector<Rung> rungs_;
    double seed_seconds_ = 0.0;
    double solve_seconds_ = 0.0;
    /// Lower bound on the distance of documents that were left out before the search's own steps saw them.
    double left_out_ = infinity;
};

namespace {

/// A lower bound on all distances.
[[nodiscard]] double least_distance(const Searchable& corpus) {
    // An entropic value is that of a dual solution, and may be anywhere below the cost of its plan.
    const bool may_be_negative = corpus.measure().problem == Problem::entropic || corpus.has_negative_costs();
    return may_be_negative ? -infinity : 0.0;
}

void require_positions(std::span<const std::int64_t> positions, std::size_t size) {
    require(std::ranges::adjacent_find(positions, std::greater_equal{}) == positions.end(), "positions must rise");
    require(positions.empty() || (positions.front() >= 0 && static_cast<std::size_t>(positions.back()) < size),
            "a position lies outside the corpus");
}

}  // namespace

SplitSearch::SplitSearch(const Searchable& corpus, const PreparedSequence& query, const SearchGoal& goal)
    : least_distance_(least_distance(corpus)) {
    require(goal.slack >= 0.0 && !std::isnan(goal.radius), "slack must be at least 0, and radius a number");
    require(goal.slack == 0.0 || !corpus.has_negative_costs(), "slack is for costs that cannot be negative");
    require(!goal.timeout || goal.timeout->count() >= 0.0, "timeout must be at least 0 seconds");
    require(!goal.budget || *goal.budget > 0, "a budget must be at least 1 document");
    require(!goal.budget || goal.source != nullptr || corpus.has_cheap_bounds(),
            "a budget needs a source of candidates, as bounds of this corpus are not cheap");
    if (goal.positions) {
        require_positions(*goal.positions, corpus.size());
    }
    if (const auto n_documents = static_cast<std::int64_t>(n_searched(corpus, goal)); n_documents == 0 || goal.k == 0) {
        nothing_ = {
            .certificate = certify({}, n_documents == 0 ? infinity : least_distance_, n_documents, 0, goal.radius),
            .n_documents = n_documents};
        return;
    }
    ladder_ = std::make_unique<Ladder>(corpus, query, goal);
}

SplitSearch::~SplitSearch() = default;

std::size_t SplitSearch::n_potentials() const { return ladder_ ? ladder_->n_potentials() : 0; }

Seeds SplitSearch::begin() {
    if (is_finished_ || (ladder_ && ladder_->has_begun())) {
        throw std::logic_error("this search has begun already");
    }
    if (!ladder_) {
        return {};
    }
    ladder_->begin();
    return ladder_->seeds();
}

SearchResult SplitSearch::finish(double cutoff, std::span<const double> potentials) {
    require(!std::isnan(cutoff), "a cutoff must be a number");
    if (std::exchange(is_finished_, true)) {
        throw std::logic_error("this search is finished");
    }
    if (!ladder_) {
        return std::move(nothing_);
    }
    const std::unique_ptr<Ladder> ladder = std::move(ladder_);
    ladder->lower_radius(cutoff);
    if (!ladder->has_begun() && !potentials.empty()) {
        ladder->without_seeds();
        ladder->reuse(potentials);
        ladder->begin();
    } else {
        if (!ladder->has_begun()) {
            ladder->begin();
        }
        if (!potentials.empty()) {
            ladder->reuse(potentials);
        }
    }
    ladder->finish();
    return ladder->result(least_distance_);
}

SearchResult search(const Searchable& corpus, const PreparedSequence& query, const SearchGoal& goal) {
    return SplitSearch(corpus, query, goal).finish(infinity, {});
}

Certificate certify(std::span<const double> distances, double bound, std::int64_t unsolved, std::size_t k,
                    double radius) {
    const bool has_radius = !std::isinf(radius);
    const double last = distances.empty() ? -infinity : distances.back();
    // With fewer than k hits, any unsolved document would belong to the answer.
    const double limit = has_radius ? radius : distances.size() == k ? last : infinity;
    Certificate certificate{.bound = bound, .unsolved = unsolved};
    certificate.exact = unsolved == 0 || bound > limit;
    // A document that was solved and is within the radius belongs to the answer, whatever the others are.
    certificate.certain =
        certificate.exact || has_radius
            ? distances.size()
            : static_cast<std::size_t>(std::ranges::lower_bound(distances, bound) - distances.begin());
    if (!certificate.exact) {
        certificate.error = bound > 0.0 && !has_radius ? std::max(last / bound - 1.0, 0.0) : infinity;
    }
    return certificate;
}

}  // namespace moverank
