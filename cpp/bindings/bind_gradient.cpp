/// Derivatives of distances: ragged batches of pairs, in float64.
#include <pybind11/stl.h>

#include <vector>

#include "moverank/gradient.hpp"
#include "moverank/pair_plans.hpp"
#include "prepared.hpp"

namespace moverank::bindings {

namespace {

/// One side of all pairs with its derivatives.
class Batch {
  public:
    Batch(const Array<double>& tokens, const Offsets& offsets, const Weights& weights)
        : token_gradient_({tokens.shape(0), tokens.shape(1)}) {
        const MatrixView<const double> all = as_matrix(tokens);
        const MatrixView<double> all_gradients = as_writable(token_gradient_);
        const std::span<const std::int64_t> bounds = checked_offsets(offsets, all.rows());
        const std::span<const double> masses = checked_weights(weights, all.rows());
        if (weights) {
            weight_gradient_ = Array<double>(static_cast<py::ssize_t>(masses.size()));
        }
        for (std::size_t s = 0; s + 1 < bounds.size(); ++s) {
            const auto begin = static_cast<std::size_t>(bounds[s]);
            const auto length = static_cast<std::size_t>(bounds[s + 1]) - begin;
            sequences_.push_back({{all.row(begin), length, all.cols()},
                                  weights ? masses.subspan(begin, length) : std::span<const double>{}});
            gradients_.push_back({{all_gradients.row(begin), length, all.cols()},
                                  weight_gradient_ ? std::span<double>(weight_gradient_->mutable_data() + begin, length)
                                                   : std::span<double>{}});
        }
    }

    [[nodiscard]] std::span<const DifferentiableSequence> sequences() const { return sequences_; }
    [[nodiscard]] std::span<const SequenceGradient> gradients() const { return gradients_; }
    [[nodiscard]] const Array<double>& token_gradient() const { return token_gradient_; }
    [[nodiscard]] const std::optional<Array<double>>& weight_gradient() const { return weight_gradient_; }

  private:
    Array<double> token_gradient_;
    std::optional<Array<double>> weight_gradient_;
    std::vector<DifferentiableSequence> sequences_;
    std::vector<SequenceGradient> gradients_;
};

/// Distances of pairs, and their derivatives by each side's tokens and, where these are given, weights.
struct GradientColumns {
    Array<double> value, by_query;
    std::optional<Array<double>> by_query_weights;
    Array<double> by_document;
    std::optional<Array<double>> by_document_weights;
};

GradientColumns gradients_of(const Array<double>& query_tokens, const Offsets& query_offsets,
                             const Weights& query_weights, const Array<double>& document_tokens,
                             const Offsets& document_offsets, const Weights& document_weights, const Measure& measure,
                             int num_threads) {
    const Batch queries(query_tokens, query_offsets, query_weights);
    const Batch documents(document_tokens, document_offsets, document_weights);
    if (queries.sequences().size() != documents.sequences().size()) {
        throw std::invalid_argument("expected as many queries as documents");
    }
    require_same_dim(as_matrix(query_tokens).cols(), as_matrix(document_tokens).cols());
    Array<double> values(static_cast<py::ssize_t>(queries.sequences().size()));
    const std::span<double> values_view(values.mutable_data(), queries.sequences().size());
    Interrupt interrupt = python_interrupt();
    {
        const py::gil_scoped_release unlocked;
        gradients(queries.sequences(), documents.sequences(), measure, values_view, queries.gradients(),
                  documents.gradients(), num_threads, interrupt);
    }
    return {values, queries.token_gradient(), queries.weight_gradient(), documents.token_gradient(),
            documents.weight_gradient()};
}

/// Plans of the pairs of a batch, with the sequences that they view.
class PlannedPairs {
  public:
    PlannedPairs(std::shared_ptr<SequencesPart> queries, std::shared_ptr<SequencesPart> documents,
                 const Array<std::int64_t>& query_of, const Array<std::int64_t>& document_of, int num_threads)
        : queries_(std::move(queries)),
          documents_(std::move(documents)),
          plans_(solved(*queries_, *documents_, as_span(query_of), as_span(document_of), num_threads)) {}

    [[nodiscard]] Array<double> values() const {
        return Array<double>(static_cast<py::ssize_t>(plans_.values().size()), plans_.values().data());
    }

    /// Derivatives by the tokens, if asked for, and by the shares of mass of one side.
    [[nodiscard]] std::pair<std::optional<Array<float>>, Array<double>> derivatives(const Array<double>& upstream,
                                                                                    bool by_query, bool of_tokens,
                                                                                    int num_threads) const {
        const PreparedSequences& sequences = (by_query ? queries_ : documents_)->prepared();
        std::optional<Array<float>> tokens;
        MatrixView<float> rows;
        if (of_tokens) {
            tokens.emplace(std::vector<std::size_t>{sequences.n_tokens(), sequences.dim()});
            rows = as_writable(*tokens);
        }
        Array<double> mass(static_cast<py::ssize_t>(sequences.n_tokens()));
        const std::span<double> shares(mass.mutable_data(), sequences.n_tokens());
        Interrupt interrupt = python_interrupt();
        {
            const py::gil_scoped_release unlocked;
            plans_.derivatives(as_span(upstream), by_query ? PlanSide::query : PlanSide::document, rows, shares,
                               num_threads, interrupt);
        }
        return {std::move(tokens), std::move(mass)};
    }

  private:
    [[nodiscard]] static PairPlans solved(const SequencesPart& queries, const SequencesPart& documents,
                                          std::span<const std::int64_t> query_of,
                                          std::span<const std::int64_t> document_of, int num_threads) {
        Interrupt interrupt = python_interrupt();
        const py::gil_scoped_release unlocked;
        return {queries.prepared(), documents.prepared(), query_of, document_of, num_threads, interrupt};
    }

    std::shared_ptr<SequencesPart> queries_, documents_;
    PairPlans plans_;
};

}  // namespace

void bind_gradient(py::module_& module) {
    py::class_<GradientColumns>(module, "GradientColumns")
        .def_readonly("value", &GradientColumns::value)
        .def_readonly("by_query", &GradientColumns::by_query)
        .def_readonly("by_query_weights", &GradientColumns::by_query_weights)
        .def_readonly("by_document", &GradientColumns::by_document)
        .def_readonly("by_document_weights", &GradientColumns::by_document_weights);
    py::class_<PlannedPairs>(module, "PairPlans")
        .def(py::init<std::shared_ptr<SequencesPart>, std::shared_ptr<SequencesPart>, const Array<std::int64_t>&,
                      const Array<std::int64_t>&, int>(),
             py::arg("queries"), py::arg("documents"), py::arg("query_of").noconvert(),
             py::arg("document_of").noconvert(), py::arg("num_threads"))
        .def_property_readonly("values", &PlannedPairs::values)
        .def("derivatives", &PlannedPairs::derivatives, py::arg("upstream").noconvert(), py::arg("by_query"),
             py::arg("of_tokens"), py::arg("num_threads"));
    const auto weights = [](const char* name) { return py::arg(name).noconvert().none(true); };
    module.def("gradients", &gradients_of, py::arg("queries").noconvert(), py::arg("query_offsets").noconvert(),
               weights("query_weights"), py::arg("documents").noconvert(), py::arg("document_offsets").noconvert(),
               weights("document_weights"), py::arg("measure"), py::arg("num_threads"));
}

}  // namespace moverank::bindings
