/// The bound of sequences: from one cost matrix per document.
#pragma once

#include "documents_query.hpp"
#include "moverank/codes.hpp"
#include "moverank/lower_bound.hpp"

namespace moverank {

/// The relaxed problem's value or, if that is larger, the dual value that potentials give. Costs are those of tokens
/// or, if there are any, of their codes, which are smaller and so read sooner.
class CostBound final : public LowerBound {
  public:
    CostBound(const DocumentsQuery& asked, const PreparedDocuments& documents, const PreparedSequence& query,
              const DocumentCodes* codes);

  private:
    Spent fill(std::span<const std::int64_t> positions, std::span<double> out, int n_threads, Interrupt& interrupt,
               double cutoff) override;

    const DocumentsQuery& asked_;
    const PreparedDocuments& documents_;
    const DocumentCodes* codes_;
    double query_norm_;  ///< of the longest token; read with codes only
};

}  // namespace moverank
