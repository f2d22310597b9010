/// Distances of one query, of given pairs and of all pairs, and the plan of one pair.
#include <pybind11/stl.h>

#include "columns.hpp"
#include "moverank/alignment.hpp"
#include "moverank/bag_batch.hpp"
#include "moverank/batch.hpp"
#include "moverank/neighbours.hpp"
#include "query.hpp"
#include "solution.hpp"

namespace moverank::bindings {

namespace {

/// Reports to Python how many pairs are done: from time to time on the calling thread, and at the end. It uses the poll
/// of an Interrupt, which runs on that thread alone.
class PairProgress {
  public:
    PairProgress(py::object call, std::size_t total) : call_(std::move(call)), total_(total) {}

    [[nodiscard]] Interrupt interrupt() {
        const Interrupt::Poll poll = python_poll();
        return Interrupt([this, poll] {
            const bool stops = poll();
            if (!call_.is_none() && n_done_ > n_reported_) {
                const py::gil_scoped_acquire locked;
                report();
            }
            return stops;
        });
    }
    /// Report that everything is done. The GIL must be held.
    void end() {
        if (!call_.is_none() && n_reported_ < total_) {
            report();
        }
    }
    [[nodiscard]] PairCount* n_done() { return &n_done_; }

  private:
    void report() {
        n_reported_ = n_done_;
        call_(n_reported_, total_);
    }

    py::object call_;
    std::size_t total_;
    std::size_t n_reported_ = 0;
    PairCount n_done_{0};
};

template <class Documents>
[[nodiscard]] Array<double> pairwise_of(const Documents& rows, const Documents& columns, const KnownPairs& known,
                                        const py::object& progress, int num_threads) {
    Array<double> out({rows.size(), columns.size()});
    const MatrixView<double> out_view = as_writable(out);
    PairProgress reporter(progress, n_pairs(rows.size(), columns.size(), known));
    Interrupt interrupt = reporter.interrupt();
    {
        const py::gil_scoped_release unlocked;
        pairwise(rows, columns, known, out_view, num_threads, interrupt, reporter.n_done());
    }
    reporter.end();
    return out;
}

template <class Prepared>
Array<double> paired_of(const Prepared& queries, const Prepared& documents, const py::object& progress,
                        int num_threads) {
    Array<double> out(static_cast<py::ssize_t>(queries.size()));
    const std::span<double> out_view(out.mutable_data(), queries.size());
    PairProgress reporter(progress, out_view.size());
    Interrupt interrupt = reporter.interrupt();
    {
        const py::gil_scoped_release unlocked;
        paired_distances(queries, documents, out_view, num_threads, interrupt, reporter.n_done());
    }
    reporter.end();
    return out;
}

/// For each row its nearest columns: offsets, positions and distances of all, and how many pairs were solved.
auto neighbours_of(const BagCorpus& rows, const BagCorpus& columns, std::size_t k, double radius, bool skip_itself,
                   const py::object& progress, int num_threads) {
    PairProgress reporter(progress, rows.documents().size());
    Interrupt interrupt = reporter.interrupt();
    NeighbourLists found;
    {
        const py::gil_scoped_release unlocked;
        found =
            neighbours(rows.documents(), columns.documents(), {.k = k, .radius = radius, .skip_itself = skip_itself},
                       num_threads, interrupt, reporter.n_done());
    }
    reporter.end();
    return py::make_tuple(copy_of(found.offsets), copy_of(found.positions), copy_of(found.distances), found.solved);
}

Array<double> bag_distances(const Query& query, const BagCorpus& corpus, int num_threads) {
    const PreparedSequence& prepared = query.prepared_for(corpus);
    Array<double> out(static_cast<py::ssize_t>(corpus.documents().size()));
    const std::span<double> out_view(out.mutable_data(), corpus.documents().size());
    Interrupt interrupt = python_interrupt();
    {
        const py::gil_scoped_release unlocked;
        distances(prepared, corpus.documents(), out_view, num_threads, interrupt);
    }
    return out;
}

CertifiedColumns bag_certified_distances(const Query& query, const BagCorpus& corpus, int num_threads) {
    const PreparedSequence& prepared = query.prepared_for(corpus);
    std::vector<CertifiedDistance> found(corpus.documents().size());
    Interrupt interrupt = python_interrupt();
    {
        const py::gil_scoped_release unlocked;
        certified_distances(prepared, corpus.documents(), found, num_threads, interrupt);
    }
    return columns_of(found);
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
    return {summary, cost, copy_of(query.prepared().mass), copy_of(mass), plan, f, g, 0.0, {}};
}

Array<double> distances_to(const Tokens& query_tokens, const Weights& query_weights, const StoredTokens& tokens,
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

CertifiedColumns certified_distances_to(const Tokens& query_tokens, const Weights& query_weights,
                                        const StoredTokens& tokens, const Offsets& offsets, const Weights& weights,
                                        const Measure& measure, int num_threads) {
    const SequencesView documents = as_sequences(tokens, offsets, weights);
    require_same_dim(as_matrix(query_tokens).cols(), documents.dim());
    const OwnedQuery query(query_tokens, query_weights, measure);
    std::vector<CertifiedDistance> found(documents.size());
    Interrupt interrupt = python_interrupt();
    {
        const py::gil_scoped_release unlocked;
        certified_distances(query.prepared(), documents, measure, found, num_threads, interrupt);
    }
    return columns_of(found);
}

}  // namespace

void bind_distances(py::module_& module) {
    py::class_<CertifiedColumns>(module, "CertifiedColumns")
        .def_readonly("value", &CertifiedColumns::value)
        .def_readonly("lower", &CertifiedColumns::lower)
        .def_readonly("upper", &CertifiedColumns::upper)
        .def_readonly("iterations", &CertifiedColumns::iterations)
        .def_readonly("marginal_error", &CertifiedColumns::marginal_error)
        .def_readonly("converged", &CertifiedColumns::converged);
    const auto weights = [](const char* name) { return py::arg(name).noconvert().none(true); };
    module.def(
        "pairwise",
        [](const SequencesPart& rows, const SequencesPart& columns, bool mirrored, bool zero_diagonal,
           const py::object& progress, int num_threads) {
            return pairwise_of(rows.prepared(), columns.prepared(), {mirrored, zero_diagonal}, progress, num_threads);
        },
        py::arg("rows"), py::arg("columns"), py::arg("mirrored"), py::arg("zero_diagonal"),
        py::arg("progress").none(true), py::arg("num_threads"));
    module.def("neighbours", &neighbours_of, py::arg("rows"), py::arg("columns"), py::arg("k"), py::arg("radius"),
               py::arg("skip_itself"), py::arg("progress").none(true), py::arg("num_threads"));
    module.def(
        "pairwise_bags",
        [](const BagCorpus& rows, const BagCorpus& columns, bool mirrored, bool zero_diagonal,
           const py::object& progress, int num_threads) {
            return pairwise_of(rows.documents(), columns.documents(), {mirrored, zero_diagonal}, progress, num_threads);
        },
        py::arg("rows"), py::arg("columns"), py::arg("mirrored"), py::arg("zero_diagonal"),
        py::arg("progress").none(true), py::arg("num_threads"));
    module.def(
        "paired_distances",
        [](const SequencesPart& queries, const SequencesPart& documents, const py::object& progress, int num_threads) {
            return paired_of(queries.prepared(), documents.prepared(), progress, num_threads);
        },
        py::arg("queries"), py::arg("documents"), py::arg("progress").none(true), py::arg("num_threads"));
    module.def(
        "paired_bag_distances",
        [](const BagCorpus& queries, const BagCorpus& documents, const py::object& progress, int num_threads) {
            return paired_of(queries.documents(), documents.documents(), progress, num_threads);
        },
        py::arg("queries"), py::arg("documents"), py::arg("progress").none(true), py::arg("num_threads"));
    module.def("bag_distances", &bag_distances, py::arg("query"), py::arg("corpus"), py::arg("num_threads"));
    module.def("bag_certified_distances", &bag_certified_distances, py::arg("query"), py::arg("corpus"),
               py::arg("num_threads"));
    module.def("align", &align_pair, py::arg("query").noconvert(), weights("query_weights"),
               py::arg("document").noconvert(), weights("document_weights"), py::arg("measure"));
    module.def("certified_distances", &certified_distances_to, py::arg("query").noconvert(), weights("query_weights"),
               py::arg("tokens"), py::arg("offsets").noconvert(), weights("weights"), py::arg("measure"),
               py::arg("num_threads"));
    module.def("distances", &distances_to, py::arg("query").noconvert(), weights("query_weights"), py::arg("tokens"),
               py::arg("offsets").noconvert(), weights("weights"), py::arg("measure"), py::arg("num_threads"));
}

}  // namespace moverank::bindings
