#include "moverank/codebook.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "../kernels/kernels.hpp"
#include "../preconditions.hpp"
#include "moverank/parallel.hpp"

namespace moverank {

namespace {

/// Tokens that a thread takes at a time: enough for each coarse cell to have several tiles of them.
constexpr std::size_t tokens_per_block = 4096;

/// Coarse cells in which the nearest centroid of a token is looked for.
constexpr std::size_t n_probes = 2;

}  // namespace

Codebook::Block::Block(MatrixView<const float> centroids, std::size_t first, std::size_t last) {
    const std::size_t dim = centroids.cols();
    const std::size_t n_padded = padded(last - first, centroid_group);
    packed.resize(n_padded * dim);
    half_squares.resize(n_padded, std::numeric_limits<float>::infinity());
    for (std::size_t c = 0; c < last - first; ++c) {
        const float* const centroid = centroids.row(first + c);
        float* const to = &packed[c / centroid_group * centroid_group * dim + c % centroid_group];
        double squared = 0.0;
        for (std::size_t k = 0; k < dim; ++k) {
            to[k * centroid_group] = centroid[k];
            squared += static_cast<double>(centroid[k]) * static_cast<double>(centroid[k]);
        }
        half_squares[c] = static_cast<float>(squared / 2.0);
    }
}

/// What one thread needs for a block of tokens.
struct Codebook::Workspace {
    AlignedVector<float> tokens, scratch;
    std::vector<const float*> rows;           ///< of the block's tokens
    std::vector<double> squared_norms;        ///< of the block's tokens
    std::vector<float> scores, best;          ///< of the block's tokens in one coarse cell, and in all
    std::vector<std::uint32_t> near, nearby;  ///< coarse cells of each token; tokens by coarse cell
    std::vector<std::uint32_t> ends;          ///< of the tokens of each coarse cell
};

Codebook::Codebook(MatrixView<const float> centroids, MatrixView<const float> coarse,
                   std::span<const std::int64_t> firsts)
    : dim_(centroids.cols()),
      n_cells_(centroids.rows()),
      coarse_(coarse, 0, coarse.rows()),
      firsts_(firsts.begin(), firsts.end()) {
    require(n_cells_ > 0 && n_cells_ <= max_cells && dim_ > 0, "expected from 1 to 65 536 centroids");
    require(coarse.rows() + 1 == firsts.size() && coarse.cols() == dim_, "coarse centroids do not match the others");
    require_offsets(firsts, n_cells_);
    largest_ = coarse_.half_squares.size();
    for (std::size_t c = 0; c < coarse.rows(); ++c) {
        require(firsts[c] < firsts[c + 1], "expected at least one centroid per coarse cell");
        fine_.emplace_back(centroids, static_cast<std::size_t>(firsts[c]), static_cast<std::size_t>(firsts[c + 1]));
        largest_ = std::max(largest_, fine_.back().half_squares.size());
    }
}

void Codebook::assign(const TokensView& tokens, std::span<const float> factors, std::span<std::uint16_t> cells,
                      std::span<float> squared_distances, int n_threads, Interrupt& interrupt) const {
    const std::size_t n = tokens.rows();
    require(tokens.cols() == dim_, "tokens and centroids have different dimensions");
    require((factors.empty() || factors.size() == n) && cells.size() == n && squared_distances.size() == n,
            "expected one factor, one cell and one distance per token");
    const std::size_t n_blocks = (n + tokens_per_block - 1) / tokens_per_block;
    const unsigned n_workers = thread_count(n_threads, n_blocks);
    std::vector<Workspace> workspaces(n_workers);
    parallel_for(n_blocks, n_workers, 1, interrupt, [&](unsigned w, std::size_t begin, std::size_t end) {
        for (std::size_t b = begin; b < end; ++b) {
            const std::size_t first = b * tokens_per_block;
            const std::size_t count = std::min(tokens_per_block, n - first);
            assign_block(tokens.run(first, count), factors.empty() ? factors : factors.subspan(first, count),
                         cells.subspan(first, count), squared_distances.subspan(first, count), workspaces[w]);
        }
    });
}

void Codebook::assign_block(const TokensView& tokens, std::span<const float> factors, std::span<std::uint16_t> cells,
                            std::span<float> squared_distances, Workspace& workspace) const {
    const std::size_t n = tokens.rows();
    const std::size_t n_coarse = fine_.size();
    const std::size_t n_near = std::min(n_probes, n_coarse);
    const auto nearest = kernels().centroids.nearest;
    const auto view = [this](const Block& block) {
        return CentroidBlock{block.packed.data(), block.half_squares.data(), block.half_squares.size(), dim_};
    };
    grow(workspace.tokens, n * dim_);
    grow(workspace.scratch, tokens_per_tile * largest_);
    workspace.rows.resize(n);
    workspace.squared_norms.resize(n);
    workspace.scores.resize(n * n_near);
    workspace.near.resize(n * n_near);
    workspace.nearby.resize(n * n_near);
    workspace.best.assign(n, std::numeric_limits<float>::infinity());
    std::ranges::fill(cells, std::uint16_t{0});

    kernels().cost.decode(tokens, workspace.tokens.data());
    for (std::size_t t = 0; t < n; ++t) {
        float* const row = &workspace.tokens[t * dim_];
        workspace.rows[t] = row;
        if (!factors.empty()) {
            std::for_each(row, row + dim_, [factor = factors[t]](float& component) { component *= factor; });
        }
    }
    kernels().cost.squared_norms({workspace.tokens.data(), n, dim_}, workspace.squared_norms.data());

    // Tokens by coarse cell, each in its nearest ones.
    if (n_coarse > 1) {
        for (std::size_t t = 0; t < n; t += tokens_per_tile) {
            nearest(view(coarse_), &workspace.rows[t], std::min(tokens_per_tile, n - t), n_near,
                    workspace.scratch.data(), &workspace.scores[t * n_near], &workspace.near[t * n_near]);
        }
    } else {
        std::ranges::fill(workspace.near, 0U);
    }
    workspace.ends.assign(n_coarse + 1, 0);
    for (const std::uint32_t c : workspace.near) {
        ++workspace.ends[c + 1];
    }
    for (std::size_t c = 0; c < n_coarse; ++c) {
        workspace.ends[c + 1] += workspace.ends[c];
    }
    // Filling moves the start of each cell's run to its end.
    std::vector<std::uint32_t>& ends = workspace.ends;
    for (std::size_t i = 0; i < workspace.near.size(); ++i) {
        workspace.nearby[ends[workspace.near[i]]++] = static_cast<std::uint32_t>(i / n_near);
    }

    const float* rows[tokens_per_tile];
    float scores[tokens_per_tile];
    std::uint32_t numbers[tokens_per_tile];
    std::size_t begin = 0;
    for (std::size_t c = 0; c < n_coarse; ++c) {
        for (const std::size_t end = ends[c]; begin < end;) {
            const std::size_t count = std::min(tokens_per_tile, end - begin);
            const std::uint32_t* const own = &workspace.nearby[begin];
            for (std::size_t t = 0; t < count; ++t) {
                rows[t] = workspace.rows[own[t]];
            }
            nearest(view(fine_[c]), rows, count, 1, workspace.scratch.data(), scores, numbers);
            for (std::size_t t = 0; t < count; ++t) {
                if (scores[t] < workspace.best[own[t]]) {
                    workspace.best[own[t]] = scores[t];
                    cells[own[t]] = static_cast<std::uint16_t>(static_cast<std::size_t>(firsts_[c]) + numbers[t]);
                }
            }
            begin += count;
        }
    }
    for (std::size_t t = 0; t < n; ++t) {
        const double squared = workspace.squared_norms[t] + 2.0 * static_cast<double>(workspace.best[t]);
        squared_distances[t] = squared < 0.0 ? 0.0F : static_cast<float>(squared);
    }
}

}  // namespace moverank
