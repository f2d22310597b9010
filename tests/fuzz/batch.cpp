/// Ragged batches of any tokens: refused with the sequence named, or measured; and then bounds are bounds, certified
/// intervals hold, and a search finds what measuring everything finds.
#include "moverank/batch.hpp"

#include "moverank/bag_bounds.hpp"
#include "moverank/codes.hpp"
#include "moverank/pair.hpp"
#include "moverank/pooled.hpp"
#include "moverank/topk.hpp"
#include "ragged.hpp"

using namespace moverank;

namespace {

/// Search as indexes do: seeds, then the others in increasing order of their bounds.
void require_found(TopKSearch& search, const Wanted& goal, std::span<const double> values) {
    Interrupt interrupt;
    std::vector<std::int64_t> order(values.size());
    std::iota(order.begin(), order.end(), 0);
    const std::size_t n_seeds = std::min<std::size_t>(2, order.size());
    search.seed(std::span(order).first(n_seeds), 1, interrupt);
    std::vector<double> bounds(values.size());
    for (const std::unique_ptr<LowerBound>& bound : search.bounds()) {
        search.lower_bounds(*bound, order, bounds, 1, interrupt);
        for (std::size_t s = 0; s < values.size(); ++s) {
            fuzz::require(bounds[s] <= values[s], "a bound above the distance");
        }
    }
    const auto rest = std::span(order).subspan(n_seeds);
    std::ranges::sort(rest, {}, [&](std::int64_t s) { return bounds[static_cast<std::size_t>(s)]; });
    std::vector<double> rising;
    for (const std::int64_t s : rest) {
        rising.push_back(bounds[static_cast<std::size_t>(s)]);
    }
    search.examine(rest, rising, 1, interrupt);

    std::vector<double> wanted;
    std::ranges::copy_if(values, std::back_inserter(wanted), [&](double value) { return value <= goal.radius; });
    std::ranges::sort(wanted);
    if (wanted.size() > goal.k) {
        const double last = wanted[goal.k - 1];
        std::erase_if(wanted, [last](double value) { return value > last; });
    }
    std::vector<double> found;
    for (const Hit& hit : search.hits()) {
        fuzz::require(hit.distance == values[static_cast<std::size_t>(hit.position)], "a hit with another distance");
        found.push_back(hit.distance);
    }
    fuzz::require(found == wanted, "the search found something else");
}

/// A few of the nearest, or all within the distance of one of them.
[[nodiscard]] Wanted goal_of(fuzz::Input& input, std::span<const double> values) {
    if (input.up_to(1) == 0) {
        return {.k = std::min<std::size_t>(1 + input.up_to(2), values.size())};
    }
    return {.k = values.size(), .radius = values[input.up_to(values.size() - 1)]};
}

/// Tokens rounded to multiples of a step of their own, as indexes keep them.
class Codes {
  public:
    explicit Codes(const TokensView& tokens) : components_(tokens.rows() * tokens.cols()) {
        const std::size_t dim = tokens.cols();
        std::vector<float> token(dim);
        for (std::size_t t = 0; t < tokens.rows(); ++t) {
            decode(tokens.run(t, 1), token);
            const float largest = std::ranges::max(token, {}, [](float x) { return std::abs(x); });
            scales_.push_back(std::abs(largest) / 127.0F);
            for (std::size_t k = 0; k < dim && scales_[t] > 0.0F; ++k) {
                components_[t * dim + k] =
                    static_cast<std::int8_t>(std::clamp(std::round(token[k] / scales_[t]), -127.0F, 127.0F));
            }
        }
        view_ = {TokenType::int8, components_.data(), tokens.rows(), dim, scales_.data()};
    }
    [[nodiscard]] const TokensView& view() const { return view_; }

  private:
    std::vector<std::int8_t> components_;
    std::vector<float> scales_;
    TokensView view_;
};

void check_pooled_bound(const PreparedSequences& documents, std::span<const double> values) {
    const GroundCost ground = documents.measure().ground;
    const std::size_t dim = documents.dim();
    std::vector<float> p(dim);
    std::vector<float> q(dim);
    pool(ground, documents[0], p);
    for (std::size_t s = 0; s < documents.size(); ++s) {
        pool(ground, documents[s], q);
        float direct = 0.0F;
        double norms[2] = {0.0, 0.0};
        for (std::size_t k = 0; k < dim; ++k) {
            direct += (p[k] - q[k]) * (p[k] - q[k]);
            norms[0] += static_cast<double>(p[k]) * static_cast<double>(p[k]);
            norms[1] += static_cast<double>(q[k]) * static_cast<double>(q[k]);
        }
        const PooledBound bound(ground, dim, std::sqrt(std::max(norms[0], norms[1])),
                                cost_error_bound(ground, dim, documents.max_norm(), documents.max_norm()));
        fuzz::require(bound(direct) <= values[s], "the pooled bound is above the distance");
    }
}

void check_sequences(fuzz::Input& input, const Measure& measure) {
    const std::vector<std::int64_t> offsets = fuzz::offsets(input);
    const auto n_tokens = static_cast<std::size_t>(offsets.back());
    const fuzz::Tokens tokens(input, n_tokens, 1 + input.up_to(18));
    std::vector<double> weights;
    for (std::size_t t = input.up_to(2) == 0 ? n_tokens : 0; t > 0; --t) {
        weights.push_back(input.one_of({1.0, 0.0, 0.25, 1e-300, 1e300, -1.0, fuzz::infinity}));
    }
    const SequencesView view{tokens.view(), offsets, weights};

    const PreparedSequences documents(view, measure);
    const PreparedSequence query = documents[0];
    std::vector<double> values(documents.size());
    Interrupt interrupt;
    distances(query, view, measure, values, 1, interrupt);
    std::vector<CertifiedDistance> certified(documents.size());
    certified_distances(query, view, measure, certified, 1, interrupt);
    PairEvaluator evaluator(measure);
    evaluator.set_query(query);
    for (std::size_t s = 0; s < documents.size(); ++s) {
        fuzz::require(std::isfinite(values[s]), "a distance is not a number");
        fuzz::require(evaluator.lower_bound(documents[s]) <= values[s], "a lower bound above the distance");
        fuzz::require(evaluator.distance(documents[s]).distance == values[s], "the distance depends on who asks");
        if (measure.problem == Problem::exact) {
            fuzz::require(certified[s].lower <= values[s] && values[s] <= certified[s].upper,
                          "a distance outside its interval");
        }
    }
    if (has_pooled_bound(measure)) {
        check_pooled_bound(documents, values);
    }
    const Wanted goal = goal_of(input, values);
    TopKSearch search(documents, query, goal);
    require_found(search, goal, values);
    if (measure.ground != GroundCost::sqeuclidean) {
        const Codes codes(view.tokens);
        const PreparedCodes prepared(documents, codes.view());
        TopKSearch by_codes(documents, query, goal, &prepared);
        require_found(by_codes, goal, values);
    }
}

void check_bags(fuzz::Input& input, const Measure& measure) {
    const std::vector<std::int64_t> offsets = fuzz::offsets(input);
    const std::size_t n_words = 1 + input.up_to(11);
    const fuzz::Tokens table(input, n_words, 1 + input.up_to(18));
    std::vector<std::uint32_t> words;
    for (std::int64_t t = 0; t < offsets.back(); ++t) {
        const auto any = input.take<std::uint8_t>();
        words.push_back(any == 255 ? static_cast<std::uint32_t>(n_words) : static_cast<std::uint32_t>(any % n_words));
    }
    std::vector<float> counts;
    for (std::size_t t = input.up_to(2) == 0 ? words.size() : 0; t > 0; --t) {
        counts.push_back(input.one_of({1.0F, 2.0F, 0.5F, 1e-30F, 1e30F, 0.0F, -1.0F}));
    }

    const PreparedBags prepared(BagsView{table.view(), words, offsets, counts}, measure);
    const JoinedBags bags({&prepared});
    // The query is the first bag, with tokens of its own, which it has already under a debiased measure.
    DocumentBuffer first;
    const PreparedSequence named = bags.at(0, first);
    const std::size_t dim = bags.dim();
    std::vector<float> tokens(named.size() * dim);
    std::vector<float> inverse_norms;
    for (std::size_t i = 0; i < named.words.size(); ++i) {
        decode(bags.table(0).run(named.words[i], 1), std::span(tokens).subspan(i * dim, dim));
        if (measure.ground == GroundCost::cosine) {
            inverse_norms.push_back(bags.inverse_norms()[named.words[i]]);
        }
    }
    const PreparedSequence query =
        named.words.empty() ? named : PreparedSequence{{tokens.data(), named.size(), dim}, named.mass, inverse_norms};

    Interrupt interrupt;
    PositivePart part;
    const VocabularyCosts costs(bags, part.of(query), 1, interrupt);
    PairEvaluator evaluator(measure);
    evaluator.set_query(query, &costs);
    std::vector<double> values;
    DocumentBuffer buffer;
    for (std::size_t s = 0; s < bags.size(); ++s) {
        values.push_back(evaluator.distance(bags.at(s, buffer)).distance);
        fuzz::require(std::isfinite(values[s]), "a distance is not a number");
    }
    const Wanted goal = goal_of(input, values);
    TopKSearch search(bags, query, goal, 1, interrupt);
    require_found(search, goal, values);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    const Measure measure = fuzz::measure(input);
    try {
        if (input.up_to(2) == 0) {
            check_bags(input, measure);
        } else {
            check_sequences(input, measure);
        }
    } catch (const SequenceError& error) {
        fuzz::require(error.sequence() < 8 && !error.fault().empty(), "a refusal that names nothing");
    }
    return 0;
}
