/// Which token moved where: the plan behind one distance.
#pragma once

#include <span>

#include "moverank/exact.hpp"
#include "moverank/measure.hpp"
#include "moverank/prepared.hpp"
#include "moverank/views.hpp"

namespace moverank {

/// Fill the cost matrix and the plan, both query.size() x document.size(), and the potentials behind the measure's
/// value; <cost, plan> is that value, and the result's, but for entropic problems, whose value has the entropy as well.
/// Under a relaxed problem the plan is that of the side that gives the bound: each
/// token of one sequence goes whole to its nearest on the other. `interrupt` may be null. Throws
/// std::invalid_argument if a shape is another.
SolveSummary align(const PreparedSequence& query, const PreparedSequence& document, const Measure& measure,
                   MatrixView<float> cost, MatrixView<double> plan, std::span<double> f, std::span<double> g,
                   Interrupt* interrupt = nullptr);

}  // namespace moverank
