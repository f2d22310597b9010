#include "moverank/nearest.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "../preconditions.hpp"

namespace moverank {

Nearest::Nearest(const Wanted& wanted) : wanted_(wanted), cutoff_(wanted.radius / (1.0 + wanted.slack)) {
    require(wanted.slack >= 0.0 && !std::isnan(wanted.radius), "slack must be at least 0, and radius a number");
}

void Nearest::offer(const Hit& hit) {
    if (std::isnan(hit.distance)) {
        throw std::invalid_argument("a distance is not a number");
    }
    if (hit.distance > wanted_.radius || wanted_.k == 0) {
        return;
    }
    const std::scoped_lock lock(guard_);
    keep(hit);
    // Only stored under the lock, so the cutoff never rises. Readers take it without the lock: an old value is larger.
    if (heap_.size() == wanted_.k) {
        const double threshold = std::min(wanted_.radius, heap_.front().distance);
        cutoff_.store(threshold / (1.0 + wanted_.slack), std::memory_order_relaxed);
    }
}

void Nearest::keep(const Hit& hit) {
    if (heap_.size() < wanted_.k) {
        heap_.push_back(hit);
        std::ranges::push_heap(heap_, {}, &Hit::distance);
        return;
    }
    const double last = heap_.front().distance;
    if (hit.distance > last) {
        return;
    }
    if (hit.distance == last) {
        ties_.push_back(hit);
        return;
    }
    // The former k-th is out, or, if the new k-th is as far away, ties with it.
    std::ranges::pop_heap(heap_, {}, &Hit::distance);
    ties_.push_back(heap_.back());
    heap_.back() = hit;
    std::ranges::push_heap(heap_, {}, &Hit::distance);
    if (heap_.front().distance < last) {
        ties_.clear();
    }
}

void Nearest::lower_radius(double radius) {
    require(!std::isnan(radius), "a radius must be a number");
    const std::scoped_lock lock(guard_);
    wanted_.radius = std::min(wanted_.radius, radius);
    cutoff_.store(std::min(cutoff(), wanted_.radius / (1.0 + wanted_.slack)), std::memory_order_relaxed);
}

void Nearest::leave_out(double bound) {
    const std::scoped_lock lock(guard_);
    floor_ = std::min(floor_, bound);
}

double Nearest::floor() const {
    const std::scoped_lock lock(guard_);
    return floor_;
}

std::vector<Hit> Nearest::hits() const {
    const std::scoped_lock lock(guard_);
    std::vector<Hit> sorted = heap_;
    sorted.insert(sorted.end(), ties_.begin(), ties_.end());
    std::erase_if(sorted,
                  [this](const Hit& hit) { return hit.distance > wanted_.radius; });  // it may have fallen since
    std::ranges::sort(sorted, [](const Hit& x, const Hit& y) {
        return x.distance != y.distance ? x.distance < y.distance : x.position < y.position;
    });
    return sorted;
}

}  // namespace moverank
