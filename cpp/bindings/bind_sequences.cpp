/// Measures, checks of raw tokens, and the error that names a sequence.
#include <pybind11/stl.h>

#include <cmath>
#include <exception>
#include <map>
#include <string>

#include "arrays.hpp"
#include "moverank/codes.hpp"
#include "moverank/finite.hpp"
#include "moverank/ground_traits.hpp"
#include "moverank/pack.hpp"
#include "moverank/parallel.hpp"
#include "moverank/pooled.hpp"
#include "moverank/simd.hpp"
#include "moverank/weighting_traits.hpp"

namespace moverank::bindings {

namespace {

template <class Value>
Value from_name(const std::map<std::string, Value>& known, const std::string& what, const std::string& name) {
    const auto found = known.find(name);
    if (found != known.end()) {
        return found->second;
    }
    std::string names;
    for (const auto& [key, value] : known) {
        names += (names.empty() ? "'" : ", '") + key + "'";
    }
    throw std::invalid_argument(what + " must be one of " + names + ", got '" + name + "'");
}

Sinkhorn make_sinkhorn(double epsilon, bool relative, double tolerance, std::int64_t max_iterations,
                       double marginal_penalty, bool debiased) {
    if (!(epsilon > 0.0) || !(tolerance > 0.0) || !(marginal_penalty > 0.0) || max_iterations < 0) {
        throw std::invalid_argument("epsilon, tolerance and marginal_penalty must be positive");
    }
    return {epsilon, relative, tolerance, max_iterations, marginal_penalty, debiased};
}

/// Values of an enumeration by the names that a table of facts gives them.
template <class Row, std::size_t n, class Value>
[[nodiscard]] std::map<std::string, Value> by_name(const Row (&rows)[n], Value Row::* value) {
    std::map<std::string, Value> named;
    for (const Row& row : rows) {
        named.emplace(row.name, row.*value);
    }
    return named;
}

Measure make_measure(const std::string& ground, const std::string& weighting, double capacity, double fraction,
                     const std::string& problem, const Sinkhorn& sinkhorn) {
    static const auto grounds = by_name(ground_costs, &GroundTraits::ground);
    static const auto weighting_of = by_name(weightings, &WeightingTraits::weighting);
    static const std::map<std::string, Problem> problems{
        {"exact", Problem::exact}, {"relaxed", Problem::relaxed}, {"entropic", Problem::entropic}};
    if (!(capacity >= 1.0)) {
        throw std::invalid_argument("capacity must be at least 1, got " + std::to_string(capacity));
    }
    if (!(fraction > 0.0 && fraction <= 1.0)) {
        throw std::invalid_argument("fraction must be above 0 and at most 1, got " + std::to_string(fraction));
    }
    return {from_name(grounds, "ground", ground),
            from_name(weighting_of, "weighting", weighting),
            capacity,
            from_name(problems, "problem", problem),
            fraction,
            sinkhorn};
}

std::int64_t first_non_finite_row(const Tokens& tokens) {
    const MatrixView<const float> view = as_matrix(tokens);
    constexpr std::size_t entries_at_once = 1 << 20;
    const std::size_t rows_at_once = std::max<std::size_t>(1, entries_at_once / std::max<std::size_t>(1, view.cols()));
    Interrupt interrupt = python_interrupt();
    const py::gil_scoped_release unlocked;
    for (std::size_t begin = 0; begin < view.rows(); begin += rows_at_once) {
        interrupt.check();
        const std::size_t end = std::min(begin + rows_at_once, view.rows());
        if (all_finite({view.row(begin), (end - begin) * view.cols()})) {
            continue;
        }
        for (std::size_t t = begin; t < end; ++t) {
            if (!all_finite({view.row(t), view.cols()})) {
                return static_cast<std::int64_t>(t);
            }
        }
    }
    return -1;
}

/// Codes and scales of float32 tokens in a packed type.
py::tuple packed(const Tokens& tokens, const std::string& dtype) {
    const MatrixView<const float> view = as_matrix(tokens);
    const TokenType type = StoredTokens::token_type(dtype);
    Array<std::uint8_t> codes({view.rows(), row_bytes(type, view.cols())});
    Array<float> scales(static_cast<py::ssize_t>(view.rows()));
    const std::span<std::uint8_t> codes_view(codes.mutable_data(), static_cast<std::size_t>(codes.size()));
    const std::span<float> scales_view(scales.mutable_data(), view.rows());
    Interrupt interrupt = python_interrupt();
    {
        const py::gil_scoped_release unlocked;
        pack(type, view, codes_view, scales_view, &interrupt);
    }
    return py::make_tuple(codes, scales);
}

Array<float> decoded(const StoredTokens& tokens) {
    const TokensView& view = tokens.view();
    Array<float> out({view.rows(), view.cols()});
    const std::span<float> out_view(out.mutable_data(), static_cast<std::size_t>(out.size()));
    {
        const py::gil_scoped_release unlocked;
        decode(view, out_view);
    }
    return out;
}

py::dict build_info() {
    py::dict info;
    info["version"] = MOVERANK_VERSION;
    info["compiler"] = MOVERANK_COMPILER;
    info["simd"] = simd_level();
    info["codes"] = code_products();
    info["threads"] = thread_count(0, std::numeric_limits<std::size_t>::max());
    return info;
}

}  // namespace

void bind_sequences(py::module_& module) {
    // Alive as long as the interpreter: the translator may run until then.
    static PyObject* error = PyErr_NewException("moverank._core.SequenceError", PyExc_ValueError, nullptr);
    module.add_object("SequenceError", py::reinterpret_borrow<py::object>(error));
    py::register_exception_translator([](std::exception_ptr thrown) {
        try {
            std::rethrow_exception(std::move(thrown));
        } catch (const SequenceError& fault) {
            const auto index =
                fault.sequence() == query_index ? std::int64_t{-1} : static_cast<std::int64_t>(fault.sequence());
            PyErr_SetObject(error, py::make_tuple(fault.fault(), index).ptr());
        }
    });

    py::class_<Sinkhorn>(module, "Sinkhorn")
        .def(py::init(&make_sinkhorn), py::arg("epsilon"), py::arg("relative"), py::arg("tolerance"),
             py::arg("max_iterations"), py::arg("marginal_penalty"), py::arg("debiased"));
    py::class_<Measure>(module, "Measure")
        .def(py::init(&make_measure), py::arg("ground"), py::arg("weighting"), py::arg("capacity"), py::arg("fraction"),
             py::arg("problem"), py::arg("sinkhorn"))
        .def_property_readonly("has_pooled_bound", &has_pooled_bound);
    py::class_<GroundTraits>(module, "GroundTraits")
        .def_readonly("name", &GroundTraits::name)
        .def_readonly("may_be_negative", &GroundTraits::may_be_negative)
        .def_readonly("needs_directions", &GroundTraits::needs_directions)
        .def_readonly("translation_invariant", &GroundTraits::translation_invariant)
        .def_readonly("is_symmetric", &GroundTraits::is_symmetric)
        .def_readonly("is_zero_between_equals", &GroundTraits::is_zero_between_equals)
        .def_readonly("is_squared", &GroundTraits::is_squared)
        .def_readonly("has_codes", &GroundTraits::has_codes)
        .def_property_readonly("has_pooled_bound",
                               [](const GroundTraits& cost) { return cost.pooled_bound != nullptr; })
        .def_readonly("is_given", &GroundTraits::is_given);
    py::class_<WeightingTraits>(module, "WeightingTraits")
        .def_readonly("name", &WeightingTraits::name)
        .def_readonly("needs_weights", &WeightingTraits::needs_weights)
        .def_readonly("needs_vectors", &WeightingTraits::needs_vectors)
        .def(
            "mass",
            [](const WeightingTraits& weighting, const Array<double>& norms) {
                const std::span<const double> of_tokens = as_span(norms);
                Array<double> mass(static_cast<py::ssize_t>(of_tokens.size()));
                std::ranges::transform(of_tokens, mass.mutable_data(), weighting.mass);
                return mass;
            },
            py::arg("norms").noconvert());
    module.def("weightings", [] { return std::vector<WeightingTraits>(std::begin(weightings), std::end(weightings)); });
    module.def("ground_costs",
               [] { return std::vector<GroundTraits>(std::begin(ground_costs), std::end(ground_costs)); });
    py::class_<StoredTokens>(module, "StoredTokens")
        .def(py::init<const std::string&, std::size_t, const py::array&, const std::optional<Array<float>>&,
                      const std::optional<Tokens>&, const std::optional<Array<std::uint16_t>>&>(),
             py::arg("dtype"), py::arg("dim"), py::arg("components"), py::arg("scales").noconvert().none(true),
             py::arg("anchors").noconvert().none(true) = py::none(),
             py::arg("nearest").noconvert().none(true) = py::none())
        .def("decoded", &decoded);
    module.def(
        "bounds_pay", [](const std::string& codes) { return bounds_pay(StoredTokens::token_type(codes)); },
        py::arg("codes"));
    module.def("packed", &packed, py::arg("tokens").noconvert(), py::arg("dtype"));
    module.def("first_non_finite_row", &first_non_finite_row, py::arg("tokens").noconvert());
    module.def("build_info", &build_info);
}

}  // namespace moverank::bindings
