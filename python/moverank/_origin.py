"""Coordinates far from the origin: digits that float32 does not hold, and costs that are computed nearer by.

A component that is given in float64 is stored as the float32 number next to it. Where all components of a dimension
lie far from 0 and near to each other, as timestamps or projected coordinates do, most of what tells them apart is then
lost. So what float32 leaves is kept beside (`rest`), and costs that depend on differences alone are computed about an
origin amid the tokens, which is subtracted in float64 before anything is rounded.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from moverank._arrays import plain_array
from moverank._storage import decode
from moverank.errors import PrecisionWarning
from moverank.sinkhorn import Sinkhorn

if TYPE_CHECKING:
    from moverank.measures import Measure
    from moverank.sequences import Sequences

#: Ground costs that do not change when all tokens move by one vector.
INVARIANT = ("euclidean", "sqeuclidean")

#: A dimension is far from 0 where its largest component is so many times half of its extent: four bits are lost.
FAR = 16.0

#: All dimensions are, after an origin was taken off that is another's: half of float32's digits are lost.
BLURRED = 4096.0

#: Possible rounding of the tokens is told where it is more than this share of a distance.
TOLD_SHARE = 1 / 16

#: Distances that are smaller, as a share of the largest costs, are rounding of the solve: they stand for 0.
SOLVE_ERROR = 1e-12

#: Unit roundoff of float32.
UNIT = 2.0**-24

#: Components that are looked at at a time: temporaries then stay in the cache.
AT_ONCE = 1 << 18

#: Dtypes whose every number is one of float32.
HELD = frozenset(np.dtype(t) for t in "?bBhHef")


def may_lose(array: NDArray[Any]) -> bool:
    """Whether numbers of this array's dtype may not be numbers of float32."""
    return array.dtype not in HELD


def is_rounded(source: NDArray[Any], tokens: NDArray[np.float32]) -> bool:
    """Whether a number of `source` is not what `tokens` holds of it."""
    return any(bool((_wide(source[rows]) != tokens[rows]).any()) for rows in _runs(source))


def rest_of(source: NDArray[Any], tokens: NDArray[np.float32]) -> NDArray[np.float64]:
    """What `tokens`, float32, leave of `source`."""
    rest = np.empty(tokens.shape, dtype=np.float64)
    for rows in _runs(source):
        wide = _wide(source[rows])
        rest[rows] = wide - tokens[rows].astype(wide.dtype)
    return rest


def _wide(array: NDArray[Any]) -> NDArray[Any]:
    """The same numbers in a floating type that holds them, if there is one."""
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8 and array.size:
        least, most = int(array.min()), int(array.max())
        if max(-least, most) > 1 << 53:
            return array.astype(np.longdouble)
    return array.astype(np.promote_types(array.dtype, np.float64), copy=False)


def _runs(array: NDArray[Any]) -> Iterator[slice]:
    at_once = max(AT_ONCE // max(array.shape[1], 1), 1)
    return (slice(start, start + at_once) for start in range(0, len(array), at_once))


class Extent:
    """Least and largest component of each dimension."""

    def __init__(self, least: NDArray[np.floating], most: NDArray[np.floating]) -> None:
        self._least = least.astype(np.float64)
        self._most = most.astype(np.float64)

    @classmethod
    def of(cls, tokens: NDArray[Any], scales: NDArray[np.float32] | None = None) -> Extent:
        """That of stored tokens."""
        least = np.full(tokens.shape[1], np.inf, dtype=np.float32)
        most = -least
        for rows in _runs(tokens):
            part = decode(tokens[rows], None if scales is None else scales[rows])
            np.minimum(least, part.min(axis=0), out=least)
            np.maximum(most, part.max(axis=0), out=most)
        return cls(least, most)

    @classmethod
    def of_batch(cls, batch: Sequences) -> Extent:
        """That of the tokens as they came, before float32 dropped digits of those far from 0."""
        rest = batch._rest
        if rest is None:
            return cls.of(batch.tokens, batch.scales)
        least, most = np.full(batch.dim, np.inf), np.full(batch.dim, -np.inf)
        for rows in _runs(rest):
            part = batch.tokens[rows] + rest[rows]
            np.minimum(least, part.min(axis=0), out=least)
            np.maximum(most, part.max(axis=0), out=most)
        return cls(least, most)

    def about(self, origin: NDArray[np.float64]) -> Extent:
        """That of the same tokens less an origin."""
        return Extent(self._least - origin, self._most - origin)

    def __or__(self, other: Extent) -> Extent:
        return Extent(np.minimum(self._least, other._least), np.maximum(self._most, other._most))

    @property
    def largest(self) -> float:
        """Largest size of a component."""
        return float(np.maximum(-self._least, self._most).max())

    @property
    def half(self) -> float:
        """Half of the longest side."""
        return float((self._most - self._least).max()) / 2

    def far(self) -> NDArray[np.bool_]:
        """Dimensions that lie far from 0."""
        size = np.maximum(-self._least, self._most)
        found: NDArray[np.bool_] = size > FAR * (self._most - self._least) / 2
        return found

    @property
    def is_blurred(self) -> bool:
        """Whether half of float32's digits are lost on all that lies between these; a constant has nothing to lose."""
        return 0.0 < BLURRED * self.half < self.largest

    def origin(self) -> NDArray[np.float64] | None:
        """Middle of the dimensions that lie far from 0, where others have 0; None if there are none."""
        far = self.far()
        # Halves are added, as the sum may be infinite.
        return np.where(far, self._least / 2 + self._most / 2, 0.0) if far.any() else None


def origin_of(*sides: Sequences) -> NDArray[np.float64] | None:
    """Where to put the origin for costs between these, None to leave it: nothing would be gained."""
    if all(side._rest is None for side in sides):
        return None
    extent = Extent.of(sides[0].tokens, sides[0].scales)
    for side in sides[1:]:
        extent = extent | Extent.of(side.tokens, side.scales)
    return extent.origin()


def about(origin: NDArray[np.float64], sequences: Sequences, measure: Measure) -> Sequences:
    """Sequences with their origin moved, and with weights where these would change by that."""
    tokens, scales, rest, weights = sequences.tokens, sequences.scales, sequences._rest, sequences.weights
    moved = np.empty(tokens.shape, dtype=np.float32)
    by_norm = measure.weighting == "norm" and weights is None
    norms = np.empty(len(tokens)) if by_norm else None
    for rows in _runs(tokens):
        own = decode(tokens[rows], None if scales is None else scales[rows]).astype(np.float64)
        left = 0.0 if rest is None else rest[rows]
        moved[rows] = (own - origin) + left
        if norms is not None:
            norms[rows] = np.linalg.norm(own + left, axis=1)
    return sequences._with_tokens(moved, norms if by_norm else weights)


def about_one_origin(measure: Measure, query: Sequences, docs: Sequences) -> tuple[Sequences, Sequences]:
    """Two batches as the core is to have them: where it helps, both about one origin."""
    if measure.ground not in INVARIANT or (query._rest is None and docs._rest is None):
        return query, docs
    if docs is query:
        origin = origin_of(docs)
        both = docs if origin is None else about(origin, docs, measure)
        return both, both
    origin = origin_of(query, docs)
    if origin is None:
        return query, docs
    return about(origin, query, measure), about(origin, docs, measure)


def longest(tokens: NDArray[np.float32]) -> float:
    """Largest norm of a token."""
    squares = (np.einsum("td,td->t", tokens[rows], tokens[rows], dtype=np.float64).max() for rows in _runs(tokens))
    return math.sqrt(max(squares))


def tell_if_blurred(distances: NDArray[np.float64], measure: Measure, query: Sequences, docs: Sequences) -> None:
    """Warn if a distance above 0 is not much more than what tokens that came in float64 may have lost."""
    if measure.ground in INVARIANT and (query._rounded or docs._rounded):
        tell_if_below(distances, measure, longest(query.tokens) + longest(_floats(docs)))


def tell_if_below(distances: NDArray[np.float64], measure: Measure, reach: float) -> None:
    """The same with the sum of the largest norms of both sides, from the origin that costs were computed about."""
    if isinstance(measure.problem, Sinkhorn) and measure.problem.debiased:
        return  # how near to 0 a divergence comes is a matter of its tolerance
    # Below that is what an exact solve makes of a zero.
    largest = reach**2 if measure.ground == "sqeuclidean" else reach
    positive = distances[(distances > SOLVE_ERROR * largest) & np.isfinite(distances)]
    if not positive.size:
        return
    least = float(positive.min())
    if measure.ground == "sqeuclidean":
        least = math.sqrt(least)
    error = UNIT * reach
    if error > TOLD_SHARE * least:
        warnings.warn(
            f"a distance of {least:.3g} may be off by {error:.1g}: tokens came in float64 and reach {reach / 2:.3g} "
            "from the origin, where float32 holds no more; measure those that lie together in batches of their own",
            PrecisionWarning,
            stacklevel=4,
        )


def tell_if_far(docs: Sequences, origin: NDArray[np.float64]) -> None:
    """Warn if documents lie so far from the origin of an index, and so near to each other, that they are blurred."""
    extent = Extent.of_batch(docs).about(origin)
    if extent.is_blurred:
        warnings.warn(
            f"docs: lie up to {extent.largest:.3g} from the origin of the index and within {2 * extent.half:.3g} of "
            f"each other; float32 keeps them to {UNIT * extent.largest:.1g} there. Build an index of its own for them",
            PrecisionWarning,
            stacklevel=4,
        )


def tell_if_blurred_table(source: NDArray[Any], vectors: NDArray[np.float32]) -> None:
    """Warn if the vectors of a table came in float64 and float32 drops what tells them apart."""
    if may_lose(source) and len(vectors) > 1 and is_rounded(source, vectors):
        wide = source.astype(np.float64)
        extent = Extent(wide.min(axis=0), wide.max(axis=0))
        if extent.is_blurred:
            warnings.warn(
                f"vectors: lie near to each other up to {extent.largest:.3g} from the origin, where float32 keeps them "
                f"to {UNIT * extent.largest:.1g}; subtract their mean before",
                PrecisionWarning,
                stacklevel=3,
            )


def tell_if_vanished(value: float, measure: Measure, x: object, y: object) -> None:
    """Warn if a distance is 0 although some token of `x` is none of `y`, as float64 has them."""
    if value != 0.0 or measure.ground not in INVARIANT or measure.fraction < 1.0:
        return
    targets = {row.tobytes() for row in plain_array(y, "y").astype(np.float64) + 0.0}
    if not targets.issuperset(row.tobytes() for row in plain_array(x, "x").astype(np.float64) + 0.0):
        warnings.warn(
            "the distance is 0 in float32 although the tokens differ: float32 does not tell them apart at their size",
            PrecisionWarning,
            stacklevel=3,
        )


def _floats(sequences: Sequences) -> NDArray[np.float32]:
    return decode(sequences.tokens, sequences.scales)
