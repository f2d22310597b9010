#include "moverank/pair_plans.hpp"

#include <algorithm>
#include <numeric>
#include <optional>

#include "../preconditions.hpp"
#include "moverank/ground_cost.hpp"
#include "moverank/parallel.hpp"
#include "plan_solver.hpp"

namespace moverank {

namespace {

constexpr std::size_t pairs_per_chunk = 8;

[[nodiscard]] const float* row(const PreparedSequence& sequence, std::size_t t) {
    return static_cast<const float*>(sequence.tokens.data()) + t * sequence.tokens.cols();
}

[[nodiscard]] double inverse_norm(const PreparedSequence& sequence, std::size_t t) {
    return sequence.inverse_norms.empty() ? 0.0 : sequence.inverse_norms[t];
}

/// A larger share of one token lowers all others in proportion.
[[nodiscard]] std::vector<double> less_mean(std::span<const double> worth, std::span<const double> mass) {
    const double mean = std::inner_product(worth.begin(), worth.end(), mass.begin(), 0.0);
    std::vector<double> less(worth.begin(), worth.end());
    for (double& value : less) {
        value -= mean;
    }
    return less;
}

}  // namespace

/// What one thread needs to solve pairs: it packs a query once for all pairs in a row that have it.
class PairPlans::Worker {
  public:
    Worker(const Measure& measure, Interrupt* interrupt)
        : measure_(measure), costs_(measure.ground, interrupt), solver_(measure, interrupt) {}

    [[nodiscard]] static std::vector<Worker> several(unsigned count, const Measure& measure, Interrupt& interrupt) {
        std::vector<Worker> workers;
        workers.reserve(count);
        for (unsigned w = 0; w < count; ++w) {
            workers.emplace_back(measure, &interrupt);
        }
        return workers;
    }

    double solve(const PreparedSequence& query, const PreparedSequence& document, Plan& plan) {
        if (packed_ != query.tokens.data()) {
            costs_.set_query(query);
            packed_ = query.tokens.data();
        }
        costs_.compute(document);
        const PaddedCosts costs = costs_.matrix();
        const double value = solver_.solve(query.mass, document.mass, costs, query.mass, document.mass,
                                           measure_.capacity, measure_.fraction);
        plan.entries.reserve(solver_.flows().size());
        for (const Flow& flow : solver_.flows()) {
            plan.entries.push_back({static_cast<std::uint32_t>(flow.source), static_cast<std::uint32_t>(flow.target),
                                    static_cast<float>(flow.mass), costs.matrix(flow.source, flow.target)});
        }
        plan.query_worth = less_mean(solver_.query_worth(), query.mass);
        plan.document_worth = less_mean(solver_.document_worth(), document.mass);
        return value;
    }

  private:
    Measure measure_;
    GroundCosts costs_;
    PlanSolver solver_;
    const void* packed_ = nullptr;
};

PairPlans::Side PairPlans::side_of(const PreparedSequences& sequences, std::span<const std::int64_t> of) {
    Side side{&sequences, {}, std::vector<std::size_t>(of.size()), std::vector<std::size_t>(sequences.size() + 1),
              {},         {}};
    side.of.reserve(of.size());
    for (const std::int64_t s : of) {
        require(s >= 0 && static_cast<std::size_t>(s) < sequences.size(),
                "a pair names a sequence that does not exist");
        side.of.push_back(static_cast<std::size_t>(s));
        ++side.first[side.of.back() + 1];
    }
    std::partial_sum(side.first.begin(), side.first.end(), side.first.begin());
    std::vector<std::size_t> next(side.first.begin(), side.first.end() - 1);
    for (std::size_t p = 0; p < of.size(); ++p) {
        side.pairs[next[side.of[p]]++] = p;
    }
    for (std::size_t s = 0; s < sequences.size(); ++s) {
        require(sequences[s].tokens.type() == TokenType::float32, "expected float32 tokens");
    }
    return side;
}

PairPlans::PairPlans(const PreparedSequences& queries, const PreparedSequences& documents,
                     std::span<const std::int64_t> query_of, std::span<const std::int64_t> document_of, int n_threads,
                     Interrupt& interrupt)
    : measure_(queries.measure()),
      queries_(side_of(queries, query_of)),
      documents_(side_of(documents, document_of)),
      plans_(query_of.size()),
      values_(query_of.size()) {
    require(query_of.size() == document_of.size(), "expected one document per query");
    require(documents.measure() == measure_, "both sides must be prepared for the same measure");
    require(queries.dim() == documents.dim(), "both sides must have the same dimension");
    require_derivatives(measure_);
    const unsigned n_workers = thread_count(n_threads, plans_.size());
    std::vector<Worker> workers = Worker::several(n_workers, measure_, interrupt);
    parallel_for(plans_.size(), n_workers, pairs_per_chunk, interrupt,
                 [&](unsigned w, std::size_t begin, std::size_t end) {
                     for (std::size_t p = begin; p < end; ++p) {
                         values_[p] = workers[w].solve(queries[queries_.of[p]], documents[documents_.of[p]], plans_[p]);
                     }
                 });
    if (measure_.problem == Problem::entropic && measure_.sinkhorn.debiased) {
        solve_to_itself(queries_, n_threads, interrupt);
        solve_to_itself(documents_, n_threads, interrupt);
        for (std::size_t p = 0; p < values_.size(); ++p) {
            values_[p] -=
                (queries_.value_to_itself[queries_.of[p]] + documents_.value_to_itself[documents_.of[p]]) / 2.0;
            values_[p] = std::max(values_[p], 0.0);  // as `PairEvaluator` has it
        }
    }
}

/// What each sequence that is in a pair costs to move to itself.
void PairPlans::solve_to_itself(Side& side, int n_threads, Interrupt& interrupt) {
    const PreparedSequences& sequences = *side.sequences;
    side.to_itself.resize(sequences.size());
    side.value_to_itself.resize(sequences.size());
    const unsigned n_workers = thread_count(n_threads, sequences.size());
    std::vector<Worker> workers = Worker::several(n_workers, measure_, interrupt);
    parallel_for(sequences.size(), n_workers, 1, interrupt, [&](unsigned w, std::size_t begin, std::size_t end) {
        for (std::size_t s = begin; s < end; ++s) {
            if (side.first[s] < side.first[s + 1]) {
                side.value_to_itself[s] = workers[w].solve(sequences[s], sequences[s], side.to_itself[s]);
            }
        }
    });
}

void PairPlans::derivatives(std::span<const double> upstream, PlanSide side, MatrixView<float> tokens,
                            std::span<double> mass, int n_threads, Interrupt& interrupt) const {
    const bool by_query = side == PlanSide::query;
    const Side& own = by_query ? queries_ : documents_;
    const Side& other = by_query ? documents_ : queries_;
    const PreparedSequences& sequences = *own.sequences;
    const std::size_t dim = sequences.dim();
    require(upstream.size() == values_.size(), "expected one upstream derivative per pair");
    require(tokens.data() == nullptr || (tokens.rows() == sequences.n_tokens() && tokens.cols() == dim),
            "the derivatives of tokens must have the shape of the tokens");
    require(mass.empty() || mass.size() == sequences.n_tokens(), "expected room for one derivative per token");

    // Each sequence belongs to one thread, which adds its pairs in order: sums do not depend on their number.
    const auto add = [&](std::size_t s, std::vector<double>& own_factors) {
        const PreparedSequence x = sequences[s];
        const std::size_t first = sequences.first_token(s);
        const auto add_plan = [&](const Plan& plan, const PreparedSequence& y, double share, bool as_query) {
            if (!mass.empty()) {
                const std::vector<double>& worth = as_query ? plan.query_worth : plan.document_worth;
                for (std::size_t t = 0; t < worth.size(); ++t) {
                    mass[first + t] += share * worth[t];
                }
            }
            if (tokens.data() == nullptr) {
                return;
            }
            for (const Entry& entry : plan.entries) {
                const std::size_t i = as_query ? entry.query_token : entry.document_token;
                const std::size_t j = as_query ? entry.document_token : entry.query_token;
                const CostSlope slope =
                    slope_of(measure_.ground, share * entry.mass, entry.cost, inverse_norm(x, i), inverse_norm(y, j));
                own_factors[i] += slope.own_x;
                add_scaled(static_cast<float>(slope.other), row(y, j), dim, tokens.row(first + i));
            }
        };
        own_factors.assign(x.size(), 0.0);
        if (tokens.data() != nullptr) {
            std::fill_n(tokens.row(first), x.size() * dim, 0.0F);
        }
        if (!mass.empty()) {
            std::fill_n(mass.begin() + static_cast<std::ptrdiff_t>(first), x.size(), 0.0);
        }
        double total = 0.0;
        for (std::size_t place = own.first[s]; place < own.first[s + 1]; ++place) {
            const std::size_t p = own.pairs[place];
            add_plan(plans_[p], (*other.sequences)[other.of[p]], upstream[p], by_query);
            total += upstream[p];
        }
        if (!own.to_itself.empty()) {
            // Both roles are the same sequence, so its derivatives are added twice.
            add_plan(own.to_itself[s], x, -0.5 * total, true);
            add_plan(own.to_itself[s], x, -0.5 * total, false);
        }
        if (tokens.data() != nullptr) {
            for (std::size_t t = 0; t < x.size(); ++t) {
                add_scaled(static_cast<float>(own_factors[t]), row(x, t), dim, tokens.row(first + t));
            }
        }
    };
    const unsigned n_workers = thread_count(n_threads, sequences.size());
    std::vector<std::vector<double>> own_factors(n_workers);
    parallel_for(sequences.size(), n_workers, 1, interrupt, [&](unsigned w, std::size_t begin, std::size_t end) {
        for (std::size_t s = begin; s < end; ++s) {
            add(s, own_factors[w]);
        }
    });
}

}  // namespace moverank
