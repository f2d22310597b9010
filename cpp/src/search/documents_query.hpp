/// One query on documents in memory: what SearchableSequences and SearchableBags have in common.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "moverank/pair.hpp"
#include "moverank/parallel.hpp"
#include "moverank/searchable.hpp"

namespace moverank {

/// Adds the time of a scope to a sum.
class Stopwatch {
  public:
    explicit Stopwatch(double& seconds) : seconds_(seconds) {}
    ~Stopwatch() { seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count(); }
    Stopwatch(const Stopwatch&) = delete;
    Stopwatch& operator=(const Stopwatch&) = delete;

  private:
    double& seconds_;
    std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

/// Call body(worker, item) for all items, or for as many as the deadline allows.
template <class Body>
Spent timed_for(std::size_t n_items, unsigned n_workers, std::size_t chunk, Interrupt& interrupt, Body body) {
    Spent spent;
    std::vector<double> seconds(n_workers, 0.0);
    try {
        parallel_for(n_items, n_workers, chunk, interrupt, [&](unsigned w, std::size_t begin, std::size_t end) {
            const Stopwatch watch(seconds[w]);
            for (std::size_t item = begin; item < end; ++item) {
                body(w, item);
            }
        });
    } catch (const DeadlinePassed&) {
        spent.timed_out = true;
    }
    spent.seconds = std::accumulate(seconds.begin(), seconds.end(), 0.0);
    return spent;
}

/// Throws std::invalid_argument for NaN: comparisons with it are false, so its document would be dropped silently.
inline void require_numbers(std::span<const double> bounds) {
    if (std::ranges::any_of(bounds, [](double bound) { return std::isnan(bound); })) {
        throw std::invalid_argument("a bound is not a number");
    }
}

/// A query whose bounds cost one cost matrix per document.
class DocumentsQuery : public CorpusQuery {
  public:
    DocumentsQuery(const PreparedDocuments& documents, const PreparedSequence& query, const DocumentCodes* codes);

    Solved solve(std::span<const std::int64_t> positions, std::span<double> distances, int n_threads,
                 Interrupt& interrupt) override;
    void reuse(std::span<const double> potentials) override {
        potentials_.assign(potentials.begin(), potentials.end());
    }
    Spent lower_bounds(std::span<const std::int64_t> positions, std::span<double> out, int n_threads,
                       Interrupt& interrupt) override;
    Examined examine(std::span<const std::int64_t> positions, std::span<const double> bounds, Nearest& nearest,
                     int n_threads, Interrupt& interrupt) override;

  protected:
    /// The costs of all words, if documents are made of words.
    [[nodiscard]] virtual const VocabularyCosts* vocabulary() const { return nullptr; }
    [[nodiscard]] std::span<const double> potentials() const { return potentials_; }

  private:
    [[nodiscard]] std::vector<PairEvaluator> make_evaluators(unsigned n_workers, Interrupt& interrupt) const;

    const PreparedDocuments& documents_;
    const DocumentCodes* codes_;
    double query_norm_;  ///< of the longest token; read with codes only
    PreparedSequence query_;
    std::vector<double> potentials_;
};

}  // namespace moverank
