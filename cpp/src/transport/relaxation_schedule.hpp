/// When to push Sinkhorn's factors further than their targets, and how far.
#pragma once

#include <algorithm>

namespace moverank {

/// A plain sweep contracts the error by some eta. Near the solution, moving each factor omega times as far as its
/// target, omega = 2 / (1 + sqrt(1 - eta)), contracts it by omega - 1, which is far less where eta is close to 1; a
/// larger omega contracts by its own omega - 1, a smaller one by hardly less than eta (Lehmann et al., 2022).
///
/// eta is not known, and far from the solution errors rise and fall for other reasons, so nothing is read off them:
/// rounds take omega = 1.5, 1.75, 1.875, 1.9375, 1.9375 .. Each is as long as it needs to contract the error by a given
/// factor where its omega is the right one, and ends with a few plain sweeps, which calm what relaxation has stirred
/// up. The time lost on rounds that are too timid is that of the last one.
class RelaxationSchedule {
  public:
    explicit RelaxationSchedule(bool enabled) : enabled_(enabled) {}

    /// Of the next sweep; 1 is a plain one.
    [[nodiscard]] double omega() const {
        return enabled_ && sweep_ >= plain_sweeps ? 2.0 - 1.0 / static_cast<double>(1 << round_) : 1.0;
    }

    /// The latest sweep's error was under the tolerance: plain sweeps follow, as only they leave the columns' marginals
    /// exact.
    void calm() { sweep_ = 0; }
    /// It was not.
    void advance() {
        if (++sweep_ == plain_sweeps + (sweeps_per_round << round_)) {
            round_ = std::min(round_ + 1, last_round);
            sweep_ = 0;
        }
    }

  private:
    static constexpr int plain_sweeps = 4;
    static constexpr int sweeps_per_round = 6;
    static constexpr int last_round = 4;

    bool enabled_;
    int round_ = 1;
    int sweep_ = 0;
};

}  // namespace moverank
