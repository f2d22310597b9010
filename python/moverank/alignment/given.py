"""Which bin moved where, between histograms whose ground costs are given."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank import _core
from moverank.alignment.alignment import Alignment
from moverank.alignment.sampling import Noise, sampled
from moverank.errors import InfeasibleError
from moverank.measures.given import Costs, chosen_measure
from moverank.measures.measure import Measure
from moverank.solvers.infeasible import why_infeasible
from moverank.solvers.sinkhorn import Sinkhorn
from moverank.vectors.histograms import as_histogram, require_one_order


def align_given(x: Any, y: Any, costs: Any, measure: str | Measure | None, noise: Noise | None = None) -> Alignment:
    """The plan that gives the distance of two histograms, over the bins that hold something; see `moverank.align`."""
    table, chosen = Costs.of(costs), chosen_measure(measure)
    source, target = as_histogram(x, "x"), as_histogram(y, "y")
    table.require_sources(source, "x")
    table.require_targets(target, "y")
    require_one_order(target.labels, source.labels, "y", "x")
    cost = table.between(source.bins, target.bins)
    alignment = aligned(cost, source.content, target.content, (source.bins, target.bins), chosen)
    return sampled(alignment, chosen, noise).named(
        bin_names(source.bins, source.labels or table.sources), bin_names(target.bins, target.labels or table.targets)
    )


def aligned(
    cost: NDArray[Any],
    source: NDArray[np.float64],
    target: NDArray[np.float64],
    bins: tuple[NDArray[Any], NDArray[Any]],
    measure: Measure,
) -> Alignment:
    """The plan of one problem under a measure of given costs, between `bins` that hold something."""
    a, b = source / source.sum(), target / target.sum()
    if isinstance(measure.problem, Sinkhorn):
        scaled = _core.sinkhorn(cost, a, b, measure.capacity, measure.fraction, measure.problem._spec)
        if not scaled.feasible:
            _solved(cost, a, b, measure.capacity, measure.fraction, bins)
        return Alignment(scaled.plan_cost, scaled.plan, cost, a, b)
    if measure.problem == "exact":
        value, plan = _solved(cost, a, b, measure.capacity, measure.fraction, bins)
        return Alignment(value, plan, cost, a, b)
    # The relaxed problem takes the better side: each of its bins goes entirely to the nearest one on the other side.
    value, plan = _solved(cost, a, b, np.inf, measure.fraction, bins)
    if measure.capacity == 1.0:
        other, turned = _solved(np.ascontiguousarray(cost.T), b, a, np.inf, measure.fraction, bins, swapped=True)
        if other > value:
            value, plan = other, np.ascontiguousarray(turned.T)
    return Alignment(value, plan, cost, a, b)


def _solved(
    cost: NDArray[Any],
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    capacity: float,
    fraction: float,
    bins: tuple[NDArray[Any], NDArray[Any]],
    swapped: bool = False,
) -> tuple[float, NDArray[np.float64]]:
    """Value and plan; InfeasibleError if there is none. `bins` are those of the table's rows and columns."""
    solved = _core.transport(cost, a, b, capacity, fraction)
    if solved.status == "infeasible":
        kinds = "source bins", "target bins"
        raise InfeasibleError(why_infeasible(solved, swapped, "costs", kinds, bins[::-1] if swapped else bins))
    return solved.value, solved.plan


def bin_names(bins: NDArray[Any], labels: tuple[str, ...] | None) -> tuple[str, ...]:
    """Names of some bins; their numbers if they have no names."""
    return tuple(f"[{bin_}]" if labels is None else labels[bin_] for bin_ in bins.tolist())
