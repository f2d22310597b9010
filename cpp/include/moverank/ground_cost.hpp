/// Ground costs between the tokens of prepared sequences, in float32, and a bound on their error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "moverank/aligned.hpp"
#include "moverank/interrupt.hpp"
#include "moverank/measure.hpp"
#include "moverank/prepared.hpp"
#include "moverank/views.hpp"

namespace moverank {

struct CodedSequence;
struct CostBlock;
class VocabularyCosts;

/// Costs of one query against documents that come one at a time: the matrix C_ij = c(x_i, y_j), and its minima.
///
/// The query is packed once, for kernels that stream documents past it. Bitwise equal tokens cost exactly 0 under
/// euclidean and sqeuclidean, cosine costs are clipped to [0, 2], and c(x, y) = c(y, x) to the last bit, whatever other
/// tokens the sequences have. Storage grows to the largest pair seen. Not thread-safe: one object per thread.
///
/// Every function that takes a sequence throws std::invalid_argument if its dimension or sizes do not fit.
class GroundCosts {
  public:
    /// `interrupt` may be null; it is checked about every millisecond, and must outlive the object.
    explicit GroundCosts(GroundCost ground, Interrupt* interrupt = nullptr) : ground_(ground), interrupt_(interrupt) {}

    /// Set the query, whose tokens are the rows of all following matrices. The sequence need not outlive the call.
    /// `table`, the costs of this same query to the words of a vocabulary, must outlive all use: documents made of
    /// words take their costs from it.
    void set_query(const PreparedSequence& query, const VocabularyCosts* table = nullptr);

    /// Compute the matrix, and the minima of all rows and columns.
    void compute(const PreparedSequence& document);
    /// Compute only the minima of the rows and, if asked, of the columns. Saves writing a matrix that nobody reads.
    void compute_minima(const PreparedSequence& document, bool of_columns);
    /// Like `compute`, for codes. Products of int8 codes are computed in whole numbers, for which the query is rounded
    /// to codes as well; the costs are the same to the last bit on every processor.
    void compute_codes(const CodedSequence& document);
    /// Like `compute_minima`, for codes.
    void compute_code_minima(const CodedSequence& document, bool of_columns);
    /// For the latest document of codes, the distance between each query token and its code (between their directions
    /// under cosine). Empty if the query was not rounded.
    [[nodiscard]] std::span<const double> query_code_radii() const { return code_radii_in_use_; }
    /// Write the transpose: one row per document token, of padded(n) entries, infinite after the query's last token.
    /// Returns the largest absolute value of a cost.
    double tabulate(const TokensView& tokens, std::span<const float> inverse_norms, float* rows);

    // Results for the latest document, valid until the next one:

    [[nodiscard]] PaddedCosts matrix() const { return {{cost_.data(), n_, m_, stride_}, largest_}; }
    [[nodiscard]] std::span<const float> row_minima() const { return {row_minima_.data(), n_}; }
    [[nodiscard]] std::span<const float> column_minima() const { return {column_minima_.data(), m_}; }
    /// Largest absolute value of an entry.
    [[nodiscard]] double largest() const { return largest_; }
    /// Of a document that was not read before, the largest size of a component, NaN above all; NaN of any other.
    [[nodiscard]] float largest_component() const { return largest_component_; }

  private:
    void run(const PreparedSequence& document, bool with_matrix, bool of_columns);
    void run_codes(const CodedSequence& document, bool with_matrix, bool of_columns);
    /// Run a kernel over a block, some tokens at a time, and check the interrupt in between.
    template <class Kernel>
    void in_pieces(CostBlock& block, std::size_t work_per_token, Kernel kernel);
    /// Compute costs of tokens with extreme norms again, in float64. Returns the largest absolute value of any cost.
    [[nodiscard]] double correct_extremes(const TokensView& tokens, std::span<const float> inverse_norms, float* costs,
                                          std::size_t i_stride, std::size_t j_stride);
    void find_minima();
    [[nodiscard]] CostBlock block_of(const TokensView& tokens, std::span<const float> inverse_norms);
    [[nodiscard]] bool needs_double(std::span<const float> inverse_norms) const;

    GroundCost ground_;
    Interrupt* interrupt_;
    const VocabularyCosts* table_ = nullptr;
    // the query
    AlignedVector<float> packed_;         ///< transposed: row k holds component k of all tokens
    AlignedVector<float> inverse_norms_;  ///< cosine only
    bool extreme_ = false;                ///< whether some norm is so extreme that products could leave float32's range
    std::size_t n_ = 0, n_padded_ = 0, dim_ = 0;
    // the document
    AlignedVector<float> cost_, row_minima_, column_minima_, tile_, decoded_;
    std::vector<std::int8_t> rows_of_codes_;
    std::size_t m_ = 0, stride_ = 0;
    double largest_ = 0.0;
    float largest_component_ = 0.0F;

    /// The query as codes, made when first needed.
    struct CodedQuery {
        AlignedVector<std::byte> packed;
        AlignedVector<float> scales, squares;
        std::vector<std::int32_t> sums;
        std::vector<double> radii;
    };
    const CodedQuery& coded_query();
    void prepare_document(std::size_t n_tokens, bool with_matrix);
    void finish_matrix();
    std::optional<CodedQuery> coded_query_;
    std::span<const double> code_radii_in_use_;
};

/// A number eta such that |computed - true| <= eta for every cost between tokens of at most these norms and this
/// dimension. As the moved mass sums to at most 1, the distance over the float32 matrix differs from that over real
/// costs by no more than eta either. docs/numerics.md, "Ground costs", has the proof.
/// Higham, Accuracy and Stability of Numerical Algorithms (2002), chapter 3.
[[nodiscard]] double cost_error_bound(GroundCost ground, std::size_t dim, double query_max_norm,
                                      double document_max_norm);

}  // namespace moverank
