/// Sequences of token vectors of every sort and every type that tokens come in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "instances.hpp"
#include "moverank/measure.hpp"
#include "moverank/views.hpp"
#include "random.hpp"

namespace soak {

/// Vectors as rows: far from the origin, on a grid, all but the same, sizes apart, ... None is zero.
[[nodiscard]] std::vector<float> draw_vectors(Random& random, std::size_t n, std::size_t dim, std::string& sort);

/// A ragged batch in one of the types that tokens come in.
class Documents {
  public:
    Documents(Random& random, std::size_t n_documents, std::size_t longest, std::size_t dimension,
              const moverank::Measure& measure);
    Documents(const Documents&) = delete;
    Documents& operator=(const Documents&) = delete;

    [[nodiscard]] moverank::SequencesView view() const { return {tokens_view(), offsets_, weights_}; }
    [[nodiscard]] std::size_t size() const { return offsets_.size() - 1; }
    /// The stored numbers of document s.
    [[nodiscard]] std::span<const float> tokens_of(std::size_t s) const {
        const auto begin = static_cast<std::size_t>(offsets_[s]);
        return std::span(tokens).subspan(begin * dim, (static_cast<std::size_t>(offsets_[s + 1]) - begin) * dim);
    }
    /// Documents first to last; their offsets go to `offsets`.
    [[nodiscard]] moverank::SequencesView run(std::size_t first, std::size_t last,
                                              std::vector<std::int64_t>& offsets) const;

    std::size_t dim;
    std::vector<float> tokens;  ///< what the type stores, exactly
    std::string sort;

  private:
    /// Some documents are copies: their distances tie.
    void repeat_some(Random& random);
    [[nodiscard]] std::span<float> own_tokens(std::size_t s) {
        const std::span<const float> found = tokens_of(s);
        return std::span(tokens).subspan(static_cast<std::size_t>(found.data() - tokens.data()), found.size());
    }

    void encode(moverank::TokenType wanted);
    [[nodiscard]] moverank::TokensView tokens_view() const;

    void draw_weights(Random& random);

    std::vector<std::int64_t> offsets_{0};
    std::vector<double> weights_;
    moverank::TokenType type_ = moverank::TokenType::float32;
    std::vector<std::uint16_t> halves_;
    std::optional<instances::Coded> coded_;
    std::optional<instances::Packed> packed_;
};

}  // namespace soak
