#include <algorithm>
#include <cstdint>
#include <vector>

#include "bag_instances.hpp"
#include "check.hpp"
#include "instances.hpp"
#include "moverank/bag_batch.hpp"
#include "moverank/neighbours.hpp"

using namespace moverank;

namespace {

/// Of each row of the matrix the nearest, by sorting.
NeighbourLists by_sorting(const JoinedBags& rows, const JoinedBags& columns, const NeighbourGoal& goal) {
    std::vector<double> all(rows.size() * columns.size());
    Interrupt interrupt;
    pairwise(rows, columns, {}, {all.data(), rows.size(), columns.size()}, 1, interrupt);
    NeighbourLists lists;
    lists.offsets.push_back(0);
    for (std::size_t r = 0; r < rows.size(); ++r) {
        std::vector<std::pair<double, std::int64_t>> row;
        for (std::size_t s = 0; s < columns.size(); ++s) {
            if (const double d = all[r * columns.size() + s]; d <= goal.radius && !(goal.skip_itself && r == s)) {
                row.emplace_back(d, static_cast<std::int64_t>(s));
            }
        }
        std::ranges::sort(row);
        row.resize(std::min(row.size(), goal.k));
        for (const auto& [distance, position] : row) {
            lists.distances.push_back(distance);
            lists.positions.push_back(position);
        }
        lists.offsets.push_back(static_cast<std::int64_t>(lists.positions.size()));
    }
    return lists;
}

void check_equal(const NeighbourLists& found, const NeighbourLists& expected) {
    CHECK(found.offsets == expected.offsets);
    CHECK(found.positions == expected.positions);
    CHECK(found.distances == expected.distances);
}

void check_all(const JoinedBags& own, const JoinedBags& other) {
    Interrupt interrupt;
    for (const std::size_t k : {1, 6, 1000}) {
        for (const double radius : {std::numeric_limits<double>::infinity(), 1.2}) {
            const NeighbourGoal within{.k = k, .radius = radius, .skip_itself = true};
            const NeighbourGoal across{.k = k, .radius = radius};
            const NeighbourLists expected_within = by_sorting(own, own, within);
            const NeighbourLists expected_across = by_sorting(own, other, across);
            // With little memory, each row has tables of its own; with some, several rows share them.
            for (const std::size_t memory : {std::size_t{1}, std::size_t{200} << 10U, std::size_t{640} << 20U}) {
                NeighbourGoal goal = within;
                goal.memory = memory;
                check_equal(neighbours(own, own, goal, 2, interrupt), expected_within);
                goal = across;
                goal.memory = memory;
                check_equal(neighbours(own, other, goal, 1, interrupt), expected_across);
            }
        }
    }
}

}  // namespace

TEST(neighbours_are_those_of_the_whole_matrix_to_the_last_bit) {
    instances::Random random(1);
    const instances::Collection rows(random, 90, 12, 5);
    const instances::Collection columns(random, 130, 12, 5);
    for (const Measure& measure :
         {Measure{GroundCost::euclidean, Weighting::uniform}, Measure{GroundCost::cosine, Weighting::norm},
          Measure{GroundCost::cosine, Weighting::norm, 4.0},
          Measure{GroundCost::euclidean, Weighting::uniform, 1.0, Problem::exact, 0.6},
          Measure{GroundCost::dot, Weighting::uniform, unlimited_capacity}}) {
        for (const bool with_counts : {false, true}) {
            const PreparedBags own(rows.view(with_counts), measure);
            const PreparedBags other(columns.view(with_counts), measure);
            check_all(JoinedBags({&own}), JoinedBags({&other}));
        }
    }
}

TEST(bags_in_several_parts_have_one_numbering) {
    instances::Random random(2);
    const Measure measure{GroundCost::cosine, Weighting::norm};
    const instances::Collection all(random, 80, 9, 4);
    const BagsView whole = all.view(true);
    const std::size_t half = 31;
    const std::vector<std::int64_t> first_offsets(all.offsets.begin(), all.offsets.begin() + half + 1);
    std::vector<std::int64_t> rest_offsets(all.offsets.begin() + half, all.offsets.end());
    const auto cut = static_cast<std::size_t>(rest_offsets.front());
    for (std::int64_t& offset : rest_offsets) {
        offset -= static_cast<std::int64_t>(cut);
    }
    const PreparedBags one(whole, measure);
    const BagsView of_first{whole.vectors, whole.words.first(cut), first_offsets, whole.counts.subspan(0, cut)};
    const BagsView of_rest{whole.vectors, whole.words.subspan(cut), rest_offsets,
                           whole.counts.subspan(cut, whole.words.size() - cut)};
    const PreparedBags first(of_first, measure);
    const PreparedBags rest(of_rest, measure, first.new_rows());
    Interrupt interrupt;
    const NeighbourGoal goal{.k = 5, .skip_itself = true};
    const JoinedBags joined({&first, &rest});
    const JoinedBags alone({&one});
    const NeighbourLists found = neighbours(joined, joined, goal, 1, interrupt);
    const NeighbourLists expected = neighbours(alone, alone, goal, 1, interrupt);
    CHECK(found.positions == expected.positions);
    for (std::size_t p = 0; p < found.distances.size(); ++p) {
        CHECK_NEAR(found.distances[p], expected.distances[p], 1e-6);
    }
}

TEST(few_pairs_are_solved) {
    instances::Random random(3);
    const instances::Collection bags(random, 600, 10, 3);
    const PreparedBags own(bags.view(false), {GroundCost::euclidean, Weighting::uniform});
    const JoinedBags joined({&own});
    Interrupt interrupt;
    PairCount n_done{0};
    const NeighbourLists found = neighbours(joined, joined, {.k = 5, .skip_itself = true}, 1, interrupt, &n_done);
    CHECK(found.solved < 600 * 60);
    CHECK(n_done == 600);
}

TEST(batches_without_common_measure_or_size_are_refused) {
    instances::Random random(4);
    const instances::Collection bags(random, 5, 4, 3);
    const instances::Collection more(random, 6, 4, 3);
    const instances::Collection wider(random, 5, 4, 4);
    const Measure measure{GroundCost::euclidean, Weighting::uniform};
    const PreparedBags own(bags.view(false), measure);
    const PreparedBags six(more.view(false), measure);
    const PreparedBags wide(wider.view(false), measure);
    const PreparedBags other(bags.view(false), {GroundCost::cosine, Weighting::norm});
    Interrupt interrupt;
    const auto refused = [&](const PreparedBags& rows, const PreparedBags& columns, const NeighbourGoal& goal) {
        CHECK_THROWS_AS((void)neighbours(JoinedBags({&rows}), JoinedBags({&columns}), goal, 1, interrupt),
                        std::invalid_argument);
    };
    refused(own, other, {.k = 1});
    refused(own, wide, {.k = 1});
    refused(own, six, {.k = 1, .skip_itself = true});
    Measure divergence = measure;
    divergence.problem = Problem::entropic;
    divergence.sinkhorn.debiased = true;
    const PreparedBags debiased(bags.view(false), divergence);
    refused(debiased, debiased, {.k = 1});
}
