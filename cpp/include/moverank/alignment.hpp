/// Which token moved where: the transport plan that gives one distance its value.
#pragma once

#include <span>

#include "moverank/exact.hpp"
#include "moverank/measure.hpp"
#include "moverank/prepared.hpp"
#include "moverank/views.hpp"

namespace moverank {

/// Solve one pair and write its cost matrix and plan, both query.size() x document.size(), and its potentials: one
/// entry of `f` per query token, one of `g` per document token.
///
/// The result's value is <cost, plan>, in units of the ground cost. It equals the measure's distance, except under an
/// entropic problem, whose distance contains the entropy term as well. Under a relaxed problem the plan belongs to the
/// side that gives the bound: each token of that sequence moves whole to its nearest token in the other.
///
/// Both sequences must be prepared for `measure`. `interrupt` may be null. Throws std::invalid_argument if an output
/// has another shape, and whatever `interrupt` throws. Any number of calls may run at the same time.
SolveSummary align(const PreparedSequence& query, const PreparedSequence& document, const Measure& measure,
                   MatrixView<float> cost, MatrixView<double> plan, std::span<double> f, std::span<double> g,
                   Interrupt* interrupt = nullptr);

}  // namespace moverank
