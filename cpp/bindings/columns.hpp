/// Many results as arrays: one for each of their fields.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "arrays.hpp"
#include "moverank/pair.hpp"

namespace moverank::bindings {

/// One array of what `get` finds in each result.
template <class T, class Result, class Get>
Array<T> column(const std::vector<Result>& results, Get get) {
    Array<T> out(static_cast<py::ssize_t>(results.size()));
    std::ranges::transform(results, out.mutable_data(), get);
    return out;
}

/// CertifiedDistance, column by column.
struct CertifiedColumns {
    Array<double> value, lower, upper;
    Array<std::int64_t> iterations;
    Array<double> marginal_error;
    Array<bool> converged;
};

[[nodiscard]] inline CertifiedColumns columns_of(const std::vector<CertifiedDistance>& found) {
    using C = CertifiedDistance;
    return {column<double>(found, &C::value),          column<double>(found, &C::lower),
            column<double>(found, &C::upper),          column<std::int64_t>(found, &C::iterations),
            column<double>(found, &C::marginal_error), column<bool>(found, &C::converged)};
}

}  // namespace moverank::bindings
