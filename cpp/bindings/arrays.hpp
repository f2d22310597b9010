/// NumPy arrays in, views out: the only place that knows both. Arguments arrive already converted by the package
/// (dtype, C order), so everything here is checked and nothing is copied.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "moverank/bags.hpp"
#include "moverank/interrupt.hpp"
#include "moverank/measure.hpp"
#include "moverank/prepared.hpp"
#include "moverank/views.hpp"

namespace moverank::bindings {

namespace py = pybind11;

template <class T>
using Array = py::array_t<T, py::array::c_style>;
using Tokens = Array<float>;
using Offsets = Array<std::int64_t>;
using Weights = std::optional<Array<double>>;

/// The index under which SequenceError names the query, which stands in no batch.
inline constexpr std::size_t query_index = std::numeric_limits<std::size_t>::max();

/// Throws std::invalid_argument unless an array has `ndim` dimensions; `name` says so in words.
inline void require_ndim(const py::array& array, py::ssize_t ndim, const char* name) {
    if (array.ndim() != ndim) {
        throw std::invalid_argument(std::string("expected a ") + name + "-dimensional array, got " +
                                    std::to_string(array.ndim()) + (array.ndim() == 1 ? " dimension" : " dimensions"));
    }
}

template <class T>
[[nodiscard]] std::span<const T> as_span(const Array<T>& array) {
    require_ndim(array, 1, "one");
    return {array.data(), static_cast<std::size_t>(array.size())};
}

template <class T>
[[nodiscard]] MatrixView<const T> as_matrix(const Array<T>& array) {
    require_ndim(array, 2, "two");
    return {array.data(), static_cast<std::size_t>(array.shape(0)), static_cast<std::size_t>(array.shape(1))};
}

template <class T>
[[nodiscard]] MatrixView<T> as_writable(Array<T>& array) {
    return {array.mutable_data(), static_cast<std::size_t>(array.shape(0)), static_cast<std::size_t>(array.shape(1))};
}

[[nodiscard]] inline std::span<const double> checked_weights(const Weights& weights, std::size_t n_tokens) {
    const std::span<const double> of_tokens = weights ? as_span(*weights) : std::span<const double>{};
    if (weights && of_tokens.size() != n_tokens) {
        throw std::invalid_argument("expected one weight per token, got " + std::to_string(of_tokens.size()) + " for " +
                                    std::to_string(n_tokens) + " tokens");
    }
    return of_tokens;
}

[[nodiscard]] inline SequenceView as_sequence(const Tokens& tokens, const Weights& weights) {
    const MatrixView<const float> matrix = as_matrix(tokens);
    return {{matrix.data(), matrix.rows(), matrix.cols()}, checked_weights(weights, matrix.rows())};
}

template <class T>
[[nodiscard]] bool holds(const py::array& array) {
    return py::isinstance<py::array_t<T, py::array::c_style>>(array);
}

/// The tokens of a batch as they are stored, with their arrays.
class StoredTokens {
  public:
    StoredTokens() = default;
    /// Throws std::invalid_argument unless the arrays hold tokens of this type and dimension: bfloat16 as uint16,
    /// packed codes as rows of uint8.
    StoredTokens(const std::string& dtype, std::size_t dim, const py::array& components,
                 const std::optional<Array<float>>& scales, const std::optional<Tokens>& anchors,
                 const std::optional<Array<std::uint16_t>>& nearest)
        : components_(components),
          scales_(scales),
          anchors_(anchors),
          nearest_(nearest),
          view_(with_anchors(checked(token_type(dtype), dim))) {}

    [[nodiscard]] const TokensView& view() const { return view_; }
    [[nodiscard]] const std::optional<Array<float>>& scales() const { return scales_; }

    [[nodiscard]] static TokenType token_type(const std::string& dtype) {
        for (const TokenType type : {TokenType::float32, TokenType::float16, TokenType::bfloat16, TokenType::int8,
                                     TokenType::int4, TokenType::int2}) {
            if (dtype == name_of(type)) {
                return type;
            }
        }
        throw std::invalid_argument("there is no type of tokens with the name '" + dtype + "'");
    }

  private:
    [[nodiscard]] TokensView checked(TokenType type, std::size_t dim) const {
        const std::string name = name_of(type);
        if (components_.ndim() != 2 || (components_.flags() & py::array::c_style) == 0) {
            throw std::invalid_argument("expected tokens as a two-dimensional array in C order");
        }
        if (!holds_components(type)) {
            throw std::invalid_argument("expected " + name + " tokens, got " +
                                        py::str(components_.dtype()).cast<std::string>());
        }
        const auto rows = static_cast<std::size_t>(components_.shape(0));
        const auto bytes = static_cast<std::size_t>(components_.shape(1) * components_.itemsize());
        if (bytes != row_bytes(type, dim)) {
            throw std::invalid_argument("expected rows of " + std::to_string(row_bytes(type, dim)) + " bytes, got " +
                                        std::to_string(bytes));
        }
        if (scales_.has_value() != has_scales(type)) {
            throw std::invalid_argument("expected scales for int8, int4 and int2 tokens, and only for these");
        }
        if (scales_ && as_span(*scales_).size() != rows) {
            throw std::invalid_argument("expected one scale per token, got " + std::to_string(scales_->size()) +
                                        " for " + std::to_string(rows) + " tokens");
        }
        return {type, components_.data(), rows, dim, scales_ ? scales_->data() : nullptr};
    }
    [[nodiscard]] TokensView with_anchors(const TokensView& tokens) const {
        if (anchors_.has_value() != nearest_.has_value()) {
            throw std::invalid_argument("expected both anchors and the number of each token's, or neither");
        }
        if (!anchors_) {
            return tokens;
        }
        if (!has_scales(tokens.type())) {
            throw std::invalid_argument("expected anchors for int8, int4 and int2 tokens only");
        }
        const AnchorsView anchors{as_matrix(*anchors_), as_span(*nearest_).data()};
        if (anchors.anchors.cols() != tokens.cols() || as_span(*nearest_).size() != tokens.rows()) {
            throw std::invalid_argument("expected anchors of the tokens' dimension, and one number per token");
        }
        return tokens.from(anchors);
    }
    [[nodiscard]] bool holds_components(TokenType type) const {
        switch (type) {
            case TokenType::float32: return holds<float>(components_);
            case TokenType::float16: return components_.dtype().kind() == 'f' && components_.itemsize() == 2;
            case TokenType::bfloat16: return holds<std::uint16_t>(components_);
            case TokenType::int8: return holds<std::int8_t>(components_);
            case TokenType::int4:
            case TokenType::int2: return holds<std::uint8_t>(components_);
        }
        return false;
    }

    py::array components_;
    std::optional<Array<float>> scales_;
    std::optional<Tokens> anchors_;
    std::optional<Array<std::uint16_t>> nearest_;
    TokensView view_;  ///< of these
};

/// Offsets come from callers or files, so they are checked here: a view over them must not reach outside the tokens.
[[nodiscard]] inline std::span<const std::int64_t> checked_offsets(const Offsets& offsets, std::size_t n_tokens) {
    const std::span<const std::int64_t> bounds = as_span(offsets);
    if (bounds.empty() || bounds.front() != 0 || bounds.back() != static_cast<std::int64_t>(n_tokens)) {
        throw std::invalid_argument("offsets must start at 0 and end at the number of tokens");
    }
    if (!std::ranges::is_sorted(bounds)) {
        throw std::invalid_argument("offsets must not decrease");
    }
    return bounds;
}

[[nodiscard]] inline SequencesView as_sequences(const StoredTokens& tokens, const Offsets& offsets,
                                                const Weights& weights) {
    const TokensView& view = tokens.view();
    return {view, checked_offsets(offsets, view.rows()), checked_weights(weights, view.rows())};
}

inline void require_same_dim(std::size_t query_dim, std::size_t document_dim) {
    if (query_dim != document_dim) {
        throw std::invalid_argument("query has dimension " + std::to_string(query_dim) +
                                    ", the documents have dimension " + std::to_string(document_dim));
    }
}

/// A query that owns what preparation writes; the tokens stay in the caller's array, and so do words.
class OwnedQuery {
  public:
    /// A query made of words, of which given costs are about `n_words`.
    OwnedQuery(const Array<std::uint32_t>& words, const Weights& weights, std::size_t n_words)
        : mass_(as_span(words).size()),
          prepared_(
              prepare_words(as_span(words), checked_weights(weights, mass_.size()), n_words, mass_, query_index)) {}
    OwnedQuery(const Tokens& tokens, const Weights& weights, const Measure& measure)
        : mass_(static_cast<std::size_t>(tokens.shape(0))),
          inverse_norms_(mass_.size()),
          prepared_(prepare(as_sequence(tokens, weights), measure, mass_, inverse_norms_, query_index)) {}
    OwnedQuery(const OwnedQuery&) = delete;
    OwnedQuery& operator=(const OwnedQuery&) = delete;

    [[nodiscard]] const PreparedSequence& prepared() const { return prepared_; }

  private:
    std::vector<double> mass_;
    std::vector<float> inverse_norms_;
    PreparedSequence prepared_;
};

/// What one thread of Python raises to end the calls of others, which signals do not reach.
using StopFlag = std::atomic<bool>;

/// Listens for Ctrl-C, and looks at a flag if there is one, without the GIL.
[[nodiscard]] inline Interrupt::Poll python_poll(std::shared_ptr<const StopFlag> stop = {}) {
    return [stop = std::move(stop)] {
        if (stop && stop->load(std::memory_order_relaxed)) {
            return true;
        }
        const py::gil_scoped_acquire locked;
        if (PyErr_CheckSignals() != 0) {
            throw py::error_already_set();
        }
        return false;
    };
}

/// Lets Ctrl-C, and a deadline or a flag if there is one, stop work that runs without the GIL.
[[nodiscard]] inline Interrupt python_interrupt(std::optional<Interrupt::Clock::time_point> deadline = {},
                                                std::shared_ptr<const StopFlag> stop = {}) {
    return Interrupt(python_poll(std::move(stop)), deadline);
}

void bind_sequences(py::module_& module);
void bind_prepared(py::module_& module);
void bind_distances(py::module_& module);
void bind_transport(py::module_& module);
void bind_sparse(py::module_& module);
void bind_cells(py::module_& module);
void bind_gradient(py::module_& module);
void bind_search(py::module_& module);

}  // namespace moverank::bindings
