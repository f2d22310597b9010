#include "moverank/neighbours.hpp"

#include <algorithm>
#include <cmath>
#include <compare>
#include <iterator>
#include <memory>
#include <numeric>
#include <span>

#include "../kernels/simplex.hpp"
#include "../preconditions.hpp"
#include "flat_bags.hpp"
#include "moverank/bag_bounds.hpp"
#include "moverank/nearest.hpp"
#include "moverank/pair.hpp"
#include "moverank/parallel.hpp"
#include "moverank/vocabulary_costs.hpp"
#include "moverank/word_table.hpp"
#include "row_tile.hpp"

namespace moverank {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Columns that are solved first: their distances are the first cutoff, and the mean of their potentials gives the
/// bounds that decide.
constexpr std::size_t n_seeds = 16;

/// With no more candidates than this, it is quicker to solve them than to find potentials first.
constexpr std::size_t few = 48;

/// Columns whose bounds are written together: a cache line per row.
constexpr std::size_t columns_per_block = 16;

[[nodiscard]] bool are_equal(const JoinedBags::Bag& x, const JoinedBags::Bag& y) {
    if (!std::ranges::equal(x.words, y.words) || x.counts.size() != y.counts.size()) {
        return false;
    }
    for (std::size_t j = 0; j < x.counts.size(); ++j) {
        if (x.counts[j] != y.counts[j]) {
            return false;
        }
    }
    return true;
}

/// For every bag the first that has the same words, in the same order, with the same counts.
[[nodiscard]] std::vector<std::size_t> first_equals(const JoinedBags& bags) {
    struct Keyed {
        std::uint64_t hash;
        std::size_t bag;

        auto operator<=>(const Keyed&) const = default;
    };
    std::vector<Keyed> keyed(bags.size());
    for (std::size_t s = 0; s < keyed.size(); ++s) {
        std::uint64_t hash = 0;
        for (const std::uint32_t word : bags[s].words) {
            hash = (hash ^ word) * 0x9E3779B97F4A7C15U;
            hash ^= hash >> 32U;
        }
        keyed[s] = {hash, s};
    }
    std::ranges::sort(keyed);
    std::vector<std::size_t> firsts(bags.size());
    std::vector<std::size_t> different;  // bags of one hash
    for (std::size_t i = 0; i < keyed.size(); ++i) {
        if (i == 0 || keyed[i].hash != keyed[i - 1].hash) {
            different.clear();
        }
        const JoinedBags::Bag own = bags[keyed[i].bag];
        const auto found =
            std::ranges::find_if(different, [&](std::size_t other) { return are_equal(bags[other], own); });
        firsts[keyed[i].bag] = found == different.end() ? keyed[i].bag : *found;
        if (found == different.end()) {
            different.push_back(keyed[i].bag);
        }
    }
    return firsts;
}

/// Which bounds hold without potentials: what the mass of one side costs at least, each word to its nearest.
struct Relaxation {
    bool of_rows, of_columns;

    explicit Relaxation(const Measure& measure)
        : of_rows(measure.bounded_by_relaxation() && measure.fraction == 1.0),
          of_columns(of_rows && measure.capacity == 1.0) {}
};

/// The costs of a tile's words to those of the columns, in both directions, and from these the bound of every pair that
/// the mass of the row gives.
class TileCosts {
  public:
    /// At most `memory` bytes for bounds and tables, as far as one row fits.
    TileCosts(const JoinedBags& rows, const JoinedBags& columns, std::size_t memory)
        : rows_(rows),
          columns_(columns),
          column_words_(WordList::of(columns, every_word(columns))),
          bounds_bytes_(memory / 5),
          table_bytes_(memory - memory / 5) {}

    /// The next rows. Within one collection, one table of all words serves them all in both directions, if it fits.
    [[nodiscard]] RowTile tile_from(std::size_t begin) const {
        const std::size_t row_bytes = sizeof(float) * padded(column_words_.size);
        const std::size_t n_rows = std::max<std::size_t>(bounds_bytes_ / (sizeof(float) * padded(columns_.size())), 1);
        if (is_one()) {
            return {begin, std::min(begin + n_rows, rows_.size()), every_word(columns_)};
        }
        return {rows_, begin, n_rows, std::max<std::size_t>(table_bytes_ / 2 / row_bytes, 1)};
    }

    void compute(const RowTile& tile, const Relaxation& relaxation, int n_threads, Interrupt& interrupt) {
        const GroundCost ground = rows_.measure().ground;
        if (!is_one()) {
            const WordList row_words = WordList::of(rows_, tile.words);
            to_columns_.compute(ground, row_words, column_words_, n_threads, interrupt);
            if (relaxation.of_rows) {
                to_rows_.compute(ground, column_words_, row_words, n_threads, interrupt);
            }
        } else if (tile.begin == 0) {
            to_columns_.compute(ground, column_words_, column_words_, n_threads, interrupt);
        }
        if (relaxation.of_rows) {
            bound(tile, n_threads, interrupt);
        }
    }

    [[nodiscard]] const WordTable& to_columns() const { return to_columns_; }
    /// Bounds of one of the tile's rows, one per column, each off by at most `margin`.
    [[nodiscard]] std::span<const float> bounds(std::size_t r) const {
        return {bounds_.data() + r * stride_, columns_.size()};
    }
    [[nodiscard]] double margin() const { return margin_; }

  private:
    struct Scratch {
        std::vector<std::size_t> words;
        AlignedVector<float> least, sums;
    };

    [[nodiscard]] bool is_one() const {
        return &rows_ == &columns_ && column_words_.size * sizeof(float) * padded(column_words_.size) <= table_bytes_;
    }
    [[nodiscard]] const WordTable& to_rows() const { return is_one() ? to_columns_ : to_rows_; }

    void bound(const RowTile& tile, int n_threads, Interrupt& interrupt) {
        const FlatBags flat(rows_, tile.begin, tile.end, [&](std::uint32_t word) { return tile.place_of[word]; });
        margin_ = flat.rounding() * to_columns_.largest();
        stride_ = padded(columns_.size());
        grow(bounds_, flat.size() * stride_);
        const std::size_t n_blocks = (columns_.size() + columns_per_block - 1) / columns_per_block;
        const unsigned n_workers = thread_count(n_threads, n_blocks);
        std::vector<Scratch> scratch(n_workers);
        parallel_for(n_blocks, n_workers, 1, interrupt, [&](unsigned w, std::size_t begin, std::size_t end) {
            for (std::size_t block = begin; block < end; ++block) {
                bound_block(flat, block * columns_per_block, scratch[w]);
            }
        });
    }

    void bound_block(const FlatBags& flat, std::size_t first, Scratch& scratch) {
        const std::size_t count = std::min(columns_per_block, columns_.size() - first);
        grow(scratch.least, padded(to_rows().n_columns()));
        grow(scratch.sums, count * flat.size());
        for (std::size_t c = 0; c < count; ++c) {
            const std::span<const std::uint32_t> words = columns_[first + c].words;
            scratch.words.assign(words.begin(), words.end());
            to_rows().minima(scratch.words, scratch.least.data());
            flat.sums(scratch.least.data(), scratch.sums.data() + c * flat.size());
        }
        for (std::size_t r = 0; r < flat.size(); ++r) {
            for (std::size_t c = 0; c < count; ++c) {
                bounds_[r * stride_ + first + c] = scratch.sums[c * flat.size() + r];
            }
        }
    }

    const JoinedBags& rows_;
    const JoinedBags& columns_;
    WordList column_words_;
    std::size_t bounds_bytes_, table_bytes_;
    WordTable to_columns_, to_rows_;
    AlignedVector<float> bounds_;
    std::size_t stride_ = 0;
    double margin_ = 0.0;
};

/// A column that bounds have not ruled out.
struct Candidate {
    double bound;
    std::size_t column;

    friend auto operator<=>(const Candidate&, const Candidate&) = default;
};

/// The search of one row after another, in one thread.
class RowSearch {
  public:
    /// `flat` are the columns, and `firsts` the first of those that are equal to each.
    RowSearch(const JoinedBags& rows, const JoinedBags& columns, const FlatBags& flat,
              const std::vector<std::size_t>& firsts, const NeighbourGoal& goal, Interrupt& interrupt)
        : rows_(rows),
          columns_(columns),
          flat_(flat),
          firsts_(firsts),
          relaxation_(rows.measure()),
          goal_(goal),
          interrupt_(interrupt),
          evaluator_(rows.measure(), &interrupt),
          bounds_(columns.size()),
          known_(columns.size(), unknown) {}

    [[nodiscard]] std::vector<Hit> search(std::size_t r, const RowTile& tile, const TileCosts& costs) {
        set_query(r, tile, costs.to_columns());
        for (const std::size_t column : solved_columns_) {
            known_[column] = unknown;
        }
        solved_columns_.clear();
        Nearest nearest({.k = std::min(goal_.k, columns_.size()), .radius = goal_.radius});
        relax(r - tile.begin, costs);
        if (goal_.skip_itself) {
            bounds_[r] = infinity;
        }
        if (n_within(nearest.cutoff()) > few) {
            const std::vector<double> potentials = solve(lowest(), nearest);
            tighten(potentials, nearest.cutoff());
        }
        examine(nearest);
        std::vector<Hit> hits = nearest.hits();
        hits.resize(std::min(hits.size(), goal_.k));
        return hits;
    }
    [[nodiscard]] std::int64_t solved() const { return solved_; }

  private:
    void set_query(std::size_t r, const RowTile& tile, const WordTable& table) {
        const PreparedSequence bag = rows_.at(r, query_buffer_);
        const PreparedSequence query = rows_.as_query(bag, query_buffer_);
        tile.find_places(bag, places_);
        mass_.clear();
        std::ranges::copy_if(query.mass, std::back_inserter(mass_), [](double mass) { return mass > 0.0; });
        costs_.take(columns_, table, places_);
        evaluator_.set_query(query, &costs_);
        // Bounds are sums in float32, values sums in float64 over quantised masses.
        slack_ = exact_value_error(query.size() + 1, columns_.longest() + 1, table.largest());
    }

    /// Bounds of all columns without potentials.
    void relax(std::size_t r, const TileCosts& costs) {
        if (!relaxation_.of_rows) {
            std::ranges::fill(bounds_, -infinity);
            return;
        }
        const double of_rows = costs.margin() + slack_;
        std::ranges::transform(costs.bounds(r), bounds_.begin(),
                               [of_rows](float bound) { return static_cast<double>(bound) - of_rows; });
        if (!relaxation_.of_columns) {
            return;
        }
        grow(least_, padded(costs.to_columns().n_columns()));
        grow(sums_, columns_.size());
        costs.to_columns().minima(places_, least_.data());
        flat_.sums(least_.data(), sums_.data());
        const double of_columns = flat_.rounding() * costs.to_columns().largest() + slack_;
        for (std::size_t s = 0; s < bounds_.size(); ++s) {
            bounds_[s] = std::max(bounds_[s], static_cast<double>(sums_[s]) - of_columns);
        }
    }

    /// Raise bounds that do not exceed the cutoff.
    void tighten(std::span<const double> potentials, double cutoff) {
        if (columns_.measure().fraction < 1.0 || potentials.empty()) {
            return;
        }
        const BagBounds sums(columns_, costs_, mass_, potentials);
        for (std::size_t s = 0; s < bounds_.size(); ++s) {
            if (bounds_[s] <= cutoff) {
                bounds_[s] = std::max(bounds_[s], sums.two_sided(s, scratch_));
            }
        }
        interrupt_.check();
    }

    [[nodiscard]] std::size_t n_within(double cutoff) const {
        return static_cast<std::size_t>(std::ranges::count_if(bounds_, [cutoff](double b) { return b <= cutoff; }));
    }

    /// The columns of the least bounds: as many as are wanted, or a few more.
    [[nodiscard]] std::vector<std::size_t> lowest() {
        const std::size_t count = std::max(n_seeds, std::min(goal_.k, columns_.size()));
        candidates_.clear();  // a heap of the lowest, the largest of these on top
        for (std::size_t s = 0; s < bounds_.size(); ++s) {
            const Candidate one{bounds_[s], s};
            if (one.bound > goal_.radius || one.bound == infinity) {
                continue;
            }
            if (candidates_.size() == count) {
                if (!(one < candidates_.front())) {
                    continue;
                }
                std::ranges::pop_heap(candidates_);
                candidates_.pop_back();
            }
            candidates_.push_back(one);
            std::ranges::push_heap(candidates_);
        }
        std::ranges::sort(candidates_);
        std::vector<std::size_t> columns;
        std::ranges::transform(candidates_, std::back_inserter(columns), &Candidate::column);
        return columns;
    }

    /// Solve columns to the end, which need no bounds then; returns the mean of the potentials of the first of them, if
    /// bounds can use any.
    [[nodiscard]] std::vector<double> solve(std::span<const std::size_t> columns, Nearest& nearest) {
        const std::size_t n_used = evaluator_.can_reuse_potentials() ? std::min(columns.size(), n_seeds) : 0;
        std::vector<double> potentials(n_used == 0 ? 0 : evaluator_.n_query_tokens(), 0.0);
        for (std::size_t c = 0; c < columns.size(); ++c) {
            if (c < n_used) {
                known_[firsts_[columns[c]]] = unknown;  // solved again if an equal one was, for its potentials
            }
            offer(columns[c], infinity, nearest);
            bounds_[columns[c]] = infinity;
            if (c < n_used) {
                const std::span<const double> f = evaluator_.potentials();
                for (std::size_t i = 0; i < f.size(); ++i) {
                    potentials[i] += f[i] / static_cast<double>(n_used);
                }
            }
        }
        return potentials;
    }

    /// Solve what is left, in increasing order of bounds.
    void examine(Nearest& nearest) {
        const double cutoff = nearest.cutoff();
        candidates_.clear();
        for (std::size_t s = 0; s < bounds_.size(); ++s) {
            if (bounds_[s] <= cutoff && bounds_[s] < infinity) {
                candidates_.push_back({bounds_[s], s});
            }
        }
        std::ranges::sort(candidates_);
        for (const Candidate& one : candidates_) {
            if (one.bound > nearest.cutoff()) {
                return;
            }
            interrupt_.check();
            offer(one.column, nearest.cutoff(), nearest);
        }
    }

    /// Offer a column if it is within the cutoff; equal columns are solved once, as the cutoff only falls.
    void offer(std::size_t column, double cutoff, Nearest& nearest) {
        double& known = known_[firsts_[column]];
        if (std::isnan(known)) {
            const PairResult result = evaluator_.distance(columns_.at(column, document_buffer_), cutoff);
            const bool is_solved = result.outcome == PairOutcome::evaluated;
            solved_ += is_solved ? 1 : 0;
            known = is_solved ? result.distance : infinity;
            solved_columns_.push_back(firsts_[column]);
        }
        if (known < infinity) {
            nearest.offer({known, static_cast<std::int64_t>(column)});
        }
    }

    /// No distance.
    static constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

    const JoinedBags& rows_;
    const JoinedBags& columns_;
    const FlatBags& flat_;
    const std::vector<std::size_t>& firsts_;
    Relaxation relaxation_;
    NeighbourGoal goal_;
    Interrupt& interrupt_;
    PairEvaluator evaluator_;
    DocumentBuffer query_buffer_, document_buffer_;
    BagBounds::Scratch scratch_;
    VocabularyCosts costs_;
    std::vector<std::size_t> places_;
    std::vector<double> mass_, bounds_;
    std::vector<double> known_;                ///< distances of columns that are the first of equal ones
    std::vector<std::size_t> solved_columns_;  ///< whose distances are known
    AlignedVector<float> least_, sums_;
    double slack_ = 0.0;
    std::vector<Candidate> candidates_;
    std::int64_t solved_ = 0;
};

}  // namespace

NeighbourLists neighbours(const JoinedBags& rows, const JoinedBags& columns, const NeighbourGoal& goal, int n_threads,
                          Interrupt& interrupt, PairCount* n_done) {
    const Measure& measure = rows.measure();
    require(measure == columns.measure(), "rows and columns were prepared for different measures");
    require(measure.problem != Problem::entropic || !measure.sinkhorn.debiased,
            "neighbours are found by costs between words, from which self-costs cannot be subtracted");
    require(!goal.skip_itself || rows.size() == columns.size(),
            "expected the same number of rows and columns, as each row skips itself");
    const FlatBags flat(columns, 0, columns.size(), [](std::uint32_t word) { return word; });
    const unsigned n_workers = thread_count(n_threads, rows.size());
    const std::vector<std::size_t> firsts = first_equals(columns);
    std::vector<std::unique_ptr<RowSearch>> workers;
    for (unsigned w = 0; w < n_workers; ++w) {
        workers.push_back(std::make_unique<RowSearch>(rows, columns, flat, firsts, goal, interrupt));
    }
    std::vector<std::vector<Hit>> found(rows.size());
    TileCosts costs(rows, columns, goal.memory);
    for (std::size_t begin = 0; begin < rows.size();) {
        const RowTile tile = costs.tile_from(begin);
        costs.compute(tile, Relaxation(measure), n_threads, interrupt);
        parallel_for(tile.end - begin, n_workers, 1, interrupt, [&](unsigned w, std::size_t first, std::size_t last) {
            for (std::size_t r = begin + first; r < begin + last; ++r) {
                found[r] = workers[w]->search(r, tile, costs);
                if (n_done != nullptr) {
                    n_done->fetch_add(1, std::memory_order_relaxed);
                }
            }
        });
        begin = tile.end;
    }
    NeighbourLists lists;
    lists.offsets.push_back(0);
    for (const std::vector<Hit>& hits : found) {
        for (const Hit& hit : hits) {
            lists.positions.push_back(hit.position);
            lists.distances.push_back(hit.distance);
        }
        lists.offsets.push_back(static_cast<std::int64_t>(lists.positions.size()));
    }
    for (const std::unique_ptr<RowSearch>& worker : workers) {
        lists.solved += worker->solved();
    }
    return lists;
}

}  // namespace moverank
