#include "moverank/interleaved_codes.hpp"

#include <algorithm>

#include "../preconditions.hpp"

namespace moverank {

namespace {

/// Call each(t, k, place) for every component k of every token t of a document, and for the zeros after it.
template <class Each>
void for_each_place(std::size_t n_tokens, std::size_t dim, Each each) {
    const std::size_t n_bytes = InterleavedCodes::bytes_per_token(dim);
    for (std::size_t first = 0; first < n_tokens; first += tokens_beside) {
        const std::size_t count = std::min(tokens_beside, n_tokens - first);
        for (std::size_t t = 0; t < count; ++t) {
            for (std::size_t k = 0; k < n_bytes; ++k) {
                const std::size_t group = k / code_group;
                each(first + t, k, first * n_bytes + (group * count + t) * code_group + k % code_group);
            }
        }
    }
}

}  // namespace

void interleave(const TokensView& document, std::span<std::int8_t> out) {
    const std::size_t dim = document.cols();
    require(document.type() == TokenType::int8, "only int8 codes are interleaved");
    require(out.size() == document.rows() * InterleavedCodes::bytes_per_token(dim), "expected room for all codes");
    for_each_place(document.rows(), dim, [&](std::size_t t, std::size_t k, std::size_t place) {
        out[place] = k < dim ? static_cast<std::int8_t>(document.row(t)[k]) : std::int8_t{0};
    });
}

void separate(const InterleavedCodes& document, std::span<std::int8_t> rows) {
    const std::size_t dim = document.dim();
    require(rows.size() == document.n_tokens() * dim, "expected room for all codes");
    for_each_place(document.n_tokens(), dim, [&](std::size_t t, std::size_t k, std::size_t place) {
        if (k < dim) {
            rows[t * dim + k] = document.data()[place];
        }
    });
}

}  // namespace moverank
