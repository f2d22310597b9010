/// Given ground costs: any numbers, in place of costs computed from vectors.
#pragma once

#include <cstddef>
#include <variant>

#include "moverank/views.hpp"

namespace moverank {

/// One row per word of documents, holding its cost from each word of queries. A view: the memory is the caller's.
///
/// A cost may be any finite number, or +inf where no mass may move. Negative costs must not be below -cost_limit<float>
/// even in float64, because bounds are computed in float32. The table itself checks nothing; PreparedBags does.
class CostTable {
  public:
    CostTable() = default;
    explicit CostTable(MatrixView<const float> costs) : costs_(costs) {}
    explicit CostTable(MatrixView<const double> costs) : costs_(costs) {}

    /// Number of words of documents.
    [[nodiscard]] std::size_t rows() const {
        return std::visit([](const auto& costs) { return costs.rows(); }, costs_);
    }
    /// Number of words of queries.
    [[nodiscard]] std::size_t cols() const {
        return std::visit([](const auto& costs) { return costs.cols(); }, costs_);
    }
    /// Whether costs are float64, so that distances are solved in float64.
    [[nodiscard]] bool in_double() const { return std::holds_alternative<MatrixView<const double>>(costs_); }
    /// An empty table of the same type and number of columns.
    [[nodiscard]] CostTable without_rows() const {
        return std::visit(
            [](auto costs) { return CostTable(decltype(costs)(costs.data(), 0, costs.cols(), costs.stride())); },
            costs_);
    }
    /// Call `read` with the MatrixView, which is of float or of double.
    template <class Read>
    decltype(auto) visit(Read read) const {
        return std::visit(read, costs_);
    }

  private:
    std::variant<MatrixView<const float>, MatrixView<const double>> costs_;
};

}  // namespace moverank
