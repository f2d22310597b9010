/// Lower bounds on the distances of one query to bags of words, at a few nanoseconds a word.
///
/// With potentials f of the query's tokens, the best potential of a word is g_w = min_i (C_iw - f_i), whatever document
/// it stands in. So
///
///     one-sided    <a, f> + kappa sum_j b_j g_j                      one number a word is gathered
///     two-sided    <a, f'> + kappa sum_j b_j g_j,   f'_i = min_j (C_ij - g_j) >= f_i       one row a word
///
/// are dual solutions, hence bounds, for every document at once; f = 0 gives the one-sided relaxation (Atasu et al.,
/// "Linear-complexity relaxed word mover's distance", 2017). Above capacity 1, g is cut off at 0.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "moverank/aligned.hpp"
#include "moverank/joined.hpp"
#include "moverank/prepared.hpp"
#include "moverank/vocabulary_costs.hpp"

namespace moverank {

/// Read by many threads at once.
class BagBounds {
  public:
    /// One thread's storage.
    struct Scratch {
        DocumentBuffer document;
        AlignedVector<float> direct, reduced, column_minima;
        std::vector<std::size_t> order;
    };

    /// `query`: its tokens with mass, which `costs` is about. Potentials as from solved documents; none: those of the
    /// relaxed problem, which is all that can be said where the value is not that of an exact problem with all mass
    /// moving.
    BagBounds(const JoinedBags& bags, const VocabularyCosts& costs, std::span<const double> query_mass,
              std::span<const double> potentials);

    /// Whether `one_sided` is worth asking. At capacity 1 and without potentials it is a side of the relaxed problem.
    [[nodiscard]] bool has_one_sided() const;
    [[nodiscard]] double one_sided(std::size_t s) const;
    /// The two-sided bound or that of the relaxed problem, whichever is larger.
    [[nodiscard]] double two_sided(std::size_t s, Scratch& scratch) const;

  private:
    [[nodiscard]] double relaxed(std::size_t s, Scratch& scratch) const;
    [[nodiscard]] double worth_of_words(std::size_t s) const;

    const JoinedBags& bags_;
    const VocabularyCosts& costs_;
    std::span<const double> query_mass_;
    bool has_potentials_;
    double capacity_;
    AlignedVector<float> g_;    ///< a word
    std::vector<float> worth_;  ///< g times what a word weighs, rounded down
    double of_rows_ = 0.0;      ///< <a, f>
    double margin_ = 0.0;       ///< what rounding and the solver's masses can make up
};

}  // namespace moverank
