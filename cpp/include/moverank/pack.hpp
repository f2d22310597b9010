/// Rounding tokens to packed codes: `TokenType::int4` and `TokenType::int2`.
#pragma once

#include <cstdint>
#include <span>

#include "moverank/interrupt.hpp"
#include "moverank/views.hpp"

namespace moverank {

/// Round tokens to codes of a packed type. The scale of each token is the best by squared error among a few and then by
/// least squares for the codes found; the same tokens give the same codes on every processor. A token of zeros gets
/// scale 0, and is read as +0; one with a number that is not finite gets a scale that is not finite either.
///
/// `codes` has row_bytes(type, tokens.cols()) bytes per token, whose unused bits become 0, and `scales` one entry.
/// Throws std::invalid_argument if the type is not packed, or sizes do not match. `interrupt` may be null.
void pack(TokenType type, const MatrixView<const float>& tokens, std::span<std::uint8_t> codes, std::span<float> scales,
          Interrupt* interrupt = nullptr);

}  // namespace moverank
