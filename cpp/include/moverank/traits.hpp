/// How tables of facts are read: ground_traits.hpp and weighting_traits.hpp.
#pragma once

#include <algorithm>
#include <iterator>
#include <stdexcept>

namespace moverank {

/// The row whose `key` is `value`. Throws std::invalid_argument with `error` for a value that no row has.
template <class Row, std::size_t n, class Value>
[[nodiscard]] constexpr const Row& row_of(const Row (&table)[n], Value Row::* key, Value value, const char* error) {
    const auto* const found = std::ranges::find(table, value, key);
    if (found == std::end(table)) {
        throw std::invalid_argument(error);
    }
    return *found;
}

}  // namespace moverank
