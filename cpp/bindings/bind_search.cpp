/// Prepared documents, and the search over them.
#include <pybind11/stl.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "arrays.hpp"
#include "columns.hpp"
#include "moverank/bag_batch.hpp"
#include "moverank/batch.hpp"
#include "moverank/clusters.hpp"
#include "moverank/ground_cost.hpp"
#include "moverank/joined.hpp"
#include "moverank/pooled.hpp"
#include "moverank/topk.hpp"

namespace moverank::bindings {

namespace {

/// A view of memory that `owner` keeps, read-only.
template <class T>
[[nodiscard]] Array<T> view_of(std::span<const T> numbers, const py::object& owner) {
    Array<T> view(static_cast<py::ssize_t>(numbers.size()), numbers.data(), owner);
    py::detail::array_proxy(view.ptr())->flags &= ~py::detail::npy_api::NPY_ARRAY_WRITEABLE_;
    return view;
}

template <class T>
[[nodiscard]] std::span<const T> span_or_none(const std::optional<Array<T>>& array) {
    return array ? as_span(*array) : std::span<const T>{};
}

/// Prepared sequences together with the arrays that hold their tokens.
class SequencesPart {
  public:
    SequencesPart(StoredTokens tokens, const Offsets& offsets, const Weights& weights, const Measure& measure)
        : tokens_(std::move(tokens)),
          offsets_(offsets),
          mass_(weights),
          prepared_(prepare_all(as_sequences(tokens_, offsets_, weights), measure)) {}
    SequencesPart(StoredTokens tokens, const Offsets& offsets, const Array<double>& mass,
                  const std::optional<Array<float>>& inverse_norms, double max_norm, const Measure& measure)
        : tokens_(std::move(tokens)),
          offsets_(offsets),
          mass_(mass),
          inverse_norms_(inverse_norms),
          prepared_(as_sequences(tokens_, offsets_, std::nullopt), measure,
                    {as_span(*mass_), span_or_none(inverse_norms_), max_norm}) {}

    /// Keep codes of the tokens for lower bounds.
    void add_codes(StoredTokens codes) {
        stored_codes_ = std::move(codes);
        const TokensView view = as_tokens(stored_codes_);
        Interrupt interrupt = python_interrupt();
        const py::gil_scoped_release unlocked;
        codes_.emplace(prepared_, view, &interrupt);
    }
    void take_codes(StoredTokens codes, const std::optional<Array<float>>& inverse_norms,
                    const std::optional<Array<float>>& squares, const std::optional<Array<std::int32_t>>& sums,
                    const Array<double>& rho, double largest_norm) {
        stored_codes_ = std::move(codes);
        code_arrays_ = py::make_tuple(inverse_norms, squares, sums, rho);
        codes_.emplace(prepared_, as_tokens(stored_codes_),
                       CodeArrays{span_or_none(inverse_norms), span_or_none(squares), span_or_none(sums), as_span(rho),
                                  largest_norm});
    }
    [[nodiscard]] const PreparedCodes* codes() const { return codes_ ? &*codes_ : nullptr; }
    [[nodiscard]] const PreparedSequences& prepared() const { return prepared_; }

    [[nodiscard]] Array<float> pooled() const {
        Array<float> out({prepared_.size(), prepared_.dim()});
        const MatrixView<float> rows = as_writable(out);
        Interrupt interrupt = python_interrupt();
        {
            const py::gil_scoped_release unlocked;
            for (std::size_t s = 0; s < prepared_.size(); ++s) {
                interrupt.check();
                pool(prepared_.measure().ground, prepared_[s], {rows.row(s), prepared_.dim()});
            }
        }
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

  private:
    [[nodiscard]] static PreparedSequences prepare_all(const SequencesView& sequences, const Measure& measure) {
        Interrupt interrupt = python_interrupt();
        const py::gil_scoped_release unlocked;
        return {sequences, measure, &interrupt};
    }

    StoredTokens tokens_;
    Offsets offsets_;
    Weights mass_;  ///< as given, or as found before
    std::optional<Array<float>> inverse_norms_;
    PreparedSequences prepared_;
    StoredTokens stored_codes_;
    py::tuple code_arrays_;
    std::optional<PreparedCodes> codes_;
};

/// Given costs as an array has them: float32 or float64.
[[nodiscard]] CostTable as_costs(const py::array& costs) {
    if (costs.ndim() != 2 || (costs.flags() & py::array::c_style) == 0) {
        throw std::invalid_argument("expected costs as a two-dimensional array in C order");
    }
    if (holds<float>(costs)) {
        return CostTable(as_matrix(Array<float>(costs)));
    }
    if (holds<double>(costs)) {
        return CostTable(as_matrix(Array<double>(costs)));
    }
    throw std::invalid_argument("expected costs in float32 or float64");
}

/// Prepared bags of words together with their arrays.
class BagsPart {
  public:
    BagsPart(const Tokens& vectors, const Array<std::uint32_t>& words, const Offsets& offsets,
             const std::optional<Array<float>>& counts, const Measure& measure, const Array<std::uint32_t>& known)
        : arrays_(py::make_tuple(offsets, counts)),
          prepared_(prepare_all({table(vectors), as_span(words), checked_offsets(offsets, as_span(words).size()),
                                 checked_counts(counts, words)},
                                measure, as_span(known))) {}
    BagsPart(const Tokens& vectors, const Array<std::uint32_t>& words, const Offsets& offsets,
             const std::optional<Array<float>>& counts, const Array<double>& totals, std::size_t first_word,
             const Measure& measure)
        : arrays_(py::make_tuple(vectors, words, offsets, counts, totals)),
          prepared_(BagArrays{table(vectors), as_span(words), checked_offsets(offsets, as_span(words).size()),
                              span_or_none(counts), as_span(totals), first_word},
                    measure) {}
    /// Of words whose costs are given.
    BagsPart(const py::array& costs, const Array<std::uint32_t>& words, const Offsets& offsets,
             const std::optional<Array<double>>& counts, const Measure& measure, const Array<std::uint32_t>& known)
        : arrays_(py::make_tuple(costs, words, offsets, counts)),
          prepared_(prepare_all({{},
                                 as_span(words),
                                 checked_offsets(offsets, as_span(words).size()),
                                 checked_counts(counts, words),
                                 as_costs(costs)},
                                measure, as_span(known))) {}
    BagsPart(const py::array& costs, const Array<std::uint32_t>& words, const Offsets& offsets,
             const std::optional<Array<double>>& counts, const Array<double>& totals, std::size_t first_word,
             const Measure& measure)
        : arrays_(py::make_tuple(costs, words, offsets, counts, totals)),
          prepared_(BagArrays{{},
                              as_span(words),
                              checked_offsets(offsets, as_span(words).size()),
                              span_or_none(counts),
                              as_span(totals),
                              first_word,
                              as_costs(costs)},
                    measure) {}

    [[nodiscard]] const PreparedBags& prepared() const { return prepared_; }

  private:
    [[nodiscard]] static PreparedBags prepare_all(const BagsView& bags, const Measure& measure,
                                                  std::span<const std::uint32_t> known) {
        Interrupt interrupt = python_interrupt();
        const py::gil_scoped_release unlocked;
        return {bags, measure, known, &interrupt};
    }
    [[nodiscard]] static TokensView table(const Tokens& vectors) {
        const MatrixView<const float> rows = as_matrix(vectors);
        return {rows.data(), rows.rows(), rows.cols()};
    }
    template <class T>
    [[nodiscard]] static std::span<const T> checked_counts(const std::optional<Array<T>>& counts,
                                                           const Array<std::uint32_t>& words) {
        if (counts && counts->size() != words.size()) {
            throw std::invalid_argument("expected one count a word");
        }
        return span_or_none(counts);
    }

    py::tuple arrays_;  ///< what `prepared_` reads
    PreparedBags prepared_;
};

using SequencesParts = std::vector<std::shared_ptr<const SequencesPart>>;
using BagsParts = std::vector<std::shared_ptr<const BagsPart>>;

template <class Part>
[[nodiscard]] auto prepared_of(const std::vector<std::shared_ptr<const Part>>& parts) {
    std::vector<decltype(&parts.front()->prepared())> prepared;
    for (const std::shared_ptr<const Part>& part : parts) {
        prepared.push_back(&part->prepared());
    }
    return prepared;
}

[[nodiscard]] OwnedQuery own_query(const Array<std::uint32_t>& words, const Weights& weights, const JoinedBags& bags) {
    if (!bags.has_given_costs()) {
        throw std::invalid_argument("expected tokens for a query, as documents have vectors");
    }
    return {words, weights, bags.dim()};
}

[[nodiscard]] OwnedQuery own_query(const Tokens& tokens, const Weights& weights, std::size_t dim,
                                   const Measure& measure) {
    require_same_dim(as_matrix(tokens).cols(), dim);
    return {tokens, weights, measure};
}

/// Prepared sequences that are searched as one.
class Corpus {
  public:
    explicit Corpus(SequencesParts parts) : parts_(std::move(parts)), joined_(prepared_of(parts_)) {
        std::vector<const PreparedCodes*> codes;
        for (const std::shared_ptr<const SequencesPart>& part : parts_) {
            if (part->codes() != nullptr) {
                codes.push_back(part->codes());
            }
        }
        if (!codes.empty()) {
            codes_.emplace(prepared_of(parts_), std::move(codes));
        }
    }

    [[nodiscard]] const JoinedSequences& documents() const { return joined_; }
    [[nodiscard]] const DocumentCodes* codes() const { return codes_ ? &*codes_ : nullptr; }

    [[nodiscard]] Array<float> pool_query(const Tokens& tokens, const Weights& weights) const {
        const OwnedQuery query = own_query(tokens, weights, joined_.dim(), joined_.measure());
        Array<float> out(static_cast<py::ssize_t>(joined_.dim()));
        pool(joined_.measure().ground, query.prepared(), {out.mutable_data(), joined_.dim()});
        return out;
    }

    [[nodiscard]] Array<double> pooled_bounds(const Tokens& tokens, const Weights& weights,
                                              const Array<float>& squared_distances, double max_pooled_norm) const {
        const OwnedQuery query = own_query(tokens, weights, joined_.dim(), joined_.measure());
        const GroundCost ground = joined_.measure().ground;
        const PooledBound bound(
            ground, joined_.dim(), max_pooled_norm,
            cost_error_bound(ground, joined_.dim(), max_norm(query.prepared()), joined_.max_norm()));
        const std::span<const float> from = as_span(squared_distances);
        Array<double> out(static_cast<py::ssize_t>(from.size()));
        std::transform(from.begin(), from.end(), out.mutable_data(), bound);
        return out;
    }

  private:
    SequencesParts parts_;
    JoinedSequences joined_;
    std::optional<JoinedCodes> codes_;
};

/// Prepared bags that are searched as one.
class BagCorpus {
  public:
    explicit BagCorpus(BagsParts parts) : parts_(std::move(parts)), joined_(prepared_of(parts_)) {}

    [[nodiscard]] const JoinedBags& documents() const { return joined_; }

  private:
    BagsParts parts_;
    JoinedBags joined_;
};

/// When a search has to end.
class Limits {
  public:
    /// Seconds that a clock cannot count to are never over.
    Limits(std::optional<double> seconds, std::shared_ptr<const StopFlag> stop) : stop_(std::move(stop)) {
        constexpr double ages = 1e9;
        if (seconds && *seconds <= ages) {
            const std::chrono::duration<double> wait(*seconds);
            deadline_ = Interrupt::Clock::now() + std::chrono::duration_cast<Interrupt::Clock::duration>(wait);
        }
    }
    [[nodiscard]] Interrupt interrupt() const { return python_interrupt(deadline_, stop_); }
    /// For what has to be done whole, or not at all.
    [[nodiscard]] Interrupt interrupt_without_deadline() const { return python_interrupt({}, stop_); }

  private:
    std::optional<Interrupt::Clock::time_point> deadline_;
    std::shared_ptr<const StopFlag> stop_;
};

/// One query's search with the arrays that it reads.
class Search {
  public:
    Search(std::shared_ptr<const Corpus> corpus, const Tokens& tokens, const Weights& weights, const SearchGoal& goal,
           Limits limits)
        : Search(corpus, corpus->documents(), tokens, weights, std::move(limits)) {
        search_.emplace(corpus->documents(), query_.prepared(), goal, corpus->codes());
    }
    Search(std::shared_ptr<const BagCorpus> corpus, const Tokens& tokens, const Weights& weights,
           const SearchGoal& goal, Limits limits, int num_threads)
        : Search(corpus, corpus->documents(), tokens, weights, std::move(limits)) {
        begin(corpus->documents(), goal, num_threads);
    }
    /// For words whose costs are given.
    Search(std::shared_ptr<const BagCorpus> corpus, const Array<std::uint32_t>& words, const Weights& weights,
           const SearchGoal& goal, Limits limits, int num_threads)
        : limits_(std::move(limits)),
          corpus_(corpus),
          documents_(corpus->documents()),
          words_(words),
          weights_(weights),
          query_(own_query(words, weights, corpus->documents())) {
        begin(corpus->documents(), goal, num_threads);
    }

    void seed(const Array<std::int64_t>& positions, int num_threads) {
        const std::span<const std::int64_t> seeds = checked_positions(positions);
        Interrupt interrupt = limits_.interrupt();
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
        Interrupt interrupt = limits_.interrupt();
        const py::gil_scoped_release unlocked;
        search_->examine(candidates, candidate_bounds, num_threads, interrupt);
    }

    [[nodiscard]] double cutoff() const { return search_->cutoff(); }
    [[nodiscard]] double floor() const { return search_->floor(); }
    [[nodiscard]] bool timed_out() const { return search_->timed_out(); }

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
    template <class Documents>
    Search(std::shared_ptr<const void> corpus, const Documents& documents, const Tokens& tokens, const Weights& weights,
           Limits limits)
        : limits_(std::move(limits)),
          corpus_(std::move(corpus)),
          documents_(documents),
          tokens_(tokens),
          weights_(weights),
          query_(own_query(tokens_, weights_, documents.dim(), documents.measure())) {}

    void begin(const JoinedBags& bags, const SearchGoal& goal, int num_threads) {
        Interrupt interrupt = limits_.interrupt_without_deadline();
        const py::gil_scoped_release unlocked;
        search_.emplace(bags, query_.prepared(), goal, num_threads, interrupt);
    }

    using Bounds = void (TopKSearch::*)(std::span<const std::int64_t>, std::span<double>, int, Interrupt&);
    [[nodiscard]] Array<double> bounds_of(const Array<std::int64_t>& positions, int num_threads, Bounds bounds) {
        const std::span<const std::int64_t> candidates = checked_positions(positions);
        Array<double> out(static_cast<py::ssize_t>(candidates.size()));
        const std::span<double> out_view(out.mutable_data(), candidates.size());
        Interrupt interrupt = limits_.interrupt();
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

    Limits limits_;
    std::shared_ptr<const void> corpus_;
    const PreparedDocuments& documents_;
    Tokens tokens_;
    Array<std::uint32_t> words_;
    Weights weights_;
    OwnedQuery query_;
    std::optional<TopKSearch> search_;
};

SearchGoal make_goal(std::size_t k, double radius, double slack) { return {.k = k, .radius = radius, .slack = slack}; }

/// Tells Python how many pairs of all are done: while they are solved, on the thread that called, and at the end.
class PairProgress {
  public:
    PairProgress(py::object call, std::size_t total) : call_(std::move(call)), total_(total) {}

    [[nodiscard]] Interrupt interrupt() {
        const Interrupt::Poll listen = python_poll();
        return Interrupt([this, listen] {
            const bool stops = listen();
            if (!call_.is_none() && n_done_ > n_told_) {
                const py::gil_scoped_acquire locked;
                tell();
            }
            return stops;
        });
    }
    /// Everything is done. The GIL has to be held.
    void end() {
        if (!call_.is_none() && n_told_ < total_) {
            tell();
        }
    }
    [[nodiscard]] PairCount* n_done() { return &n_done_; }

  private:
    void tell() {
        n_told_ = n_done_;
        call_(n_told_, total_);
    }

    py::object call_;
    std::size_t total_;
    std::size_t n_told_ = 0;
    PairCount n_done_{0};
};

template <class Documents>
[[nodiscard]] Array<double> pairwise_of(const Documents& rows, const Documents& columns, const KnownPairs& known,
                                        const py::object& progress, int num_threads) {
    Array<double> out({rows.size(), columns.size()});
    const MatrixView<double> out_view = as_writable(out);
    PairProgress told(progress, n_pairs(rows.size(), columns.size(), known));
    Interrupt interrupt = told.interrupt();
    {
        const py::gil_scoped_release unlocked;
        pairwise(rows, columns, known, out_view, num_threads, interrupt, told.n_done());
    }
    told.end();
    return out;
}

template <class Prepared>
Array<double> paired_of(const Prepared& queries, const Prepared& documents, const py::object& progress,
                        int num_threads) {
    Array<double> out(static_cast<py::ssize_t>(queries.size()));
    const std::span<double> out_view(out.mutable_data(), queries.size());
    PairProgress told(progress, out_view.size());
    Interrupt interrupt = told.interrupt();
    {
        const py::gil_scoped_release unlocked;
        paired_distances(queries, documents, out_view, num_threads, interrupt, told.n_done());
    }
    told.end();
    return out;
}

/// Tokens, or words where costs are given.
[[nodiscard]] OwnedQuery own_query_of(const py::array& query, const Weights& weights, const JoinedBags& bags) {
    if (holds<std::uint32_t>(query)) {
        return own_query(Array<std::uint32_t>(query), weights, bags);
    }
    if (!holds<float>(query)) {
        throw std::invalid_argument("expected a query of float32 tokens or of uint32 words, in C order");
    }
    return own_query(Tokens(query), weights, bags.dim(), bags.measure());
}

Array<double> bag_distances(const py::array& query, const Weights& weights, const BagCorpus& corpus, int num_threads) {
    const OwnedQuery owned = own_query_of(query, weights, corpus.documents());
    Array<double> out(static_cast<py::ssize_t>(corpus.documents().size()));
    const std::span<double> out_view(out.mutable_data(), corpus.documents().size());
    Interrupt interrupt = python_interrupt();
    {
        const py::gil_scoped_release unlocked;
        distances(owned.prepared(), corpus.documents(), out_view, num_threads, interrupt);
    }
    return out;
}

py::tuple bag_certified_distances(const py::array& query, const Weights& weights, const BagCorpus& corpus,
                                  int num_threads) {
    const OwnedQuery owned = own_query_of(query, weights, corpus.documents());
    std::vector<CertifiedDistance> found(corpus.documents().size());
    Interrupt interrupt = python_interrupt();
    {
        const py::gil_scoped_release unlocked;
        certified_distances(owned.prepared(), corpus.documents(), found, num_threads, interrupt);
    }
    return columns_of(found);
}

}  // namespace

void bind_search(py::module_& module) {
    const auto optional = [](const char* name) { return py::arg(name).noconvert().none(true); };
    py::class_<StopFlag, std::shared_ptr<StopFlag>>(module, "StopFlag")
        .def(py::init([] { return std::make_shared<StopFlag>(false); }))
        .def("set", [](StopFlag& flag) { flag.store(true, std::memory_order_relaxed); });
    py::class_<Search>(module, "TopKSearch")
        .def("seed", &Search::seed, py::arg("positions").noconvert(), py::arg("num_threads"))
        .def("lower_bounds", &Search::lower_bounds, py::arg("positions").noconvert(), py::arg("num_threads"))
        .def("one_sided_bounds", &Search::one_sided_bounds, py::arg("positions").noconvert(), py::arg("num_threads"))
        .def_property_readonly("has_one_sided_bounds", &Search::has_one_sided_bounds)
        .def("examine", &Search::examine, py::arg("positions").noconvert(), py::arg("bounds").noconvert(),
             py::arg("num_threads"))
        .def_property_readonly("cutoff", &Search::cutoff)
        .def_property_readonly("floor", &Search::floor)
        .def_property_readonly("timed_out", &Search::timed_out)
        .def_property_readonly("counts", &Search::counts)
        .def("hits", &Search::hits);
    py::class_<BagsPart, std::shared_ptr<BagsPart>>(module, "PreparedBags")
        .def(py::init<const Tokens&, const Array<std::uint32_t>&, const Offsets&, const std::optional<Array<float>>&,
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
    py::class_<SequencesPart, std::shared_ptr<SequencesPart>>(module, "PreparedSequences")
        .def(py::init([](const py::array& tokens, const std::optional<Array<float>>& scales, const Offsets& offsets,
                         const Weights& token_weights, const Measure& measure) {
                 return std::make_shared<SequencesPart>(StoredTokens{tokens, scales}, offsets, token_weights, measure);
             }),
             py::arg("tokens"), optional("scales"), py::arg("offsets").noconvert(), optional("weights"),
             py::arg("measure"))
        .def_static(
            "from_arrays",
            [](const py::array& tokens, const std::optional<Array<float>>& scales, const Offsets& offsets,
               const Array<double>& mass, const std::optional<Array<float>>& inverse_norms, double max_norm,
               const Measure& measure) {
                return std::make_shared<SequencesPart>(StoredTokens{tokens, scales}, offsets, mass, inverse_norms,
                                                       max_norm, measure);
            },
            py::arg("tokens"), optional("scales"), py::arg("offsets").noconvert(), py::arg("mass").noconvert(),
            optional("inverse_norms"), py::arg("max_norm"), py::arg("measure"))
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
        .def(
            "add_codes",
            [](SequencesPart& part, const py::array& codes, const std::optional<Array<float>>& scales) {
                part.add_codes({codes, scales});
            },
            py::arg("codes"), optional("scales"))
        .def(
            "take_codes",
            [](SequencesPart& part, const py::array& codes, const std::optional<Array<float>>& scales,
               const std::optional<Array<float>>& inverse_norms, const std::optional<Array<float>>& squares,
               const std::optional<Array<std::int32_t>>& sums, const Array<double>& rho, double largest_norm) {
                part.take_codes({codes, scales}, inverse_norms, squares, sums, rho, largest_norm);
            },
            py::arg("codes"), optional("scales"), optional("inverse_norms"), optional("squares"), optional("sums"),
            py::arg("rho").noconvert(), py::arg("largest_norm"))
        .def_property_readonly("code_arrays",
                               [](const std::shared_ptr<SequencesPart>& part) {
                                   if (part->codes() == nullptr) {
                                       throw std::logic_error("these sequences have no codes");
                                   }
                                   const CodeArrays& found = part->codes()->arrays();
                                   const py::object owner = py::cast(part);
                                   py::dict out;
                                   out["inverse_norms"] = view_of(found.inverse_norms, owner);
                                   out["squares"] = view_of(found.squares, owner);
                                   out["sums"] = view_of(found.sums, owner);
                                   out["rho"] = view_of(found.rho, owner);
                                   return out;
                               })
        .def_property_readonly(
            "largest_code_norm",
            [](const SequencesPart& part) { return part.codes() == nullptr ? 0.0 : part.codes()->largest_norm(); })
        .def("__len__", [](const SequencesPart& part) { return part.prepared().size(); })
        .def("pooled", &SequencesPart::pooled)
        .def("clusters", &SequencesPart::clusters, py::arg("per_document"), py::arg("num_threads"));
    py::class_<BagCorpus, std::shared_ptr<BagCorpus>>(module, "BagCorpus")
        .def(py::init<BagsParts>(), py::arg("parts"))
        .def("__len__", [](const BagCorpus& corpus) { return corpus.documents().size(); })
        .def(
            "search",
            [](std::shared_ptr<const BagCorpus> corpus, const Tokens& query, const Weights& query_weights,
               std::size_t k, double radius, double slack, std::optional<double> seconds,
               std::shared_ptr<StopFlag> stop, int num_threads) {
                return std::make_unique<Search>(std::move(corpus), query, query_weights, make_goal(k, radius, slack),
                                                Limits(seconds, std::move(stop)), num_threads);
            },
            py::arg("query").noconvert(), optional("query_weights"), py::arg("k"), py::arg("radius"), py::arg("slack"),
            optional("seconds"), py::arg("stop").none(true), py::arg("num_threads"))
        .def(
            "search",
            [](std::shared_ptr<const BagCorpus> corpus, const Array<std::uint32_t>& query, const Weights& query_weights,
               std::size_t k, double radius, double slack, std::optional<double> seconds,
               std::shared_ptr<StopFlag> stop, int num_threads) {
                return std::make_unique<Search>(std::move(corpus), query, query_weights, make_goal(k, radius, slack),
                                                Limits(seconds, std::move(stop)), num_threads);
            },
            py::arg("query").noconvert(), optional("query_weights"), py::arg("k"), py::arg("radius"), py::arg("slack"),
            optional("seconds"), py::arg("stop").none(true), py::arg("num_threads"));
    py::class_<Corpus, std::shared_ptr<Corpus>>(module, "Corpus")
        .def(py::init<SequencesParts>(), py::arg("parts"))
        .def("__len__", [](const Corpus& corpus) { return corpus.documents().size(); })
        .def("pool_query", &Corpus::pool_query, py::arg("query").noconvert(), optional("query_weights"))
        .def("pooled_bounds", &Corpus::pooled_bounds, py::arg("query").noconvert(), optional("query_weights"),
             py::arg("squared_distances").noconvert(), py::arg("max_pooled_norm"))
        .def(
            "search",
            [](std::shared_ptr<const Corpus> corpus, const Tokens& query, const Weights& query_weights, std::size_t k,
               double radius, double slack, std::optional<double> seconds, std::shared_ptr<StopFlag> stop, int) {
                return std::make_unique<Search>(std::move(corpus), query, query_weights, make_goal(k, radius, slack),
                                                Limits(seconds, std::move(stop)));
            },
            py::arg("query").noconvert(), optional("query_weights"), py::arg("k"), py::arg("radius"), py::arg("slack"),
            optional("seconds"), py::arg("stop").none(true), py::arg("num_threads"));
    module.def(
        "pairwise",
        [](const SequencesPart& rows, const SequencesPart& columns, bool mirrored, bool zero_diagonal,
           const py::object& progress, int num_threads) {
            return pairwise_of(rows.prepared(), columns.prepared(), {mirrored, zero_diagonal}, progress, num_threads);
        },
        py::arg("rows"), py::arg("columns"), py::arg("mirrored"), py::arg("zero_diagonal"),
        py::arg("progress").none(true), py::arg("num_threads"));
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
    module.def("bag_distances", &bag_distances, py::arg("query"), optional("query_weights"), py::arg("corpus"),
               py::arg("num_threads"));
    module.def("bag_certified_distances", &bag_certified_distances, py::arg("query"), optional("query_weights"),
               py::arg("corpus"), py::arg("num_threads"));
}

}  // namespace moverank::bindings
