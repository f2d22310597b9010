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

[[nodiscard]] inline const char* status_name(SolveStatus status) {
    switch (status) {
        case SolveStatus::optimal: return "optimal";
        case SolveStatus::above_cutoff: return "above_cutoff";
        case SolveStatus::pivot_limit: return "pivot_limit";
        case SolveStatus::infeasible: return "infeasible";
    }
    return "";
}

template <class Values>
[[nodiscard]] auto copy_of(const Values& values) {
    return Array<std::remove_cv_t<typename Values::value_type>>(static_cast<py::ssize_t>(values.size()), values.data());
}

}  // namespace moverank::bindings
