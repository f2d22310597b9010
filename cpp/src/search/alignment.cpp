#include "moverank/alignment.hpp"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "../preconditions.hpp"
#include "moverank/distinct.hpp"
#include "moverank/ground_cost.hpp"
#include "moverank/sinkhorn.hpp"

namespace moverank {

namespace {

SolveSummary solve_into(ExactSolver& solver, const TransportProblem<float>& problem, std::span<double> f,
                        std::span<double> g, Interrupt* interrupt) {
    const SolveSummary summary = solver.solve(problem, std::numeric_limits<double>::infinity(), interrupt);
    std::ranges::copy(solver.f(), f.begin());
    std::ranges::copy(solver.g(), g.begin());
    return summary;
}

SolveSummary scale_into(const TransportProblem<float>& problem, const Sinkhorn& sinkhorn, MatrixView<double> plan,
                        std::span<double> f, std::span<double> g, Interrupt* interrupt) {
    SinkhornSolver solver;
    const SinkhornSummary summary = solver.solve(problem, sinkhorn, interrupt);
    const SinkhornBounds bounds = solver.bounds();
    solver.plan(plan);
    std::ranges::copy(solver.f(), f.begin());
    std::ranges::copy(solver.g(), g.begin());
    return {.value = bounds.plan_cost, .lower = bounds.lower, .pivots = summary.iterations};
}

SolveSummary align_tokens(const PreparedSequence& query, const PreparedSequence& document, const Measure& measure,
                          MatrixView<float> cost, MatrixView<double> plan, std::span<double> f, std::span<double> g,
                          Interrupt* interrupt) {
    GroundCosts costs(measure.ground, interrupt);
    costs.set_query(query);
    costs.compute(document);
    for (std::size_t i = 0; i < cost.rows(); ++i) {
        std::copy_n(costs.matrix().matrix.row(i), cost.cols(), cost.row(i));
    }
    for (std::size_t i = 0; i < plan.rows(); ++i) {
        std::fill_n(plan.row(i), plan.cols(), 0.0);
    }
    if (measure.problem == Problem::entropic) {
        return scale_into({cost, query.mass, document.mass, measure.capacity, measure.fraction}, measure.sinkhorn, plan,
                          f, g, interrupt);
    }
    // The query side of the relaxed problem is the exact problem without the document's constraint, which is what
    // unlimited capacity means. The solver's closed form then sends each token to its nearest.
    ExactSolver solver;
    const bool relaxed = measure.problem == Problem::relaxed;
    const double capacity = relaxed ? unlimited_capacity : measure.capacity;
    const SolveSummary summary =
        solve_into(solver, {cost, query.mass, document.mass, capacity, measure.fraction}, f, g, interrupt);

    // At capacity 1 the document side is a bound too, and the larger of both is the value. It is the same problem with
    // the roles exchanged: transposed costs, document as source, and its flows written back the other way round.
    if (relaxed && measure.capacity == 1.0) {
        std::vector<float> transposed(cost.rows() * cost.cols());
        const MatrixView<float> from_document(transposed.data(), cost.cols(), cost.rows());
        for (std::size_t i = 0; i < cost.rows(); ++i) {
            for (std::size_t j = 0; j < cost.cols(); ++j) {
                from_document(j, i) = cost(i, j);
            }
        }
        ExactSolver reverse;
        std::vector<double> reverse_f(f.size());
        std::vector<double> reverse_g(g.size());
        const SolveSummary other =
            solve_into(reverse, {from_document, document.mass, query.mass, unlimited_capacity, measure.fraction},
                       reverse_g, reverse_f, interrupt);
        if (other.value > summary.value) {
            std::ranges::copy(reverse_f, f.begin());
            std::ranges::copy(reverse_g, g.begin());
            for (const Flow& flow : reverse.flows()) {
                plan(flow.target, flow.source) = flow.mass;
            }
            return other;
        }
    }
    for (const Flow& flow : solver.flows()) {
        plan(flow.source, flow.target) = flow.mass;
    }
    return summary;
}

/// Maps each token of a sequence to its place among the distinct ones, and knows its share of the mass there.
class Places {
  public:
    explicit Places(const PreparedSequence& sequence) : size_(sequence.size()), tokens_(distinct_.of(sequence)) {
        for (std::size_t t = 0; t < size_; ++t) {
            const double whole = tokens_.mass[of(t)];
            shares_.push_back(whole > 0.0 ? sequence.mass[t] / whole : 0.0);
        }
    }
    [[nodiscard]] bool repeat() const { return !distinct_.places().empty(); }
    [[nodiscard]] const PreparedSequence& tokens() const { return tokens_; }
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] std::size_t of(std::size_t t) const { return repeat() ? distinct_.places()[t] : t; }
    [[nodiscard]] double share(std::size_t t) const { return shares_[t]; }

  private:
    DistinctTokens distinct_;
    std::size_t size_;
    PreparedSequence tokens_;
    std::vector<double> shares_;
};

/// Solves over distinct tokens, as distances do, then splits the plan among equal tokens in proportion to their masses.
/// Any split of equal tokens costs the same; this one gives every token exactly its mass.
SolveSummary align_distinct(const Places& query, const Places& document, const Measure& measure, MatrixView<float> cost,
                            MatrixView<double> plan, std::span<double> f, std::span<double> g, Interrupt* interrupt) {
    const std::size_t n = query.tokens().size();
    const std::size_t m = document.tokens().size();
    std::vector<float> own_cost(n * m);
    std::vector<double> own_plan(n * m);
    std::vector<double> own_f(n);
    std::vector<double> own_g(m);
    const SolveSummary summary = align_tokens(query.tokens(), document.tokens(), measure, {own_cost.data(), n, m},
                                              {own_plan.data(), n, m}, own_f, own_g, interrupt);
    for (std::size_t i = 0; i < query.size(); ++i) {
        check(interrupt);
        f[i] = own_f[query.of(i)];
        for (std::size_t j = 0; j < document.size(); ++j) {
            const std::size_t place = query.of(i) * m + document.of(j);
            cost(i, j) = own_cost[place];
            plan(i, j) = own_plan[place] * query.share(i) * document.share(j);
        }
    }
    for (std::size_t j = 0; j < document.size(); ++j) {
        g[j] = own_g[document.of(j)];
    }
    return summary;
}

}  // namespace

SolveSummary align(const PreparedSequence& query, const PreparedSequence& document, const Measure& measure,
                   MatrixView<float> cost, MatrixView<double> plan, std::span<double> f, std::span<double> g,
                   Interrupt* interrupt) {
    for (const auto& [rows, cols] : {std::pair{cost.rows(), cost.cols()}, std::pair{plan.rows(), plan.cols()}}) {
        require(rows == query.size() && cols == document.size(),
                "cost and plan must have one row per query token and one column per document token");
    }
    require(f.size() == query.size() && g.size() == document.size(), "expected one potential per token");
    // The entropy of a plan depends on how mass is split, so entropic problems keep their repetitions.
    if (measure.problem != Problem::entropic) {
        const Places of_query(query);
        const Places of_document(document);
        if (of_query.repeat() || of_document.repeat()) {
            return align_distinct(of_query, of_document, measure, cost, plan, f, g, interrupt);
        }
    }
    return align_tokens(query, document, measure, cost, plan, f, g, interrupt);
}

}  // namespace moverank
