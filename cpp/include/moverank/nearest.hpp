/// The k nearest documents found so far, and the cutoff that a bound must exceed to rule out another document.
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
    /// Largest distance of an answer, in units of the ground cost.
    double radius = std::numeric_limits<double>::infinity();
    /// At least 0. Candidates are dropped if (1 + slack) times their bound exceeds the k-th best distance, so the k-th
    /// distance found is at most (1 + slack) times the true one. Only for costs that are not negative.
    double slack = 0.0;
};

/// Safe to use from several threads. An outdated cutoff is larger than the current one, so it prunes less, never
/// wrongly. The answer therefore depends on the candidates alone, not on the order in which threads evaluate them
/// (except with slack, which allows several answers). A document at exactly the cutoff may still belong to the answer,
/// so only bounds strictly above the cutoff rule a document out.
class Nearest {
  public:
    /// Throws std::invalid_argument if slack is negative or radius is NaN.
    explicit Nearest(const Wanted& wanted);

    /// Add a document with its distance. Throws std::invalid_argument if the distance is NaN.
    void offer(const Hit& hit);
    /// Add a document whose distance is not computed, only known to be at least `bound`.
    void leave_out(double bound);
    /// Want only documents at most this far away from now on, as k documents are known elsewhere that are no farther.
    /// Not while another thread uses this object. Throws std::invalid_argument for NaN.
    void lower_radius(double radius);

    /// What a bound must exceed for its document to be dropped: the k-th best distance so far or the radius, divided by
    /// 1 + slack.
    [[nodiscard]] double cutoff() const { return cutoff_.load(std::memory_order_relaxed); }
    /// The least bound passed to `leave_out`: no document left out is nearer than this. Infinite if there is none.
    [[nodiscard]] double floor() const;
    /// The answer so far, nearest first, ties by position: the k nearest, and all others at the k-th distance, so that
    /// a caller with other names for documents can choose among the ties.
    [[nodiscard]] std::vector<Hit> hits() const;
    [[nodiscard]] const Wanted& wanted() const { return wanted_; }

  private:
    void keep(const Hit& hit);

    Wanted wanted_;
    mutable std::mutex guard_;  ///< protects everything below except the cutoff
    std::vector<Hit> heap_;     ///< the k nearest, a max-heap by distance
    std::vector<Hit> ties_;     ///< other documents at the k-th distance
    double floor_ = std::numeric_limits<double>::infinity();
    std::atomic<double> cutoff_;
};

}  // namespace moverank
