/// What a thread's workspace costs: nothing per pair once it is warm, and no more than stated.
#include "check.hpp"
#include "instances.hpp"
#include "moverank/batch.hpp"
#include "moverank/pair.hpp"
#include "watched_memory.hpp"

using namespace moverank;

TEST(a_warm_evaluator_allocates_nothing) {
    instances::Random random(1);
    const instances::Batch batch(random, 60, 90, 24);
    for (const Measure& measure :
         {Measure{GroundCost::cosine, Weighting::norm}, Measure{GroundCost::euclidean, Weighting::uniform, 4.0},
          Measure{GroundCost::dot, Weighting::uniform, unlimited_capacity, Problem::relaxed},
          Measure{GroundCost::sqeuclidean, Weighting::norm, 1.0, Problem::relaxed},
          Measure{GroundCost::euclidean, Weighting::norm, 2.0, Problem::exact, 0.5},
          Measure{GroundCost::cosine, Weighting::norm, 1.0, Problem::entropic, 1.0, Sinkhorn{.debiased = true}},
          Measure{GroundCost::cosine, Weighting::norm, 4.0, Problem::entropic, 0.5}}) {
        const PreparedSequences prepared(batch.view(), measure);
        PairEvaluator evaluator(measure);
        std::size_t before = 0;
        for (int round = 0; round < 2; ++round) {
            before = memory::allocations;
            for (const std::size_t query : {0, 1, 2}) {
                evaluator.set_query(prepared[query]);
                for (std::size_t s = 0; s < prepared.size(); ++s) {
                    const double value = evaluator.distance(prepared[s]).distance;
                    evaluator.distance(prepared[s], 0.7 * value);
                    evaluator.lower_bound(prepared[s]);
                }
            }
        }
        CHECK(memory::allocations == before);
    }
}

TEST(a_batch_takes_no_more_than_its_formula_however_many_documents) {
    instances::Random random(2);
    const Measure exact{GroundCost::cosine, Weighting::norm, 2.0};
    Measure entropic = exact;
    entropic.problem = Problem::entropic;
    for (const std::size_t longest : {10, 60, 300}) {
        const std::size_t dim = 32;
        const instances::Batch few(random, 50, longest, dim);
        const instances::Batch queries(random, 1, 40, dim);
        // The same fifty documents forty times over.
        std::vector<float> tokens;
        std::vector<std::int64_t> offsets{0};
        for (int copy = 0; copy < 40; ++copy) {
            tokens.insert(tokens.end(), few.tokens.begin(), few.tokens.end());
            for (std::size_t s = 1; s < few.offsets.size(); ++s) {
                offsets.push_back(offsets.back() + few.offsets[s] - few.offsets[s - 1]);
            }
        }
        const SequencesView many{{tokens.data(), tokens.size() / dim, dim}, offsets, {}};
        const PreparedSequences query(queries.view(), exact);
        const auto bytes_for = [&](const SequencesView& documents, const Measure& measure) {
            std::vector<double> out(documents.size());
            Interrupt interrupt;
            const std::size_t before = memory::allocated_bytes;
            distances(query[0], documents, measure, out, 1, interrupt);
            return memory::allocated_bytes - before;
        };
        std::size_t most = 0;
        for (std::size_t s = 0; s < few.view().size(); ++s) {
            most = std::max(most, few.view()[s].tokens.rows());
        }
        // Everything ever allocated, growth included: at least what is alive at the peak.
        for (const Measure& measure : {exact, entropic}) {
            const std::size_t taken = bytes_for(few.view(), measure);
            CHECK(bytes_for(many, measure) == taken);
            CHECK(taken <= workspace_bytes(query[0].size(), most, dim));
        }
    }
}
