/// Derivatives of distances with respect to tokens and weights.
///
/// By the envelope theorem the derivative of an optimum with respect to the costs is the plan, and with respect to the
/// marginals the potentials, whatever made them; the chain rule carries both through the ground cost, the normalisation
/// of weights and, where mass goes by norm, the norms. Where the optimum is not unique the result is a subgradient: an
/// exact value's derivatives jump where the plan does, an entropic one's do not.
///
/// Everything here is float64, tokens included: made for learning, and for being compared with finite differences.
/// Feydy et al., "Interpolating between Optimal Transport and MMD using Sinkhorn Divergences", AISTATS 2019, section 3.
#pragma once

#include <span>
#include <vector>

#include "moverank/exact.hpp"
#include "moverank/interrupt.hpp"
#include "moverank/measure.hpp"
#include "moverank/sinkhorn.hpp"
#include "moverank/views.hpp"

namespace moverank {

/// One side of a pair.
struct DifferentiableSequence {
    MatrixView<const double> tokens;
    std::span<const double> weights;  ///< empty when the measure's weighting is to make the mass
};

/// Where the derivatives with respect to one side go.
struct SequenceGradient {
    MatrixView<double> tokens;
    std::span<double> weights;  ///< empty where there are none
};

/// Owns what one thread needs; grows to the largest pair seen.
class GradientEvaluator {
  public:
    /// Throws std::invalid_argument for measures without derivatives: an epsilon relative to the costs, whose own
    /// derivative is left out, and a relaxed problem that takes the larger of two sides.
    explicit GradientEvaluator(const Measure& measure, Interrupt* interrupt = nullptr);

    /// The distance, and its derivatives. The sequences are as `prepare` accepts them. Throws std::invalid_argument if
    /// their dimensions differ, or a gradient has not the shape of what it is of.
    double evaluate(const DifferentiableSequence& query, const DifferentiableSequence& document,
                    const SequenceGradient& query_gradient, const SequenceGradient& document_gradient);

  private:
    /// One side with its mass.
    struct Side {
        std::vector<double> mass, norms, mass_gradient;
        double total = 0.0;  ///< of the weights
    };

    void load(const DifferentiableSequence& sequence, Side& side) const;
    void fill_costs(const DifferentiableSequence& query, const DifferentiableSequence& document);
    double solve();
    /// Add `share` times the derivatives of the transport value between two loaded sides.
    double add(double share, const DifferentiableSequence& query, const DifferentiableSequence& document,
               const SequenceGradient& query_gradient, const SequenceGradient& document_gradient);
    void add_from_costs(double share, const DifferentiableSequence& query, const DifferentiableSequence& document,
                        const SequenceGradient& query_gradient, const SequenceGradient& document_gradient) const;
    void add_from_mass(double share, const DifferentiableSequence& sequence, const Side& side,
                       const SequenceGradient& gradient) const;

    Measure measure_;
    Interrupt* interrupt_;
    ExactSolver exact_;
    SinkhornSolver sinkhorn_;
    Side query_, document_;
    std::vector<double> cost_, plan_;
};

/// values[p] = distance of queries[p] to documents[p], with the derivatives of each pair.
void gradients(std::span<const DifferentiableSequence> queries, std::span<const DifferentiableSequence> documents,
               const Measure& measure, std::span<double> values, std::span<const SequenceGradient> query_gradients,
               std::span<const SequenceGradient> document_gradients, int n_threads, Interrupt& interrupt);

}  // namespace moverank
