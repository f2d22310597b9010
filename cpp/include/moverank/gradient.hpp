/// Derivatives of distances with respect to tokens and weights.
///
/// By the envelope theorem, the derivative of an optimum with respect to the costs is the plan, and with respect to the
/// marginals it is the potentials. The chain rule carries both through the ground cost, the normalisation of weights
/// and, if mass is by norm, the norms. If the optimum is not unique, the result is one subgradient: derivatives of
/// exact values jump where the plan does, those of entropic values do not.
///
/// Everything here is float64, tokens included, so that derivatives can be compared with finite differences.
/// Feydy et al., "Interpolating between Optimal Transport and MMD using Sinkhorn Divergences", AISTATS 2019, section 3.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "moverank/interrupt.hpp"
#include "moverank/measure.hpp"
#include "moverank/views.hpp"

namespace moverank {

class PlanSolver;

/// One side of a pair: n tokens of dimension d.
struct DifferentiableSequence {
    MatrixView<const double> tokens;
    std::span<const double> weights;  ///< one per token; empty if the measure's weighting makes the mass
};

/// Where the derivatives with respect to one side are written.
struct SequenceGradient {
    MatrixView<double> tokens;  ///< n x d
    std::span<double> weights;  ///< one per token; empty if the sequence has no weights
};

/// Computes distances and their derivatives. Owns the storage of one thread, which grows to the largest pair seen. Not
/// thread-safe: one object per thread.
class GradientEvaluator {
  public:
    /// `interrupt` may be null, and must outlive the object. Throws std::invalid_argument for measures without
    /// derivatives: given costs, an epsilon relative to the costs, and a relaxed problem that takes the larger of two
    /// sides.
    explicit GradientEvaluator(const Measure& measure, Interrupt* interrupt = nullptr);
    ~GradientEvaluator();
    GradientEvaluator(GradientEvaluator&&) noexcept;
    GradientEvaluator& operator=(GradientEvaluator&&) noexcept;

    /// Returns the distance and writes its derivatives. The sequences must be such as `prepare` accepts, which is not
    /// checked here. Throws std::invalid_argument if their dimensions differ, or a gradient does not have the shape of
    /// its sequence, and whatever the interrupt throws.
    double evaluate(const DifferentiableSequence& query, const DifferentiableSequence& document,
                    const SequenceGradient& query_gradient, const SequenceGradient& document_gradient);

  private:
    /// One side with its mass.
    struct Side {
        std::vector<double> mass, norms;
        double total = 0.0;  ///< of the weights
    };

    void load(const DifferentiableSequence& sequence, Side& side) const;
    void fill_costs(const DifferentiableSequence& query, const DifferentiableSequence& document);
    /// Add `share` times the derivatives of the transport value between two loaded sides.
    double add(double share, const DifferentiableSequence& query, const DifferentiableSequence& document,
               const SequenceGradient& query_gradient, const SequenceGradient& document_gradient);
    void add_from_costs(double share, const DifferentiableSequence& query, const DifferentiableSequence& document,
                        const SequenceGradient& query_gradient, const SequenceGradient& document_gradient) const;
    void add_from_mass(double share, const DifferentiableSequence& sequence, const Side& side,
                       std::span<const double> worth, const SequenceGradient& gradient) const;

    Measure measure_;
    Interrupt* interrupt_;
    std::unique_ptr<PlanSolver> solver_;
    Side query_, document_;
    std::vector<double> cost_;
    std::vector<double> columns_;  ///< the document's tokens, component after component
};

/// values[p] = distance between queries[p] and documents[p], with the derivatives of each pair. Results do not depend
/// on n_threads (0: all cores). Throws std::invalid_argument if the spans differ in size, and as GradientEvaluator
/// does.
void gradients(std::span<const DifferentiableSequence> queries, std::span<const DifferentiableSequence> documents,
               const Measure& measure, std::span<double> values, std::span<const SequenceGradient> query_gradients,
               std::span<const SequenceGradient> document_gradients, int n_threads, Interrupt& interrupt);

}  // namespace moverank
