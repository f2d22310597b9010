/// Documents prepared once, and collections of them.
#include <pybind11/stl.h>

#include "prepared.hpp"

namespace moverank::bindings {

namespace {

/// A read-only array over memory that `owner` keeps alive, without a copy.
template <class T>
[[nodiscard]] Array<T> view_of(std::span<const T> numbers, const py::object& owner) {
    Array<T> view(static_cast<py::ssize_t>(numbers.size()), numbers.data(), owner);
    py::detail::array_proxy(view.ptr())->flags &= ~py::detail::npy_api::NPY_ARRAY_WRITEABLE_;
    return view;
}

}  // namespace

// Arrays are taken with noconvert(): Python has checked and converted them, and a conversion here would be a hidden
// copy of a large array. Parts are made in two ways: by preparing, or over arrays that an index has stored.
void bind_prepared(py::module_& module) {
    const auto optional = [](const char* name) { return py::arg(name).noconvert().none(true); };
    py::class_<BagsPart, std::shared_ptr<BagsPart>>(module, "PreparedBags")
        .def(py::init<const Tokens&, const Array<std::uint32_t>&, const Offsets&, const std::optional<Array<float>>&,
                      const Measure&, const Array<std::uint32_t>&>(),
             py::arg("vectors").noconvert(), py::arg("words").noconvert(), py::arg("offsets").noconvert(),
             optional("counts"), py::arg("measure"), py::arg("known").noconvert())
        .def(py::init<const Tokens&, const Array<std::uint32_t>&, const Offsets&, const std::optional<Array<double>>&,
                      const Measure&, const Array<std::uint32_t>&>(),
             py::arg("vectors").noconvert(), py::arg("words").noconvert(), py::arg("offsets").noconvert(),
             optional("counts"), py::arg("measure"), py::arg("known").noconvert())
        .def_static(
            "from_arrays",
            [](const Tokens& vectors, const Array<std::uint32_t>& words, const Offsets& offsets,
               const std::optional<Array<float>>& counts, const Array<double>& totals, std::size_t first_word,
               const Measure& measure) {
                return std::make_shared<BagsPart>(vectors, words, offsets, counts, totals, first_word, measure);
            },
            py::arg("vectors").noconvert(), py::arg("words").noconvert(), py::arg("offsets").noconvert(),
            optional("counts"), py::arg("totals").noconvert(), py::arg("first_word"), py::arg("measure"))
        .def_static(
            "of_costs",
            [](const py::array& costs, const Array<std::uint32_t>& words, const Offsets& offsets,
               const std::optional<Array<double>>& counts, const Measure& measure, const Array<std::uint32_t>& known) {
                return std::make_shared<BagsPart>(costs, words, offsets, counts, measure, known);
            },
            py::arg("costs"), py::arg("words").noconvert(), py::arg("offsets").noconvert(), optional("counts"),
            py::arg("measure"), py::arg("known").noconvert())
        .def_static(
            "from_cost_arrays",
            [](const py::array& costs, const Array<std::uint32_t>& words, const Offsets& offsets,
               const std::optional<Array<double>>& counts, const Array<double>& totals, std::size_t first_word,
               const Measure& measure) {
                return std::make_shared<BagsPart>(costs, words, offsets, counts, totals, first_word, measure);
            },
            py::arg("costs"), py::arg("words").noconvert(), py::arg("offsets").noconvert(), optional("counts"),
            py::arg("totals").noconvert(), py::arg("first_word"), py::arg("measure"))
        .def_property_readonly("arrays",
                               [](const std::shared_ptr<BagsPart>& part) {
                                   const BagArrays& found = part->prepared().arrays();
                                   const py::object owner = py::cast(part);
                                   py::dict out;
                                   if (part->prepared().has_given_costs()) {
                                       out["totals"] = view_of(found.totals, owner);
                                       return out;
                                   }
                                   const auto* vectors = static_cast<const float*>(found.vectors.data());
                                   const std::size_t size = found.vectors.rows() * found.vectors.cols();
                                   out["vectors"] = view_of(std::span(vectors, size), owner)
                                                        .reshape({static_cast<py::ssize_t>(found.vectors.rows()),
                                                                  static_cast<py::ssize_t>(found.vectors.cols())});
                                   out["words"] = view_of(found.words, owner);
                                   out["totals"] = view_of(found.totals, owner);
                                   return out;
                               })
        .def_property_readonly(
            "new_rows",
            [](const std::shared_ptr<BagsPart>& part) { return view_of(part->prepared().new_rows(), py::cast(part)); })
        .def_property_readonly(
            "norms",
            [](const std::shared_ptr<BagsPart>& part) { return view_of(part->prepared().norms(), py::cast(part)); })
        .def("__len__", [](const BagsPart& part) { return part.prepared().size(); });
    py::class_<TokenClusters>(module, "TokenClusters")
        .def_readonly("centroids", &TokenClusters::centroids)
        .def_readonly("mass", &TokenClusters::mass)
        .def_readonly("counts", &TokenClusters::counts);
    py::class_<TokenGroups>(module, "TokenGroups")
        .def_readonly("offsets", &TokenGroups::offsets)
        .def_readonly("pooled_into", &TokenGroups::pooled_into);
    py::class_<SequencesPart, std::shared_ptr<SequencesPart>>(module, "PreparedSequences")
        .def(py::init<StoredTokens, const Offsets&, const Weights&, const Measure&>(), py::arg("tokens"),
             py::arg("offsets").noconvert(), optional("weights"), py::arg("measure"))
        .def_static(
            "from_arrays",
            [](const StoredTokens& tokens, const Offsets& offsets, const Array<double>& mass,
               const std::optional<Array<float>>& inverse_norms, double max_norm, const Measure& measure) {
                return std::make_shared<SequencesPart>(tokens, offsets, mass, inverse_norms, max_norm, measure);
            },
            py::arg("tokens"), py::arg("offsets").noconvert(), py::arg("mass").noconvert(), optional("inverse_norms"),
            py::arg("max_norm"), py::arg("measure"))
        .def_property_readonly("arrays",
                               [](const std::shared_ptr<SequencesPart>& part) {
                                   const PreparedArrays& found = part->prepared().arrays();
                                   const py::object owner = py::cast(part);
                                   py::dict out;
                                   out["mass"] = view_of(found.mass, owner);
                                   out["inverse_norms"] = view_of(found.inverse_norms, owner);
                                   return out;
                               })
        .def_property_readonly("max_norm", [](const SequencesPart& part) { return part.prepared().max_norm(); })
        .def("add_codes", &SequencesPart::add_codes, py::arg("codes"))
        .def("take_codes", &SequencesPart::take_codes, py::arg("codes"), optional("inverse_norms"),
             py::arg("rho").noconvert(), py::arg("largest_norm"))
        .def("take_int8_codes", &SequencesPart::take_int8_codes, py::arg("interleaved").noconvert(),
             py::arg("scales").noconvert(), optional("inverse_norms"), optional("squares"), py::arg("rho").noconvert(),
             py::arg("largest_norm"))
        .def_property_readonly("code_arrays",
                               [](const std::shared_ptr<SequencesPart>& part) {
                                   if (part->codes() == nullptr) {
                                       throw std::logic_error("these sequences have no codes");
                                   }
                                   const CodeArrays& found = part->codes()->arrays();
                                   const py::object owner = py::cast(part);
                                   py::dict out;
                                   if (!found.interleaved.empty()) {
                                       const std::size_t dim = part->prepared().dim();
                                       out["interleaved"] =
                                           view_of(found.interleaved, owner)
                                               .reshape({py::ssize_t{-1}, static_cast<py::ssize_t>(
                                                                              InterleavedCodes::bytes_per_token(dim))});
                                   }
                                   out["inverse_norms"] = view_of(found.inverse_norms, owner);
                                   out["squares"] = view_of(found.squares, owner);
                                   out["rho"] = view_of(found.rho, owner);
                                   return out;
                               })
        .def_property_readonly(
            "largest_code_norm",
            [](const SequencesPart& part) { return part.codes() == nullptr ? 0.0 : part.codes()->largest_norm(); })
        .def("__len__", [](const SequencesPart& part) { return part.prepared().size(); })
        .def("pooled", &SequencesPart::pooled)
        .def("clusters", &SequencesPart::clusters, py::arg("per_document"), py::arg("num_threads"))
        .def("groups", &SequencesPart::groups, py::arg("factor"), py::arg("num_threads"))
        .def("group_means", &SequencesPart::group_means, py::arg("offsets").noconvert(),
             py::arg("pooled_into").noconvert(), py::arg("num_threads"));
    py::class_<BagCorpus, std::shared_ptr<BagCorpus>>(module, "BagCorpus")
        .def(py::init<BagsParts>(), py::arg("parts"))
        .def("__len__", [](const BagCorpus& corpus) { return corpus.documents().size(); });
    py::class_<Corpus, std::shared_ptr<Corpus>>(module, "Corpus")
        .def(py::init<SequencesParts>(), py::arg("parts"))
        .def("__len__", [](const Corpus& corpus) { return corpus.documents().size(); });
}

}  // namespace moverank::bindings
