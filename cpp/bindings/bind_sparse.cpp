/// Problems whose costs are given as a sparse matrix.
#include <pybind11/stl.h>

#include <algorithm>
#include <vector>

#include "arrays.hpp"
#include "marginals.hpp"
#include "moverank/sparse.hpp"
#include "solution.hpp"

namespace moverank::bindings {

namespace {

/// A solved problem. Flows are ordered by source, then by target.
struct SparseSolution {
    SolveSummary summary;
    Array<std::int64_t> sources, targets;
    Array<double> masses, f, g;
    double multiplier = 0.0;
    Infeasibility infeasibility;
};

template <class T, class Read>
[[nodiscard]] Array<T> column_of(const std::vector<Flow>& flows, Read read) {
    Array<T> column(static_cast<py::ssize_t>(flows.size()));
    std::ranges::transform(flows, column.mutable_data(),
                           [read](const Flow& flow) { return static_cast<T>(flow.*read); });
    return column;
}

template <class Cost, class Index>
SparseSolution sparse_transport(const Array<Index>& begin, const Array<Index>& columns, const Array<Cost>& costs,
                                std::size_t n_columns, const Weights& a, const Weights& b, double capacity,
                                double fraction) {
    if (begin.size() == 0) {
        throw std::invalid_argument("expected index pointers, one more than the cost has rows");
    }
    const auto n_rows = static_cast<std::size_t>(begin.size()) - 1;
    const Marginals sources(a, "a", n_rows, 1);
    const Marginals targets(b, "b", n_columns, 1);
    const SparseProblem<Cost, Index> problem{.cost = {.n_rows = n_rows,
                                                      .n_columns = n_columns,
                                                      .begin = as_span(begin),
                                                      .columns = as_span(columns),
                                                      .costs = as_span(costs)},
                                             .a = sources[0],
                                             .b = targets[0],
                                             .capacity = capacity,
                                             .fraction = fraction};
    Interrupt interrupt = python_interrupt();
    SparseSolver solver;
    SolveSummary summary;
    std::vector<Flow> flows;
    {
        const py::gil_scoped_release unlocked;
        summary = solver.solve(problem, &interrupt);
        flows.assign(solver.flows().begin(), solver.flows().end());
        std::ranges::sort(flows, [](const Flow& x, const Flow& y) {
            return x.source != y.source ? x.source < y.source : x.target < y.target;
        });
    }
    return {.summary = summary,
            .sources = column_of<std::int64_t>(flows, &Flow::source),
            .targets = column_of<std::int64_t>(flows, &Flow::target),
            .masses = column_of<double>(flows, &Flow::mass),
            .f = copy_of(solver.f()),
            .g = copy_of(solver.g()),
            .multiplier = solver.multiplier(),
            .infeasibility = solver.infeasibility()};
}

}  // namespace

void bind_sparse(py::module_& module) {
    bind_solution<SparseSolution>(module, "SparseSolution")
        .def_readonly("sources", &SparseSolution::sources)
        .def_readonly("targets", &SparseSolution::targets)
        .def_readonly("masses", &SparseSolution::masses);
    const auto weights = [](const char* name) { return py::arg(name).noconvert().none(true); };
    const auto define = [&]<class Cost, class Index>(Cost, Index) {
        module.def("sparse_transport", &sparse_transport<Cost, Index>, py::arg("begin").noconvert(),
                   py::arg("columns").noconvert(), py::arg("costs").noconvert(), py::arg("n_columns"), weights("a"),
                   weights("b"), py::arg("capacity"), py::arg("fraction"));
    };
    define(0.0F, std::int32_t{});
    define(0.0F, std::int64_t{});
    define(0.0, std::int32_t{});
    define(0.0, std::int64_t{});
}

}  // namespace moverank::bindings
