/// Single problems with everything they prove, and batches of distances.
#include <pybind11/stl.h>

#include "arrays.hpp"
#include "moverank/alignment.hpp"
#include "moverank/batch.hpp"
#include "moverank/exact.hpp"

namespace moverank::bindings {

namespace {

/// A solved problem with the arrays that describe it.
struct TransportSolution {
    SolveSummary summary;
    py::array cost;
    Array<double> a, b, plan, f, g;
};

const char* status_name(SolveStatus status) {
    switch (status) {
        case SolveStatus::optimal: return "optimal";
        case SolveStatus::above_cutoff: return "above_cutoff";
        case SolveStatus::pivot_limit: return "pivot_limit";
    }
    return "";
}

Array<double> copy_of(std::span<const double> values) {
    return Array<double>(static_cast<py::ssize_t>(values.size()), values.data());
}

template <class Cost>
TransportSolution transport(const Array<Cost>& cost, const Array<double>& a, const Array<double>& b, double capacity) {
    const TransportProblem<Cost> problem{as_matrix(cost), as_span(a), as_span(b), capacity};
    const std::size_t n = problem.cost.rows();
    const std::size_t m = problem.cost.cols();
    if (problem.a.size() != n || problem.b.size() != m) {
        throw std::invalid_argument("a and b must have one entry a row and a column of cost");
    }
    Array<double> plan({n, m});
    const MatrixView<double> plan_view = as_writable(plan);
    Interrupt interrupt = python_interrupt();
    ExactSolver solver;
    SolveSummary summary;
    {
        const py::gil_scoped_release unlocked;
        std::fill_n(plan_view.data(), n * m, 0.0);
        summary = solver.solve(problem, std::numeric_limits<double>::infinity(), &interrupt);
        for (const Flow& flow : solver.flows()) {
            plan_view(flow.source, flow.target) = flow.mass;
        }
    }
    return {summary, cost, a, b, plan, copy_of(solver.f()), copy_of(solver.g())};
}

TransportSolution align_pair(const Tokens& query_tokens, const Weights& query_weights, const Tokens& document_tokens,
                             const Weights& document_weights, const Measure& measure) {
    require_same_dim(as_matrix(query_tokens).cols(), as_matrix(document_tokens).cols());
    const OwnedQuery query(query_tokens, query_weights, measure);
    std::vector<double> mass(static_cast<std::size_t>(document_tokens.shape(0)));
    std::vector<float> inverse_norms(mass.size());
    const PreparedSequence document =
        prepare(as_sequence(document_tokens, document_weights), measure, mass, inverse_norms, 0);
    const std::size_t n = query.prepared().size();
    const std::size_t m = document.size();
    Array<float> cost({n, m});
    Array<double> plan({n, m});
    Array<double> f(static_cast<py::ssize_t>(n));
    Array<double> g(static_cast<py::ssize_t>(m));
    const MatrixView<float> cost_view = as_writable(cost);
    const MatrixView<double> plan_view = as_writable(plan);
    const std::span<double> f_view(f.mutable_data(), n);
    const std::span<double> g_view(g.mutable_data(), m);
    Interrupt interrupt = python_interrupt();
    SolveSummary summary;
    {
        const py::gil_scoped_release unlocked;
        summary = align(query.prepared(), document, measure, cost_view, plan_view, f_view, g_view, &interrupt);
    }
    return {summary, cost, copy_of(query.prepared().mass), copy_of(mass), plan, f, g};
}

Array<double> distances_to(const Tokens& query_tokens, const Weights& query_weights, const Tokens& tokens,
                           const Offsets& offsets, const Weights& weights, const Measure& measure, int num_threads) {
    const SequencesView documents = as_sequences(tokens, offsets, weights);
    require_same_dim(as_matrix(query_tokens).cols(), documents.dim());
    const OwnedQuery query(query_tokens, query_weights, measure);
    Array<double> out(static_cast<py::ssize_t>(documents.size()));
    const std::span<double> out_view(out.mutable_data(), documents.size());
    Interrupt interrupt = python_interrupt();
    {
        const py::gil_scoped_release unlocked;
        distances(query.prepared(), documents, measure, out_view, num_threads, interrupt);
    }
    return out;
}

}  // namespace

void bind_transport(py::module_& module) {
    py::class_<TransportSolution>(module, "TransportSolution")
        .def_property_readonly("value", [](const TransportSolution& s) { return s.summary.value; })
        .def_property_readonly("lower", [](const TransportSolution& s) { return s.summary.lower; })
        .def_property_readonly("pivots", [](const TransportSolution& s) { return s.summary.pivots; })
        .def_property_readonly("status", [](const TransportSolution& s) { return status_name(s.summary.status); })
        .def_readonly("cost", &TransportSolution::cost)
        .def_readonly("a", &TransportSolution::a)
        .def_readonly("b", &TransportSolution::b)
        .def_readonly("plan", &TransportSolution::plan)
        .def_readonly("f", &TransportSolution::f)
        .def_readonly("g", &TransportSolution::g);

    const auto weights = [](const char* name) { return py::arg(name).noconvert().none(true); };
    module.def("transport", &transport<float>, py::arg("cost").noconvert(), py::arg("a").noconvert(),
               py::arg("b").noconvert(), py::arg("capacity"));
    module.def("transport", &transport<double>, py::arg("cost").noconvert(), py::arg("a").noconvert(),
               py::arg("b").noconvert(), py::arg("capacity"));
    module.def("align", &align_pair, py::arg("query").noconvert(), weights("query_weights"),
               py::arg("document").noconvert(), weights("document_weights"), py::arg("measure"));
    module.def("distances", &distances_to, py::arg("query").noconvert(), weights("query_weights"),
               py::arg("tokens").noconvert(), py::arg("offsets").noconvert(), weights("weights"), py::arg("measure"),
               py::arg("num_threads"));
}

}  // namespace moverank::bindings
