/// The first basis of a large problem: the matrix-minimum rule on reduced costs, over a shortlist of entries.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "../kernels/kernels.hpp"
#include "contracted_tree.hpp"
#include "large_problem.hpp"
#include "moverank/aligned.hpp"
#include "moverank/interrupt.hpp"

namespace moverank {

/// Entries worth considering: a few rows per column, with their costs. Column j has those from begin[j] to begin[j +
/// 1].
template <class Cost>
struct Shortlists {
    std::vector<std::size_t> begin;
    std::vector<std::uint32_t> rows;
    std::vector<Cost> costs;
};

template <class Cost>
class GreedyStart {
  public:
    /// From potentials of the rows: list the rows of smallest C_ij - f_i of each column, and fill the entries cheapest
    /// by C_ij - f_i - g_j first, to a few bits; then what is left open. Each step closes one row or column.
    void make(const LargeProblem<Cost>& problem, std::span<const double> f, Interrupt* interrupt);

    [[nodiscard]] std::span<const StartEdge> edges() const { return edges_; }
    /// The sum of costs times flows.
    [[nodiscard]] double value() const { return value_; }
    /// The rows' potentials, and g_j = min_i (C_ij - f_i): a feasible dual solution.
    [[nodiscard]] std::span<const double> f() const { return f_; }
    [[nodiscard]] std::span<const double> g() const { return {g_.data(), open_demand_.size()}; }
    [[nodiscard]] Shortlists<Cost>& lists() { return lists_; }

  private:
    void lay_out(const LargeProblem<Cost>& problem);
    void list(const LargeProblem<Cost>& problem, Interrupt* interrupt);
    void list_column(const LargeProblem<Cost>& problem, std::size_t j);
    void sort();
    void fill(std::size_t row, std::size_t column, Cost cost);
    void fill_open_targets(const LargeProblem<Cost>& problem, Interrupt* interrupt);

    const ColumnKernels<Cost>& kernels_ = kernels().columns<Cost>();
    std::vector<double> f_;
    AlignedVector<double> g_, least_;
    std::vector<std::uint32_t> listed_;
    Shortlists<Cost> lists_;
    std::vector<std::uint16_t> keys_;
    std::vector<std::uint32_t> counts_;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> order_;  ///< column, and place in the lists
    std::vector<std::int64_t> open_supply_, open_demand_;
    std::vector<std::uint32_t> open_columns_;
    std::vector<std::pair<double, std::uint32_t>> heap_;
    std::vector<StartEdge> edges_;
    double value_ = 0.0;
};

extern template class GreedyStart<float>;
extern template class GreedyStart<double>;

}  // namespace moverank
