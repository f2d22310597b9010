/// A query prepared once, for all that is asked about it.
#pragma once

#include <optional>
#include <stdexcept>

#include "moverank/ground_traits.hpp"
#include "prepared.hpp"

namespace moverank::bindings {

/// Tokens, or words where costs are given, with the arrays that hold them.
class Query {
  public:
    Query(const Tokens& tokens, const Weights& weights, const Measure& measure)
        : tokens_(tokens),
          weights_(weights),
          dim_(as_matrix(tokens).cols()),
          measure_(measure),
          owned_(*tokens_, weights_, measure) {}
    /// A query made of words, under given costs for `n_words` words.
    Query(const Array<std::uint32_t>& words, const Weights& weights, std::size_t n_words, const Measure& measure)
        : words_(words), weights_(weights), dim_(n_words), measure_(measure), owned_(*words_, weights_, n_words) {}

    [[nodiscard]] const PreparedSequence& prepared() const { return owned_.prepared(); }

    /// The prepared query, for documents of a measure and dimension (under given costs, number of words). Throws
    /// std::invalid_argument if it was prepared for others.
    [[nodiscard]] const PreparedSequence& prepared_for(const Measure& documents, std::size_t dim) const {
        const bool of_words = words_.has_value();
        if (of_words != traits(documents.ground).is_given) {
            throw std::invalid_argument(of_words ? "expected a query of tokens, because documents have vectors"
                                                 : "expected a query of words, because costs are given");
        }
        require_same_dim(dim_, dim);
        if (measure_.ground != documents.ground || measure_.weighting != documents.weighting) {
            throw std::invalid_argument("the query was prepared for another measure than the documents");
        }
        return owned_.prepared();
    }
    /// The same whatever the weighting of the documents, which made their masses before they came here.
    [[nodiscard]] const PreparedSequence& prepared_for_masses(Measure documents, std::size_t dim) const {
        documents.weighting = measure_.weighting;
        return prepared_for(documents, dim);
    }
    template <class AnyCorpus>
    [[nodiscard]] const PreparedSequence& prepared_for(const AnyCorpus& corpus) const {
        return prepared_for(corpus.documents().measure(), corpus.documents().dim());
    }

  private:
    std::optional<Tokens> tokens_;
    std::optional<Array<std::uint32_t>> words_;
    Weights weights_;
    std::size_t dim_;
    Measure measure_;
    OwnedQuery owned_;
};

}  // namespace moverank::bindings
