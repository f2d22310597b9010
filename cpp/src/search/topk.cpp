#include "moverank/topk.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "../preconditions.hpp"

namespace moverank {

namespace {

[[nodiscard]] Wanted capped(Wanted wanted, std::size_t corpus_size) {
    wanted.k = std::min(wanted.k, corpus_size);
    return wanted;
}

/// A query on sequences, which is prepared without threads and in no time, so nothing has to interrupt it.
[[nodiscard]] std::unique_ptr<CorpusQuery> asked(const Searchable& corpus, const PreparedSequence& query) {
    Interrupt never;
    return corpus.ask(query, 1, never);
}

}  // namespace

TopKSearch::TopKSearch(std::unique_ptr<CorpusQuery> query, std::size_t corpus_size, const Wanted& wanted)
    : query_(std::move(query)), nearest_(capped(wanted, corpus_size)) {}

TopKSearch::TopKSearch(const Searchable& corpus, const PreparedSequence& query, const Wanted& wanted, int n_threads,
                       Interrupt& interrupt)
    : TopKSearch(corpus.ask(query, n_threads, interrupt), corpus.size(), wanted) {}

TopKSearch::TopKSearch(const PreparedDocuments& corpus, const PreparedSequence& query, const Wanted& wanted,
                       const DocumentCodes* codes)
    : TopKSearch(asked(SearchableSequences(corpus, codes), query), corpus.size(), wanted) {}

TopKSearch::TopKSearch(const JoinedBags& bags, const PreparedSequence& query, const Wanted& wanted, int n_threads,
                       Interrupt& interrupt)
    : TopKSearch(SearchableBags(bags).ask(query, n_threads, interrupt), bags.size(), wanted) {}

double TopKSearch::record(const Spent& spent) {
    timed_out_ |= spent.timed_out;
    return spent.seconds;
}

double TopKSearch::seed(std::span<const std::int64_t> positions, int n_threads, Interrupt& interrupt) {
    std::vector<double> distances(positions.size());
    const Solved solved = query_->solve(positions, distances, n_threads, interrupt);
    for (std::size_t s = 0; s < positions.size(); ++s) {
        if (std::isnan(distances[s])) {  // the deadline passed before: nothing is known of the document
            nearest_.leave_out(-std::numeric_limits<double>::infinity());
        } else {
            nearest_.offer({distances[s], positions[s]});
        }
    }
    query_->reuse(solved.potentials);
    potentials_ = solved.potentials;
    n_with_potentials_ = potentials_.empty() ? 0 : solved.count;
    counts_.seeds += solved.count;
    counts_.exact_solves += solved.count;
    return record(solved.spent);
}

void TopKSearch::reuse(std::span<const double> potentials) {
    require(std::ranges::all_of(potentials, [](double f) { return std::isfinite(f); }), "a potential is not finite");
    require(potentials.empty() || potentials.size() == n_potentials(), "expected one potential per token of the query");
    query_->reuse(potentials);
}

double TopKSearch::lower_bounds(LowerBound& bound, std::span<const std::int64_t> positions, std::span<double> out,
                                int n_threads, Interrupt& interrupt, double cutoff) {
    return record(bound.compute(positions, out, n_threads, interrupt, cutoff));
}

double TopKSearch::lower_bounds(std::span<const std::int64_t> positions, std::span<double> out, int n_threads,
                                Interrupt& interrupt) {
    if (bounds().empty()) {
        throw std::logic_error("this corpus has no bounds");
    }
    return lower_bounds(*bounds().back(), positions, out, n_threads, interrupt);
}

Examined TopKSearch::examine(std::span<const std::int64_t> positions, std::span<const double> bounds, int n_threads,
                             Interrupt& interrupt) {
    if (nearest_.wanted().k == 0) {
        return {};
    }
    const Examined examined = query_->examine(positions, bounds, nearest_, n_threads, interrupt);
    timed_out_ |= examined.timed_out;
    counts_.pruned_by_bound += examined.pruned_by_bound;
    counts_.pruned_by_solver += examined.pruned_by_solver;
    counts_.exact_solves += examined.solved;
    return examined;
}

}  // namespace moverank
