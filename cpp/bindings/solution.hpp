/// What solving one problem gives back.
#pragma once

#include "arrays.hpp"
#include "moverank/exact.hpp"
#include "moverank/verified.hpp"

namespace moverank::bindings {

/// A solved problem with the arrays that describe it.
struct TransportSolution {
    SolveSummary summary;
    py::array cost;
    Array<double> a, b, plan, f, g;
    double multiplier = 0.0;
    Infeasibility infeasibility;
};

[[nodiscard]] inline Array<double> copy_of(std::span<const double> values) {
    return Array<double>(static_cast<py::ssize_t>(values.size()), values.data());
}

}  // namespace moverank::bindings
