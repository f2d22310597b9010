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

/// Bind what a solution says however its costs were stored; what else it has is left to the caller.
template <class Solution>
py::class_<Solution> bind_solution(py::module_& module, const char* name) {
    using S = Solution;
    return py::class_<S>(module, name)
        .def_property_readonly("value", [](const S& s) { return s.summary.value; })
        .def_property_readonly("lower", [](const S& s) { return s.summary.lower; })
        .def_property_readonly("pivots", [](const S& s) { return s.summary.pivots; })
        .def_property_readonly("status", [](const S& s) { return status_name(s.summary.status); })
        .def_readonly("f", &S::f)
        .def_readonly("g", &S::g)
        .def_readonly("multiplier", &S::multiplier)
        .def_property_readonly("unmoved", [](const S& s) { return s.infeasibility.mass; })
        .def_property_readonly("stuck_sources", [](const S& s) { return s.infeasibility.sources; })
        .def_property_readonly("reached_targets", [](const S& s) { return s.infeasibility.targets; });
}

template <class Values>
[[nodiscard]] auto copy_of(const Values& values) {
    return Array<std::remove_cv_t<typename Values::value_type>>(static_cast<py::ssize_t>(values.size()), values.data());
}

}  // namespace moverank::bindings
