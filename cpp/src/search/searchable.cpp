#include "moverank/searchable.hpp"

#include <string>

#include "cost_bound.hpp"
#include "documents_query.hpp"
#include "moverank/ground_traits.hpp"

namespace moverank {

namespace {

class SequencesQuery final : public DocumentsQuery {
  public:
    SequencesQuery(const PreparedDocuments& documents, const PreparedSequence& query, const DocumentCodes* codes)
        : DocumentsQuery(documents, query) {
        add_bound(std::make_unique<CostBound>(*this, documents, query, codes));
    }
};

}  // namespace

bool Searchable::has_negative_costs() const { return traits(measure().ground).may_be_negative; }

std::unique_ptr<CorpusQuery> SearchableSequences::ask(const PreparedSequence& query, int, Interrupt&) const {
    const bool with_codes = codes_ != nullptr && bounds_pay(codes_->type());
    return std::make_unique<SequencesQuery>(documents_, query, with_codes ? codes_ : nullptr);
}

}  // namespace moverank
