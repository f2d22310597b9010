#include "greedy_start.hpp"

#include <algorithm>
#include <bit>
#include <functional>
#include <numeric>

namespace moverank {

namespace {

/// Entries per shortlist. Longer lists need fewer passes over the whole matrix, but take longer themselves: the optimum
/// is flat between 8 and 32.
constexpr std::size_t list_length = 12;

/// Columns of at least this many times the average mass have longer lists.
constexpr double heavy = 4.0;

}  // namespace

/// Decide how long each column's list is: a column of many times the average mass takes from as many times the rows.
template <class Cost>
void GreedyStart<Cost>::lay_out(const LargeProblem<Cost>& problem) {
    const double total = std::accumulate(problem.demand, problem.demand + problem.n_columns, 0.0);
    lists_.begin.assign(1, 0);
    for (std::size_t j = 0; j < problem.n_columns; ++j) {
        const double share = static_cast<double>(problem.demand[j]) / total * static_cast<double>(problem.n_columns);
        const std::size_t length = list_length * (share < heavy ? 1 : static_cast<std::size_t>(share));
        lists_.begin.push_back(lists_.begin.back() + std::min(length, problem.n_rows));
    }
    lists_.rows.resize(lists_.begin.back());
    lists_.costs.resize(lists_.begin.back());
}

template <class Cost>
void GreedyStart<Cost>::list(const LargeProblem<Cost>& problem, Interrupt* interrupt) {
    lay_out(problem);
    const std::size_t length = std::min(list_length, problem.n_rows);
    grow(g_, problem.stride);
    grow(least_, std::max(problem.n_rows, length * column_block));
    listed_.resize(std::max(problem.n_rows, length * column_block));
    for (std::size_t first = 0; first < problem.n_columns; first += column_block) {
        const std::size_t width = std::min(column_block, problem.stride - first);
        // If many rows are equal, different columns should list different rows, so each block starts at another one.
        const std::size_t first_row = 7 * first % problem.n_rows;
        kernels_.shortlist({problem.cost + first, problem.stride, problem.n_rows, width, f_.data()}, first_row, length,
                           least_.data(), listed_.data());
        const std::size_t end = std::min(first + width, problem.n_columns);
        for (std::size_t j = first; j < end; ++j) {
            const std::size_t from = (j - first) * length;
            g_[j] = *std::min_element(least_.data() + from, least_.data() + from + length);
            if (lists_.begin[j + 1] - lists_.begin[j] == length) {
                std::copy_n(listed_.data() + from, length, lists_.rows.data() + lists_.begin[j]);
            }
        }
        for (std::size_t j = first; j < end; ++j) {
            if (lists_.begin[j + 1] - lists_.begin[j] != length) {
                list_column(problem, j);
            }
        }
        check(interrupt);
    }
    for (std::size_t j = 0; j < problem.n_columns; ++j) {
        for (std::size_t k = lists_.begin[j]; k < lists_.begin[j + 1]; ++k) {
            lists_.costs[k] = problem.entry(lists_.rows[k], j);
        }
    }
}

/// Fill one of the longer lists, which are few: by selection, without the kernel.
template <class Cost>
void GreedyStart<Cost>::list_column(const LargeProblem<Cost>& problem, std::size_t j) {
    for (std::size_t i = 0; i < problem.n_rows; ++i) {
        least_[i] = static_cast<double>(problem.entry(i, j)) - f_[i];
    }
    const std::span<std::uint32_t> rows(listed_.data(), problem.n_rows);
    std::iota(rows.begin(), rows.end(), 0U);
    const std::size_t length = lists_.begin[j + 1] - lists_.begin[j];
    std::ranges::nth_element(
        rows, rows.begin() + static_cast<std::ptrdiff_t>(length - 1),
        [this](std::uint32_t x, std::uint32_t y) { return least_[x] != least_[y] ? least_[x] < least_[y] : x < y; });
    std::ranges::copy(rows.first(length), lists_.rows.data() + lists_.begin[j]);
}

/// Order listed entries by reduced cost. A counting sort by the leading 16 bits of a float32 is accurate enough for a
/// start. Bits of non-negative floats are ordered as their values are.
template <class Cost>
void GreedyStart<Cost>::sort() {
    const std::size_t n_columns = lists_.begin.size() - 1;
    const auto for_each_entry = [&](auto body) {
        for (std::size_t j = 0; j < n_columns; ++j) {
            for (std::size_t k = lists_.begin[j]; k < lists_.begin[j + 1]; ++k) {
                body(j, k);
            }
        }
    };
    keys_.resize(lists_.rows.size());
    counts_.assign((1U << 16U) + 1, 0);
    for_each_entry([&](std::size_t j, std::size_t k) {
        const double reduced = static_cast<double>(lists_.costs[k]) - f_[lists_.rows[k]] - g_[j];
        const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(std::max(reduced, 0.0)));
        keys_[k] = static_cast<std::uint16_t>(bits >> 16U);
        ++counts_[keys_[k] + 1U];
    });
    std::partial_sum(counts_.begin(), counts_.end(), counts_.begin());
    order_.resize(lists_.rows.size());
    for_each_entry([&](std::size_t j, std::size_t k) {
        order_[counts_[keys_[k]]++] = {static_cast<std::uint32_t>(j), static_cast<std::uint32_t>(k)};
    });
}

template <class Cost>
void GreedyStart<Cost>::fill(std::size_t row, std::size_t column, Cost cost) {
    const std::int64_t supply = open_supply_[row];
    const std::int64_t demand = open_demand_[column];
    // In the last step both close: its row is the root.
    const bool row_closes = supply < demand;
    const std::int64_t flow = row_closes ? supply : demand;
    open_supply_[row] -= flow;
    open_demand_[column] -= flow;
    edges_.push_back({static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(column), row_closes,
                      static_cast<double>(cost), flow});
    value_ += static_cast<double>(cost) * static_cast<double>(flow);
}

/// Use up the supplies that the shortlists left over: row by row, each from its cheapest open column on. Reads each
/// entry at most once.
template <class Cost>
void GreedyStart<Cost>::fill_open_targets(const LargeProblem<Cost>& problem, Interrupt* interrupt) {
    open_columns_.resize(problem.n_columns);
    std::iota(open_columns_.begin(), open_columns_.end(), 0U);
    for (std::size_t i = 0; i < problem.n_rows; ++i) {
        if (open_supply_[i] == 0) {
            continue;
        }
        std::erase_if(open_columns_, [&](std::uint32_t j) { return open_demand_[j] == 0; });
        heap_.clear();
        for (const std::uint32_t j : open_columns_) {
            heap_.emplace_back(static_cast<double>(problem.entry(i, j)) - g_[j], j);
        }
        std::ranges::make_heap(heap_, std::greater{});
        while (open_supply_[i] > 0) {
            std::ranges::pop_heap(heap_, std::greater{});
            const std::size_t j = heap_.back().second;
            heap_.pop_back();
            fill(i, j, problem.entry(i, j));
        }
        check(interrupt);
    }
}

template <class Cost>
void GreedyStart<Cost>::make(const LargeProblem<Cost>& problem, std::span<const double> f, Interrupt* interrupt) {
    // List the best entries of each column under these potentials, fill the listed ones in order, then whatever is
    // open.
    f_.assign(f.begin(), f.end());
    list(problem, interrupt);
    sort();
    check(interrupt);
    edges_.clear();
    value_ = 0.0;
    open_supply_.assign(problem.supply, problem.supply + problem.n_rows);
    open_demand_.assign(problem.demand, problem.demand + problem.n_columns);
    for (const auto& [j, k] : order_) {
        const std::size_t i = lists_.rows[k];
        if (open_supply_[i] > 0 && open_demand_[j] > 0) {
            fill(i, j, lists_.costs[k]);
        }
    }
    fill_open_targets(problem, interrupt);
}

template class GreedyStart<float>;
template class GreedyStart<double>;

}  // namespace moverank
