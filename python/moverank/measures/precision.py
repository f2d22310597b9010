"""Warnings of digits that came in float64, that float32 drops, and that matter to a distance."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from moverank._support.warn import warn
from moverank.errors import PrecisionWarning
from moverank.measures.origin import INVARIANT
from moverank.solvers.sinkhorn import Sinkhorn
from moverank.vectors.bags import Bags
from moverank.vectors.digests import Came
from moverank.vectors.rounding import UNIT
from moverank.vectors.sequences import Sequences

if TYPE_CHECKING:
    from moverank.measures.measure import Measure

#: Possible rounding of the tokens is told where it is more than this share of a distance.
TOLD_SHARE = 1 / 16

#: Distances that are smaller, as a share of the largest costs, are rounding of the solve: they stand for 0.
SOLVE_ERROR = 1e-12

#: Tokens of smaller norms have squares near or below the least that float32 holds.
TINY = 2.0**-62

#: Masses are normalised, which may take this share of them.
MASS_ERROR = 1e-9


def tell_if_lost(
    distances: NDArray[np.float64], measure: Measure, queries: Sequences | Bags, docs: Sequences | Bags
) -> None:
    """Warn if a distance is 0 between what differs, or not much more than what tokens that came in float64 may lose.

    `distances` are a matrix, or those of one query, or of pairs.
    """
    if measure.ground not in INVARIANT or not (queries._rounded or docs._rounded):
        return
    reach = queries._longest + docs._longest
    if not tell_if_below(distances, measure, reach):
        _tell_if_vanished(distances, measure, queries, docs, reach)


def tell_if_below(distances: NDArray[np.float64], measure: Measure, reach: float) -> bool:
    """Warn of distances above 0, by the sum of the largest norms of both sides about the origin of their costs."""
    if _is_divergence(measure):
        return False
    if 0.0 < reach < TINY:
        warn(
            f"tokens reach {reach / 2:.3g} from the origin, and float32 does not hold the squares of so small numbers: "
            "distances lose their digits, or are 0; multiply all tokens by one number",
            PrecisionWarning,
        )
        return True
    positive = distances[(distances > zero(measure, reach)) & np.isfinite(distances)]
    if not positive.size:
        return False
    least = float(positive.min())
    if measure.ground == "sqeuclidean":
        least = math.sqrt(least)
    error = UNIT * reach
    if error <= TOLD_SHARE * least:
        return False
    warn(
        f"a distance of {least:.3g} may be off by {error:.1g}: tokens came in float64 and reach {reach / 2:.3g} "
        "from the origin, where float32 holds no more; measure those that lie together in batches of their own",
        PrecisionWarning,
    )
    return True


def zero(measure: Measure, reach: float) -> float:
    """What an exact solve may make of a zero."""
    return SOLVE_ERROR * (reach**2 if measure.ground == "sqeuclidean" else reach)


def tell_vanished() -> None:
    """Warn of a distance of 0 between sequences that differ."""
    warn(
        "the distance is 0 in float32 although the tokens differ: float32 does not tell them apart at their size",
        PrecisionWarning,
    )


def _is_divergence(measure: Measure) -> bool:
    """How near to 0 a divergence comes is a matter of its tolerance."""
    return isinstance(measure.problem, Sinkhorn) and measure.problem.debiased


def _tell_if_vanished(
    distances: NDArray[np.float64],
    measure: Measure,
    queries: Sequences | Bags,
    docs: Sequences | Bags,
    reach: float,
) -> None:
    if _is_divergence(measure):
        return
    places = np.nonzero(distances <= zero(measure, reach))
    rows = (places[0] if len(queries) > 1 else np.zeros_like(places[0])) if distances.ndim == 1 else places[0]
    left: dict[int, Came] = {}
    right: dict[int, Came] = {}
    # Of duplicates there may be very many pairs, all alike.
    known: set[tuple[int, int]] = set()
    keys: dict[tuple[bool, int], int] = {}
    for r, s, place in zip(rows.tolist(), places[-1].tolist(), zip(*places, strict=True), strict=True):
        if queries is docs and r == s:
            continue
        for side, table, batch, at in ((False, left, queries, r), (True, right, docs, s)):
            if at not in table:
                table[at] = came = batch._came_of(at, measure.weighting)
                keys[side, at] = hash((came.digests.tobytes(), came.mass.tobytes()))
        pair = keys[False, r], keys[True, s]
        if pair[0] == pair[1] or pair in known:
            continue
        known.add(pair)
        own, other = left[r], right[s]
        if distances[place] <= zero(measure, own.longest + other.longest) and _differ(own, other, measure):
            tell_vanished()
            return


def _differ(own: Came, other: Came, measure: Measure) -> bool:
    """Whether less can stay where it is than has to move, so that the distance is above 0."""
    _, first = np.unique(np.concatenate([own.digests, other.digests]), return_inverse=True)
    a = np.bincount(first[: len(own.mass)], own.mass / own.mass.sum(), first.max() + 1)
    b = np.bincount(first[len(own.mass) :], other.mass / other.mass.sum(), first.max() + 1)
    if measure.problem == "relaxed":
        stays = min(a[b > 0].sum(), b[a > 0].sum() if measure.capacity == 1.0 else np.inf)
    else:
        stays = np.minimum(a[b > 0], measure.capacity * b[b > 0]).sum()
    return bool(stays < measure.fraction * (1 - MASS_ERROR))


def tell_if_far(docs: Sequences, origin: NDArray[np.float64]) -> None:
    """Warn if documents lie so far from the origin of an index, and so near to each other, that they are blurred."""
    extent = docs._extent().about(origin)
    if extent.is_blurred:
        warn(
            f"docs: lie up to {extent.largest:.3g} from the origin of the index and within {2 * extent.half:.3g} of "
            f"each other; float32 keeps them to {UNIT * extent.largest:.1g} there. Build an index of its own for them",
            PrecisionWarning,
        )
