#include "moverank/bags.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <sstream>

#include "documents.hpp"
#include "moverank/bag_bounds.hpp"
#include "moverank/ground_cost.hpp"
#include "moverank/joined.hpp"
#include "moverank/pair.hpp"
#include "moverank/topk.hpp"
#include "moverank/vocabulary_costs.hpp"
#include "search.hpp"
#include "tokens.hpp"

using namespace moverank;

namespace soak {

namespace {

/// Bags over one table, cut into parts.
class Collection {
  public:
    Collection(Random& random, const Measure& measure, std::size_t n_parts) {
        dim = random.one_of<std::size_t>({1, 2, 3, 8, 16, 17, 40});
        const std::size_t n_words = random.between(1, 200);
        vectors_ = draw_vectors(random, n_words, dim, sort);
        const bool has_zero = measure.ground != GroundCost::cosine && n_words > 1 && random.chance(0.2);
        std::fill_n(vectors_.begin(), has_zero ? dim : 0, 0.0F);
        const std::size_t longest = random.one_of<std::size_t>({1, 3, 10, 40});
        const bool counted = measure.weighting == Weighting::given || random.chance(0.5);
        std::vector<std::uint32_t> known;
        for (std::size_t part = 0; part < n_parts; ++part) {
            Part& own = parts_.emplace_back();
            const std::size_t n_bags = random.between(1, 20);
            for (std::size_t s = 0; s < n_bags; ++s) {
                for (std::size_t left = random.between(1, longest); left > 0; --left) {
                    // Some words come twice. The last one has a vector, as norms may be mass.
                    const std::size_t first = left == 1 && has_zero ? 1 : 0;
                    own.words.push_back(static_cast<std::uint32_t>(random.between(first, n_words - 1)));
                }
                own.offsets.push_back(static_cast<std::int64_t>(own.words.size()));
            }
            own.counts.resize(counted ? own.words.size() : 0);
            const bool whole = random.chance(0.7);
            std::ranges::generate(own.counts, [&] {
                return whole ? static_cast<float>(random.between(1, 4)) : static_cast<float>(random.across(-20, 20));
            });
            prepared_.push_back(std::make_unique<PreparedBags>(
                BagsView{{vectors_.data(), n_words, dim}, own.words, own.offsets, own.counts}, measure, known));
            known.insert(known.end(), prepared_.back()->new_rows().begin(), prepared_.back()->new_rows().end());
        }
    }

    [[nodiscard]] std::vector<const PreparedBags*> prepared() const {
        std::vector<const PreparedBags*> all;
        for (const auto& part : prepared_) {
            all.push_back(part.get());
        }
        return all;
    }

    std::size_t dim = 0;
    std::string sort;

  private:
    struct Part {
        std::vector<std::uint32_t> words;
        std::vector<std::int64_t> offsets{0};
        std::vector<float> counts;
    };
    std::vector<float> vectors_;
    std::vector<Part> parts_;
    std::vector<std::unique_ptr<PreparedBags>> prepared_;
};

/// All tokens of it have mass.
class Query {
  public:
    Query(Random& random, std::size_t n, std::size_t dim, const Measure& measure)
        : tokens_(draw_vectors(random, n, dim, sort_)), weights_(n), mass_(n), inverse_norms_(n) {
        std::ranges::generate(weights_, [&] { return random.unit() + 1e-3; });
        const bool weighted = measure.weighting == Weighting::given;
        prepared =
            prepare({{tokens_.data(), n, dim}, weighted ? std::span<const double>(weights_) : std::span<double>{}},
                    measure, mass_, inverse_norms_, 0);
    }
    PreparedSequence prepared;

  private:
    std::string sort_;
    std::vector<float> tokens_;
    std::vector<double> weights_, mass_;
    std::vector<float> inverse_norms_;
};

/// The table's entries, and the distances that come of them, against those of documents with the words' vectors.
void check_word_costs(const JoinedBags& bags, const PreparedSequence& query, const VocabularyCosts& table,
                      std::span<const double> values, Report& report) {
    const GroundCost ground = bags.measure().ground;
    GroundCosts computed(ground);
    computed.set_query(query);
    PairEvaluator evaluator(bags.measure());
    evaluator.set_query(query);
    DocumentBuffer buffer;
    std::vector<float> tokens;
    std::vector<float> norms;
    for (std::size_t s = 0; s < bags.size(); ++s) {
        const PreparedSequence document = bags.at(s, buffer);
        if (document.words.empty()) {
            return;  // a debiased measure has the vectors already
        }
        tokens.resize(document.size() * bags.dim());
        norms.clear();
        for (std::size_t j = 0; j < document.size(); ++j) {
            const std::uint32_t word = document.words[j];
            std::size_t part = bags.n_tables() - 1;
            while (bags.first_word(part) > word) {
                --part;
            }
            decode(bags.table(part).run(word - bags.first_word(part), 1),
                   std::span(tokens).subspan(j * bags.dim(), bags.dim()));
            if (ground == GroundCost::cosine) {
                norms.push_back(bags.inverse_norms()[word]);
            }
        }
        const PreparedSequence spelled{{tokens.data(), document.size(), bags.dim()}, document.mass, norms};
        computed.compute(spelled);
        for (std::size_t i = 0; i < query.size(); ++i) {
            for (std::size_t j = 0; j < document.size(); ++j) {
                float cost = table.row(document.words[j])[i];
                cost = report.plants(Flaw::word_costs) ? std::nextafter(cost, 1e38F) : cost;
                report.require(cost == computed.matrix().matrix(i, j), Claim::word_costs, "word ", j, " of bag ", s,
                               " costs ", cost, ", its vector ", computed.matrix().matrix(i, j));
            }
        }
        const double value = evaluator.distance(spelled).distance;
        report.require(value == values[s], Claim::word_costs, "bag ", s, " is at ", values[s], ", its vectors at ",
                       value);
    }
}

void check_bounds(Random& random, const JoinedBags& bags, const PreparedSequence& query, const VocabularyCosts& table,
                  std::span<const double> values, PairEvaluator& evaluator, Report& report) {
    if (!bags.measure().bounded_by_relaxation()) {
        return;
    }
    const bool usable = evaluator.can_reuse_potentials() && bags.measure().fraction == 1.0;
    DocumentBuffer buffer;
    BagBounds::Scratch scratch;
    for (int round = 0; round < 4; ++round) {
        std::vector<double> f;
        if (usable && round == 1) {
            (void)evaluator.distance(bags.at(random.below(bags.size()), buffer));
            f.assign(evaluator.potentials().begin(), evaluator.potentials().end());
        } else if (usable && round > 1) {
            f.resize(query.size());
            const double size = table.largest() * random.across(-30, round == 2 ? 10 : 300);
            std::ranges::generate(f, [&] { return size * random.bell(); });
        }
        const BagBounds bounds(bags, table, query.mass, f);
        for (std::size_t s = 0; s < bags.size(); ++s) {
            const double lift = 1e-6 * table.largest();
            const double two_sided = bounds.two_sided(s, scratch) + (report.plants(Flaw::two_sided) ? lift : 0.0);
            report.require(two_sided <= values[s], Claim::two_sided, "bag ", s, " is bounded by ", two_sided,
                           ", but at ", values[s]);
            if (bounds.has_one_sided()) {
                const double one_sided = bounds.one_sided(s) + (report.plants(Flaw::one_sided) ? lift : 0.0);
                report.require(one_sided <= values[s], Claim::one_sided, "bag ", s, " is bounded by ", one_sided,
                               ", but at ", values[s]);
            }
        }
    }
}

}  // namespace

void check_bags(Random& random, Report& report) {
    const Measure measure = draw_measure(random);
    const std::size_t n_parts = random.between(1, 3);
    const Collection collection(random, measure, n_parts);
    const JoinedBags bags(collection.prepared());
    const std::size_t n = random.one_of<std::size_t>({1, 2, 7, 16, 17, 40});
    const Query query(random, n, collection.dim, measure);
    std::ostringstream text;
    text << bags.size() << " bags in " << n_parts << " parts, words of " << collection.dim << " components, "
         << collection.sort << ", query of " << n << " tokens, " << described(measure);
    report.describe("bags, " + collection.sort, text.str());

    Interrupt interrupt;
    const VocabularyCosts table(bags, query.prepared, draw_threads(random), interrupt);
    PairEvaluator evaluator(measure);
    evaluator.set_query(query.prepared, &table);
    DocumentBuffer buffer;
    std::vector<double> values(bags.size());
    for (std::size_t s = 0; s < bags.size(); ++s) {
        values[s] = evaluator.distance(bags.at(s, buffer)).distance;
        report.digest(measure.problem == Problem::entropic ? Digest::scaled : Digest::distances, values[s]);
    }
    check_word_costs(bags, query.prepared, table, values, report);
    check_bounds(random, bags, query.prepared, table, values, evaluator, report);
    const SearchPlan plan = draw_search(random, values);
    TopKSearch search(bags, query.prepared, plan.goal, plan.n_threads, interrupt);
    follow(plan, search);
    check_answer(plan, search, values, report);
}

}  // namespace soak
