/// A prepared corpus and the search over it.
#include <pybind11/stl.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "arrays.hpp"
#include "moverank/batch.hpp"
#include "moverank/clusters.hpp"
#include "moverank/ground_cost.hpp"
#include "moverank/pooled.hpp"
#include "moverank/topk.hpp"

namespace moverank::bindings {

namespace {

/// Prepared sequences together with the arrays that hold their tokens.
class Corpus {
  public:
    Corpus(StoredTokens tokens, const Offsets& offsets, const Weights& weights, const Measure& measure)
        : tokens_(std::move(tokens)),
          offsets_(offsets),
          weights_(weights),
          prepared_(as_sequences(tokens_, offsets_, weights_), measure) {}

    /// Keep codes of the tokens for lower bounds.
    void add_codes(StoredTokens codes) {
        stored_codes_ = std::move(codes);
        codes_.emplace(prepared_, as_tokens(stored_codes_));
    }
    [[nodiscard]] const PreparedCodes* codes() const { return codes_ ? &*codes_ : nullptr; }

    [[nodiscard]] const PreparedSequences& prepared() const { return prepared_; }

    [[nodiscard]] Array<float> pooled() const {
        Array<float> out({prepared_.size(), prepared_.dim()});
        const MatrixView<float> rows = as_writable(out);
        {
            const py::gil_scoped_release unlocked;
            for (std::size_t s = 0; s < prepared_.size(); ++s) {
                pool(prepared_.measure().ground, prepared_[s], {rows.row(s), prepared_.dim()});
            }
        }
        return out;
    }

    [[nodiscard]] Array<float> pool_query(const Tokens& tokens, const Weights& weights) const {
        const OwnedQuery query = own(tokens, weights);
        Array<float> out(static_cast<py::ssize_t>(prepared_.dim()));
        pool(prepared_.measure().ground, query.prepared(), {out.mutable_data(), prepared_.dim()});
        return out;
    }

    [[nodiscard]] Array<double> pooled_bounds(const Tokens& tokens, const Weights& weights,
                                              const Array<float>& squared_distances, double max_pooled_norm) const {
        const OwnedQuery query = own(tokens, weights);
        const GroundCost ground = prepared_.measure().ground;
        const PooledBound bound(
            ground, prepared_.dim(), max_pooled_norm,
            cost_error_bound(ground, prepared_.dim(), max_norm(query.prepared()), prepared_.max_norm()));
        const std::span<const float> from = as_span(squared_distances);
        Array<double> out(static_cast<py::ssize_t>(from.size()));
        std::transform(from.begin(), from.end(), out.mutable_data(), bound);
        return out;
    }

    /// Centroids, their masses, and how many of `per_document` rows each document fills.
    [[nodiscard]] py::tuple clusters(std::size_t per_document, int num_threads) const {
        const std::size_t n_rows = prepared_.size() * per_document;
        Array<float> centroids({n_rows, prepared_.dim()});
        Array<double> mass(static_cast<py::ssize_t>(n_rows));
        Array<std::int64_t> counts(static_cast<py::ssize_t>(prepared_.size()));
        const MatrixView<float> rows = as_writable(centroids);
        const std::span<double> mass_view(mass.mutable_data(), n_rows);
        const std::span<std::int64_t> counts_view(counts.mutable_data(), prepared_.size());
        Interrupt interrupt = python_interrupt();
        {
            const py::gil_scoped_release unlocked;
            cluster_tokens(prepared_, per_document, rows, mass_view, counts_view, num_threads, interrupt);
        }
        return py::make_tuple(centroids, mass, counts);
    }

    [[nodiscard]] OwnedQuery own(const Tokens& tokens, const Weights& weights) const {
        require_same_dim(as_matrix(tokens).cols(), prepared_.dim());
        return OwnedQuery(tokens, weights, prepared_.measure());
    }

  private:
    StoredTokens tokens_;
    Offsets offsets_;
    Weights weights_;
    PreparedSequences prepared_;
    StoredTokens stored_codes_;
    std::optional<PreparedCodes> codes_;
};

/// Prepared bags of words together with their arrays.
class BagCorpus {
  public:
    BagCorpus(const Tokens& vectors, const Array<std::uint32_t>& words, const Offsets& offsets,
              const std::optional<Array<float>>& counts, const Measure& measure)
        : vectors_(vectors), words_(words), offsets_(offsets), counts_(counts), prepared_(view(), measure) {}

    [[nodiscard]] const PreparedBags& prepared() const { return prepared_; }

    [[nodiscard]] OwnedQuery own(const Tokens& tokens, const Weights& weights) const {
        require_same_dim(as_matrix(tokens).cols(), prepared_.dim());
        return OwnedQuery(tokens, weights, prepared_.measure());
    }

  private:
    [[nodiscard]] BagsView view() const {
        const MatrixView<const float> vectors = as_matrix(vectors_);
        const std::span<const std::uint32_t> words = as_span(words_);
        const std::span<const float> counts = counts_ ? as_span(*counts_) : std::span<const float>{};
        if (counts_ && counts.size() != words.size()) {
            throw std::invalid_argument("expected one count a word");
        }
        return {
            {vectors.data(), vectors.rows(), vectors.cols()}, words, checked_offsets(offsets_, words.size()), counts};
    }

    Tokens vectors_;
    Array<std::uint32_t> words_;
    Offsets offsets_;
    std::optional<Array<float>> counts_;
    PreparedBags prepared_;
};

/// One query's search with the arrays that it reads.
class Search {
  public:
    Search(std::shared_ptr<const Corpus> corpus, const Tokens& tokens, const Weights& weights, const SearchGoal& goal,
           const Offsets& tie_ranks)
        : Search(corpus, corpus->prepared(), tokens, weights, tie_ranks) {
        search_.emplace(corpus->prepared(), query_.prepared(), goal, checked_ranks(), corpus->codes());
    }
    Search(std::shared_ptr<const BagCorpus> corpus, const Tokens& tokens, const Weights& weights,
           const SearchGoal& goal, const Offsets& tie_ranks, int num_threads)
        : Search(corpus, corpus->prepared(), tokens, weights, tie_ranks) {
        const std::span<const std::int64_t> ranks = checked_ranks();
        Interrupt interrupt = python_interrupt();
        const py::gil_scoped_release unlocked;
        search_.emplace(corpus->prepared(), query_.prepared(), goal, ranks, num_threads, interrupt);
    }

    void seed(const Array<std::int64_t>& positions, int num_threads) {
        const std::span<const std::int64_t> seeds = checked_positions(positions);
        Interrupt interrupt = python_interrupt();
        const py::gil_scoped_release unlocked;
        search_->seed(seeds, num_threads, interrupt);
    }

    [[nodiscard]] Array<double> lower_bounds(const Array<std::int64_t>& positions, int num_threads) {
        return bounds_of(positions, num_threads, &TopKSearch::lower_bounds);
    }

    [[nodiscard]] Array<double> one_sided_bounds(const Array<std::int64_t>& positions, int num_threads) {
        return bounds_of(positions, num_threads, &TopKSearch::one_sided_bounds);
    }

    [[nodiscard]] bool has_one_sided_bounds() { return search_->has_one_sided_bounds(); }

    void examine(const Array<std::int64_t>& positions, const Array<double>& bounds, int num_threads) {
        const std::span<const std::int64_t> candidates = checked_positions(positions);
        const std::span<const double> candidate_bounds = as_span(bounds);
        if (candidates.size() != candidate_bounds.size()) {
            throw std::invalid_argument("expected one bound a position");
        }
        Interrupt interrupt = python_interrupt();
        const py::gil_scoped_release unlocked;
        search_->examine(candidates, candidate_bounds, num_threads, interrupt);
    }

    [[nodiscard]] double cutoff() const { return search_->cutoff(); }
    [[nodiscard]] double floor() const { return search_->floor(); }

    [[nodiscard]] py::dict counts() const {
        const SearchCounts& counts = search_->counts();
        py::dict out;
        out["seeds"] = counts.seeds;
        out["pruned_by_bound"] = counts.pruned_by_bound;
        out["pruned_by_solver"] = counts.pruned_by_solver;
        out["exact_solves"] = counts.exact_solves;
        out["seed_seconds"] = counts.seed_seconds;
        out["scan_seconds"] = counts.scan_seconds;
        out["bound_seconds"] = counts.bound_seconds;
        out["solve_seconds"] = counts.solve_seconds;
        return out;
    }

    [[nodiscard]] py::tuple hits() const {
        const std::vector<Hit> hits = search_->hits();
        Array<std::int64_t> positions(static_cast<py::ssize_t>(hits.size()));
        Array<double> distances(static_cast<py::ssize_t>(hits.size()));
        std::ranges::transform(hits, positions.mutable_data(), &Hit::position);
        std::ranges::transform(hits, distances.mutable_data(), &Hit::distance);
        return py::make_tuple(positions, distances);
    }

  private:
    template <class AnyCorpus>
    Search(std::shared_ptr<const AnyCorpus> corpus, const PreparedDocuments& documents, const Tokens& tokens,
           const Weights& weights, const Offsets& tie_ranks)
        : corpus_(corpus),
          documents_(documents),
          tokens_(tokens),
          weights_(weights),
          tie_ranks_(tie_ranks),
          query_(corpus->own(tokens_, weights_)) {}

    using Bounds = void (TopKSearch::*)(std::span<const std::int64_t>, std::span<double>, int, Interrupt&);
    [[nodiscard]] Array<double> bounds_of(const Array<std::int64_t>& positions, int num_threads, Bounds bounds) {
        const std::span<const std::int64_t> candidates = checked_positions(positions);
        Array<double> out(static_cast<py::ssize_t>(candidates.size()));
        const std::span<double> out_view(out.mutable_data(), candidates.size());
        Interrupt interrupt = python_interrupt();
        {
            const py::gil_scoped_release unlocked;
            ((*search_).*bounds)(candidates, out_view, num_threads, interrupt);
        }
        return out;
    }

    [[nodiscard]] std::span<const std::int64_t> checked_positions(const Array<std::int64_t>& positions) const {
        const std::span<const std::int64_t> checked = as_span(positions);
        const auto n_documents = static_cast<std::int64_t>(documents_.size());
        if (std::ranges::any_of(checked, [&](std::int64_t p) { return p < 0 || p >= n_documents; })) {
            throw std::invalid_argument("a position lies outside the corpus");
        }
        return checked;
    }

    [[nodiscard]] std::span<const std::int64_t> checked_ranks() const {
        const std::span<const std::int64_t> ranks = as_span(tie_ranks_);
        if (ranks.size() != documents_.size()) {
            throw std::invalid_argument("expected one tie rank a document");
        }
        return ranks;
    }

    std::shared_ptr<const void> corpus_;
    const PreparedDocuments& documents_;
    Tokens tokens_;
    Weights weights_;
    Offsets tie_ranks_;
    OwnedQuery query_;
    std::optional<TopKSearch> search_;
};

SearchGoal make_goal(std::size_t k, double radius, double slack) { return {.k = k, .radius = radius, .slack = slack}; }

Array<double> pairwise_of(const Corpus& rows, const Corpus& columns, int num_threads) {
    require_same_dim(rows.prepared().dim(), columns.prepared().dim());
    Array<double> out({rows.prepared().size(), columns.prepared().size()});
    const MatrixView<double> out_view = as_writable(out);
    Interrupt interrupt = python_interrupt();
    {
        const py::gil_scoped_release unlocked;
        pairwise(rows.prepared(), columns.prepared(), out_view, num_threads, interrupt);
    }
    return out;
}

}  // namespace

void bind_search(py::module_& module) {
    const auto weights = [](const char* name) { return py::arg(name).noconvert().none(true); };
    py::class_<Search>(module, "TopKSearch")
        .def("seed", &Search::seed, py::arg("positions").noconvert(), py::arg("num_threads"))
        .def("lower_bounds", &Search::lower_bounds, py::arg("positions").noconvert(), py::arg("num_threads"))
        .def("one_sided_bounds", &Search::one_sided_bounds, py::arg("positions").noconvert(), py::arg("num_threads"))
        .def_property_readonly("has_one_sided_bounds", &Search::has_one_sided_bounds)
        .def("examine", &Search::examine, py::arg("positions").noconvert(), py::arg("bounds").noconvert(),
             py::arg("num_threads"))
        .def_property_readonly("cutoff", &Search::cutoff)
        .def_property_readonly("floor", &Search::floor)
        .def_property_readonly("counts", &Search::counts)
        .def("hits", &Search::hits);
    py::class_<BagCorpus, std::shared_ptr<BagCorpus>>(module, "BagCorpus")
        .def(py::init<const Tokens&, const Array<std::uint32_t>&, const Offsets&, const std::optional<Array<float>>&,
                      const Measure&>(),
             py::arg("vectors").noconvert(), py::arg("words").noconvert(), py::arg("offsets").noconvert(),
             weights("counts"), py::arg("measure"))
        .def("__len__", [](const BagCorpus& corpus) { return corpus.prepared().size(); })
        .def(
            "search",
            [](std::shared_ptr<const BagCorpus> corpus, const Tokens& query, const Weights& query_weights,
               std::size_t k, double radius, double slack, const Offsets& tie_ranks, int num_threads) {
                return std::make_unique<Search>(std::move(corpus), query, query_weights, make_goal(k, radius, slack),
                                                tie_ranks, num_threads);
            },
            py::arg("query").noconvert(), weights("query_weights"), py::arg("k"), py::arg("radius"), py::arg("slack"),
            py::arg("tie_ranks").noconvert(), py::arg("num_threads"));
    py::class_<Corpus, std::shared_ptr<Corpus>>(module, "Corpus")
        .def(py::init([](const py::array& tokens, const std::optional<Array<float>>& scales, const Offsets& offsets,
                         const Weights& token_weights, const Measure& measure) {
                 return std::make_shared<Corpus>(StoredTokens{tokens, scales}, offsets, token_weights, measure);
             }),
             py::arg("tokens"), weights("scales"), py::arg("offsets").noconvert(), weights("weights"),
             py::arg("measure"))
        .def("__len__", [](const Corpus& corpus) { return corpus.prepared().size(); })
        .def(
            "add_codes",
            [](Corpus& corpus, const py::array& codes, const std::optional<Array<float>>& scales) {
                corpus.add_codes({codes, scales});
            },
            py::arg("codes"), weights("scales"))
        .def("pooled", &Corpus::pooled)
        .def("pool_query", &Corpus::pool_query, py::arg("query").noconvert(), weights("query_weights"))
        .def("clusters", &Corpus::clusters, py::arg("per_document"), py::arg("num_threads"))
        .def("pooled_bounds", &Corpus::pooled_bounds, py::arg("query").noconvert(), weights("query_weights"),
             py::arg("squared_distances").noconvert(), py::arg("max_pooled_norm"))
        .def(
            "search",
            [](std::shared_ptr<const Corpus> corpus, const Tokens& query, const Weights& query_weights, std::size_t k,
               double radius, double slack, const Offsets& tie_ranks, int) {
                return std::make_unique<Search>(std::move(corpus), query, query_weights, make_goal(k, radius, slack),
                                                tie_ranks);
            },
            py::arg("query").noconvert(), weights("query_weights"), py::arg("k"), py::arg("radius"), py::arg("slack"),
            py::arg("tie_ranks").noconvert(), py::arg("num_threads"));
    module.def("pairwise", &pairwise_of, py::arg("rows"), py::arg("columns"), py::arg("num_threads"));
}

}  // namespace moverank::bindings
