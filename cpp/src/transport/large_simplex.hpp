/// A primal network simplex for problems too large for sets of bits.
///
/// Pivots choose among a shortlist of entries, a few rows per column, until none of them improves the plan. A look at
/// the whole matrix then finds what the lists lack, and so on until it finds nothing, on freshly computed potentials
/// (Gottschlich, Schuhmacher, The Shortlist Method for Fast Computation of the Earth Mover's Distance, PLOS ONE 2014).
/// The tree is contracted to the rows, so there should be no more of them than columns. Its start comes from row
/// minima, or from the potentials of a problem over a sample of the rows and columns, whichever costs less. All
/// arithmetic is float64, and the same on every processor. Memory O(n + m) beside the costs, and up to an eighth of
/// them for the samples (a third where there are few rows).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "../kernels/kernels.hpp"
#include "contracted_tree.hpp"
#include "greedy_start.hpp"
#include "large_problem.hpp"
#include "moverank/aligned.hpp"
#include "moverank/interrupt.hpp"
#include "perturbed_masses.hpp"

namespace moverank {

/// What ended the pivots.
enum class Stop { optimal, cutoff, limit };

template <class Cost>
class LargeSimplex {
  public:
    struct Limits {
        double tolerance;     ///< reduced costs above minus this count as non-negative
        std::int64_t pivots;  ///< at most
        double value;         ///< plans that cost more than this, flows as given, are put to `beyond_cutoff`
        /// Whether a feasible dual solution proves that the optimum is not wanted.
        std::function<bool(std::span<const double> f, std::span<const double> g)> beyond_cutoff;
        Interrupt* interrupt;  ///< may be null
    };

    Stop solve(const LargeProblem<Cost>& problem, const Limits& limits);

    [[nodiscard]] ContractedTree& tree() { return tree_; }
    /// The feasible dual solution that proves what solve() returned; after Stop::limit, the last one that was made.
    [[nodiscard]] std::span<const double> f() const { return {f_.data(), problem_.n_rows}; }
    [[nodiscard]] std::span<const double> g() const { return {g_.data(), problem_.n_columns}; }
    [[nodiscard]] std::int64_t pivots() const { return pivots_; }

  private:
    /// Choose the start. True if it came from a sample.
    bool prepare(const LargeProblem<Cost>& problem, const Limits& limits);
    bool sample(std::size_t row_step, std::size_t column_step);
    void start_from_minima();
    void row_transform();
    void start_from_sample(std::size_t row_step);
    Stop improve(std::size_t enough);

    bool pivot_in(std::size_t first, std::size_t last);
    Stop improve_shortlists();
    std::size_t price_everything();
    void list(std::size_t row, std::size_t column);
    void c_transform();

    const ColumnKernels<Cost>& kernels_ = kernels().columns<Cost>();
    LargeProblem<Cost> problem_;
    Limits limits_{};
    GreedyStart<Cost> starts_[2];  ///< from minima, from a sample
    GreedyStart<Cost>* start_ = nullptr;
    ContractedTree tree_;
    std::vector<std::uint32_t> next_place_;  ///< by column: which entry of its list makes room next
    AlignedVector<double> f_, g_;
    std::int64_t pivots_ = 0;
    double value_ = 0.0;  ///< of the current plan, flows as given

    // the sample
    std::unique_ptr<LargeSimplex> coarse_;
    std::vector<std::size_t> coarse_rows_, coarse_columns_;
    std::vector<double> coarse_supply_, coarse_demand_;
    PerturbedMasses coarse_masses_;
    AlignedVector<Cost> coarse_cost_;
};

extern template class LargeSimplex<float>;
extern template class LargeSimplex<double>;

}  // namespace moverank
