/// A sparse transport problem as pivots read it: nodes with mass, and the permitted entries between them by columns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "moverank/sparse.hpp"

namespace moverank {

class SparseNetwork {
  public:
    /// One side of the problem: what has mass, and after it the slack (a source) or the rest (a target) if there is
    /// one.
    struct Side {
        std::vector<std::size_t> places;  ///< rows or columns of the caller's matrix
        std::vector<double> masses;       ///< what each sends or may take, that of the extra node included
        bool has_extra = false;

        [[nodiscard]] std::size_t size() const { return masses.size(); }
        [[nodiscard]] bool is_extra(std::size_t node) const { return node == places.size(); }
    };

    /// Check the problem; throws std::invalid_argument. Then leave out what has no mass, and entries above `ceiling`.
    /// What has fewer nodes becomes the rows. The rest takes nothing from the slack: there is no such entry.
    template <class Cost, class Index>
    void load(const SparseProblem<Cost, Index>& problem, double ceiling);

    [[nodiscard]] const Side& rows() const { return sides_[is_turned_ ? 1 : 0]; }
    [[nodiscard]] const Side& columns() const { return sides_[is_turned_ ? 0 : 1]; }
    [[nodiscard]] const Side& sources() const { return sides_[0]; }
    [[nodiscard]] const Side& targets() const { return sides_[1]; }
    /// Whether rows are targets.
    [[nodiscard]] bool is_turned() const { return is_turned_; }

    /// Column j has the entries begin()[j] to begin()[j + 1].
    [[nodiscard]] const std::vector<std::size_t>& begin() const { return begin_; }
    [[nodiscard]] const std::vector<std::uint32_t>& entry_rows() const { return entry_rows_; }
    [[nodiscard]] const std::vector<double>& entry_costs() const { return entry_costs_; }

    // Of all permitted costs between nodes with mass, those above the ceiling included:

    [[nodiscard]] double largest() const { return largest_; }  ///< in size
    [[nodiscard]] double lowest() const { return lowest_; }    ///< 0 if none is below that

  private:
    template <class Cost, class Index>
    void check_entries(const SparseCosts<Cost, Index>& cost);
    template <class Cost, class Index>
    void load_sides(const SparseProblem<Cost, Index>& problem);
    template <class Cost, class Index>
    void load_entries(const SparseCosts<Cost, Index>& cost, double ceiling);

    Side sides_[2];  ///< sources, targets
    bool is_turned_ = false;
    std::vector<std::size_t> begin_;
    std::vector<std::uint32_t> entry_rows_;
    std::vector<double> entry_costs_;
    double largest_ = 0.0, lowest_ = 0.0;
    std::vector<std::uint32_t> place_[2];  ///< in its side, by row and by column of the caller's matrix
    std::vector<std::size_t> last_row_;    ///< by column: the last row that stores an entry of it
};

}  // namespace moverank
