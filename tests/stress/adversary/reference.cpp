#include "reference.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <numeric>

namespace adversary {

namespace {

using Real = long double;

constexpr Real infinity = std::numeric_limits<Real>::infinity();
/// Mass that rounding leaves.
constexpr Real crumb = 1e-21L;

[[nodiscard]] std::vector<Real> normalised(std::span<const double> mass, Real factor) {
    const Real total = std::accumulate(mass.begin(), mass.end(), Real{0});
    std::vector<Real> out(mass.size());
    std::ranges::transform(mass, out.begin(), [&](double x) { return factor * (static_cast<Real>(x) / total); });
    return out;
}

/// The flow so far and its potentials, by which all costs of moving on are 0 or more. Nodes are rows, then columns.
class Flow {
  public:
    Flow(std::span<const double> costs, std::vector<Real> supply, std::vector<Real> room)
        : costs_(costs),
          n_(supply.size()),
          m_(room.size()),
          supply_(std::move(supply)),
          room_(std::move(room)),
          flow_(n_ * m_, 0.0L),
          potential_(n_ + m_, 0.0L) {
        for (std::size_t j = 0; j < m_; ++j) {
            potential_[n_ + j] = cost(0, j);
            for (std::size_t i = 1; i < n_; ++i) {
                potential_[n_ + j] = std::min(potential_[n_ + j], cost(i, j));
            }
        }
        end_potential_ = *std::min_element(potential_.begin() + static_cast<std::ptrdiff_t>(n_), potential_.end());
    }

    /// Send at most so much along the cheapest path; returns how much went.
    Real push(Real most) {
        find_paths();
        std::size_t end = m_;
        Real shortest = infinity;
        for (std::size_t j = 0; j < m_; ++j) {
            const Real length = distance_[n_ + j] + std::max(0.0L, potential_[n_ + j] - end_potential_);
            if (room_[j] > crumb && length < shortest) {
                shortest = length;
                end = j;
            }
        }
        if (end == m_) {
            return 0.0L;
        }
        for (std::size_t v = 0; v < n_ + m_; ++v) {
            potential_[v] += std::min(distance_[v], shortest);
        }
        end_potential_ += shortest;
        Real pushed = std::min(most, room_[end]);
        walk(end, [&](std::size_t, Real& given) { pushed = std::min(pushed, given); });
        room_[end] -= pushed;
        walk(end, [&](std::size_t entry, Real& given) {
            flow_[entry] += pushed;
            given -= pushed;
        });
        return pushed;
    }

    [[nodiscard]] Real value() const {
        Real value = 0.0L;
        for (std::size_t k = 0; k < flow_.size(); ++k) {
            value += flow_[k] * static_cast<Real>(costs_[k]);
        }
        return value;
    }

  private:
    [[nodiscard]] Real cost(std::size_t i, std::size_t j) const { return static_cast<Real>(costs_[i * m_ + j]); }

    /// Dijkstra's algorithm from all rows that have something left.
    void find_paths() {
        distance_.assign(n_ + m_, infinity);
        before_.assign(n_ + m_, n_ + m_);
        std::vector<bool> done(n_ + m_, false);
        for (std::size_t i = 0; i < n_; ++i) {
            distance_[i] = supply_[i] > crumb ? std::max(0.0L, -potential_[i]) : infinity;
        }
        for (;;) {
            std::size_t v = n_ + m_;
            for (std::size_t w = 0; w < n_ + m_; ++w) {
                v = !done[w] && distance_[w] < (v == n_ + m_ ? infinity : distance_[v]) ? w : v;
            }
            if (v == n_ + m_) {
                return;
            }
            done[v] = true;
            const bool is_row = v < n_;
            for (std::size_t other = 0; other < (is_row ? m_ : n_); ++other) {
                const std::size_t i = is_row ? v : other;
                const std::size_t j = is_row ? other : v - n_;
                const std::size_t w = is_row ? n_ + j : i;
                if (done[w] || (!is_row && !(flow_[i * m_ + j] > crumb))) {
                    continue;
                }
                const Real reduced = cost(i, j) + potential_[i] - potential_[n_ + j];
                const Real length = distance_[v] + std::max(0.0L, is_row ? reduced : -reduced);
                if (length < distance_[w]) {
                    distance_[w] = length;
                    before_[w] = v;
                }
            }
        }
    }

    /// visit(entry that gains, what gives) for the edges of the path to a column.
    template <class Visit>
    void walk(std::size_t end, Visit visit) {
        for (std::size_t column = n_ + end;;) {
            const std::size_t i = before_[column];
            const std::size_t entry = i * m_ + column - n_;
            column = before_[i];
            if (column == n_ + m_) {
                visit(entry, supply_[i]);
                return;
            }
            visit(entry, flow_[i * m_ + column - n_]);
        }
    }

    std::span<const double> costs_;
    std::size_t n_, m_;
    std::vector<Real> supply_, room_, flow_, potential_, distance_;
    std::vector<std::size_t> before_;
    Real end_potential_ = 0.0L;
};

}  // namespace

long double optimum(std::span<const double> costs, std::span<const double> a, std::span<const double> b,
                    double capacity, double fraction) {
    Flow flow(costs, normalised(a, 1.0L), normalised(b, static_cast<Real>(capacity)));
    Real left = static_cast<Real>(fraction);
    for (Real pushed = 1.0L; left > crumb && pushed > 0.0L; left -= pushed) {
        pushed = flow.push(left);
    }
    return flow.value();
}

}  // namespace adversary
