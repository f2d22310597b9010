/// Masses of problems whose costs are given.
#pragma once

#include <cstddef>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "arrays.hpp"
#include "moverank/mass.hpp"

namespace moverank::bindings {

/// Masses of one side of a batch of problems, normalised to total 1: one row per problem, or one row for all.
class Marginals {
  public:
    /// `weights` has shape (size,) or (n_problems, size); none: uniform. `name` names the argument in errors.
    Marginals(const Weights& weights, const std::string& name, std::size_t size, std::size_t n_problems) : size_(size) {
        if (!weights) {
            mass_.assign(size, 1.0 / static_cast<double>(size));
            return;
        }
        const bool many = weights->ndim() == 2;
        if ((weights->ndim() != 1 && !many) || static_cast<std::size_t>(weights->shape(many ? 1 : 0)) != size ||
            (many && static_cast<std::size_t>(weights->shape(0)) != n_problems)) {
            throw std::invalid_argument(name + " does not match the shape of the cost");
        }
        mass_.assign(weights->data(), weights->data() + weights->size());
        step_ = many ? size : 0;
        for (std::size_t row = 0; row * size < mass_.size(); ++row) {
            const std::span<double> mass = std::span(mass_).subspan(row * size, size);
            if (const std::string fault = fault_of(mass); !fault.empty()) {
                throw std::invalid_argument(name + (many ? "[" + std::to_string(row) + "]: " : ": ") + fault);
            }
            normalise(mass);
        }
    }
    [[nodiscard]] std::span<const double> operator[](std::size_t p) const {
        return std::span(mass_).subspan(p * step_, size_);
    }

  private:
    std::size_t size_;
    std::size_t step_ = 0;
    std::vector<double> mass_;
};

}  // namespace moverank::bindings
