#include "search.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <sstream>

#include "problems.hpp"
#include "transport.hpp"

using namespace moverank;

namespace soak {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// What brute force answers: the k nearest within the radius, and all as far away as the k-th.
[[nodiscard]] std::vector<Hit> brute_force(const Wanted& goal, std::span<const double> values) {
    std::vector<Hit> all;
    for (std::size_t s = 0; s < values.size(); ++s) {
        if (values[s] <= goal.radius) {
            all.push_back({values[s], static_cast<std::int64_t>(s)});
        }
    }
    std::ranges::stable_sort(all, {}, &Hit::distance);
    if (goal.k == 0) {
        return {};
    }
    if (all.size() > goal.k) {
        const double last = all[goal.k - 1].distance;
        std::erase_if(all, [last](const Hit& hit) { return hit.distance > last; });
    }
    return all;
}

}  // namespace

std::string SearchPlan::description() const {
    std::ostringstream text;
    text.precision(17);
    text << "k " << goal.k << ", radius " << goal.radius << ", slack " << goal.slack << ", " << seeds.size()
         << (seeds_first ? " seeds first, " : " seeds later, ") << chunk << " candidates a call, " << n_threads
         << " threads";
    if (time) {
        text << ", " << time->count() << " microseconds";
    }
    return text.str();
}

int draw_threads(Random& random) { return random.chance(0.75) ? 1 : static_cast<int>(random.between(2, 4)); }

Measure draw_measure(Random& random) {
    Measure measure;
    measure.ground =
        random.one_of({GroundCost::cosine, GroundCost::euclidean, GroundCost::sqeuclidean, GroundCost::dot});
    measure.weighting = random.one_of({Weighting::uniform, Weighting::norm, Weighting::given});
    measure.capacity = draw_capacity(random);
    measure.fraction = draw_fraction(random);
    const double kind = random.unit();
    measure.problem = kind < 0.7 ? Problem::exact : kind < 0.82 ? Problem::relaxed : Problem::entropic;
    if (measure.problem == Problem::entropic) {
        measure.sinkhorn = draw_sinkhorn(random, 1.0, 20'000);
        if (measure.balanced()) {
            measure.sinkhorn.debiased = random.chance(0.3);
            // Costs below 0 would make mass without end where marginals are cheap.
            if (measure.ground != GroundCost::dot && random.chance(0.3)) {
                measure.sinkhorn.marginal_penalty = random.one_of({1.0, 10.0, 1e3});
            }
        }
    }
    return measure;
}

std::string described(const Measure& measure) {
    constexpr const char* grounds[] = {"cosine", "euclidean", "sqeuclidean", "dot"};
    constexpr const char* weightings[] = {"uniform", "norm", "given"};
    constexpr const char* problems[] = {"exact", "relaxed", "entropic"};
    std::ostringstream text;
    text.precision(17);
    text << problems[static_cast<std::size_t>(measure.problem)] << ", "
         << grounds[static_cast<std::size_t>(measure.ground)] << " costs, weights "
         << weightings[static_cast<std::size_t>(measure.weighting)] << ", capacity " << measure.capacity
         << ", fraction " << measure.fraction;
    if (measure.problem == Problem::entropic) {
        const Sinkhorn& sinkhorn = measure.sinkhorn;
        text << ", epsilon " << sinkhorn.epsilon << (sinkhorn.relative ? " medians" : "") << ", tolerance "
             << sinkhorn.tolerance << ", at most " << sinkhorn.max_iterations << " sweeps, marginals at "
             << sinkhorn.marginal_penalty << (sinkhorn.debiased ? ", debiased" : "");
    }
    return text.str();
}

SearchPlan draw_search(Random& random, std::span<const double> values) {
    SearchPlan plan;
    plan.goal.k = random.chance(0.03) ? 0 : random.between(1, values.size() + 2);
    if (random.chance(0.3)) {
        const double value = values[random.below(values.size())];
        plan.goal.radius = random.chance(0.5) || std::isinf(value) ? value : value + 0.1 * std::abs(value);
    } else if (random.chance(0.2) && std::ranges::min(values) >= 0.0) {
        plan.goal.slack = random.one_of({0.01, 0.5});
    }
    std::vector<std::int64_t> positions(values.size());
    std::iota(positions.begin(), positions.end(), 0);
    random.shuffle(positions);
    const std::size_t n_seeds = random.below(std::min<std::size_t>(values.size(), 6) + 1);
    plan.seeds.assign(positions.begin(), positions.begin() + static_cast<std::ptrdiff_t>(n_seeds));
    plan.others.assign(positions.begin() + static_cast<std::ptrdiff_t>(n_seeds), positions.end());
    plan.seeds_first = random.chance(0.7);
    plan.chunk = random.chance(0.5) ? values.size() + 1 : random.between(1, 9);
    plan.n_threads = draw_threads(random);
    if (random.chance(0.2)) {
        plan.time = std::chrono::microseconds(random.one_of({0, 10, 50, 200, 1000, 1'000'000}));
    }
    return plan;
}

void follow(const SearchPlan& plan, TopKSearch& search) {
    std::optional<Interrupt::Clock::time_point> deadline;
    if (plan.time) {
        deadline = Interrupt::Clock::now() + *plan.time;
    }
    Interrupt interrupt({}, deadline);
    std::vector<double> bounds(plan.others.size());
    if (plan.seeds_first) {
        search.seed(plan.seeds, plan.n_threads, interrupt);
    }
    search.lower_bounds(plan.others, bounds, plan.n_threads, interrupt);
    if (!plan.seeds_first) {
        search.seed(plan.seeds, plan.n_threads, interrupt);
    }
    if (plan.goal.k % 2 == 1) {
        std::vector<double> found(plan.others.size());
        for (const std::unique_ptr<LowerBound>& bound : search.bounds()) {
            search.lower_bounds(*bound, plan.others, found, plan.n_threads, interrupt);
            std::ranges::transform(bounds, found, bounds.begin(), [](double x, double y) { return std::max(x, y); });
        }
    }
    std::vector<std::size_t> rising(plan.others.size());
    std::iota(rising.begin(), rising.end(), std::size_t{0});
    std::ranges::stable_sort(rising, {}, [&](std::size_t c) { return bounds[c]; });
    std::vector<std::int64_t> candidates;
    for (const std::size_t c : rising) {
        candidates.push_back(plan.others[c]);
    }
    std::ranges::sort(bounds);
    for (std::size_t sent = 0; sent < candidates.size(); sent += plan.chunk) {
        const std::size_t count = std::min(plan.chunk, candidates.size() - sent);
        search.examine(std::span(candidates).subspan(sent, count), std::span(bounds).subspan(sent, count),
                       plan.n_threads, interrupt);
    }
}

void check_answer(const SearchPlan& plan, const TopKSearch& search, std::span<const double> values, Report& report) {
    std::vector<Hit> hits = search.hits();
    if (report.plants(Flaw::search) && !hits.empty()) {
        hits.pop_back();
    }
    std::vector<double> outside(values.begin(), values.end());
    for (const Hit& hit : hits) {
        const auto s = static_cast<std::size_t>(hit.position);
        report.require(hit.distance == values[s] && outside[s] < infinity, Claim::search, plan.description(),
                       ": document ", s, " is at ", values[s], ", not at ", hit.distance, ", or comes twice");
        outside[s] = infinity;
    }
    const std::vector<Hit> truth = brute_force(plan.goal, values);
    if (!search.timed_out() && plan.goal.slack == 0.0) {
        report.require(same_hits(hits, truth), Claim::search, plan.description(), ": ", hits.size(), " hits up to ",
                       hits.empty() ? 0.0 : hits.back().distance, ", by brute force ", truth.size(), " up to ",
                       truth.empty() ? 0.0 : truth.back().distance);
    }
    if (!search.timed_out() && plan.goal.slack > 0.0 && plan.goal.k > 0) {
        const std::size_t last = std::min(plan.goal.k, values.size()) - 1;
        report.require(hits.size() > last && hits[last].distance <= (1.0 + plan.goal.slack) * truth[last].distance,
                       Claim::search, plan.description(), ": the last hit is farther than slack allows");
    }
    if (plan.goal.k == 0) {
        return;  // nothing was examined
    }
    // Nearer than the floor is only what was solved: it is a hit, or not nearer than k hits, or beyond the radius.
    const double nearest = std::ranges::min(outside);
    const double floor = search.floor() + (report.plants(Flaw::floor) ? 0.1 + std::abs(search.floor()) : 0.0);
    const bool full = hits.size() >= plan.goal.k;
    report.require(floor <= nearest || (full && hits.back().distance <= nearest) || nearest > plan.goal.radius,
                   Claim::floor, plan.description(), ": the floor is ", floor, ", but a document is at ", nearest);
}

bool same_hits(std::span<const Hit> x, std::span<const Hit> y) {
    return std::ranges::equal(
        x, y, [](const Hit& a, const Hit& b) { return a.distance == b.distance && a.position == b.position; });
}

}  // namespace soak
