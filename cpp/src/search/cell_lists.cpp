#include "moverank/cell_lists.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <limits>
#include <memory>
#include <stdexcept>
#include <utility>

#include "../kernels/kernels.hpp"
#include "../preconditions.hpp"
#include "moverank/parallel.hpp"

namespace moverank {

namespace {

/// Documents per block: what is counted of them stays in the second-level cache.
constexpr std::size_t documents_per_block = std::size_t{1} << 15U;

/// Runs of documents per thread: more are shared out more evenly, and find their places in lists more often.
constexpr std::size_t runs_per_thread = 4;

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

/// A document, and by how much it is cheaper than one in none of the probed cells.
struct Saving {
    float saved;
    std::int64_t position;

    [[nodiscard]] static bool before(const Saving& x, const Saving& y) {
        return x.saved > y.saved || (x.saved == y.saved && x.position < y.position);
    }
};

/// The best documents that one thread has seen.
class Best {
  public:
    explicit Best(std::size_t count) : count_(count) {}

    void offer(const Saving& saving) {
        savings_.push_back(saving);
        if (savings_.size() >= 2 * count_ + 1024) {
            shrink();
        }
    }
    /// A document that saves less is not among the best.
    [[nodiscard]] float least() const { return least_; }
    [[nodiscard]] std::span<const Saving> savings() const { return savings_; }

  private:
    void shrink() {
        const auto end = savings_.begin() + static_cast<std::ptrdiff_t>(count_);
        std::ranges::nth_element(savings_, end, Saving::before);
        least_ = end->saved;
        savings_.erase(end, savings_.end());
    }

    std::size_t count_;
    float least_ = -std::numeric_limits<float>::infinity();
    std::vector<Saving> savings_;
};

/// What is left of a probed list.
struct Cursor {
    const std::uint32_t* next;
    const std::uint32_t* end;
    float saved;         ///< by documents in this cell
    std::uint32_t mark;  ///< 1 + the query token
};

/// Documents of one part, of which a thread reads one block after the other.
struct Run {
    std::size_t part, begin, end;
};

/// What a thread counts of the documents of one block.
class Block {
  public:
    explicit Block(std::size_t count)
        : saved_(documents_per_block), last_(documents_per_block), places_(documents_per_block), best_(count) {}

    /// Count the documents from `begin` to `end`, and move cursors to what is after them. Cursors of one token come
    /// nearest cell first, so the first that has a document is the document's nearest.
    void count(std::span<Cursor> cursors, std::size_t begin, std::size_t end) {
        size_ = end - begin;
        for (Cursor& cursor : cursors) {
            const std::uint32_t* next = cursor.next;
            for (; next != cursor.end && *next < end; ++next) {
                const std::size_t d = *next - begin;
                // A damaged list may not rise, and so lead to before the block.
                if (d < size_) {
                    saved_[d] += last_[d] != cursor.mark ? cursor.saved : 0.0F;
                    last_[d] = cursor.mark;
                }
            }
            cursor.next = next;
        }
    }

    /// Offer all documents that were counted, the first of which has this position.
    void offer_all(std::int64_t first) {
        const std::size_t n = kernels().scan.at_least(saved_.data(), padded(size_), best_.least(), places_.data());
        for (const std::uint32_t d : std::span(places_).first(n)) {
            offer(d, first);
        }
    }
    /// Offer one of them, if it was counted.
    void offer(std::size_t d, std::int64_t first) {
        if (last_[d] != 0 && saved_[d] >= best_.least()) {
            best_.offer({saved_[d], first + static_cast<std::int64_t>(d)});
        }
    }
    void clear() {
        std::fill_n(saved_.begin(), size_, 0.0F);
        std::fill_n(last_.begin(), size_, 0U);
    }
    [[nodiscard]] std::span<const Saving> savings() const { return best_.savings(); }

  private:
    std::vector<float> saved_;         ///< by how much a document is cheaper than one in none of the probed cells
    std::vector<std::uint32_t> last_;  ///< 1 + the last query token that found the document; 0: none did
    std::vector<std::uint32_t> places_;
    std::size_t size_ = 0;  ///< documents of the block
    Best best_;
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

    // Neither blocks nor runs cross parts. A run has several blocks, so that places in lists are rarely looked for.
    const unsigned n_workers = thread_count(n_threads, (size() + documents_per_block - 1) / documents_per_block);
    const std::size_t per_run = size() / (runs_per_thread * n_workers) / documents_per_block * documents_per_block;
    std::vector<Run> runs;
    for (std::size_t p = 0; p < parts_.size(); ++p) {
        const std::size_t n_documents = firsts_[p + 1] - firsts_[p];
        const std::size_t step = std::max(per_run, documents_per_block);
        for (std::size_t begin = 0; begin < n_documents; begin += step) {
            runs.push_back({p, begin, std::min(begin + step, n_documents)});
        }
    }
    std::vector<Block> blocks(n_workers, Block(probe.count));
    parallel_for(runs.size(), n_workers, 1, interrupt, [&](unsigned w, std::size_t first_run, std::size_t last_run) {
        Block& block = blocks[w];
        std::vector<Cursor> cursors;
        for (std::size_t r = first_run; r < last_run; ++r) {
            const auto [p, run_begin, run_end] = runs[r];
            cursors.clear();
            for (std::size_t i = 0; i < mass.size(); ++i) {
                for (const std::uint32_t cell : probed[i].cells) {
                    const auto saved = mass[i] * (probed[i].missed - static_cast<double>(costs.row(cell)[i]));
                    const std::span<const std::uint32_t> list = parts_[p].list(cell);
                    const auto next = run_begin == 0 ? list.begin() : std::ranges::lower_bound(list, run_begin);
                    cursors.push_back({std::to_address(next), std::to_address(list.end()), static_cast<float>(saved),
                                       static_cast<std::uint32_t>(i + 1)});
                }
            }
            for (std::size_t begin = run_begin; begin < run_end; begin += documents_per_block) {
                const std::size_t end = std::min(begin + documents_per_block, run_end);
                block.count(cursors, begin, end);
                const auto first = static_cast<std::int64_t>(firsts_[p] + begin);
                if (!positions) {
                    block.offer_all(first);
                } else {
                    auto own = std::ranges::lower_bound(*positions, first);
                    for (; own != positions->end() && std::cmp_less(*own, firsts_[p] + end); ++own) {
                        block.offer(static_cast<std::size_t>(*own - first), first);
                    }
                }
                block.clear();
            }
        }
    });
    std::vector<Saving> savings;
    for (const Block& block : blocks) {
        savings.insert(savings.end(), block.savings().begin(), block.savings().end());
    }
    const std::size_t count = std::min(probe.count, savings.size());
    std::ranges::partial_sort(savings, savings.begin() + static_cast<std::ptrdiff_t>(count), Saving::before);
    std::vector<Hit> hits;
    for (const Saving& saving : std::span(savings).first(count)) {
        hits.push_back({all_missed - static_cast<double>(saving.saved), saving.position});
    }
    return hits;
}

}  // namespace moverank
