/// Plans of many pairs of sequences, kept for their derivatives: what training needs of a batch.
///
/// A text is in many pairs of a batch, so derivatives of a sum over pairs are accumulated per text. Nothing is stored
/// per pair but its plan, which has at most as many entries as the pair has tokens. Costs come from the float32 kernels
/// of searches; `gradient.hpp` has derivatives in float64 throughout, of one pair at a time.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "moverank/interrupt.hpp"
#include "moverank/prepared.hpp"
#include "moverank/views.hpp"

namespace moverank {

/// The sequences of a batch that a derivative is taken by.
enum class PlanSide : std::uint8_t { query, document };

/// Distances of pairs, and their derivatives. Immutable; any number of threads may ask for derivatives. Keeps views of
/// the sequences.
class PairPlans {
  public:
    /// Solve the pairs (queries[query_of[p]], documents[document_of[p]]). Tokens have to be float32. Throws
    /// std::invalid_argument for positions that do not exist, sides that cannot be compared, and measures without
    /// derivatives (`gradient.hpp`). Results do not depend on n_threads (0: all cores).
    PairPlans(const PreparedSequences& queries, const PreparedSequences& documents,
              std::span<const std::int64_t> query_of, std::span<const std::int64_t> document_of, int n_threads,
              Interrupt& interrupt);

    /// The distance of each pair.
    [[nodiscard]] std::span<const double> values() const { return values_; }

    /// Write the derivatives of sum_p upstream_p value_p with respect to all tokens of a side, one row each, and to
    /// their shares of mass, which sum to 1 per sequence: the derivative along changes that keep this sum. Either
    /// output may be empty: it is then left out. Sequences that are in no pair get zeros. Throws std::invalid_argument
    /// for outputs of another size. Results do not depend on n_threads.
    void derivatives(std::span<const double> upstream, PlanSide side, MatrixView<float> tokens, std::span<double> mass,
                     int n_threads, Interrupt& interrupt) const;

  private:
    /// A positive entry of a plan, and what it costs.
    struct Entry {
        std::uint32_t query_token, document_token;
        float mass, cost;
    };
    struct Plan {
        std::vector<Entry> entries;
        std::vector<double> query_worth, document_worth;  ///< less their means over the mass
    };
    /// One side of the batch.
    struct Side {
        const PreparedSequences* sequences;
        std::vector<std::size_t> of;            ///< each pair's sequence
        std::vector<std::size_t> pairs, first;  ///< pairs by sequence, in order: first[s] is where those of s begin
        std::vector<Plan> to_itself;            ///< per sequence, if values are debiased
        std::vector<double> value_to_itself;
    };
    class Worker;

    [[nodiscard]] static Side side_of(const PreparedSequences& sequences, std::span<const std::int64_t> of);
    void solve_to_itself(Side& side, int n_threads, Interrupt& interrupt);

    Measure measure_;
    Side queries_, documents_;
    std::vector<Plan> plans_;
    std::vector<double> values_;
};

}  // namespace moverank
