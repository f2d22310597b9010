/// Problems whose costs are given: single ones with everything they prove, and batches.
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>

#include "arrays.hpp"
#include "columns.hpp"
#include "marginals.hpp"
#include "moverank/batch.hpp"
#include "moverank/exact.hpp"
#include "moverank/finite.hpp"
#include "moverank/mass.hpp"
#include "moverank/sinkhorn.hpp"
#include "moverank/verified.hpp"
#include "solution.hpp"

namespace moverank::bindings {

namespace {

/// A scaled one.
struct SinkhornSolution {
    SinkhornSummary summary;
    SinkhornBounds bounds;
    Array<double> plan, f, g;
    double multiplier;
};

/// Refuse NaN, -inf, and finite costs above a limit. +inf is the price of a forbidden entry.
/// `name` is a function, called only for errors: formatting a name takes as long as checking a small matrix.
template <class Cost, class Name>
void require_prices(MatrixView<const Cost> cost, Name name, double limit) {
    if (static_cast<double>(largest_size(std::span(cost.data(), cost.rows() * cost.cols()))) <= limit) {
        return;
    }
    for (std::size_t i = 0; i < cost.rows(); ++i) {
        for (std::size_t j = 0; j < cost.cols(); ++j) {
            const auto entry = static_cast<double>(cost(i, j));
            if (std::abs(entry) <= limit || entry == std::numeric_limits<double>::infinity()) {
                continue;
            }
            char fault[80];
            if (std::isfinite(entry)) {
                std::snprintf(fault, sizeof fault, "is too large (%.3g); the largest size is %.2g", entry, limit);
            } else {
                std::snprintf(fault, sizeof fault, "is %s; expected a number, or inf where nothing may move",
                              std::isnan(entry) ? "NaN" : "-inf");
            }
            throw std::invalid_argument(name() + ": entry (" + std::to_string(i) + ", " + std::to_string(j) + ") " +
                                        fault);
        }
    }
}

/// Call `solve` with a solver. Solvers keep their workspaces from call to call, unless these would grow large: as many
/// are kept as ran at the same time, up to a limit. They are not thread_local, because a thread_local object for which
/// there is no memory ends the process. The GIL, which the caller holds, protects the list. A solve may release the
/// GIL, and a signal handler may call in meanwhile, so a solver is taken off the list while it runs.
template <class Solver, class Solve>
auto with_solver(std::size_t n_entries, Solve solve) {
    constexpr std::size_t max_kept_entries = 65536;
    constexpr std::size_t max_idle_solvers = 16;
    static std::array<std::unique_ptr<Solver>, max_idle_solvers> idle;
    if (n_entries > max_kept_entries) {
        Solver solver;
        return solve(solver);
    }
    struct Taken {
        Taken() {
            const auto found = std::ranges::find_if(idle, [](const auto& one) { return bool(one); });
            solver = found == idle.end() ? std::make_unique<Solver>() : std::move(*found);
        }
        ~Taken() {
            const auto place = std::ranges::find_if(idle, [](const auto& one) { return !one; });
            if (place != idle.end()) {
                *place = std::move(solver);
            }
        }
        std::unique_ptr<Solver> solver;
    } taken;
    return solve(*taken.solver);
}

/// The problem in one set of arrays, as views of them.
template <class Cost>
class SingleProblem {
  public:
    SingleProblem(const Array<Cost>& cost, const Weights& a, const Weights& b, double capacity, double fraction,
                  double limit = std::numeric_limits<double>::max())
        : cost_(checked(cost, limit)),
          sources_(a, "a", cost_.rows(), 1),
          targets_(b, "b", cost_.cols(), 1),
          view_{cost_, sources_[0], targets_[0], capacity, fraction} {}
    [[nodiscard]] const TransportProblem<Cost>& view() const { return view_; }
    [[nodiscard]] std::size_t entries() const { return cost_.rows() * cost_.cols(); }

  private:
    static MatrixView<const Cost> checked(const Array<Cost>& cost, double limit) {
        const MatrixView<const Cost> view = as_matrix(cost);
        require_prices(view, [] { return std::string("cost"); }, limit);
        return view;
    }

    MatrixView<const Cost> cost_;
    Marginals sources_, targets_;
    TransportProblem<Cost> view_;
};

template <class Cost>
TransportSolution transport(const Array<Cost>& cost, const Weights& a, const Weights& b, double capacity,
                            double fraction) {
    const SingleProblem<Cost> single(cost, a, b, capacity, fraction);
    const TransportProblem<Cost>& problem = single.view();
    Array<double> plan({problem.cost.rows(), problem.cost.cols()});
    const MatrixView<double> plan_view = as_writable(plan);
    Interrupt interrupt = python_interrupt();
    return with_solver<VerifiedSolver>(single.entries(), [&](VerifiedSolver& solver) -> TransportSolution {
        SolveSummary summary;
        {
            const py::gil_scoped_release unlocked;
            std::fill_n(plan_view.data(), single.entries(), 0.0);
            summary = solver.solve(problem, &interrupt);
            for (const Flow& flow : solver.flows()) {
                plan_view(flow.source, flow.target) = flow.mass;
            }
        }
        return {summary,
                cost,
                copy_of(problem.a),
                copy_of(problem.b),
                plan,
                copy_of(solver.f()),
                copy_of(solver.g()),
                solver.multiplier(),
                summary.status == SolveStatus::infeasible ? solver.infeasibility() : Infeasibility{}};
    });
}

template <class Cost>
SinkhornSolution sinkhorn(const Array<Cost>& cost, const Weights& a, const Weights& b, double capacity, double fraction,
                          const Sinkhorn& options) {
    const SingleProblem<Cost> single(cost, a, b, capacity, fraction, cost_limit<Cost>);
    const TransportProblem<Cost>& problem = single.view();
    Array<double> plan({problem.cost.rows(), problem.cost.cols()});
    const MatrixView<double> plan_view = as_writable(plan);
    Interrupt interrupt = python_interrupt();
    return with_solver<SinkhornSolver>(single.entries(), [&](SinkhornSolver& solver) -> SinkhornSolution {
        SinkhornSummary summary;
        SinkhornBounds bounds;
        {
            const py::gil_scoped_release unlocked;
            summary = solver.solve(problem, options, &interrupt);
            interrupt.check();
            bounds = solver.bounds();
            interrupt.check();
            solver.plan(plan_view);
        }
        return {summary, bounds, plan, copy_of(solver.f()), copy_of(solver.g()), solver.multiplier()};
    });
}

/// The problems in stacks of arrays, as views of them.
template <class Cost>
class Problems {
  public:
    /// `capacities` and `fractions`: one of each per problem.
    Problems(const Array<Cost>& costs, const Weights& a, const Weights& b, const Array<double>& capacities,
             const Array<double>& fractions, Interrupt& interrupt, double limit = std::numeric_limits<double>::max())
        : n_(size_of(costs, 1)),
          m_(size_of(costs, 2)),
          sources_(a, "a", n_, size_of(costs, 0)),
          targets_(b, "b", m_, size_of(costs, 0)) {
        const std::size_t n_problems = size_of(costs, 0);
        const std::span<const double> capacity_of = as_span(capacities);
        const std::span<const double> fraction_of = as_span(fractions);
        if (capacity_of.size() != n_problems || fraction_of.size() != n_problems) {
            throw std::invalid_argument("expected one capacity and one fraction per problem");
        }
        views_.reserve(n_problems);
        for (std::size_t p = 0; p < n_problems; ++p) {
            if (p % problems_between_checks == 0) {
                interrupt.check();
            }
            const MatrixView<const Cost> cost(costs.data() + p * n_ * m_, n_, m_);
            require_prices(cost, [p] { return "costs[" + std::to_string(p) + "]"; }, limit);
            views_.push_back({cost, sources_[p], targets_[p], capacity_of[p], fraction_of[p]});
        }
    }
    [[nodiscard]] std::span<const TransportProblem<Cost>> views() const { return views_; }
    /// Room for a plan per problem.
    [[nodiscard]] Array<double> make_plans() const { return Array<double>({views_.size(), n_, m_}); }

  private:
    static constexpr std::size_t problems_between_checks = 64;

    static std::size_t size_of(const Array<Cost>& costs, int axis) {
        require_ndim(costs, 3, "three");
        return static_cast<std::size_t>(costs.shape(axis));
    }

    std::size_t n_, m_;
    Marginals sources_, targets_;
    std::vector<TransportProblem<Cost>> views_;
};

/// The plans of a batch, if they are wanted.
struct BatchPlans {
    std::optional<Array<double>> array;
    std::span<double> entries;

    template <class Cost>
    BatchPlans(const Problems<Cost>& problems, bool wanted) {
        if (wanted) {
            array = problems.make_plans();
            entries = {array->mutable_data(), static_cast<std::size_t>(array->size())};
        }
    }
};

/// Solved problems, column by column.
struct TransportColumns {
    Array<double> value, lower;
    Array<std::int64_t> pivots;
    Array<bool> optimal, feasible;
    std::optional<Array<double>> plans;
};

/// Scaled ones.
struct SinkhornColumns {
    Array<double> value, lower, upper, plan_cost, epsilon;
    Array<std::int64_t> iterations;
    Array<double> marginal_error;
    Array<bool> converged, feasible;
    std::optional<Array<double>> plans;
};

template <class Cost>
TransportColumns transport_many(const Array<Cost>& costs, const Weights& a, const Weights& b,
                                const Array<double>& capacities, const Array<double>& fractions, bool with_plans,
                                int num_threads) {
    Interrupt interrupt = python_interrupt();
    const Problems<Cost> problems(costs, a, b, capacities, fractions, interrupt);
    std::vector<SolveSummary> solved(problems.views().size());
    const BatchPlans plans(problems, with_plans);
    {
        const py::gil_scoped_release unlocked;
        transport_batch(problems.views(), solved, num_threads, interrupt, plans.entries);
    }
    using S = SolveSummary;
    return {.value = column<double>(solved, &S::value),
            .lower = column<double>(solved, &S::lower),
            .pivots = column<std::int64_t>(solved, &S::pivots),
            .optimal = column<bool>(solved, [](const S& s) { return s.status == SolveStatus::optimal; }),
            .feasible = column<bool>(solved, [](const S& s) { return s.status != SolveStatus::infeasible; }),
            .plans = plans.array};
}

template <class Cost>
SinkhornColumns sinkhorn_many(const Array<Cost>& costs, const Weights& a, const Weights& b,
                              const Array<double>& capacities, const Array<double>& fractions, const Sinkhorn& options,
                              bool with_plans, int num_threads) {
    Interrupt interrupt = python_interrupt();
    const Problems<Cost> problems(costs, a, b, capacities, fractions, interrupt, cost_limit<Cost>);
    std::vector<SinkhornResult> scaled(problems.views().size());
    const BatchPlans plans(problems, with_plans);
    {
        const py::gil_scoped_release unlocked;
        sinkhorn_batch(problems.views(), options, scaled, num_threads, interrupt, plans.entries);
    }
    using R = SinkhornResult;
    return {.value = column<double>(scaled, [](const R& r) { return r.summary.value; }),
            .lower = column<double>(scaled, [](const R& r) { return r.bounds.lower; }),
            .upper = column<double>(scaled, [](const R& r) { return r.bounds.upper; }),
            .plan_cost = column<double>(scaled, [](const R& r) { return r.bounds.plan_cost; }),
            .epsilon = column<double>(scaled, [](const R& r) { return r.summary.epsilon; }),
            .iterations = column<std::int64_t>(scaled, [](const R& r) { return r.summary.iterations; }),
            .marginal_error = column<double>(scaled, [](const R& r) { return r.summary.marginal_error; }),
            .converged = column<bool>(scaled, [](const R& r) { return r.summary.converged; }),
            .feasible = column<bool>(scaled, [](const R& r) { return r.summary.feasible; }),
            .plans = plans.array};
}

}  // namespace

void bind_transport(py::module_& module) {
    bind_solution<TransportSolution>(module, "TransportSolution")
        .def_readonly("cost", &TransportSolution::cost)
        .def_readonly("a", &TransportSolution::a)
        .def_readonly("b", &TransportSolution::b)
        .def_readonly("plan", &TransportSolution::plan);
    py::class_<SinkhornSolution>(module, "SinkhornSolution")
        .def_property_readonly("value", [](const SinkhornSolution& s) { return s.summary.value; })
        .def_property_readonly("epsilon", [](const SinkhornSolution& s) { return s.summary.epsilon; })
        .def_property_readonly("iterations", [](const SinkhornSolution& s) { return s.summary.iterations; })
        .def_property_readonly("marginal_error", [](const SinkhornSolution& s) { return s.summary.marginal_error; })
        .def_property_readonly("converged", [](const SinkhornSolution& s) { return s.summary.converged; })
        .def_property_readonly("feasible", [](const SinkhornSolution& s) { return s.summary.feasible; })
        .def_property_readonly("lower", [](const SinkhornSolution& s) { return s.bounds.lower; })
        .def_property_readonly("upper", [](const SinkhornSolution& s) { return s.bounds.upper; })
        .def_property_readonly("plan_cost", [](const SinkhornSolution& s) { return s.bounds.plan_cost; })
        .def_readonly("plan", &SinkhornSolution::plan)
        .def_readonly("f", &SinkhornSolution::f)
        .def_readonly("g", &SinkhornSolution::g)
        .def_readonly("multiplier", &SinkhornSolution::multiplier);
    py::class_<TransportColumns>(module, "TransportColumns")
        .def_readonly("value", &TransportColumns::value)
        .def_readonly("lower", &TransportColumns::lower)
        .def_readonly("pivots", &TransportColumns::pivots)
        .def_readonly("optimal", &TransportColumns::optimal)
        .def_readonly("feasible", &TransportColumns::feasible)
        .def_readonly("plans", &TransportColumns::plans);
    py::class_<SinkhornColumns>(module, "SinkhornColumns")
        .def_readonly("value", &SinkhornColumns::value)
        .def_readonly("lower", &SinkhornColumns::lower)
        .def_readonly("upper", &SinkhornColumns::upper)
        .def_readonly("plan_cost", &SinkhornColumns::plan_cost)
        .def_readonly("epsilon", &SinkhornColumns::epsilon)
        .def_readonly("iterations", &SinkhornColumns::iterations)
        .def_readonly("marginal_error", &SinkhornColumns::marginal_error)
        .def_readonly("converged", &SinkhornColumns::converged)
        .def_readonly("feasible", &SinkhornColumns::feasible)
        .def_readonly("plans", &SinkhornColumns::plans);

    const auto weights = [](const char* name) { return py::arg(name).noconvert().none(true); };
    const auto def_transport = [&]<class Cost>(Cost) {
        module.def("transport", &transport<Cost>, py::arg("cost").noconvert(), weights("a"), weights("b"),
                   py::arg("capacity"), py::arg("fraction"));
        module.def("transport_batch", &transport_many<Cost>, py::arg("costs").noconvert(), weights("a"), weights("b"),
                   py::arg("capacities").noconvert(), py::arg("fractions").noconvert(), py::arg("plans"),
                   py::arg("num_threads"));
        module.def("sinkhorn", &sinkhorn<Cost>, py::arg("cost").noconvert(), weights("a"), weights("b"),
                   py::arg("capacity"), py::arg("fraction"), py::arg("options"));
        module.def("sinkhorn_batch", &sinkhorn_many<Cost>, py::arg("costs").noconvert(), weights("a"), weights("b"),
                   py::arg("capacities").noconvert(), py::arg("fractions").noconvert(), py::arg("options"),
                   py::arg("plans"), py::arg("num_threads"));
    };
    def_transport(0.0F);
    def_transport(0.0);
    module.def(
        "weights_fault", [](const Array<double>& checked) { return fault_of(as_span(checked)); },
        py::arg("weights").noconvert());
}

}  // namespace moverank::bindings
