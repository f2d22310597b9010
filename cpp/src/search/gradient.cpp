#include "moverank/gradient.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "../preconditions.hpp"
#include "../transport/dual_bound.hpp"
#include "moverank/parallel.hpp"
#include "moverank/weighting_traits.hpp"

namespace moverank {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

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

/// to += factor x
void add_scaled(double factor, const double* x, std::size_t dim, double* to) {
    for (std::size_t k = 0; k < dim; ++k) {
        to[k] += factor * x[k];
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

GradientEvaluator::GradientEvaluator(const Measure& measure, Interrupt* interrupt)
    : measure_(measure), interrupt_(interrupt) {
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

/// Solve for the value, the plan (the derivative with respect to costs) and the derivatives with respect to both
/// masses. Let V(a, b) = max <a, f> + kappa <b, g>: at the optimum dV/da = f and dV/db = kappa g.
double GradientEvaluator::solve() {
    const std::size_t n = query_.mass.size();
    const std::size_t m = document_.mass.size();
    const TransportProblem<double> problem{
        {cost_.data(), n, m}, query_.mass, document_.mass, measure_.capacity, measure_.fraction};
    plan_.assign(n * m, 0.0);
    const auto take_potentials = [](Side& side, std::span<const double> potentials, double capacity) {
        side.mass_gradient.resize(potentials.size());
        std::ranges::transform(potentials, side.mass_gradient.begin(),
                               [capacity](double f) { return f == 0.0 ? 0.0 : capacity * f; });
    };
    if (measure_.problem != Problem::entropic) {
        const double value = exact_.solve(problem, infinity, interrupt_).value;
        for (const Flow& flow : exact_.flows()) {
            plan_[flow.source * m + flow.target] = flow.mass;
        }
        take_potentials(query_, exact_.f(), 1.0);
        // At unlimited capacity the masses of the document do not matter as long as they are positive.
        take_potentials(document_, exact_.g(), measure_.unlimited() ? 0.0 : measure_.capacity);
        return value;
    }
    const SinkhornSummary summary = sinkhorn_.solve(problem, measure_.sinkhorn, interrupt_);
    sinkhorn_.plan({plan_.data(), n, m});
    take_potentials(query_, sinkhorn_.f(), 1.0);
    take_potentials(document_, sinkhorn_.g(), measure_.unlimited() ? 1.0 : measure_.capacity);
    const double penalty = measure_.sinkhorn.marginal_penalty;
    const auto finish = [&](Side& side, std::size_t t, double marginal) {
        double& gradient = side.mass_gradient[t];
        if (penalty < infinity) {
            gradient = unbalanced_worth(gradient, penalty);
        }
        // Entropy is relative to a b^T, so d/da_i also contains -epsilon (marginal_i / a_i - 1): 0 once marginals are
        // met.
        if (side.mass[t] > 0.0) {
            gradient -= summary.epsilon * (marginal / side.mass[t] - 1.0);
        }
    };
    for (std::size_t i = 0; i < n; ++i) {
        finish(query_, i, std::accumulate(&plan_[i * m], &plan_[i * m] + m, 0.0));
    }
    for (std::size_t j = 0; j < m; ++j) {
        double marginal = 0.0;
        for (std::size_t i = 0; i < n; ++i) {
            marginal += plan_[i * m + j];
        }
        finish(document_, j, marginal);
    }
    return summary.value;
}

/// Chain rule through the ground cost: sum_ij P_ij dC_ij / dx_i, and the same for y_j. All four derivatives are
/// combinations of x and y, so each cost only supplies their factors.
void GradientEvaluator::add_from_costs(double share, const DifferentiableSequence& query,
                                       const DifferentiableSequence& document, const SequenceGradient& query_gradient,
                                       const SequenceGradient& document_gradient) const {
    const std::size_t dim = query.tokens.cols();
    const std::size_t m = document.tokens.rows();
    for (std::size_t i = 0; i < query.tokens.rows(); ++i) {
        check(interrupt_);
        for (std::size_t j = 0; j < m; ++j) {
            const double moved = share * plan_[i * m + j];
            if (moved == 0.0) {
                continue;
            }
            const double* x = query.tokens.row(i);
            const double* y = document.tokens.row(j);
            double* dx = query_gradient.tokens.row(i);
            double* dy = document_gradient.tokens.row(j);
            const double cost = cost_[i * m + j];
            double of_own_x = 0.0;  // factor of x in dx; then of y in dy, and of the other token in both
            double of_own_y = 0.0;
            double of_other = 0.0;
            switch (measure_.ground) {
                case GroundCost::cosine:
                    // d/dx (1 - <x, y> / |x||y|) = -y / |x||y| + cos(x, y) x / |x|^2
                    of_other = -moved / (query_.norms[i] * document_.norms[j]);
                    of_own_x = moved * (1.0 - cost) / (query_.norms[i] * query_.norms[i]);
                    of_own_y = moved * (1.0 - cost) / (document_.norms[j] * document_.norms[j]);
                    break;
                // (x - y) / |x - y|; between equal tokens, 0 is one of the subgradients.
                case GroundCost::euclidean: of_own_x = cost > 0.0 ? moved / cost : 0.0; break;
                case GroundCost::sqeuclidean: of_own_x = 2.0 * moved; break;
                case GroundCost::dot: of_other = -moved; break;
                case GroundCost::given: break;
            }
            if (measure_.ground == GroundCost::euclidean || measure_.ground == GroundCost::sqeuclidean) {
                of_own_y = of_own_x;
                of_other = -of_own_x;
            }
            add_scaled(of_own_x, x, dim, dx);
            add_scaled(of_other, y, dim, dx);
            add_scaled(of_own_y, y, dim, dy);
            add_scaled(of_other, x, dim, dy);
        }
    }
}

void GradientEvaluator::add_from_mass(double share, const DifferentiableSequence& sequence, const Side& side,
                                      const SequenceGradient& gradient) const {
    const double mean = inner_product(side.mass.data(), side.mass_gradient.data(), side.mass.size());
    const WeightingTraits& weighting = traits(measure_.weighting);
    for (std::size_t t = 0; t < side.mass.size(); ++t) {
        // a_t = w_t / sum w, so d/dw_t = (df_t - <a, df>) / sum w: a larger weight lowers all other shares.
        const double of_weight = share * (side.mass_gradient[t] - mean) / side.total;
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
    const double value = solve();
    add_from_costs(share, query, document, query_gradient, document_gradient);
    add_from_mass(share, query, query_, query_gradient);
    add_from_mass(share, document, document_, document_gradient);
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
