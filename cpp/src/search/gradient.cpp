#include "moverank/gradient.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include "../preconditions.hpp"
#include "moverank/parallel.hpp"
#include "moverank/weighting_traits.hpp"
#include "plan_solver.hpp"

namespace moverank {

namespace {

[[nodiscard]] double inner_product(const double* x, const double* y, std::size_t dim) {
    return std::inner_product(x, x + dim, y, 0.0);
}

/// sums[j] = sum over k of term(x[k], y_j[k]), with component k of y_j at columns[k * m + j]. Sums of neighbouring j
/// are independent, so compilers add them in one register; each has the order of k, whatever the register. Four
/// components per pass, so that sums are loaded and stored a quarter as often.
template <typename Term>
void sum_over_components(const double* x, const double* columns, std::size_t dim, std::size_t m, double* sums,
                         Term term) {
    std::fill_n(sums, m, 0.0);
    std::size_t k = 0;
    for (; k + 4 <= dim; k += 4) {
        const double* y = columns + k * m;
        for (std::size_t j = 0; j < m; ++j) {
            sums[j] = (((sums[j] + term(x[k], y[j])) + term(x[k + 1], y[m + j])) + term(x[k + 2], y[2 * m + j])) +
                      term(x[k + 3], y[3 * m + j]);
        }
    }
    for (; k < dim; ++k) {
        const double* y = columns + k * m;
        for (std::size_t j = 0; j < m; ++j) {
            sums[j] += term(x[k], y[j]);
        }
    }
}

void require_well_formed(const DifferentiableSequence& sequence, const SequenceGradient& gradient) {
    const MatrixView<const double>& tokens = sequence.tokens;
    require(tokens.rows() > 0, "expected at least one token");
    require(sequence.weights.empty() || sequence.weights.size() == tokens.rows(), "expected one weight per token");
    require(gradient.tokens.rows() == tokens.rows() && gradient.tokens.cols() == tokens.cols(),
            "the gradient of tokens must have the shape of the tokens");
    require(gradient.weights.size() == sequence.weights.size(),
            "the gradient of weights must have one entry per weight");
}

}  // namespace

void require_derivatives(const Measure& measure) {
    if (measure.ground == GroundCost::given) {
        throw std::invalid_argument("given costs have no derivatives, as there are no vectors");
    }
    if (measure.problem == Problem::entropic && measure.sinkhorn.relative) {
        throw std::invalid_argument("derivatives need an epsilon in units of the cost: relative=False");
    }
    if (measure.problem == Problem::relaxed && !measure.unlimited()) {
        throw std::invalid_argument("the relaxed problem has no derivatives; use capacity inf for its query side");
    }
}

GradientEvaluator::GradientEvaluator(const Measure& measure, Interrupt* interrupt)
    : measure_(measure), interrupt_(interrupt), solver_(std::make_unique<PlanSolver>(measure, interrupt)) {
    require_derivatives(measure);
}
GradientEvaluator::~GradientEvaluator() = default;
GradientEvaluator::GradientEvaluator(GradientEvaluator&&) noexcept = default;
GradientEvaluator& GradientEvaluator::operator=(GradientEvaluator&&) noexcept = default;

void GradientEvaluator::load(const DifferentiableSequence& sequence, Side& side) const {
    const std::size_t n = sequence.tokens.rows();
    side.norms.resize(n);
    for (std::size_t t = 0; t < n; ++t) {
        const double* token = sequence.tokens.row(t);
        side.norms[t] = std::sqrt(inner_product(token, token, sequence.tokens.cols()));
    }
    if (!sequence.weights.empty()) {
        side.mass.assign(sequence.weights.begin(), sequence.weights.end());
    } else {
        side.mass.resize(n);
        std::ranges::transform(side.norms, side.mass.begin(), traits(measure_.weighting).mass);
    }
    side.total = std::accumulate(side.mass.begin(), side.mass.end(), 0.0);
    for (double& mass : side.mass) {
        mass /= side.total;
    }
}

void GradientEvaluator::fill_costs(const DifferentiableSequence& query, const DifferentiableSequence& document) {
    const std::size_t dim = query.tokens.cols();
    const std::size_t m = document.tokens.rows();
    cost_.resize(query.tokens.rows() * m);
    columns_.resize(dim * m);
    for (std::size_t j = 0; j < m; ++j) {
        for (std::size_t k = 0; k < dim; ++k) {
            columns_[k * m + j] = document.tokens.row(j)[k];
        }
    }
    const bool of_products = measure_.ground == GroundCost::cosine || measure_.ground == GroundCost::dot;
    for (std::size_t i = 0; i < query.tokens.rows(); ++i) {
        check(interrupt_);
        const double* x = query.tokens.row(i);
        double* row = &cost_[i * m];
        if (of_products) {
            sum_over_components(x, columns_.data(), dim, m, row, [](double a, double b) { return a * b; });
        } else {
            sum_over_components(x, columns_.data(), dim, m, row, [](double a, double b) { return (a - b) * (a - b); });
        }
        for (std::size_t j = 0; j < m; ++j) {
            switch (measure_.ground) {
                case GroundCost::cosine:
                    // A zero vector is here only where it has no mass: as far as any that is orthogonal.
                    row[j] = query_.norms[i] == 0.0 || document_.norms[j] == 0.0
                                 ? 1.0
                                 : 1.0 - row[j] / (query_.norms[i] * document_.norms[j]);
                    break;
                case GroundCost::euclidean: row[j] = std::sqrt(row[j]); break;
                case GroundCost::dot: row[j] = -row[j]; break;
                case GroundCost::sqeuclidean:
                case GroundCost::given: break;  // the latter is refused before
            }
        }
    }
}

/// Chain rule through the ground cost: sum_ij P_ij dC_ij / dx_i, and the same for y_j.
void GradientEvaluator::add_from_costs(double share, const DifferentiableSequence& query,
                                       const DifferentiableSequence& document, const SequenceGradient& query_gradient,
                                       const SequenceGradient& document_gradient) const {
    const std::size_t dim = query.tokens.cols();
    for (const Flow& flow : solver_->flows()) {
        check(interrupt_);
        const double* x = query.tokens.row(flow.source);
        const double* y = document.tokens.row(flow.target);
        const double cost = cost_[flow.source * document.tokens.rows() + flow.target];
        const CostSlope slope = slope_of(measure_.ground, share * flow.mass, cost, 1.0 / query_.norms[flow.source],
                                         1.0 / document_.norms[flow.target]);
        add_scaled(slope.own_x, x, dim, query_gradient.tokens.row(flow.source));
        add_scaled(slope.other, y, dim, query_gradient.tokens.row(flow.source));
        add_scaled(slope.own_y, y, dim, document_gradient.tokens.row(flow.target));
        add_scaled(slope.other, x, dim, document_gradient.tokens.row(flow.target));
    }
}

void GradientEvaluator::add_from_mass(double share, const DifferentiableSequence& sequence, const Side& side,
                                      std::span<const double> worth, const SequenceGradient& gradient) const {
    const double mean = inner_product(side.mass.data(), worth.data(), side.mass.size());
    const WeightingTraits& weighting = traits(measure_.weighting);
    for (std::size_t t = 0; t < side.mass.size(); ++t) {
        // a_t = w_t / sum w, so d/dw_t = (df_t - <a, df>) / sum w: a larger weight lowers all other shares.
        const double of_weight = share * (worth[t] - mean) / side.total;
        if (!sequence.weights.empty()) {
            gradient.weights[t] += of_weight;
        } else if (weighting.needs_vectors && side.norms[t] > 0.0) {
            add_scaled(of_weight * weighting.slope(side.norms[t]) / side.norms[t], sequence.tokens.row(t),
                       sequence.tokens.cols(), gradient.tokens.row(t));
        }
    }
}

double GradientEvaluator::add(double share, const DifferentiableSequence& query, const DifferentiableSequence& document,
                              const SequenceGradient& query_gradient, const SequenceGradient& document_gradient) {
    load(query, query_);
    load(document, document_);
    fill_costs(query, document);
    const TransportProblem<double> problem{{cost_.data(), query_.mass.size(), document_.mass.size()},
                                           query_.mass,
                                           document_.mass,
                                           measure_.capacity,
                                           measure_.fraction};
    const double value = solver_->solve(query_.mass, document_.mass, problem);
    add_from_costs(share, query, document, query_gradient, document_gradient);
    add_from_mass(share, query, query_, solver_->query_worth(), query_gradient);
    add_from_mass(share, document, document_, solver_->document_worth(), document_gradient);
    return share * value;
}

double GradientEvaluator::evaluate(const DifferentiableSequence& query, const DifferentiableSequence& document,
                                   const SequenceGradient& query_gradient, const SequenceGradient& document_gradient) {
    require_well_formed(query, query_gradient);
    require_well_formed(document, document_gradient);
    require(query.tokens.cols() == document.tokens.cols(), "query and document must have the same dimension");
    for (const SequenceGradient& gradient : {query_gradient, document_gradient}) {
        for (std::size_t t = 0; t < gradient.tokens.rows(); ++t) {
            std::fill_n(gradient.tokens.row(t), gradient.tokens.cols(), 0.0);
        }
        std::ranges::fill(gradient.weights, 0.0);
    }
    // Both roles of a self-term are the same sequence, so its derivatives are added twice into one gradient.
    double value = add(1.0, query, document, query_gradient, document_gradient);
    if (measure_.problem == Problem::entropic && measure_.sinkhorn.debiased) {
        value += add(-0.5, query, query, query_gradient, query_gradient);
        value += add(-0.5, document, document, document_gradient, document_gradient);
        value = std::max(value, 0.0);  // as `PairEvaluator` has it
    }
    return value;
}

void gradients(std::span<const DifferentiableSequence> queries, std::span<const DifferentiableSequence> documents,
               const Measure& measure, std::span<double> values, std::span<const SequenceGradient> query_gradients,
               std::span<const SequenceGradient> document_gradients, int n_threads, Interrupt& interrupt) {
    for (const std::size_t size :
         {documents.size(), values.size(), query_gradients.size(), document_gradients.size()}) {
        require(size == queries.size(), "expected one document, value and gradient of each side per query");
    }
    const unsigned n_workers = thread_count(n_threads, queries.size());
    std::vector<GradientEvaluator> evaluators;
    evaluators.reserve(n_workers);
    for (unsigned w = 0; w < n_workers; ++w) {
        evaluators.emplace_back(measure, &interrupt);
    }
    parallel_for(queries.size(), n_workers, 1, interrupt, [&](unsigned w, std::size_t begin, std::size_t end) {
        for (std::size_t p = begin; p < end; ++p) {
            values[p] = evaluators[w].evaluate(queries[p], documents[p], query_gradients[p], document_gradients[p]);
        }
    });
}

}  // namespace moverank
