/// One query on documents in memory: what SearchableSequences and SearchableBags have in common.
#pragma once

#include <vector>

#include "moverank/pair.hpp"
#include "moverank/searchable.hpp"

namespace moverank {

/// Solves and examines documents; bounds are left to those that derive from it.
class DocumentsQuery : public CorpusQuery {
  public:
    Solved solve(std::span<const std::int64_t> positions, std::span<double> distances, int n_threads,
                 Interrupt& interrupt) override;
    void reuse(std::span<const double> potentials) override {
        potentials_.assign(potentials.begin(), potentials.end());
    }
    [[nodiscard]] std::size_t n_potentials() const override;
    Examined examine(std::span<const std::int64_t> positions, std::span<const double> bounds, Nearest& nearest,
                     int n_threads, Interrupt& interrupt) override;

    /// One evaluator per thread, each with the query packed and the potentials set. Made for every call, because an
    /// evaluator refers to the interrupt of its call.
    [[nodiscard]] std::vector<PairEvaluator> make_evaluators(unsigned n_workers, Interrupt& interrupt) const;

  protected:
    DocumentsQuery(const PreparedDocuments& documents, const PreparedSequence& query)
        : documents_(documents), query_(query) {}

    /// The costs of all words, if documents are made of words.
    [[nodiscard]] virtual const VocabularyCosts* vocabulary() const { return nullptr; }

  private:
    const PreparedDocuments& documents_;
    PreparedSequence query_;
    std::vector<double> potentials_;
};

}  // namespace moverank
