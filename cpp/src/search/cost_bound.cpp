#include "cost_bound.hpp"

#include <string>

#include "moverank/parallel.hpp"
#include "timed_for.hpp"

namespace moverank {

namespace {

/// Documents per chunk: a cost matrix takes tens of microseconds, much more than taking a chunk, but from codes only
/// one.
constexpr std::size_t documents_per_chunk = 4;
constexpr std::size_t coded_documents_per_chunk = 32;

[[nodiscard]] std::string name_by(const DocumentCodes* codes) {
    return codes == nullptr ? "bound from costs" : std::string("bound from ") + name_of(codes->type()) + " codes";
}

}  // namespace

CostBound::CostBound(const DocumentsQuery& asked, const PreparedDocuments& documents, const PreparedSequence& query,
                     const DocumentCodes* codes)
    : LowerBound(name_by(codes)),
      asked_(asked),
      documents_(documents),
      codes_(codes),
      query_norm_(codes == nullptr ? 0.0 : max_norm(query)) {}

Spent CostBound::fill(std::span<const std::int64_t> positions, std::span<double> out, int n_threads,
                      Interrupt& interrupt, double cutoff) {
    if (!documents_.measure().bounded_by_relaxation()) {
        return {};
    }
    const unsigned n_workers = thread_count(n_threads, positions.size());
    std::vector<PairEvaluator> evaluators = asked_.make_evaluators(n_workers, interrupt);
    std::vector<DocumentBuffer> buffers(n_workers);
    const std::size_t chunk = codes_ == nullptr ? documents_per_chunk : coded_documents_per_chunk;
    return timed_for(positions.size(), n_workers, chunk, interrupt, [&](unsigned w, std::size_t c) {
        const auto s = static_cast<std::size_t>(positions[c]);
        if (codes_ == nullptr) {
            out[c] = evaluators[w].lower_bound(documents_.at(s, buffers[w]), cutoff);
            return;
        }
        // A bound on the distance to the codes, less their slack, is one on the distance to the tokens.
        const double slack = codes_->slack(s, query_norm_);
        out[c] = evaluators[w].lower_bound(codes_->at(s), codes_->largest_norm(), cutoff + slack) - slack;
    });
}

}  // namespace moverank
