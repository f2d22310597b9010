/// A sum in twice the precision of float64.
#pragma once

#include <cmath>

namespace moverank {

/// A sum high + low, where low collects the rounding errors of high, each of which float64 can represent (Knuth's
/// two-sum; Ogita, Rump, Oishi, "Accurate sum and dot product", SIAM J. Sci. Comput. 26(6), 2005).
class LongSum {
  public:
    LongSum() = default;
    explicit LongSum(double x) : high_(x) {}

    void add(double x) {
        const double sum = high_ + x;
        const double part = sum - high_;
        low_ += (high_ - (sum - part)) + (x - part);
        high_ = sum;
    }
    void add(const LongSum& other) {
        add(other.high_);
        low_ += other.low_;
    }
    void subtract(const LongSum& other) {
        add(-other.high_);
        low_ -= other.low_;
    }
    /// The rounding error of a product is exact by a fused multiply-add.
    void add_product(double x, double y) {
        const double product = x * y;
        add(product);
        low_ += std::fma(x, y, -product);
    }
    [[nodiscard]] double value() const { return high_ + low_; }

  private:
    double high_ = 0.0;
    double low_ = 0.0;
};

}  // namespace moverank
