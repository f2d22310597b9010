/// The k nearest documents found so far, and what a bound must exceed to rule out another.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <mutex>
#include <vector>

namespace moverank {

/// One answer: a document by its position in the corpus.
struct Hit {
    double distance;
    std::int64_t position;
};

/// Which documents are wanted: the k nearest of those within the radius.
struct Wanted {
    std::size_t k = 0;
    double radius = std::numeric_limits<double>::infinity();
    /// Candidates are dropped when (1 + slack) times their bound exceeds the k-th best distance, so that this is within
    /// (1 + slack) of the true one. For costs that are not negative.
    double slack = 0.0;
};

/// Safe to use from several threads. An outdated cutoff is larger than the true one: it prunes less and never wrongly,
/// so the answer depends on the candidates alone and not on who evaluated them when (but for slack, which leaves a
/// choice). Equal distances may still belong to the answer, so only bounds that are strictly above the cutoff rule out.
class Nearest {
  public:
    explicit Nearest(const Wanted& wanted);

    /// A document and its distance; std::invalid_argument if that is not a number.
    void offer(const Hit& hit);
    /// A document that gets no distance: it is not nearer than this.
    void leave(double bound);

    /// What a bound must exceed for its document to be dropped: the k-th best distance so far or the radius, less what
    /// slack allows.
    [[nodiscard]] double cutoff() const { return cutoff_.load(std::memory_order_relaxed); }
    /// No document that was left is nearer than this.
    [[nodiscard]] double floor() const;
    /// The answer so far, nearest first, ties by position: the k nearest, and all others at the k-th distance, so that
    /// whoever has names for documents can say which of these to keep.
    [[nodiscard]] std::vector<Hit> hits() const;
    [[nodiscard]] const Wanted& wanted() const { return wanted_; }

  private:
    void keep(const Hit& hit);

    const Wanted wanted_;
    mutable std::mutex guard_;  ///< of all below but the cutoff
    std::vector<Hit> heap_;     ///< the k nearest, a max-heap by distance
    std::vector<Hit> ties_;     ///< others as far away as the k-th
    double floor_ = std::numeric_limits<double>::infinity();
    std::atomic<double> cutoff_;
};

}  // namespace moverank
