#include "assignment.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>

#include "simd.hpp"

namespace moverank::MOVERANK_LEVEL {

namespace {

using Doubles = Vector<double>;
constexpr std::size_t width = lanes<double>;
constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr std::uint32_t nobody = 0xFFFFFFFFU;

/// Columns that paths may pass in all before the problem is given up: over costs whose rows all want the same columns,
/// pivots are faster. That shows early, as most rows have a column before paths grow long elsewhere.
MOVERANK_INLINE std::size_t most_passed(std::size_t n, std::size_t n_assigned) {
    return 2 * n_assigned < n ? 64 + n / 2 : n * (8 + n / 8);
}

template <class Cost>
MOVERANK_INLINE Doubles reduced(const Cost* row, const double* g, std::size_t j) {
    return load_as<double>(row + j) - load(g + j);
}

template <class Cost>
MOVERANK_INLINE double least_of(const Cost* row, std::size_t n) {
    Doubles least = splat(infinity);
    for (std::size_t j = 0; j < n; j += width) {
        least = min<double>(least, load_as<double>(row + j));
    }
    return reduce_min<double>(least);
}

/// Every column takes the row that is cheapest beside its least cost, if that is still free: f_i = min_j C_ij, and g_j
/// = min_i C_ij - f_i.
template <class Cost>
MOVERANK_INLINE std::size_t take_cheapest_rows(const AssignmentBlock<Cost>& b) {
    double* f = b.distance;  // free as yet
    std::size_t n_taken = 0;
    for (std::size_t i = 0; i < b.n; ++i) {
        b.column_of[i] = nobody;
        f[i] = least_of(b.cost + i * b.stride, b.n);
    }
    for (std::size_t j = 0; j < b.n; j += width) {
        Doubles least = splat(infinity);
        Doubles place{};
        for (std::size_t i = 0; i < b.n; ++i) {
            const Doubles cost = load_as<double>(b.cost + i * b.stride + j) - splat(f[i]);
            place = cost < least ? splat(static_cast<double>(i)) : place;
            least = min<double>(least, cost);
        }
        store(b.g + j, least);
        for (std::size_t l = 0; l < width && j + l < b.n; ++l) {
            const auto i = static_cast<std::size_t>(place[l]);
            const bool is_free = b.column_of[i] == nobody;
            b.column_of[i] = is_free ? static_cast<std::uint32_t>(j + l) : b.column_of[i];
            b.row_of[j + l] = is_free ? static_cast<std::uint32_t>(i) : nobody;
            n_taken += is_free ? 1 : 0;
        }
    }
    // What follows the last column may be read, but changes nothing: its costs are infinite.
    for (std::size_t j = b.n; j < b.stride; ++j) {
        b.g[j] = 0.0;
    }
    return n_taken;
}

/// A column at the distance that was reached: one without a row, where the path ends, if there is any.
template <class Cost>
MOVERANK_INLINE std::size_t nearest_column(const AssignmentBlock<Cost>& b, double reached) {
    constexpr std::size_t word = 64;
    std::size_t nearest = b.n;
    for (std::size_t first = 0; first < b.n; first += word) {
        const std::size_t end = b.n - first < word ? b.n - first : word;
        std::uint64_t places = 0;
        for (std::size_t j = 0; j < end; j += width) {
            const Bits equal = equal_lanes<double>(load(b.ahead + first + j), splat(reached));
            places |= static_cast<std::uint64_t>(equal) << j;
        }
        for (; places != 0; places &= places - 1) {
            const std::size_t j = first + first_bit(places);
            if (b.row_of[j] == nobody) {
                return j;
            }
            nearest = nearest < b.n ? nearest : j;
        }
    }
    return nearest;
}

/// Find the shortest path from a row without a column to a column without a row, over reduced costs, and exchange
/// along it. Returns how many columns the path could have gone through.
template <class Cost>
MOVERANK_INLINE std::size_t augment(const AssignmentBlock<Cost>& b, std::uint32_t from) {
    const std::size_t n = b.n;
    for (std::size_t j = 0; j < n; j += width) {
        store(b.ahead + j, splat(infinity));
        store(b.open_g + j, load(b.g + j));
    }
    std::size_t n_passed = 0;
    double reached = 0.0;  // how far the path has come
    std::uint32_t i = from;
    std::size_t end = 0;
    // What a step from row i costs beside how far it is to get there; rows with a column have f_i = C_ij - g_j.
    double offset = 0.0;
    for (;;) {
        const Cost* row = b.cost + i * b.stride;
        Doubles nearest = splat(infinity);
        for (std::size_t j = 0; j < n; j += width) {
            const Doubles there = reduced(row, b.open_g, j) + splat(offset);
            const Doubles before = load(b.ahead + j);
            const Doubles after = min<double>(before, there);
            store(b.previous + j, there < before ? splat(static_cast<double>(i)) : load(b.previous + j));
            store(b.ahead + j, after);
            nearest = min<double>(nearest, after);
        }
        reached = reduce_min<double>(nearest);
        end = nearest_column(b, reached);
        b.distance[end] = reached;
        if (b.row_of[end] == nobody) {
            break;
        }
        b.passed[n_passed++] = static_cast<std::uint32_t>(end);
        b.ahead[end] = infinity;
        i = b.row_of[end];
        offset = reached - (static_cast<double>(b.cost[i * b.stride + end]) - b.g[end]);
        b.open_g[end] = -infinity;
    }
    for (std::size_t k = 0; k < n_passed; ++k) {
        const std::size_t j = b.passed[k];
        b.g[j] += b.distance[j] - reached;
    }
    for (std::size_t j = end;;) {
        const auto row = static_cast<std::uint32_t>(b.previous[j]);
        const std::uint32_t next = b.column_of[row];
        b.row_of[j] = row;
        b.column_of[row] = static_cast<std::uint32_t>(j);
        if (row == from) {
            return n_passed;
        }
        j = next;
    }
}

template <class Cost>
bool assign(const AssignmentBlock<Cost>& b) {
    std::size_t n_assigned = take_cheapest_rows(b);
    std::size_t n_passed = 0;
    for (std::size_t i = 0; i < b.n; ++i) {
        if (b.column_of[i] != nobody) {
            continue;
        }
        n_passed += augment(b, static_cast<std::uint32_t>(i));
        ++n_assigned;
        if (n_passed > most_passed(b.n, n_assigned) && n_assigned < b.n) {
            return false;
        }
    }
    return true;
}

}  // namespace

extern const AssignmentKernels<float> assignment_float;
extern const AssignmentKernels<double> assignment_double;
const AssignmentKernels<float> assignment_float{&assign<float>};
const AssignmentKernels<double> assignment_double{&assign<double>};

}  // namespace moverank::MOVERANK_LEVEL
