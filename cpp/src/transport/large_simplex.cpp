#include "large_simplex.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "dense_problem.hpp"

namespace moverank {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Number of columns whose shortlists are priced before the best of their entries enters.
constexpr std::size_t pricing_columns = 32;

/// A sample keeps one of every `sample_step` rows or columns, if there are more than `sampled_size` of them.
constexpr std::size_t sample_step = 4;
constexpr std::size_t sampled_size = 400;

/// A sample is solved until a pass over all entries finds that at most one of every `sample_effort` columns can
/// improve.
constexpr std::size_t sample_effort = 32;

constexpr std::int64_t pivots_between_checks = 256;

/// Every step-th index and the last one, which may be an extra.
void choose(std::size_t n, std::size_t step, std::vector<std::size_t>& chosen) {
    chosen.clear();
    for (std::size_t k = 0; k + 1 < n; k += step) {
        chosen.push_back(k);
    }
    chosen.push_back(n - 1);
}

/// Masses of a sample, of total 1: the last keeps its share, the others make up for those left out.
void sample_masses(std::span<const std::int64_t> mass, std::span<const std::size_t> chosen,
                   std::vector<double>& sampled) {
    const double total = std::accumulate(mass.begin(), mass.end(), 0.0);
    sampled.clear();
    for (const std::size_t k : chosen) {
        sampled.push_back(static_cast<double>(mass[k]) / total);
    }
    const double last = sampled.back();
    const double others = std::accumulate(sampled.begin(), sampled.end() - 1, 0.0);
    for (std::size_t k = 0; k + 1 < sampled.size(); ++k) {
        sampled[k] *= (1.0 - last) / others;
    }
}

}  // namespace

// ---- the start -------------------------------------------------------------------------------------------------

template <class Cost>
bool LargeSimplex<Cost>::prepare(const LargeProblem<Cost>& problem, const Limits& limits) {
    problem_ = problem;
    limits_ = limits;
    pivots_ = 0;
    grow(f_, problem.n_rows);
    grow(g_, problem.stride);
    if (problem.n_columns > sampled_size && problem.n_columns >= sample_step * problem.n_rows) {
        sample(1, sample_step);
        start_from_sample(1);
        start_ = &starts_[1];
        return true;
    }
    start_from_minima();
    start_ = &starts_[0];
    if (problem.n_rows > sampled_size && sample(sample_step, sample_step)) {
        start_from_sample(sample_step);
        start_ = starts_[1].value() < starts_[0].value() ? &starts_[1] : &starts_[0];
    }
    return start_ == &starts_[1];
}

/// f_i = min_j C_ij.
template <class Cost>
void LargeSimplex<Cost>::start_from_minima() {
    std::fill_n(g_.begin(), problem_.stride, 0.0);
    row_transform();
    starts_[0].make(problem_, f(), limits_.interrupt);
}

/// f_i = min_j (C_ij - g_j).
template <class Cost>
void LargeSimplex<Cost>::row_transform() {
    const std::size_t rows_at_once = std::max<std::size_t>(1, entries_between_checks / problem_.stride);
    for (std::size_t i = 0; i < problem_.n_rows; i += rows_at_once) {
        kernels().scaling<Cost, double>().row_transform(problem_.cost + i * problem_.stride,
                                                        std::min(rows_at_once, problem_.n_rows - i), problem_.stride,
                                                        g_.data(), f_.data() + i);
        check(limits_.interrupt);
    }
}

/// Solve the problem over a sample of its rows and columns, recursively. Its potentials start the whole problem close
/// to its optimum. Returns false if a sample cannot pay off: if the sample itself starts better without one, so does
/// this problem.
template <class Cost>
bool LargeSimplex<Cost>::sample(std::size_t row_step, std::size_t column_step) {
    choose(problem_.n_rows, row_step, coarse_rows_);
    choose(problem_.n_columns, column_step, coarse_columns_);
    const std::size_t n = coarse_rows_.size();
    const std::size_t m = coarse_columns_.size();
    const std::size_t stride = padded(m);
    grow(coarse_cost_, n * stride);
    for (std::size_t i = 0; i < n; ++i) {
        Cost* to = coarse_cost_.data() + i * stride;
        for (std::size_t j = 0; j < m; ++j) {
            to[j] = problem_.entry(coarse_rows_[i], coarse_columns_[j]);
        }
        std::fill(to + m, to + stride, std::numeric_limits<Cost>::infinity());
        check(limits_.interrupt);
    }
    sample_masses({problem_.supply, problem_.n_rows}, coarse_rows_, coarse_supply_);
    sample_masses({problem_.demand, problem_.n_columns}, coarse_columns_, coarse_demand_);
    coarse_masses_.assign(coarse_supply_, coarse_demand_);
    if (!coarse_) {
        coarse_ = std::make_unique<LargeSimplex>();
    }
    const bool sampled = coarse_->prepare({.cost = coarse_cost_.data(),
                                           .stride = stride,
                                           .n_rows = n,
                                           .n_columns = m,
                                           .supply = coarse_masses_.supplies().data(),
                                           .demand = coarse_masses_.demands().data()},
                                          {.tolerance = limits_.tolerance,
                                           .pivots = limits_.pivots,
                                           .value = infinity,
                                           .beyond_cutoff = {},
                                           .interrupt = limits_.interrupt});
    if (row_step > 1 && n > sampled_size && !sampled) {
        return false;
    }
    coarse_->improve(m / sample_effort);
    return true;
}

/// Extend the sample's potentials to all rows by two c-transforms: g_j over the sampled rows, then f_i over all
/// columns.
template <class Cost>
void LargeSimplex<Cost>::start_from_sample(std::size_t row_step) {
    const double* sampled = coarse_->tree_.f();
    if (row_step == 1) {
        std::copy_n(sampled, problem_.n_rows, f_.begin());
    } else {
        const std::size_t last = coarse_rows_.size() - 1;
        const Cost* last_row = problem_.cost + (problem_.n_rows - 1) * problem_.stride;
        std::int64_t row[column_block];
        for (std::size_t j = 0; j < problem_.stride; j += column_block) {
            const std::size_t width = std::min(column_block, problem_.stride - j);
            kernels_.best_rows({problem_.cost + j, problem_.stride * row_step, last, width, sampled}, g_.data() + j,
                               row);
            for (std::size_t c = j; c < j + width; ++c) {
                g_[c] = std::min(g_[c], static_cast<double>(last_row[c]) - sampled[last]);
            }
            check(limits_.interrupt);
        }
        // Potentials of padding would be infinite, and inf - inf NaN.
        std::fill(g_.begin() + static_cast<std::ptrdiff_t>(problem_.n_columns),
                  g_.begin() + static_cast<std::ptrdiff_t>(problem_.stride), 0.0);
        row_transform();
    }
    starts_[1].make(problem_, f(), limits_.interrupt);
}

// ---- pivots ----------------------------------------------------------------------------------------------------

/// Price the shortlists of some columns, and let the best entry enter. Returns false if none improves the plan.
template <class Cost>
bool LargeSimplex<Cost>::pivot_in(std::size_t first, std::size_t last) {
    const Shortlists<Cost>& lists = start_->lists();
    const double* f = tree_.f();
    const auto reduced = [&](std::size_t k) { return static_cast<double>(lists.costs[k]) - f[lists.rows[k]]; };
    double best = -limits_.tolerance;
    std::size_t column = last;
    for (std::size_t j = first; j < last; ++j) {
        double least = infinity;
        for (std::size_t k = lists.begin[j]; k < lists.begin[j + 1]; ++k) {
            least = std::min(least, reduced(k));
        }
        least -= tree_.g(j);
        if (least < best) {
            best = least;
            column = j;
        }
    }
    if (column == last) {
        return false;
    }
    std::size_t entering = lists.begin[column];
    for (std::size_t k = entering + 1; k < lists.begin[column + 1]; ++k) {
        entering = reduced(k) < reduced(entering) ? k : entering;
    }
    const auto [flow, reduced_cost] =
        tree_.exchange(lists.rows[entering], column, static_cast<double>(lists.costs[entering]));
    value_ += static_cast<double>(flow) * reduced_cost;
    ++pivots_;
    if (pivots_ % pivots_between_checks == 0) {
        check(limits_.interrupt);
    }
    return true;
}

/// Pivot until no entry of the shortlists may enter.
template <class Cost>
Stop LargeSimplex<Cost>::improve_shortlists() {
    std::size_t first = 0;
    for (std::size_t without = 0; without < problem_.n_columns;) {
        if (pivots_ >= limits_.pivots) {
            return Stop::limit;
        }
        const std::size_t last = std::min(first + pricing_columns, problem_.n_columns);
        without = pivot_in(first, last) ? 0 : without + (last - first);
        first = last == problem_.n_columns ? 0 : last;
    }
    return Stop::optimal;
}

/// Put an entry on its column's list, replacing the one that has been there longest.
template <class Cost>
void LargeSimplex<Cost>::list(std::size_t row, std::size_t column) {
    Shortlists<Cost>& lists = start_->lists();
    const std::size_t length = lists.begin[column + 1] - lists.begin[column];
    const std::size_t k = lists.begin[column] + next_place_[column]++ % length;
    lists.rows[k] = static_cast<std::uint32_t>(row);
    lists.costs[k] = problem_.entry(row, column);
}

/// Price all entries: the best of each column joins its shortlist. Pivots follow at once, block by block, since they
/// change which later entries improve the plan. Returns how many were found. If none, f_ and g_ are feasible and
/// optimal.
template <class Cost>
std::size_t LargeSimplex<Cost>::price_everything() {
    std::size_t found = 0;
    std::int64_t row[column_block];
    tree_.refresh();
    for (std::size_t j = 0; j < problem_.n_columns && pivots_ < limits_.pivots; j += column_block) {
        const std::size_t width = std::min(column_block, problem_.stride - j);
        const std::size_t last = std::min(j + width, problem_.n_columns);
        kernels_.best_rows({problem_.cost + j, problem_.stride, problem_.n_rows, width, tree_.f()}, g_.data() + j, row);
        const std::size_t before = found;
        for (std::size_t c = j; c < last; ++c) {
            if (g_[c] - tree_.g(c) < -limits_.tolerance) {
                list(static_cast<std::size_t>(row[c - j]), c);
                ++found;
            }
        }
        while (found > before && pivots_ < limits_.pivots && pivot_in(j, last)) {
        }
        check(limits_.interrupt);
    }
    return found;
}

/// f_ of the tree, and g_j = min_i (C_ij - f_i).
template <class Cost>
void LargeSimplex<Cost>::c_transform() {
    std::copy_n(tree_.f(), problem_.n_rows, f_.begin());
    std::int64_t row[column_block];
    for (std::size_t j = 0; j < problem_.stride; j += column_block) {
        const std::size_t width = std::min(column_block, problem_.stride - j);
        kernels_.best_rows({problem_.cost + j, problem_.stride, problem_.n_rows, width, f_.data()}, g_.data() + j, row);
        check(limits_.interrupt);
    }
}

template <class Cost>
Stop LargeSimplex<Cost>::improve(std::size_t enough) {
    tree_.build(problem_.n_rows, problem_.n_columns, start_->edges());
    value_ = start_->value();
    next_place_.assign(problem_.n_columns, 0);
    for (;;) {
        Stop stop = improve_shortlists();
        if (stop == Stop::optimal && value_ > limits_.value) {
            c_transform();
            stop = limits_.beyond_cutoff(f(), g()) ? Stop::cutoff : stop;
        }
        if (stop == Stop::cutoff) {
            return stop;
        }
        const std::size_t found = stop == Stop::optimal ? price_everything() : 0;
        if (stop == Stop::limit || pivots_ >= limits_.pivots) {
            c_transform();
            return Stop::limit;
        }
        if (found <= enough) {
            std::copy_n(tree_.f(), problem_.n_rows, f_.begin());
            return Stop::optimal;
        }
    }
}

template <class Cost>
Stop LargeSimplex<Cost>::solve(const LargeProblem<Cost>& problem, const Limits& limits) {
    prepare(problem, limits);
    if (start_->value() > limits.value && limits.beyond_cutoff(start_->f(), start_->g())) {
        tree_.build(problem.n_rows, problem.n_columns, start_->edges());
        std::ranges::copy(start_->f(), f_.begin());
        std::ranges::copy(start_->g(), g_.begin());
        return Stop::cutoff;
    }
    return improve(0);
}

template class LargeSimplex<float>;
template class LargeSimplex<double>;

}  // namespace moverank
