#include "columns.hpp"

#include <limits>

#include "simd.hpp"
#include "simplex.hpp"

namespace moverank::MOVERANK_LEVEL {

namespace {

/// Rows stream past running minima: the matrix is read once, in the order in which it is stored. Of equal minima the
/// first row wins, as the comparison is strict, so the answer does not depend on the width of a register.
template <class Cost>
void best_rows(const ColumnBlock<Cost>& block, double* least, std::int64_t* row) {
    for (std::size_t j = 0; j < block.width; ++j) {
        least[j] = std::numeric_limits<double>::infinity();
        row[j] = 0;
    }
    for (std::size_t i = 0; i < block.n_rows; ++i) {
        const Cost* cost = block.cost + i * block.stride;
        const Vector<double> f = splat(block.f[i]);
        const Vector<std::int64_t> place = splat(static_cast<std::int64_t>(i));
        for (std::size_t j = 0; j < block.width; j += lanes<double>) {
            const Vector<double> reduced = load_as<double>(cost + j) - f;
            const Vector<double> before = load(least + j);
            const Mask<double> less = reduced < before;
            store(least + j, less ? reduced : before);
            store(row + j, less ? place : load(row + j));
        }
    }
}

/// Replace the largest of `n` values; returns the largest afterwards, which is the old second or the new value. Lists
/// are short and unordered: a scan costs less than a heap.
MOVERANK_INLINE double replace_largest(double* values, std::uint32_t* rows, std::size_t n, double value,
                                       std::uint32_t row) {
    std::size_t place = 0;
    double largest = values[0];
    double second = -std::numeric_limits<double>::infinity();
    for (std::size_t k = 1; k < n; ++k) {
        const bool larger = values[k] > largest;
        const double other = larger ? largest : values[k];
        second = other > second ? other : second;
        place = larger ? k : place;
        largest = larger ? values[k] : largest;
    }
    values[place] = value;
    rows[place] = row;
    return second > value ? second : value;
}

/// As above, but keeps the `length` smallest of each column. `limit` holds the largest value of each column's list:
/// most entries are above it, so one comparison per register rules them out, and only the others are handled one by
/// one.
template <class Cost>
void shortlist(const ColumnBlock<Cost>& block, std::size_t start, std::size_t length, double* least,
               std::uint32_t* rows) {
    double limit[column_block];
    for (std::size_t k = 0; k < block.width * length; ++k) {
        least[k] = std::numeric_limits<double>::infinity();
        rows[k] = 0;
    }
    for (std::size_t j = 0; j < block.width; ++j) {
        limit[j] = std::numeric_limits<double>::infinity();
    }
    std::size_t i = start;
    for (std::size_t seen = 0; seen < block.n_rows; ++seen) {
        const Cost* cost = block.cost + i * block.stride;
        const Vector<double> f = splat(block.f[i]);
        for (std::size_t j = 0; j < block.width; j += lanes<double>) {
            const Vector<double> reduced = load_as<double>(cost + j) - f;
            for (Bits less = bits_of<double>(reduced < load(limit + j)); less != 0; less &= less - 1) {
                const std::size_t l = j + first_bit(less);
                const double value = static_cast<double>(cost[l]) - block.f[i];
                limit[l] = replace_largest(least + l * length, rows + l * length, length, value,
                                           static_cast<std::uint32_t>(i));
            }
        }
        i = i + 1 == block.n_rows ? 0 : i + 1;
    }
}

}  // namespace

extern const ColumnKernels<float> columns_float;
extern const ColumnKernels<double> columns_double;
const ColumnKernels<float> columns_float{&best_rows<float>, &shortlist<float>};
const ColumnKernels<double> columns_double{&best_rows<double>, &shortlist<double>};

}  // namespace moverank::MOVERANK_LEVEL
