/// Ground costs that are given: any numbers, in place of what vectors would cost.
#pragma once

#include <cstddef>
#include <variant>

#include "moverank/views.hpp"

namespace moverank {

/// A row for each word of documents, with its cost from each word of queries. Memory is the caller's. Costs may have
/// any finite size, or be +inf, where no mass may move; they may be negative, down to -cost_limit<float>, whatever
/// their type, as bounds are computed in float32.
class CostTable {
  public:
    CostTable() = default;
    explicit CostTable(MatrixView<const float> costs) : costs_(costs) {}
    explicit CostTable(MatrixView<const double> costs) : costs_(costs) {}

    /// Words of documents.
    [[nodiscard]] std::size_t rows() const {
        return std::visit([](const auto& costs) { return costs.rows(); }, costs_);
    }
    /// Words of queries.
    [[nodiscard]] std::size_t cols() const {
        return std::visit([](const auto& costs) { return costs.cols(); }, costs_);
    }
    /// Whether distances are to be solved in float64.
    [[nodiscard]] bool in_double() const { return std::holds_alternative<MatrixView<const double>>(costs_); }
    /// The same table without its rows.
    [[nodiscard]] CostTable without_rows() const {
        return std::visit(
            [](auto costs) { return CostTable(decltype(costs)(costs.data(), 0, costs.cols(), costs.stride())); },
            costs_);
    }
    /// Call `read` with the matrix in its own type.
    template <class Read>
    decltype(auto) visit(Read read) const {
        return std::visit(read, costs_);
    }

  private:
    std::variant<MatrixView<const float>, MatrixView<const double>> costs_;
};

}  // namespace moverank
