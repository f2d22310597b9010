/// Single problems with everything they prove, and batches of distances.
#include <pybind11/stl.h>

#include <algorithm>
#include <cmath>

#include "arrays.hpp"
#include "moverank/alignment.hpp"
#include "moverank/batch.hpp"
#include "moverank/exact.hpp"
#include "moverank/finite.hpp"
#include "moverank/mass.hpp"

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

/// Rows of masses, each of total 1; one row may serve all problems.
class Marginals {
  public:
    /// `weights` has shape (size,) or (n_problems, size); none: uniform.
    Marginals(const Weights& weights, const std::string& name, std::size_t size, std::size_t n_problems) : size_(size) {
        if (!weights) {
            mass_.assign(size, 1.0 / static_cast<double>(size));
            return;
        }
        const bool many = weights->ndim() == 2;
        if ((weights->ndim() != 1 && !many) || static_cast<std::size_t>(weights->shape(many ? 1 : 0)) != size ||
            (many && static_cast<std::size_t>(weights->shape(0)) != n_problems)) {
            throw std::invalid_argument(name + " does not fit the cost");
        }
        mass_.assign(weights->data(), weights->data() + weights->size());
        step_ = many ? size : 0;
        for (std::size_t row = 0; row * size < mass_.size(); ++row) {
            const std::span<double> mass = std::span(mass_).subspan(row * size, size);
            if (const std::string fault = fault_of(mass); !fault.empty()) {
                throw std::invalid_argument(name + (many ? "[" + std::to_string(row) + "]: " : ": ") + fault);
            }
            normalise(mass);
        }
    }
    [[nodiscard]] std::span<const double> operator[](std::size_t p) const {
        return std::span(mass_).subspan(p * step_, size_);
    }

  private:
    std::size_t size_;
    std::size_t step_ = 0;
    std::vector<double> mass_;
};

template <class Cost>
void require_finite(MatrixView<const Cost> cost, const std::string& name) {
    if (all_finite(std::span(cost.data(), cost.rows() * cost.cols()))) {
        return;
    }
    for (std::size_t i = 0; i < cost.rows(); ++i) {
        const Cost* row = cost.row(i);
        for (std::size_t j = 0; j < cost.cols(); ++j) {
            if (!std::isfinite(row[j])) {
                throw std::invalid_argument(name + ": entry (" + std::to_string(i) + ", " + std::to_string(j) +
                                            ") is not finite (" + std::to_string(row[j]) + ")");
            }
        }
    }
}

/// A solver that keeps its workspace from call to call, unless that would grow large. A signal handler may call in
/// while a solve looks at its interrupt; it gets a solver of its own.
template <class Solve>
auto with_solver(std::size_t n_entries, Solve solve) {
    constexpr std::size_t entries_worth_keeping = 65536;
    static thread_local ExactSolver kept;
    static thread_local bool in_use = false;
    if (in_use || n_entries > entries_worth_keeping) {
        ExactSolver solver;
        return solve(solver);
    }
    struct Use {
        Use() { in_use = true; }
        ~Use() { in_use = false; }
    } use;
    return solve(kept);
}

template <class Cost>
TransportSolution transport(const Array<Cost>& cost, const Weights& a, const Weights& b, double capacity) {
    const MatrixView<const Cost> cost_view = as_matrix(cost);
    require_finite(cost_view, "cost");
    const std::size_t n = cost_view.rows();
    const std::size_t m = cost_view.cols();
    const Marginals sources(a, "a", n, 1);
    const Marginals targets(b, "b", m, 1);
    const TransportProblem<Cost> problem{cost_view, sources[0], targets[0], capacity};
    Array<double> plan({n, m});
    const MatrixView<double> plan_view = as_writable(plan);
    Interrupt interrupt = python_interrupt();
    return with_solver(n * m, [&](ExactSolver& solver) -> TransportSolution {
        SolveSummary summary;
        {
            const py::gil_scoped_release unlocked;
            std::fill_n(plan_view.data(), n * m, 0.0);
            summary = solver.solve(problem, std::numeric_limits<double>::infinity(), &interrupt);
            for (const Flow& flow : solver.flows()) {
                plan_view(flow.source, flow.target) = flow.mass;
            }
        }
        return {summary, cost, copy_of(problem.a), copy_of(problem.b), plan, copy_of(solver.f()), copy_of(solver.g())};
    });
}

/// Values, dual values, pivots and whether each was solved to the end.
template <class Cost>
py::tuple transport_many(const Array<Cost>& costs, const Weights& a, const Weights& b, double capacity,
                         int num_threads) {
    if (costs.ndim() != 3) {
        throw std::invalid_argument("expected a three-dimensional array, got " + std::to_string(costs.ndim()));
    }
    const auto n_problems = static_cast<std::size_t>(costs.shape(0));
    const auto n = static_cast<std::size_t>(costs.shape(1));
    const auto m = static_cast<std::size_t>(costs.shape(2));
    const Marginals sources(a, "a", n, n_problems);
    const Marginals targets(b, "b", m, n_problems);
    std::vector<TransportProblem<Cost>> problems;
    problems.reserve(n_problems);
    for (std::size_t p = 0; p < n_problems; ++p) {
        const MatrixView<const Cost> cost(costs.data() + p * n * m, n, m);
        require_finite(cost, "costs[" + std::to_string(p) + "]");
        problems.push_back({cost, sources[p], targets[p], capacity});
    }
    std::vector<SolveSummary> solved(n_problems);
    Interrupt interrupt = python_interrupt();
    {
        const py::gil_scoped_release unlocked;
        transport_batch(std::span<const TransportProblem<Cost>>(problems), solved, num_threads, interrupt);
    }
    const auto length = static_cast<py::ssize_t>(n_problems);
    Array<double> values(length);
    Array<double> lower(length);
    Array<std::int64_t> pivots(length);
    Array<bool> optimal(length);
    std::ranges::transform(solved, values.mutable_data(), &SolveSummary::value);
    std::ranges::transform(solved, lower.mutable_data(), &SolveSummary::lower);
    std::ranges::transform(solved, pivots.mutable_data(), &SolveSummary::pivots);
    std::ranges::transform(solved, optimal.mutable_data(),
                           [](const SolveSummary& s) { return s.status == SolveStatus::optimal; });
    return py::make_tuple(values, lower, pivots, optimal);
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

Array<double> distances_to(const Tokens& query_tokens, const Weights& query_weights, const py::array& tokens,
                           const std::optional<Array<float>>& scales, const Offsets& offsets, const Weights& weights,
                           const Measure& measure, int num_threads) {
    const SequencesView documents = as_sequences({tokens, scales}, offsets, weights);
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
    const auto def_transport = [&]<class Cost>(Cost) {
        module.def("transport", &transport<Cost>, py::arg("cost").noconvert(), weights("a"), weights("b"),
                   py::arg("capacity"));
        module.def("transport_batch", &transport_many<Cost>, py::arg("costs").noconvert(), weights("a"), weights("b"),
                   py::arg("capacity"), py::arg("num_threads"));
    };
    def_transport(0.0F);
    def_transport(0.0);
    module.def(
        "weights_fault", [](const Array<double>& checked) { return fault_of(as_span(checked)); },
        py::arg("weights").noconvert());
    module.def("align", &align_pair, py::arg("query").noconvert(), weights("query_weights"),
               py::arg("document").noconvert(), weights("document_weights"), py::arg("measure"));
    module.def("distances", &distances_to, py::arg("query").noconvert(), weights("query_weights"), py::arg("tokens"),
               weights("scales"), py::arg("offsets").noconvert(), weights("weights"), py::arg("measure"),
               py::arg("num_threads"));
}

}  // namespace moverank::bindings
