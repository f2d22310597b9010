/// Search for one query: the whole search, or bounds alone.
#include <pybind11/stl.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <tuple>

#include "moverank/ground_cost.hpp"
#include "moverank/search.hpp"
#include "query.hpp"

namespace moverank::bindings {

namespace {

/// A source of candidates in Python: an object with a `name` and a method `nearest`, which takes how many are wanted
/// and returns their positions and a bound on all other documents. It is called while the GIL is released, so it takes
/// the GIL itself.
class PythonSource final : public CandidateSource {
  public:
    explicit PythonSource(const py::object& source)
        : nearest_(source.attr("nearest")), name_(source.attr("name").cast<std::string>()) {}

    Candidates nearest(std::size_t count) override {
        const py::gil_scoped_acquire locked;
        const auto [positions, bound] = nearest_(count).cast<std::pair<Array<std::int64_t>, double>>();
        const std::span<const std::int64_t> found = as_span(positions);
        return {{found.begin(), found.end()}, bound};
    }
    [[nodiscard]] std::string name() const override { return name_; }

  private:
    py::object nearest_;
    std::string name_;
};

/// The result of a search, with its hits as arrays.
struct FoundHits {
    SearchResult result;
    Array<std::int64_t> positions;
    Array<double> distances;
};

void require_positions(std::span<const std::int64_t> positions, std::size_t n_documents) {
    if (std::ranges::any_of(positions,
                            [&](std::int64_t p) { return p < 0 || std::cmp_greater_equal(p, n_documents); })) {
        throw std::invalid_argument("a position lies outside the corpus");
    }
}

[[nodiscard]] Array<std::int64_t> positions_of(const std::vector<Hit>& hits) {
    Array<std::int64_t> positions(static_cast<py::ssize_t>(hits.size()));
    std::ranges::transform(hits, positions.mutable_data(), &Hit::position);
    return positions;
}
[[nodiscard]] Array<double> distances_of(const std::vector<Hit>& hits) {
    Array<double> distances(static_cast<py::ssize_t>(hits.size()));
    std::ranges::transform(hits, distances.mutable_data(), &Hit::distance);
    return distances;
}

/// A search, with all that it refers to. Whole, or in two parts.
class Search {
  public:
    template <class AnyCorpus>
    Search(const std::shared_ptr<const AnyCorpus>& corpus, std::shared_ptr<const Query> query, std::size_t k,
           double radius, double slack, std::optional<Array<std::int64_t>> positions, std::optional<std::size_t> budget,
           std::optional<double> timeout, std::optional<std::size_t> n_seeds, const py::object& source,
           bool source_gives_seeds, std::shared_ptr<const StopFlag> stop, int num_threads)
        : corpus_(corpus), query_(std::move(query)), positions_(std::move(positions)) {
        if (!source.is_none()) {
            source_.emplace(source);
        }
        SearchGoal goal{.k = k,
                        .radius = radius,
                        .slack = slack,
                        .budget = budget,
                        .n_seeds = n_seeds,
                        .source = source_ ? &*source_ : nullptr,
                        .source_gives_seeds = source_gives_seeds,
                        .n_threads = num_threads,
                        .stop = python_poll(std::move(stop))};
        if (positions_) {
            goal.positions = as_span(*positions_);
        }
        if (timeout) {
            goal.timeout = std::chrono::duration<double>(*timeout);
        }
        const PreparedSequence& prepared = query_->prepared_for(*corpus);
        const py::gil_scoped_release unlocked;
        search_ = std::make_unique<SplitSearch>(corpus->searchable(), prepared, goal);
    }

    [[nodiscard]] std::size_t n_potentials() const { return search_->n_potentials(); }
    /// The seeds: positions, distances, potentials, and the number of documents behind these.
    [[nodiscard]] auto begin() {
        Seeds seeds;
        {
            const py::gil_scoped_release unlocked;
            seeds = search_->begin();
        }
        Array<double> potentials(static_cast<py::ssize_t>(seeds.potentials.size()));
        std::ranges::copy(seeds.potentials, potentials.mutable_data());
        return std::tuple(positions_of(seeds.hits), distances_of(seeds.hits), potentials, seeds.n_with_potentials);
    }
    [[nodiscard]] FoundHits finish(double cutoff, const std::optional<Array<double>>& potentials) {
        FoundHits found;
        const std::span<const double> reused = potentials ? as_span(*potentials) : std::span<const double>();
        {
            const py::gil_scoped_release unlocked;
            found.result = search_->finish(cutoff, reused);
        }
        found.positions = positions_of(found.result.hits);
        found.distances = distances_of(found.result.hits);
        return found;
    }

  private:
    std::shared_ptr<const void> corpus_;
    std::shared_ptr<const Query> query_;
    std::optional<Array<std::int64_t>> positions_;
    std::optional<PythonSource> source_;
    std::unique_ptr<SplitSearch> search_;
};

/// Bounds of one query on documents, without a search: prefilters order documents by them. Keeps the corpus and the
/// query alive, which `bounds_` refers to.
class QueryBounds {
  public:
    template <class AnyCorpus>
    QueryBounds(const std::shared_ptr<const AnyCorpus>& corpus, std::shared_ptr<const Query> query, int num_threads)
        : corpus_(corpus), query_(std::move(query)), n_documents_(corpus->documents().size()) {
        const PreparedSequence& prepared = query_->prepared_for(*corpus);
        Interrupt interrupt = python_interrupt();
        const py::gil_scoped_release unlocked;
        bounds_ = corpus->searchable().ask(prepared, num_threads, interrupt);
    }

    /// Solve a few documents, whose potentials bound all others.
    void seed(const Array<std::int64_t>& positions, int num_threads) {
        const std::span<const std::int64_t> seeds = as_span(positions);
        require_positions(seeds, n_documents_);
        std::vector<double> distances(seeds.size());
        Interrupt interrupt = python_interrupt();
        const py::gil_scoped_release unlocked;
        bounds_->reuse(bounds_->solve(seeds, distances, num_threads, interrupt).potentials);
    }
    /// Names of the bounds, cheapest first, best last.
    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> found;
        for (const std::unique_ptr<LowerBound>& bound : bounds_->bounds()) {
            found.push_back(bound->name());
        }
        return found;
    }
    [[nodiscard]] Array<double> lower_bounds(const Array<std::int64_t>& positions, int num_threads) {
        return compute(*bounds_->bounds().back(), positions, num_threads);
    }
    [[nodiscard]] Array<double> by_name(const std::string& name, const Array<std::int64_t>& positions,
                                        int num_threads) {
        for (const std::unique_ptr<LowerBound>& bound : bounds_->bounds()) {
            if (bound->name() == name) {
                return compute(*bound, positions, num_threads);
            }
        }
        throw std::invalid_argument("there is no bound of this name");
    }

  private:
    [[nodiscard]] Array<double> compute(LowerBound& bound, const Array<std::int64_t>& positions, int num_threads) {
        const std::span<const std::int64_t> asked = as_span(positions);
        require_positions(asked, n_documents_);
        Array<double> out(static_cast<py::ssize_t>(asked.size()));
        const std::span<double> out_view(out.mutable_data(), asked.size());
        Interrupt interrupt = python_interrupt();
        {
            const py::gil_scoped_release unlocked;
            bound.compute(asked, out_view, num_threads, interrupt);
        }
        return out;
    }

    std::shared_ptr<const void> corpus_;
    std::shared_ptr<const Query> query_;
    std::size_t n_documents_;
    std::unique_ptr<CorpusQuery> bounds_;
};

/// The query's pooled vector, to be compared with those of documents.
[[nodiscard]] Array<float> pooled_query(const Query& query, const Corpus& corpus) {
    const PreparedSequence& prepared = query.prepared_for(corpus);
    Array<float> out(static_cast<py::ssize_t>(corpus.documents().dim()));
    pool(corpus.documents().measure().ground, prepared, {out.mutable_data(), corpus.documents().dim()});
    return out;
}

/// Bounds on distances from faiss's squared distances between pooled vectors.
[[nodiscard]] Array<double> pooled_bounds(const Query& query, const Corpus& corpus,
                                          const Array<float>& squared_distances, double max_pooled_norm) {
    const JoinedSequences& documents = corpus.documents();
    const GroundCost ground = documents.measure().ground;
    const PooledBound bound(
        ground, documents.dim(), max_pooled_norm,
        cost_error_bound(ground, documents.dim(), max_norm(query.prepared_for(corpus)), documents.max_norm()));
    const std::span<const float> from = as_span(squared_distances);
    Array<double> out(static_cast<py::ssize_t>(from.size()));
    std::transform(from.begin(), from.end(), out.mutable_data(), bound);
    return out;
}

}  // namespace

void bind_search(py::module_& module) {
    const auto optional = [](const char* name) { return py::arg(name).noconvert().none(true); };
    py::class_<StopFlag, std::shared_ptr<StopFlag>>(module, "StopFlag")
        .def(py::init([] { return std::make_shared<StopFlag>(false); }))
        .def("set", [](StopFlag& flag) { flag.store(true, std::memory_order_relaxed); });
    py::class_<Query, std::shared_ptr<Query>>(module, "Query")
        .def(py::init<const Tokens&, const Weights&, const Measure&>(), py::arg("tokens").noconvert(),
             optional("weights"), py::arg("measure"))
        .def_static(
            "of_words",
            [](const Array<std::uint32_t>& words, const Weights& weights, std::size_t n_words, const Measure& measure) {
                return std::make_shared<Query>(words, weights, n_words, measure);
            },
            py::arg("words").noconvert(), optional("weights"), py::arg("n_words"), py::arg("measure"))
        .def("pooled", &pooled_query, py::arg("corpus"))
        .def("pooled_bounds", &pooled_bounds, py::arg("corpus"), py::arg("squared_distances").noconvert(),
             py::arg("max_pooled_norm"));
    py::class_<Rung>(module, "Rung")
        .def_readonly("name", &Rung::name)
        .def_readonly("seen", &Rung::seen)
        .def_readonly("dropped", &Rung::dropped)
        .def_readonly("seconds", &Rung::seconds);
    py::class_<Certificate>(module, "Certificate")
        .def_readonly("exact", &Certificate::exact)
        .def_readonly("bound", &Certificate::bound)
        .def_readonly("unsolved", &Certificate::unsolved)
        .def_readonly("certain", &Certificate::certain)
        .def_readonly("error", &Certificate::error);
    py::class_<FoundHits>(module, "SearchResult")
        .def_readonly("positions", &FoundHits::positions)
        .def_readonly("distances", &FoundHits::distances)
        .def_property_readonly("certificate", [](const FoundHits& found) { return found.result.certificate; })
        .def_property_readonly("rungs", [](const FoundHits& found) { return found.result.rungs; })
        .def_property_readonly("n_documents", [](const FoundHits& found) { return found.result.n_documents; })
        .def_property_readonly("timed_out", [](const FoundHits& found) { return found.result.timed_out; });
    py::class_<QueryBounds>(module, "QueryBounds")
        .def(py::init<const std::shared_ptr<const Corpus>&, std::shared_ptr<const Query>, int>(), py::arg("corpus"),
             py::arg("query"), py::arg("num_threads"))
        .def(py::init<const std::shared_ptr<const BagCorpus>&, std::shared_ptr<const Query>, int>(), py::arg("corpus"),
             py::arg("query"), py::arg("num_threads"))
        .def("seed", &QueryBounds::seed, py::arg("positions").noconvert(), py::arg("num_threads"))
        .def("lower_bounds", &QueryBounds::lower_bounds, py::arg("positions").noconvert(), py::arg("num_threads"))
        .def("by_name", &QueryBounds::by_name, py::arg("name"), py::arg("positions").noconvert(),
             py::arg("num_threads"))
        .def_property_readonly("names", &QueryBounds::names);
    py::class_<Search> search(module, "Search");
    const auto def_search = [&]<class AnyCorpus>(const AnyCorpus*) {
        search.def(
            py::init<const std::shared_ptr<const AnyCorpus>&, std::shared_ptr<const Query>, std::size_t, double, double,
                     std::optional<Array<std::int64_t>>, std::optional<std::size_t>, std::optional<double>,
                     std::optional<std::size_t>, const py::object&, bool, std::shared_ptr<const StopFlag>, int>(),
            py::arg("corpus"), py::arg("query"), py::kw_only(), py::arg("k"), py::arg("radius"), py::arg("slack"),
            optional("positions"), optional("budget"), optional("timeout"), optional("n_seeds"),
            py::arg("source").none(true), py::arg("source_gives_seeds"), py::arg("stop").none(true),
            py::arg("num_threads"));
    };
    def_search(static_cast<const Corpus*>(nullptr));
    def_search(static_cast<const BagCorpus*>(nullptr));
    search.def_property_readonly("n_potentials", &Search::n_potentials)
        .def("begin", &Search::begin)
        .def("finish", &Search::finish, py::arg("cutoff"), optional("potentials"));
    module.def(
        "certify",
        [](const Array<double>& distances, double bound, std::int64_t unsolved, std::size_t k, double radius) {
            return certify(as_span(distances), bound, unsolved, k, radius);
        },
        py::arg("distances").noconvert(), py::kw_only(), py::arg("bound"), py::arg("unsolved"), py::arg("k"),
        py::arg("radius"));
}

}  // namespace moverank::bindings
