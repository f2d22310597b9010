#include "moverank/ground_cost.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "../kernels/kernels.hpp"
#include "../preconditions.hpp"
#include "moverank/codes.hpp"
#include "moverank/vocabulary_costs.hpp"
#include "well_formed.hpp"

namespace moverank {

namespace {

/// Unit roundoff of float32, and the smallest difference it can hold.
constexpr double unit = 0x1p-24;
constexpr double underflow_step = 0x1p-149;

/// Inverse norms outside this range would lose digits, or the products with them leave float32's range.
constexpr float smallest_fast_inverse = 1e-15F;
constexpr float largest_fast_inverse = 1e15F;

/// Multiply-adds between two checks of the interrupt: about a millisecond.
constexpr std::size_t work_per_check = std::size_t{1} << 24U;

/// Largest number of roundings that a term of a sum passes through: its own product's, those of its run, and one for
/// each run that is added up. p = r + 2 in docs/numerics.md, "Ground costs".
[[nodiscard]] double roundings(std::size_t dim) {
    const std::size_t runs = (dim + product_run - 1) / product_run;
    return static_cast<double>(1 + std::min(dim, product_run) + runs);
}

[[nodiscard]] double gamma(double n) { return n * unit / (1.0 - n * unit); }

[[nodiscard]] bool is_extreme(float inverse_norm) {
    return !(inverse_norm >= smallest_fast_inverse && inverse_norm <= largest_fast_inverse);
}

[[nodiscard]] bool has_extremes(std::span<const float> inverse_norms) {
    return std::ranges::any_of(inverse_norms, is_extreme);
}

/// A cosine cost in float64, for norms near the ends of float32's range. Components of x are x_stride apart. A zero
/// vector, which has no mass but may stand in a table of words, costs 1, as it does in float32.
[[nodiscard]] float cosine_cost_in_double(const float* x, std::size_t x_stride, const float* y, std::size_t dim) {
    double xy = 0.0;
    double xx = 0.0;
    double yy = 0.0;
    for (std::size_t k = 0; k < dim; ++k) {
        const auto a = static_cast<double>(x[k * x_stride]);
        const auto b = static_cast<double>(y[k]);
        xy += a * b;
        xx += a * a;
        yy += b * b;
    }
    const double norms = std::sqrt(xx) * std::sqrt(yy);
    return norms > 0.0 ? static_cast<float>(std::clamp(1.0 - xy / norms, 0.0, 2.0)) : 1.0F;
}

}  // namespace

void GroundCosts::set_query(const PreparedSequence& query, const VocabularyCosts* table) {
    table_ = table;
    coded_query_.reset();
    require_well_formed(query, ground_);
    require(query.size() > 0, "a query needs at least one token");
    require(query.words.empty() || ground_ == GroundCost::given,
            "expected a query of tokens, because costs are not given");
    n_ = query.size();
    n_padded_ = padded(n_);
    grow(row_minima_, n_padded_);
    if (ground_ == GroundCost::given) {
        return;  // all costs come from the table
    }
    dim_ = query.tokens.cols();
    packed_.assign(n_padded_ * dim_, 0.0F);
    grow(decoded_, tokens_per_tile * dim_);
    for (std::size_t i = 0; i < n_; ++i) {
        decode(query.tokens.run(i, 1), {decoded_.data(), dim_});
        for (std::size_t k = 0; k < dim_; ++k) {
            packed_[k * n_padded_ + i] = decoded_[k];
        }
    }
    extreme_ = false;
    if (ground_ == GroundCost::cosine) {
        inverse_norms_.assign(n_padded_, 0.0F);
        std::ranges::copy(query.inverse_norms, inverse_norms_.begin());
        extreme_ = has_extremes(query.inverse_norms);
    }
    grow(tile_, tokens_per_tile * n_padded_);
}

void GroundCosts::compute(const PreparedSequence& document) { run(document, true, true); }

void GroundCosts::compute_minima(const PreparedSequence& document, bool of_columns) {
    run(document, false, of_columns);
}

bool GroundCosts::needs_double(std::span<const float> inverse_norms) const {
    return ground_ == GroundCost::cosine && (extreme_ || has_extremes(inverse_norms));
}

CostBlock GroundCosts::block_of(const TokensView& tokens, std::span<const float> inverse_norms) {
    return {.packed = packed_.data(),
            .query_inverse_norms = inverse_norms_.data(),
            .n = n_,
            .n_padded = n_padded_,
            .dim = dim_,
            .tokens = tokens,
            .m = m_,
            .first = 0,
            .end = m_,
            .document_inverse_norms = inverse_norms.data(),
            .table = nullptr,
            .words = nullptr,
            .cost = nullptr,
            .stride = stride_,
            .row_minima = row_minima_.data(),
            .column_minima = nullptr,
            .tile = tile_.data(),
            .decoded = decoded_.data(),
            .largest = 0.0F};
}

void GroundCosts::prepare_document(std::size_t n_tokens, bool with_matrix) {
    m_ = n_tokens;
    stride_ = padded(m_);
    grow(column_minima_, stride_);
    if (with_matrix) {
        grow(cost_, (n_ + 1) * stride_);
    }
}

/// Append a row of zeros, which solvers use as the slack row, so that they need not copy the matrix.
void GroundCosts::finish_matrix() {
    float* slack = &cost_[n_ * stride_];
    std::fill_n(slack, m_, 0.0F);
    std::fill(slack + m_, slack + stride_, std::numeric_limits<float>::infinity());
}

template <class Kernel>
void GroundCosts::in_pieces(CostBlock& block, std::size_t work_per_token, Kernel kernel) {
    const std::size_t tiles = work_per_check / std::max<std::size_t>(work_per_token * tokens_per_tile, 1);
    const std::size_t piece = std::max<std::size_t>(tiles, 1) * tokens_per_tile;
    while (true) {
        block.end = std::min(block.m, block.first + piece);
        kernel();
        if (block.end == block.m) {
            return;
        }
        block.first = block.end;
        check(interrupt_);
    }
}

void GroundCosts::run(const PreparedSequence& document, bool with_matrix, bool of_columns) {
    const bool from_table = !document.words.empty();
    require(from_table || ground_ != GroundCost::given,
            "under given costs, sequences must be made of words, not of vectors");
    require_well_formed(document, ground_);
    if (from_table) {
        require(table_ != nullptr, "documents made of words need the costs of all words");
        require(*std::ranges::max_element(document.words) < table_->n_words(), "a word is not in the table of costs");
    } else {
        require(document.tokens.cols() == dim_, "query and document must have the same dimension");
    }
    const bool in_double = !from_table && needs_double(document.inverse_norms);
    prepare_document(document.size(), with_matrix || in_double);
    CostBlock block = block_of(document.tokens, document.inverse_norms);
    block.cost = with_matrix || in_double ? cost_.data() : nullptr;
    block.column_minima = of_columns ? column_minima_.data() : nullptr;
    largest_component_ = document.unread ? 0.0F : std::numeric_limits<float>::quiet_NaN();
    block.largest_component = document.unread ? &largest_component_ : nullptr;
    if (from_table) {
        block.table = table_->row(0);
        block.words = document.words.data();
        in_pieces(block, n_padded_, [&] { kernels().cost.gather(block); });
    } else {
        const auto fill = kernels().cost.fill[static_cast<std::size_t>(ground_)];
        in_pieces(block, n_padded_ * dim_, [&] { fill(block); });
    }
    largest_ = static_cast<double>(block.largest);
    if (in_double) {
        largest_ = correct_extremes(document.tokens, document.inverse_norms, cost_.data(), stride_, 1);
        find_minima();
    }
    if (with_matrix) {
        finish_matrix();
    }
}

void GroundCosts::compute_codes(const CodedSequence& document) { run_codes(document, true, true); }

void GroundCosts::compute_code_minima(const CodedSequence& document, bool of_columns) {
    run_codes(document, false, of_columns);
}

void GroundCosts::run_codes(const CodedSequence& document, bool with_matrix, bool of_columns) {
    const PreparedSequence& sequence = document.sequence;
    const InterleavedCodes& codes = document.interleaved;
    if (!document.is_interleaved() || dim_ > longest_code || needs_double(sequence.inverse_norms)) {
        code_radii_in_use_ = {};
        run(document.in_rows(rows_of_codes_), with_matrix, of_columns);
        return;
    }
    require(codes.dim() == dim_, "query and codes must have the same dimension");
    require(codes.n_tokens() == sequence.size(), "expected one mass per code");
    const CodedQuery& query = coded_query();
    code_radii_in_use_ = query.radii;
    prepare_document(sequence.size(), with_matrix);
    CodeBlock block{.costs = block_of({}, sequence.inverse_norms),
                    .packed = query.packed.data(),
                    .query_scales = query.scales.data(),
                    .query_squares = query.squares.data(),
                    .query_sums = query.sums.data(),
                    .codes = codes.data(),
                    .scales = codes.scales(),
                    .squares = document.squares.data()};
    block.costs.cost = with_matrix ? cost_.data() : nullptr;
    block.costs.column_minima = of_columns ? column_minima_.data() : nullptr;
    const auto fill = kernels().codes.fill[static_cast<std::size_t>(ground_)];
    in_pieces(block.costs, n_padded_ * dim_, [&] { fill(block); });
    largest_ = static_cast<double>(block.costs.largest);
    if (with_matrix) {
        finish_matrix();
    }
}

const GroundCosts::CodedQuery& GroundCosts::coded_query() {
    if (coded_query_) {
        return *coded_query_;
    }
    constexpr double largest = query_code_limit;
    const bool is_cosine = ground_ == GroundCost::cosine;
    CodedQuery& coded = coded_query_.emplace();
    AlignedVector<std::int8_t> codes(n_ * dim_);
    coded.scales.resize(n_);
    coded.squares.resize(n_);
    coded.sums.assign(n_, 0);
    coded.radii.assign(n_, 0.0);
    for (std::size_t i = 0; i < n_; ++i) {
        const auto component = [&](std::size_t k) { return static_cast<double>(packed_[k * n_padded_ + i]); };
        double longest = 0.0;
        double length = 0.0;
        for (std::size_t k = 0; k < dim_; ++k) {
            longest = std::max(longest, std::abs(component(k)));
            length += component(k) * component(k);
        }
        const auto scale = static_cast<float>(longest / largest);
        const auto unit_of_code = static_cast<double>(scale);
        double code_length = 0.0;
        const auto code_of = [&](std::size_t k) {
            return unit_of_code > 0.0 ? std::clamp(std::round(component(k) / unit_of_code), -largest, largest) : 0.0;
        };
        for (std::size_t k = 0; k < dim_; ++k) {
            const double code = code_of(k);
            code_length += code * code;
            codes[i * dim_ + k] = static_cast<std::int8_t>(code);
            coded.sums[i] += static_cast<std::int32_t>(code);
        }
        code_length *= unit_of_code * unit_of_code;
        const double token_scale = is_cosine ? 1.0 / std::sqrt(length) : 1.0;
        const double code_scale = is_cosine ? 1.0 / std::sqrt(code_length) : 1.0;
        double squared = 0.0;
        for (std::size_t k = 0; k < dim_; ++k) {
            const double difference = component(k) * token_scale - code_of(k) * unit_of_code * code_scale;
            squared += difference * difference;
        }
        coded.radii[i] = std::sqrt(squared) * (1.0 + 1e-9);
        coded.scales[i] = static_cast<float>(unit_of_code * code_scale);
        coded.squares[i] = static_cast<float>(code_length);
    }
    coded.packed.resize(n_ * padded(dim_, code_group));
    kernels().codes.pack(codes.data(), n_, dim_, coded.packed.data());
    return coded;
}

double GroundCosts::tabulate(const TokensView& tokens, std::span<const float> inverse_norms, float* rows) {
    require(tokens.cols() == dim_, "query and words must have the same dimension");
    require(ground_ != GroundCost::cosine || inverse_norms.size() == tokens.rows(),
            "expected one inverse norm per token under the cosine ground cost");
    prepare_document(tokens.rows(), false);
    CostBlock block = block_of(tokens, inverse_norms);
    block.cost = rows;
    kernels().cost.tabulate[static_cast<std::size_t>(ground_)](block);
    if (needs_double(inverse_norms)) {
        return correct_extremes(tokens, inverse_norms, rows, 1, n_padded_);
    }
    return static_cast<double>(block.largest);
}

/// Other pairs keep their costs, since the cost of two tokens must not depend on which tokens are beside them.
double GroundCosts::correct_extremes(const TokensView& tokens, std::span<const float> inverse_norms, float* costs,
                                     std::size_t i_stride, std::size_t j_stride) {
    float largest = 0.0F;
    for (std::size_t j = 0; j < m_; ++j) {
        check(interrupt_);
        const bool extreme = is_extreme(inverse_norms[j]);
        decode(tokens.run(j, 1), {decoded_.data(), dim_});
        for (std::size_t i = 0; i < n_; ++i) {
            float& cost = costs[i * i_stride + j * j_stride];
            if (extreme || is_extreme(inverse_norms_[i])) {
                cost = cosine_cost_in_double(&packed_[i], n_padded_, decoded_.data(), dim_);
            }
            largest = std::max(largest, cost);
        }
    }
    return static_cast<double>(largest);
}

void GroundCosts::find_minima() {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    std::fill_n(row_minima_.begin(), n_, infinity);
    std::fill_n(column_minima_.begin(), m_, infinity);
    for (std::size_t i = 0; i < n_; ++i) {
        check(interrupt_);
        for (std::size_t j = 0; j < m_; ++j) {
            row_minima_[i] = std::min(row_minima_[i], cost_[i * stride_ + j]);
            column_minima_[j] = std::min(column_minima_[j], cost_[i * stride_ + j]);
        }
    }
}

double cost_error_bound(GroundCost ground, std::size_t dim, double query_max_norm, double document_max_norm) {
    const double n = roundings(dim);
    const double reach = query_max_norm + document_max_norm;  // no two tokens lie further apart
    const auto d = static_cast<double>(dim);
    switch (ground) {
        case GroundCost::cosine:
            // |<x, y>| error gamma_n |x||y|; two rounded inverse norms, two products, one subtraction from 1. Below
            // norms of 1e-15 products of components may underflow, but then the double path is taken.
            return gamma(n + 8.0);
        case GroundCost::euclidean:
            // Differences and squares add three roundings, the root halves them and adds one.
            return gamma(n + 4.0) * reach + std::sqrt(d * underflow_step);
        case GroundCost::sqeuclidean: return gamma(n + 3.0) * reach * reach + d * underflow_step;
        case GroundCost::dot: return gamma(n) * query_max_norm * document_max_norm + d * underflow_step;
        case GroundCost::given: return 0.0;
    }
    return std::numeric_limits<double>::infinity();
}

}  // namespace moverank
