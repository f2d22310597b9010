#include "documents.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <sstream>
#include <utility>

#include "instances.hpp"
#include "moverank/alignment.hpp"
#include "moverank/batch.hpp"
#include "moverank/codes.hpp"
#include "moverank/ground_cost.hpp"
#include "moverank/joined.hpp"
#include "moverank/pair.hpp"
#include "moverank/pooled.hpp"
#include "moverank/topk.hpp"
#include "proof.hpp"
#include "search.hpp"
#include "tokens.hpp"

using namespace moverank;

namespace soak {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// One seed's collection, what is measured on it, and all that it is checked by.
struct Scene {
    const Documents& documents;
    const Measure& measure;
    const PreparedSequences& corpus;
    std::size_t asked;            ///< the document that is the query
    std::vector<double> values;   ///< distances of all documents
    std::vector<double> errors;   ///< how far each may be from its optimum
    std::vector<double> largest;  ///< cost of each

    [[nodiscard]] PreparedSequence query() const { return corpus[asked]; }
    [[nodiscard]] bool is_exact() const { return measure.problem == Problem::exact; }
};

// ---- distances ------------------------------------------------------------------------------------------------------

/// The true cost of moving from x to y, in float64, whose rounding is nothing against what is allowed.
[[nodiscard]] double true_cost(GroundCost ground, std::span<const float> x, std::span<const float> y) {
    double xx = 0.0;
    double yy = 0.0;
    double xy = 0.0;
    double squared = 0.0;
    for (std::size_t k = 0; k < x.size(); ++k) {
        const auto p = static_cast<double>(x[k]);
        const auto q = static_cast<double>(y[k]);
        xx += p * p;
        yy += q * q;
        xy += p * q;
        squared += (p - q) * (p - q);
    }
    switch (ground) {
        case GroundCost::cosine: return 1.0 - xy / std::sqrt(xx) / std::sqrt(yy);
        case GroundCost::euclidean: return std::sqrt(squared);
        case GroundCost::sqeuclidean: return squared;
        case GroundCost::dot: return -xy;
        case GroundCost::given: break;
    }
    return 0.0;
}

[[nodiscard]] double norm_of(std::span<const float> x) {
    return std::sqrt(std::transform_reduce(x.begin(), x.end(), 0.0, std::plus{}, [](float component) {
        return static_cast<double>(component) * static_cast<double>(component);
    }));
}

void check_costs(const Scene& scene, std::size_t s, const GroundCosts& costs, Report& report) {
    const std::size_t dim = scene.documents.dim;
    const std::span<const float> rows = scene.documents.tokens_of(scene.asked);
    const std::span<const float> columns = scene.documents.tokens_of(s);
    for (std::size_t i = 0; i < rows.size() / dim; ++i) {
        for (std::size_t j = 0; j < columns.size() / dim; ++j) {
            const std::span<const float> x = rows.subspan(i * dim, dim);
            const std::span<const float> y = columns.subspan(j * dim, dim);
            const double truth = true_cost(scene.measure.ground, x, y);
            const double allowed = cost_error_bound(scene.measure.ground, dim, norm_of(x), norm_of(y));
            const double cost = static_cast<double>(costs.matrix().matrix(i, j)) +
                                (report.plants(Flaw::ground_cost) ? 2.0 * allowed : 0.0);
            report.require(std::abs(cost - truth) <= allowed, Claim::ground_cost, "tokens ", i, " and ", j,
                           " of document ", s, " cost ", cost, ", not ", truth, " to ", allowed);
        }
    }
}

/// The distance of document s, by a proof over its cost matrix. Takes down how large costs are.
void check_distance(Scene& scene, std::size_t s, Solvers& solvers, Report& report) {
    const PreparedSequence query = scene.query();
    const PreparedSequence document = scene.corpus[s];
    const Measure& measure = scene.measure;
    GroundCosts costs(measure.ground);
    costs.set_query(query);
    costs.compute(document);
    check_costs(scene, s, costs, report);
    scene.largest[s] = costs.largest();
    scene.errors[s] = stated_error(query.size(), document.size(), costs.largest());
    if (!scene.is_exact()) {
        return;
    }
    const TransportProblem<float> problem{costs.matrix().matrix, query.mass, document.mass, measure.capacity,
                                          measure.fraction};
    const SolveSummary summary =
        solvers.exact.solve(costs.matrix(), query.mass, document.mass, measure.capacity, measure.fraction);
    const Solution solution(solvers.exact, summary);
    const std::string flaw = proof::flaw_of(problem, solution, summary);
    report.require(flaw.empty(), Claim::distance, "document ", s, ": ", flaw);
    const double value = report.plants(Flaw::distance) ? std::nextafter(scene.values[s], infinity) : scene.values[s];
    // Without limits the distance is a sum of minima, in another order.
    report.require(measure.unlimited() ? std::abs(value - summary.value) <= scene.errors[s] + summary.gap()
                                       : value == summary.value,
                   Claim::distance, "document ", s, " is at ", value, ", its matrix proves ", summary.value);
}

void check_alignment(const Scene& scene, std::size_t s, Report& report) {
    const PreparedSequence query = scene.query();
    const PreparedSequence document = scene.corpus[s];
    const std::size_t n = query.size();
    const std::size_t m = document.size();
    std::vector<float> cost(n * m);
    std::vector<double> plan(n * m);
    std::vector<double> f(n);
    std::vector<double> g(m);
    const SolveSummary summary = align(query, document, scene.measure, {cost.data(), n, m}, {plan.data(), n, m}, f, g);
    double value = 0.0;
    for (std::size_t e = 0; e < plan.size(); ++e) {
        value += plan[e] * static_cast<double>(cost[e]);
    }
    const bool is_entropic = scene.measure.problem == Problem::entropic;
    const double mass = std::max(1.0, std::accumulate(plan.begin(), plan.end(), 0.0));
    const double rounding = static_cast<double>(plan.size() + 16) * std::numeric_limits<double>::epsilon();
    report.require(std::abs(value - summary.value) <= rounding * mass * scene.largest[s] + 1e-300, Claim::distance,
                   "document ", s, " is aligned at ", summary.value, ", its plan costs ", value);
    report.require(is_entropic || std::abs(value - scene.values[s]) <= 2.0 * scene.errors[s] + summary.gap(),
                   Claim::distance, "document ", s, " is aligned at ", value, ", its distance is ", scene.values[s]);
}

/// Entry points for many at once, against one at a time.
void check_entry_points(Random& random, const Scene& scene, PairEvaluator& evaluator, Solvers& solvers,
                        Report& report) {
    Interrupt interrupt;
    const std::size_t size = scene.corpus.size();
    const SequencesView view = scene.documents.view();
    std::vector<CertifiedDistance> certified(size);
    certified_distances(scene.query(), view, scene.measure, certified, draw_threads(random), interrupt);
    std::vector<double> all(2 * size);
    std::vector<std::int64_t> offsets;
    const std::size_t first = std::min(scene.asked, size - 2);
    const PreparedSequences rows(scene.documents.run(first, first + 2, offsets), scene.measure);
    pairwise(rows, scene.corpus, {}, {all.data(), 2, size}, draw_threads(random), interrupt);
    for (std::size_t s = 0; s < size; ++s) {
        double alone = evaluator.distance(scene.corpus[s]).distance;
        alone = report.plants(Flaw::batch) ? std::nextafter(alone, infinity) : alone;
        const double paired = all[(scene.asked - first) * size + s];
        report.require(scene.values[s] == alone && paired == alone && certified[s].value == alone, Claim::batch,
                       "document ", s, " is at ", alone, " alone, ", scene.values[s], " among others, ", paired,
                       " in pairs, ", certified[s].value, " with an interval");
        // The dual of expensive tokens whose marginals are cheap is far below 0 at first, down to minus infinity.
        report.require(std::isfinite(alone) || (alone < 0.0 && std::isfinite(scene.measure.sinkhorn.marginal_penalty)),
                       Claim::batch, "document ", s, " is at ", alone);
        report.digest(scene.measure.problem == Problem::entropic ? Digest::scaled : Digest::distances, alone);
        if (!scene.measure.bounded_by_relaxation()) {
            continue;  // another problem's value
        }
        // The interval is about the optimum, whatever was requested.
        const PreparedSequence document = scene.corpus[s];
        GroundCosts costs(scene.measure.ground);
        costs.set_query(scene.query());
        costs.compute(document);
        const SolveSummary exact = solvers.exact.solve(costs.matrix(), scene.query().mass, document.mass,
                                                       scene.measure.capacity, scene.measure.fraction);
        report.require(
            certified[s].lower <= exact.value + scene.errors[s] && certified[s].upper >= exact.lower - scene.errors[s],
            Claim::interval, "document ", s, " lies in ", certified[s].lower, " to ", certified[s].upper,
            ", its optimum in ", exact.lower, " to ", exact.value);
    }
}

void check_symmetry(const Scene& scene, PairEvaluator& evaluator, Report& report) {
    if (scene.measure.capacity != 1.0 || scene.measure.problem == Problem::entropic) {
        return;
    }
    for (std::size_t s = 0; s < scene.corpus.size(); ++s) {
        const CertifiedDistance one = evaluator.certified(scene.corpus[s]);
        evaluator.set_query(scene.corpus[s]);
        CertifiedDistance other = evaluator.certified(scene.query());
        evaluator.set_query(scene.query());
        other.value *= report.plants(Flaw::symmetry) ? 1.0 + 1e-9 : 1.0;
        const double gap = std::max(one.value - one.lower, other.value - other.lower);
        report.require(std::abs(other.value - one.value) <= 2.0 * scene.errors[s] + gap, Claim::symmetry, "document ",
                       s, " is at ", one.value, ", the query is at ", other.value, ", each to ", scene.errors[s],
                       " and ", gap);
    }
}

// ---- bounds ---------------------------------------------------------------------------------------------------------

/// Lifted by a millionth, where a flaw asks for it.
[[nodiscard]] double lifted(const Report& report, Flaw flaw, double bound, double largest) {
    return report.plants(flaw) ? bound + 1e-6 * largest : bound;
}

void check_relaxed(const Scene& scene, Report& report) {
    Measure relaxed = scene.measure;
    relaxed.problem = Problem::relaxed;
    if (!scene.measure.bounded_by_relaxation()) {
        return;
    }
    PairEvaluator evaluator(relaxed);
    evaluator.set_query(scene.query());
    for (std::size_t s = 0; s < scene.corpus.size(); ++s) {
        const double bound =
            lifted(report, Flaw::relaxed, evaluator.distance(scene.corpus[s]).distance, scene.largest[s]);
        report.require(bound <= scene.values[s] + scene.errors[s], Claim::relaxed, "document ", s, " is bounded by ",
                       bound, ", but at ", scene.values[s]);
    }
}

/// Potentials of no matter what: those of another document, or random ones of any size.
[[nodiscard]] std::vector<double> draw_potentials(Random& random, const Scene& scene, PairEvaluator& evaluator) {
    if (random.chance(0.5)) {
        (void)evaluator.distance(scene.corpus[random.below(scene.corpus.size())]);
        const std::span<const double> f = evaluator.potentials();
        return {f.begin(), f.end()};
    }
    const PreparedSequence query = scene.query();
    std::vector<double> f(
        static_cast<std::size_t>(std::ranges::count_if(query.mass, [](double x) { return x > 0.0; })));
    const double unit = random.chance(0.1) ? 1e30 : std::ranges::max(scene.largest);
    const double size = unit * random.across(-30, 30);
    std::ranges::generate(f, [&] { return size * random.bell(); });
    return f;
}

void check_reused_potentials(Random& random, const Scene& scene, PairEvaluator& evaluator, Report& report) {
    const int rounds = evaluator.can_reuse_potentials() ? 3 : 1;
    for (int round = 0; round < rounds; ++round) {
        if (round > 0) {
            evaluator.reuse_potentials(draw_potentials(random, scene, evaluator));
        }
        for (std::size_t s = 0; s < scene.corpus.size(); ++s) {
            const double bound =
                lifted(report, Flaw::reused_bound, evaluator.lower_bound(scene.corpus[s]), scene.largest[s]);
            report.require(bound <= scene.values[s], Claim::reused_bound, "document ", s, " is bounded by ", bound,
                           ", but at ", scene.values[s]);
        }
    }
}

void check_pair_cutoffs(Random& random, const Scene& scene, PairEvaluator& evaluator, Report& report) {
    constexpr double places[] = {-1.0, -1e-3, -1e-9, -1e-12, -1e-13, -1e-14, 0.0, 1e-14, 1e-9, 1e-3};
    for (std::size_t s = 0; s < scene.corpus.size(); ++s) {
        const double value = scene.values[s];
        const double cutoff = value + random.one_of(places) * scene.largest[s];
        PairResult found = evaluator.distance(scene.corpus[s], cutoff);
        if (report.plants(Flaw::pair_cutoff) && cutoff == value) {
            found.outcome = PairOutcome::pruned_by_bound;
        }
        if (found.outcome == PairOutcome::evaluated) {
            report.require(found.distance == value, Claim::pair_cutoff, "document ", s, " is at ", found.distance,
                           " under cutoff ", cutoff, ", without at ", value);
        } else {
            report.require(found.distance > cutoff && found.distance <= value, Claim::pair_cutoff, "document ", s,
                           " is out at cutoff ", cutoff, " by ", found.distance, ", but at ", value);
        }
    }
}

void check_codes(Random& random, const Scene& scene, PairEvaluator& evaluator, Report& report) {
    if (scene.measure.ground == GroundCost::sqeuclidean) {
        return;
    }
    const instances::Coded coded(scene.documents.tokens, scene.documents.dim, random.one_of({127, 20, 3}));
    const PreparedCodes codes(scene.corpus, coded.view());
    const double query_norm = max_norm(scene.query());
    std::vector<std::int8_t> rows;
    for (std::size_t s = 0; s < scene.corpus.size(); ++s) {
        const double slack = report.plants(Flaw::codes) ? 0.0 : codes.slack(s, query_norm);
        const double bound = evaluator.lower_bound(codes.at(s), codes.largest_norm()) - slack;
        report.require(bound <= scene.values[s], Claim::codes, "document ", s, " is bounded by ", bound,
                       " from codes, but at ", scene.values[s]);
        if (scene.measure.problem != Problem::entropic) {
            const double coarse = evaluator.distance(codes.at(s).in_rows(rows)).distance - slack;
            report.require(coarse <= scene.values[s], Claim::codes, "document ", s, " has its codes at ", coarse,
                           " less slack, but is at ", scene.values[s]);
        }
    }
}

void check_pooled(const Scene& scene, Report& report) {
    if (!has_pooled_bound(scene.measure)) {
        return;
    }
    const GroundCost ground = scene.measure.ground;
    const std::size_t dim = scene.documents.dim;
    std::vector<float> of_query(dim);
    std::vector<float> pooled(dim);
    pool(ground, scene.query(), of_query);
    const double cost_error = cost_error_bound(ground, dim, max_norm(scene.query()), scene.corpus.max_norm());
    for (std::size_t s = 0; s < scene.corpus.size(); ++s) {
        pool(ground, scene.corpus[s], pooled);
        const PooledBound bound(ground, dim, std::max(norm_of(of_query), norm_of(pooled)), cost_error);
        const instances::SquaredDistances squared(of_query, pooled);
        for (const float way : {squared.direct, squared.expanded}) {
            const double found =
                bound(way) + (report.plants(Flaw::pooled) ? cost_error + 1e-6 * scene.largest[s] : 0.0);
            report.require(found <= scene.values[s], Claim::pooled, "document ", s, " is bounded by ", found,
                           " from pooled vectors, but at ", scene.values[s]);
        }
    }
}

// ---- searches -------------------------------------------------------------------------------------------------------

void check_searches(Random& random, const Scene& scene, Report& report) {
    const SearchPlan plan = draw_search(random, scene.values);
    std::optional<instances::Coded> coded;
    std::optional<PreparedCodes> codes;
    if (scene.measure.ground != GroundCost::sqeuclidean && random.chance(0.3)) {
        coded.emplace(scene.documents.tokens, scene.documents.dim, random.one_of({127, 10}));
        codes.emplace(scene.corpus, coded->view());
    }
    TopKSearch search(scene.corpus, scene.query(), plan.goal, codes ? &*codes : nullptr);
    follow(plan, search);
    check_answer(plan, search, scene.values, report);
    if (plan.time || plan.goal.slack > 0.0) {
        return;  // what is found depends on who was when where
    }
    const std::size_t cut = random.between(1, scene.corpus.size() - 1);
    std::vector<std::int64_t> offsets[2];
    const PreparedSequences first(scene.documents.run(0, cut, offsets[0]), scene.measure);
    const PreparedSequences second(scene.documents.run(cut, scene.corpus.size(), offsets[1]), scene.measure);
    const JoinedSequences joined({&first, &second});
    TopKSearch over_parts(joined, scene.query(), plan.goal);
    follow(plan, over_parts);
    std::vector<Hit> hits = over_parts.hits();
    if (report.plants(Flaw::parts) && !hits.empty()) {
        --hits.back().position;
    }
    report.require(same_hits(hits, search.hits()), Claim::parts, plan.description(), ": cut at ", cut, ", ",
                   hits.size(), " hits, as a whole ", search.hits().size());
}

}  // namespace

void check_documents(Random& random, Solvers& solvers, Report& report) {
    const Measure measure = draw_measure(random);
    const std::size_t dim = random.one_of<std::size_t>({1, 2, 3, 4, 5, 8, 13, 16, 17, 32, 33, 64, 100});
    const std::size_t longest = random.chance(0.03) ? 120 : random.one_of<std::size_t>({1, 2, 5, 12, 30});
    const std::size_t size = longest > 100 ? 4 : random.between(2, 20);
    const Documents documents(random, size, longest, dim, measure);
    std::ostringstream text;
    text << size << " documents of up to " << longest << " tokens of " << dim << " components, " << documents.sort
         << ", " << name_of(documents.view().tokens.type()) << ", " << described(measure);
    report.describe("tokens, " + documents.sort, text.str());

    const PreparedSequences corpus(documents.view(), measure);
    Scene scene{documents,
                measure,
                corpus,
                random.below(size),
                std::vector<double>(size),
                std::vector<double>(size),
                std::vector<double>(size)};
    Interrupt interrupt;
    distances(scene.query(), documents.view(), measure, scene.values, draw_threads(random), interrupt);
    for (std::size_t s = 0; s < size; ++s) {
        check_distance(scene, s, solvers, report);
    }
    check_alignment(scene, random.below(size), report);
    PairEvaluator evaluator(measure);
    evaluator.set_query(scene.query());
    check_entry_points(random, scene, evaluator, solvers, report);
    check_symmetry(scene, evaluator, report);
    check_relaxed(scene, report);
    check_reused_potentials(random, scene, evaluator, report);
    check_pair_cutoffs(random, scene, evaluator, report);
    check_codes(random, scene, evaluator, report);
    check_pooled(scene, report);
    check_searches(random, scene, report);
}

}  // namespace soak
