#include <cstddef>
#include <vector>

#include "check.hpp"
#include "search/pair_tiles.hpp"

using namespace moverank;

namespace {

/// How often tiles visit each pair; CHECKs that each tile counts its pairs and is no wider than the matrix.
std::vector<int> visits(std::size_t rows, std::size_t columns, bool mirrored, std::size_t bytes, unsigned n_threads) {
    const PairTiles tiles(rows, columns, mirrored, bytes, n_threads);
    std::vector<int> visited(rows * columns, 0);
    for (std::size_t t = 0; t < tiles.size(); ++t) {
        const PairTile tile = tiles[t];
        CHECK(tile.first_row < tile.last_row && tile.last_row <= rows);
        CHECK(tile.first_column < tile.last_column && tile.last_column <= columns);
        std::size_t n = 0;
        for (std::size_t r = tile.first_row; r < tile.last_row; ++r) {
            for (std::size_t s = tile.first_column_of(r); s < tile.last_column; ++s, ++n) {
                ++visited[r * columns + s];
            }
        }
        CHECK(n > 0);
    }
    return visited;
}

}  // namespace

TEST(tiles_visit_every_pair_once) {
    for (const std::size_t rows : {1, 2, 7, 8, 9, 63, 64, 65, 200}) {
        for (const std::size_t columns : {1, 8, 31, 32, 33, 64, 129}) {
            for (const std::size_t bytes : {0, 4096, 16384, 1 << 30}) {
                for (const unsigned n_threads : {1U, 2U, 64U}) {
                    CHECK(visits(rows, columns, false, bytes, n_threads) == std::vector<int>(rows * columns, 1));
                }
            }
        }
    }
}

TEST(tiles_of_a_mirrored_matrix_visit_one_half) {
    for (const std::size_t n : {1, 2, 7, 8, 9, 31, 33, 64, 65, 130, 257}) {
        for (const std::size_t bytes : {0, 16384, 1 << 30}) {
            for (const unsigned n_threads : {1U, 2U, 64U}) {
                const std::vector<int> visited = visits(n, n, true, bytes, n_threads);
                for (std::size_t r = 0; r < n; ++r) {
                    for (std::size_t s = 0; s < n; ++s) {
                        CHECK(visited[r * n + s] == (s >= r ? 1 : 0));
                    }
                }
            }
        }
    }
}

TEST(many_threads_have_many_tiles) {
    CHECK(PairTiles(200, 200, true, 1024, 1).size() < PairTiles(200, 200, true, 1024, 16).size());
    // A batch of a hundred still has work for eight threads that end together.
    CHECK(PairTiles(100, 100, true, 1024, 8).size() >= 8 * 32);
}
