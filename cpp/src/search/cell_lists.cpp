#include "moverank/cell_lists.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <limits>
#include <stdexcept>
#include <utility>

#include "../preconditions.hpp"
#include "moverank/parallel.hpp"

namespace moverank {

namespace {

/// Documents per block: what is counted of them stays in the second-level cache.
constexpr std::size_t documents_per_block = std::size_t{1} << 15U;

/// The cells that one query token probes, nearest first, and what documents in none of them are taken to cost.
struct Probed {
    std::vector<std::uint32_t> cells;
    double missed = 0.0;
};

/// Query tokens whose cells one pass over the costs finds: those that share a cache line of each row.
constexpr std::size_t tokens_per_pass = 16;

/// Nearest cells of some consecutive query tokens, the first of which is `first`; equal costs are ordered by cell.
void probe_cells(const VocabularyCosts& costs, std::size_t first, std::size_t count, std::span<Probed> probed) {
    using Entry = std::pair<float, std::uint32_t>;
    const std::size_t taken = std::min(count + 1, costs.n_words());
    std::array<std::vector<Entry>, tokens_per_pass> heaps;
    std::array<float, tokens_per_pass> worst{};
    for (std::size_t i = 0; i < probed.size(); ++i) {
        for (std::size_t cell = 0; cell < taken; ++cell) {
            heaps[i].emplace_back(costs.row(cell)[first + i], static_cast<std::uint32_t>(cell));
        }
        std::ranges::make_heap(heaps[i]);
        worst[i] = heaps[i].front().first;
    }
    for (std::size_t cell = taken; cell < costs.n_words(); ++cell) {
        const float* row = costs.row(cell) + first;
        bool is_nearer = false;
        for (std::size_t i = 0; i < probed.size(); ++i) {
            is_nearer |= row[i] < worst[i];
        }
        for (std::size_t i = 0; is_nearer && i < probed.size(); ++i) {
            if (row[i] < worst[i]) {
                std::ranges::pop_heap(heaps[i]);
                heaps[i].back() = {row[i], static_cast<std::uint32_t>(cell)};
                std::ranges::push_heap(heaps[i]);
                worst[i] = heaps[i].front().first;
            }
        }
    }
    for (std::size_t i = 0; i < probed.size(); ++i) {
        // If all cells are probed nothing is missed, so any cost will do.
        probed[i].missed = static_cast<double>(worst[i]);
        std::ranges::sort_heap(heaps[i]);
        heaps[i].resize(std::min(count, taken));
        std::ranges::transform(heaps[i], std::back_inserter(probed[i].cells), &Entry::second);
    }
}

/// The best documents that one thread has seen.
class Best {
  public:
    explicit Best(std::size_t count) : count_(count) {}

    void offer(const Hit& hit) {
        if (hit.distance > worst_) {
            return;
        }
        hits_.push_back(hit);
        if (hits_.size() >= 2 * count_ + 1024) {
            shrink();
        }
    }
    [[nodiscard]] std::vector<Hit>& hits() { return hits_; }

  private:
    void shrink() {
        const auto end = hits_.begin() + static_cast<std::ptrdiff_t>(count_);
        std::ranges::nth_element(hits_, end, before);
        worst_ = end->distance;
        hits_.erase(end, hits_.end());
    }

  public:
    [[nodiscard]] static bool before(const Hit& x, const Hit& y) {
        return x.distance < y.distance || (x.distance == y.distance && x.position < y.position);
    }

  private:
    std::size_t count_;
    double worst_ = std::numeric_limits<double>::infinity();
    std::vector<Hit> hits_;
};

/// What a thread counts of the documents of one block.
struct Block {
    std::vector<float> saved;         ///< by how much a document is cheaper than one in none of the probed cells
    std::vector<std::uint32_t> last;  ///< 1 + the last query token that found the document; 0: none did
    std::vector<std::uint32_t> found;
    Best best;

    explicit Block(std::size_t count) : saved(documents_per_block), last(documents_per_block), best(count) {}
};

}  // namespace

JoinedCellLists::JoinedCellLists(std::vector<CellLists> parts, std::span<const std::size_t> sizes)
    : parts_(std::move(parts)), firsts_{0} {
    require(!parts_.empty() && parts_.size() == sizes.size(), "expected at least one part, and a size for each");
    n_cells_ = parts_.front().offsets.size() - 1;
    for (std::size_t p = 0; p < parts_.size(); ++p) {
        const CellLists& part = parts_[p];
        require(part.offsets.size() == n_cells_ + 1 && n_cells_ > 0, "parts have different numbers of cells");
        require_offsets(part.offsets, part.documents.size());
        firsts_.push_back(firsts_.back() + sizes[p]);
    }
}

std::vector<Hit> JoinedCellLists::nearest(const VocabularyCosts& costs, std::span<const double> mass,
                                          const Probe& probe, std::optional<std::span<const std::int64_t>> positions,
                                          int n_threads, Interrupt& interrupt) const {
    require(costs.n_words() == n_cells_ && mass.size() <= costs.stride(), "expected the costs of all cells");
    require(probe.n_cells > 0 && probe.count > 0, "expected at least one cell and one document");
    std::vector<Probed> probed(mass.size());
    const std::size_t n_passes = (mass.size() + tokens_per_pass - 1) / tokens_per_pass;
    parallel_for(n_passes, thread_count(n_threads, n_passes), 1, interrupt,
                 [&](unsigned, std::size_t begin, std::size_t end) {
                     for (std::size_t pass = begin; pass < end; ++pass) {
                         const std::size_t first = pass * tokens_per_pass;
                         const std::size_t n_tokens = std::min(tokens_per_pass, probed.size() - first);
                         probe_cells(costs, first, probe.n_cells, std::span(probed).subspan(first, n_tokens));
                     }
                 });
    double all_missed = 0.0;
    for (std::size_t i = 0; i < mass.size(); ++i) {
        all_missed += mass[i] * probed[i].missed;
    }

    // Blocks do not cross parts.
    struct Range {
        std::size_t part, begin, end;
    };
    std::vector<Range> ranges;
    for (std::size_t p = 0; p < parts_.size(); ++p) {
        const std::size_t size = firsts_[p + 1] - firsts_[p];
        for (std::size_t begin = 0; begin < size; begin += documents_per_block) {
            ranges.push_back({p, begin, std::min(begin + documents_per_block, size)});
        }
    }
    const unsigned n_workers = thread_count(n_threads, ranges.size());
    std::vector<Block> blocks;
    for (unsigned w = 0; w < n_workers; ++w) {
        blocks.emplace_back(probe.count);
    }
    parallel_for(ranges.size(), n_workers, 1, interrupt, [&](unsigned w, std::size_t first, std::size_t last) {
        Block& block = blocks[w];
        for (std::size_t r = first; r < last; ++r) {
            const auto [p, begin, end] = ranges[r];
            const CellLists& lists = parts_[p];
            block.found.clear();
            for (std::size_t i = 0; i < mass.size(); ++i) {
                const auto mark = static_cast<std::uint32_t>(i + 1);
                for (const std::uint32_t cell : probed[i].cells) {
                    const auto saved =
                        static_cast<float>(mass[i] * (probed[i].missed - static_cast<double>(costs.row(cell)[i])));
                    const std::uint32_t* next = lists.documents.data() + lists.offsets[cell];
                    const std::uint32_t* const list_end = lists.documents.data() + lists.offsets[cell + 1];
                    if (begin > 0) {
                        next = std::lower_bound(next, list_end, begin);
                    }
                    // Cells come nearest first, so the first that has a document is the document's nearest.
                    for (; next != list_end && *next < end; ++next) {
                        const std::size_t d = *next - begin;
                        // A damaged list may not rise, and so lead to before the block.
                        if (d >= documents_per_block || block.last[d] == mark) {
                            continue;
                        }
                        if (block.last[d] == 0) {
                            block.found.push_back(static_cast<std::uint32_t>(d));
                        }
                        block.last[d] = mark;
                        block.saved[d] += saved;
                    }
                }
            }
            const std::size_t offset = firsts_[p] + begin;
            const auto offer = [&](std::size_t d) {
                block.best.offer(
                    {all_missed - static_cast<double>(block.saved[d]), static_cast<std::int64_t>(offset + d)});
            };
            if (positions) {
                auto own = std::ranges::lower_bound(*positions, static_cast<std::int64_t>(offset));
                for (; own != positions->end() && std::cmp_less(*own, firsts_[p] + end); ++own) {
                    const auto d = static_cast<std::size_t>(*own) - offset;
                    if (block.last[d] != 0) {
                        offer(d);
                    }
                }
            }
            for (const std::uint32_t d : block.found) {
                if (!positions) {
                    offer(d);
                }
                block.saved[d] = 0.0F;
                block.last[d] = 0;
            }
        }
    });
    std::vector<Hit> hits;
    for (Block& block : blocks) {
        const std::vector<Hit>& own = block.best.hits();
        hits.insert(hits.end(), own.begin(), own.end());
    }
    const std::size_t count = std::min(probe.count, hits.size());
    std::ranges::partial_sort(hits, hits.begin() + static_cast<std::ptrdiff_t>(count), Best::before);
    hits.resize(count);
    return hits;
}

}  // namespace moverank
