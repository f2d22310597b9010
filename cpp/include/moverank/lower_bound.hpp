/// A lower bound on the distances of documents, as one query on a corpus has it: a rung of the ladder that a search
/// climbs. The search knows nothing of a bound but what stands here, so a new one is a class and a line in the list of
/// its corpus (docs/development.md, "Add a bound").
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "moverank/interrupt.hpp"

namespace moverank {

/// What a call cost, and whether a deadline ended it early.
struct Spent {
    double seconds = 0.0;  ///< summed over all threads
    bool timed_out = false;
};

/// One bound for one query, which must outlive it. Used by one thread at a time.
class LowerBound {
  public:
    virtual ~LowerBound() = default;
    LowerBound(const LowerBound&) = delete;
    LowerBound& operator=(const LowerBound&) = delete;

    /// Its name in the statistics of a search.
    [[nodiscard]] const std::string& name() const { return name_; }
    /// Whether it is made from potentials of solved documents. If so, a search solves a few documents before it, and
    /// computes it again with the potentials of nearer documents if no other bound follows.
    [[nodiscard]] virtual bool uses_potentials() const { return true; }
    /// Whether it has what it needs, and tells more than the bounds after it for its price. A search asks again after
    /// it has solved documents, and passes over bounds that are of no use.
    [[nodiscard]] virtual bool is_useful() { return true; }

    /// out[c] = a lower bound on the distance of positions[c]; minus infinity if the deadline passed before, or if
    /// nothing is known. A deadline does not throw; all other interrupts do. Throws std::invalid_argument for positions
    /// outside the corpus, for `out` of another size, and for bounds that are NaN. A bound that exceeds `cutoff` need
    /// not be as large as it could be, since it tells enough.
    Spent compute(std::span<const std::int64_t> positions, std::span<double> out, int n_threads, Interrupt& interrupt,
                  double cutoff = std::numeric_limits<double>::infinity());

  protected:
    explicit LowerBound(std::string name) : name_(std::move(name)) {}

  private:
    /// The same, for `out` of the right size that is filled with minus infinity.
    virtual Spent fill(std::span<const std::int64_t> positions, std::span<double> out, int n_threads,
                       Interrupt& interrupt, double cutoff) = 0;

    std::string name_;
};

/// The bounds of a corpus, cheapest first.
using LowerBounds = std::span<const std::unique_ptr<LowerBound>>;

}  // namespace moverank
