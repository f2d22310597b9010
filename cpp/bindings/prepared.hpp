/// Prepared documents together with the arrays that they view, and collections of these.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "moverank/bags.hpp"
#include "moverank/clusters.hpp"
#include "moverank/codes.hpp"
#include "moverank/joined.hpp"
#include "moverank/pooled.hpp"
#include "moverank/searchable.hpp"
#include "moverank/token_pooling.hpp"

namespace moverank::bindings {

template <class T>
[[nodiscard]] std::span<const T> span_or_none(const std::optional<Array<T>>& array) {
    return array ? as_span(*array) : std::span<const T>{};
}

/// Clusters of the tokens of each document. Every document has the same number of rows; `counts` says how many are
/// filled.
struct TokenClusters {
    Array<float> centroids;
    Array<double> mass;
    Array<std::int64_t> counts;
};

/// Groups of tokens, each of which becomes one: where those of each document begin, and the group of each token.
struct TokenGroups {
    Array<std::int64_t> offsets;
    Array<std::int32_t> pooled_into;
};

/// Prepared sequences together with the arrays that hold their tokens. The arrays are declared before what views them,
/// and are never replaced.
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

    /// Keep codes of the tokens for lower bounds. int8 codes are copied.
    void add_codes(StoredTokens codes) {
        {
            Interrupt interrupt = python_interrupt();
            const py::gil_scoped_release unlocked;
            codes_.emplace(prepared_, codes.view(), &interrupt);
        }
        if (codes.view().type() == TokenType::int8) {
            code_arrays_ = py::make_tuple(codes.scales());
        } else {
            stored_codes_ = std::move(codes);
        }
    }
    /// The same from arrays of an earlier preparation.
    void take_codes(StoredTokens codes, const std::optional<Array<float>>& inverse_norms, const Array<double>& rho,
                    double largest_norm) {
        stored_codes_ = std::move(codes);
        code_arrays_ = py::make_tuple(inverse_norms, rho);
        codes_.emplace(prepared_, stored_codes_.view(),
                       CodeArrays{.interleaved = {},
                                  .inverse_norms = span_or_none(inverse_norms),
                                  .squares = {},
                                  .rho = as_span(rho),
                                  .largest_norm = largest_norm});
    }
    void take_int8_codes(const py::array& interleaved, const Array<float>& scales,
                         const std::optional<Array<float>>& inverse_norms, const std::optional<Array<float>>& squares,
                         const Array<double>& rho, double largest_norm) {
        const std::size_t n_tokens = as_span(scales).size();
        const std::size_t width = InterleavedCodes::bytes_per_token(prepared_.dim());
        if (!holds<std::int8_t>(interleaved) || (interleaved.flags() & py::array::c_style) == 0 ||
            interleaved.ndim() != 2 || static_cast<std::size_t>(interleaved.shape(1)) != width) {
            throw std::invalid_argument("expected int8 codes in rows of " + std::to_string(width) + " bytes");
        }
        code_arrays_ = py::make_tuple(interleaved, scales, inverse_norms, squares, rho);
        codes_.emplace(prepared_, TokensView(TokenType::int8, nullptr, n_tokens, prepared_.dim(), scales.data()),
                       CodeArrays{.interleaved = {static_cast<const std::int8_t*>(interleaved.data()),
                                                  static_cast<std::size_t>(interleaved.size())},
                                  .inverse_norms = span_or_none(inverse_norms),
                                  .squares = span_or_none(squares),
                                  .rho = as_span(rho),
                                  .largest_norm = largest_norm});
    }
    [[nodiscard]] const PreparedCodes* codes() const { return codes_ ? &*codes_ : nullptr; }
    [[nodiscard]] const PreparedSequences& prepared() const { return prepared_; }

    /// One pooled vector per sequence.
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

    [[nodiscard]] TokenClusters clusters(std::size_t per_document, int num_threads) const {
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
        return {centroids, mass, counts};
    }

    [[nodiscard]] TokenGroups groups(double factor, int num_threads) const {
        const std::vector<std::int64_t> begins = pooled_offsets(prepared_, factor);
        Array<std::int64_t> offsets(static_cast<py::ssize_t>(begins.size()), begins.data());
        Array<std::int32_t> pooled_into(static_cast<py::ssize_t>(prepared_.n_tokens()));
        const std::span<std::int32_t> found(pooled_into.mutable_data(), prepared_.n_tokens());
        Interrupt interrupt = python_interrupt();
        {
            const py::gil_scoped_release unlocked;
            group_tokens(prepared_, begins, found, num_threads, interrupt);
        }
        return {offsets, pooled_into};
    }

    /// One vector per group.
    [[nodiscard]] Array<float> group_means(const Offsets& offsets, const Array<std::int32_t>& pooled_into,
                                           int num_threads) const {
        const std::span<const std::int64_t> begins = as_span(offsets);
        // Offsets that do not fit are refused below; until then they must not ask for any amount of memory.
        const auto most = static_cast<std::int64_t>(prepared_.n_tokens());
        const std::int64_t n_groups = begins.empty() ? 0 : std::clamp<std::int64_t>(begins.back(), 0, most);
        Array<float> means({static_cast<std::size_t>(n_groups), prepared_.dim()});
        const MatrixView<float> rows = as_writable(means);
        const std::span<const std::int32_t> groups = as_span(pooled_into);
        Interrupt interrupt = python_interrupt();
        {
            const py::gil_scoped_release unlocked;
            average_groups(prepared_, begins, groups, rows, num_threads, interrupt);
        }
        return means;
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
    StoredTokens stored_codes_;  ///< of other types than int8
    py::tuple code_arrays_;      ///< what `codes_` reads besides
    std::optional<PreparedCodes> codes_;
};

/// Given costs as an array has them: float32 or float64.
[[nodiscard]] inline CostTable as_costs(const py::array& costs) {
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
    template <class Count>
    BagsPart(const Tokens& vectors, const Array<std::uint32_t>& words, const Offsets& offsets,
             const std::optional<Array<Count>>& counts, const Measure& measure, const Array<std::uint32_t>& known)
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
            throw std::invalid_argument("expected one count per word, got " + std::to_string(counts->size()) + " for " +
                                        std::to_string(words.size()) + " words");
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
        searchable_.emplace(joined_, this->codes());
    }

    [[nodiscard]] const JoinedSequences& documents() const { return joined_; }
    [[nodiscard]] const DocumentCodes* codes() const { return codes_ ? &*codes_ : nullptr; }

    [[nodiscard]] const Searchable& searchable() const { return *searchable_; }

  private:
    SequencesParts parts_;
    JoinedSequences joined_;
    std::optional<JoinedCodes> codes_;
    std::optional<SearchableSequences> searchable_;
};

/// Prepared bags that are searched as one.
class BagCorpus {
  public:
    explicit BagCorpus(BagsParts parts)
        : parts_(std::move(parts)), joined_(prepared_of(parts_)), searchable_(joined_) {}

    [[nodiscard]] const JoinedBags& documents() const { return joined_; }
    [[nodiscard]] const Searchable& searchable() const { return searchable_; }

  private:
    BagsParts parts_;
    JoinedBags joined_;
    SearchableBags searchable_;
};

}  // namespace moverank::bindings
