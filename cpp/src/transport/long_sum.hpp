/// A sum in twice the precision of float64.
#pragma once

#include <cmath>

namespace moverank {

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
