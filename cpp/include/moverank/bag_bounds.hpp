/// Lower bounds on the distances between one query and bags of words, at a few nanoseconds per word.
///
/// Given potentials f of the query's tokens, the best potential of a word is g_w = min_i (C_iw - f_i), in whichever
/// document the word occurs. So
///
///     one-sided    <a, f> + kappa sum_j b_j g_j                                     reads one number per word
///     two-sided    <a, f'> + kappa sum_j b_j g_j,   f'_i = min_j (C_ij - g_j) >= f_i    reads one row per word
///
/// are values of dual solutions, hence bounds, for all documents at once. f = 0 gives the one-sided relaxation (Atasu
/// et al., "Linear-complexity relaxed word mover's distance", 2017). Above capacity 1, g is cut off at 0. Each bound
/// has its rounding subtracted; docs/numerics.md, "Bags", derives the margin.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "moverank/aligned.hpp"
#include "moverank/joined.hpp"
#include "moverank/prepared.hpp"
#include "moverank/vocabulary_costs.hpp"

namespace moverank {

/// The bounds of one query. Immutable: many threads may call it at the same time, each with its own Scratch.
class BagBounds {
  public:
    /// Storage of one thread, which grows to the longest bag seen.
    struct Scratch {
        DocumentBuffer document;
        AlignedVector<float> direct, reduced, column_minima;
        std::vector<std::size_t> order;
    };

    /// `query_mass`: masses of the query's tokens that have any, which are the rows of `costs`. `potentials`: one per
    /// such token, usually the mean over solved documents. Without potentials, bounds are those of the relaxed problem;
    /// only exact problems in which all mass moves have others. The arguments must outlive this object, apart from
    /// `potentials`. Throws std::invalid_argument if sizes differ.
    BagBounds(const JoinedBags& bags, const VocabularyCosts& costs, std::span<const double> query_mass,
              std::span<const double> potentials);

    /// Whether `one_sided` is worth computing: always with potentials; without, only at capacity 1 and fraction 1,
    /// where it is one side of the relaxed problem.
    [[nodiscard]] bool has_one_sided() const;
    /// The one-sided bound of bag s.
    [[nodiscard]] double one_sided(std::size_t s) const;
    /// The larger of the two-sided bound and the relaxed one, for bag s.
    [[nodiscard]] double two_sided(std::size_t s, Scratch& scratch) const;

  private:
    [[nodiscard]] double relaxed(std::size_t s, Scratch& scratch) const;
    [[nodiscard]] double worth_of_words(std::size_t s) const;

    const JoinedBags& bags_;
    const VocabularyCosts& costs_;
    std::span<const double> query_mass_;
    bool has_potentials_;
    double capacity_;
    AlignedVector<float> g_;    ///< one per word
    std::vector<float> worth_;  ///< g times the mass of one occurrence of the word, rounded down
    double of_rows_ = 0.0;      ///< <a, f>
    double margin_ = 0.0;       ///< largest effect of rounding and of quantised masses; subtracted from every bound
};

}  // namespace moverank
