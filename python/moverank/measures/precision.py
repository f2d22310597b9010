"""Warnings about digits of float64 that float32 loses and that matter to a distance."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from moverank._support.warn import warn
from moverank.errors import PrecisionWarning
from moverank.solvers.sinkhorn import Sinkhorn
from moverank.vectors.bags import Bags
from moverank.vectors.digests import Came
from moverank.vectors.rounding import UNIT
from moverank.vectors.sequences import Sequences

if TYPE_CHECKING:
    from moverank.measures.measure import Measure

#: Possible rounding of the tokens is reported where it exceeds this share of a distance.
TOLD_SHARE = 1 / 16

#: Smaller distances, as a share of the largest costs, are rounding errors of the solver: they mean 0.
SOLVE_ERROR = 1e-12

#: Tokens of smaller norms have squares near or below the smallest float32 number.
TINY = 2.0**-62

#: Normalising masses may lose this share of them.
MASS_ERROR = 1e-9


def tell_if_lost(
    distances: NDArray[np.float64], measure: Measure, queries: Sequences | Bags, docs: Sequences | Bags
) -> None:
    """Warn if a distance is 0 between different sequences, or not much larger than the digits that float64 tokens lost.

    `distances` are a matrix, or those of one query, or those of pairs.
    """
    if not measure._cost.translation_invariant or not (queries._rounded or docs._rounded):
        return
    reach = queries._longest + docs._longest
    if not tell_if_below(distances, measure, reach):
        _tell_if_vanished(distances, measure, queries, docs, reach)


def tell_if_below(distances: NDArray[np.float64], measure: Measure, reach: float) -> bool:
    """Warn about distances above 0; `reach` is the sum of both sides' largest norms about the origin of the costs."""
    if _is_divergence(measure):
        return False
    if 0.0 < reach < TINY:
        warn(
            f"tokens reach {reach / 2:.3g} from the origin, and float32 cannot hold the squares of such small numbers: "
            "distances lose digits, or are 0; multiply all tokens by the same number",
            PrecisionWarning,
        )
        return True
    positive = distances[(distances > zero(measure, reach)) & np.isfinite(distances)]
    if not positive.size:
        return False
    least = float(positive.min())
    if measure._cost.is_squared:
        least = math.sqrt(least)
    error = UNIT * reach
    if error <= TOLD_SHARE * least:
        return False
    warn(
        f"a distance of {least:.3g} may be off by {error:.1g}: tokens came in float64 and reach {reach / 2:.3g} "
        "from the origin, where float32 holds no more digits; measure tokens that lie together in separate batches",
        PrecisionWarning,
    )
    return True


def zero(measure: Measure, reach: float) -> float:
    """The largest value that an exact solve may return for a zero."""
    return SOLVE_ERROR * (reach**2 if measure._cost.is_squared else reach)


def tell_vanished() -> None:
    """Warn about a distance of 0 between sequences that differ."""
    warn(
        "the distance is 0 in float32 although the tokens differ: float32 does not tell them apart at their size",
        PrecisionWarning,
    )


def _is_divergence(measure: Measure) -> bool:
    """How near to 0 a divergence comes depends on its tolerance."""
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
    # Duplicates may form very many pairs, all alike.
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
    """Whether less mass can stay in place than has to move, so that the distance is above 0."""
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
            f"each other; float32 keeps them to {UNIT * extent.largest:.1g} there. Build a separate index for them",
            PrecisionWarning,
        )
