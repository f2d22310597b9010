/// A matrix of costs with columns for rows, as solvers read it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <type_traits>
#include <vector>

#include "../kernels/kernels.hpp"
#include "moverank/aligned.hpp"
#include "moverank/interrupt.hpp"

namespace moverank {

template <class Cost>
class TurnedCosts {
  public:
    /// Turn `n_rows` rows of `n_columns` entries, which lie `row_stride` apart, a whole number of registers. Storage
    /// only grows. `interrupt` may be null.
    void turn(const Cost* cost, std::size_t row_stride, std::size_t n_rows, std::size_t n_columns,
              Interrupt* interrupt) {
        stride_ = padded(n_rows);
        grow(costs_, n_columns * stride_);
        from_.resize(n_rows);
        for (std::size_t first = 0; first < n_columns; first += columns_at_once) {
            for (std::size_t i = 0; i < n_rows; ++i) {
                from_[i] = cost + i * row_stride + first;
            }
            write_rows(std::min(columns_at_once, n_columns - first), costs_.data() + first * stride_);
            if (interrupt != nullptr) {
                interrupt->check();
            }
        }
    }

    [[nodiscard]] const Cost* data() const { return costs_.data(); }
    /// Entries per row, infinite after the last.
    [[nodiscard]] std::size_t stride() const { return stride_; }

  private:
    static constexpr std::size_t columns_at_once = 1024;

    void write_rows(std::size_t count, Cost* out) {
        if constexpr (std::is_same_v<Cost, float>) {
            kernels().bags.interleave(from_.data(), from_.size(), count, stride_, out);
        } else {
            // Some rows at a time, so that what is read stays in cache until all of its line has been used.
            constexpr std::size_t rows_at_once = 64;
            for (std::size_t first = 0; first < from_.size(); first += rows_at_once) {
                const std::size_t last = std::min(first + rows_at_once, from_.size());
                for (std::size_t j = 0; j < count; ++j) {
                    for (std::size_t i = first; i < last; ++i) {
                        out[j * stride_ + i] = from_[i][j];
                    }
                }
            }
            for (std::size_t j = 0; j < count; ++j) {
                std::fill(out + j * stride_ + from_.size(), out + (j + 1) * stride_,
                          std::numeric_limits<Cost>::infinity());
            }
        }
    }

    AlignedVector<Cost> costs_;
    std::vector<const Cost*> from_;
    std::size_t stride_ = 0;
};

}  // namespace moverank
