"""Coordinates far from the origin: digits that float32 does not hold, and costs that are computed nearer by.

A component that is given in float64 is stored as the float32 number next to it. Where all components of a dimension
lie far from 0 and near to each other, as timestamps or projected coordinates do, most of what tells them apart is then
lost. So what float32 leaves is kept beside (`rest`), and costs that depend on differences alone are computed about an
origin amid the tokens, which is subtracted in float64 before anything is rounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from moverank._storage import decode
from moverank._validate import read_only

if TYPE_CHECKING:
    from moverank.bags import Bags
    from moverank.measures import Measure
    from moverank.sequences import Sequences

#: Ground costs that do not change when all tokens move by one vector.
INVARIANT = ("euclidean", "sqeuclidean")

#: A dimension is far from 0 where its largest component is so many times half of its extent: four bits are lost.
FAR = 16.0

#: All tokens are far from 0, where they lie so many times half of their longest extent away: of a query between them,
#: six bits are lost.
DISTANT = 64.0

#: All dimensions are, after an origin was taken off that is another's: half of float32's digits are lost.
BLURRED = 4096.0

#: Components that are looked at at a time: temporaries then stay in the cache.
AT_ONCE = 1 << 18

#: Dtypes whose every number is one of float32.
HELD = frozenset(np.dtype(t) for t in "?bBhHef")


def may_lose(array: NDArray[Any]) -> bool:
    """Whether numbers of this array's dtype may not be numbers of float32."""
    return array.dtype not in HELD


def is_rounded(source: NDArray[Any], tokens: NDArray[np.float32]) -> bool:
    """Whether a number of `source` is not what `tokens` holds of it."""
    return any(bool((widened(source[rows]) != tokens[rows]).any()) for rows in runs(source))


def rest_of(source: NDArray[Any], tokens: NDArray[np.float32]) -> NDArray[np.float64]:
    """What `tokens`, float32, leave of `source`."""
    rest = np.empty(tokens.shape, dtype=np.float64)
    for rows in runs(source):
        wide = widened(source[rows])
        rest[rows] = wide - tokens[rows].astype(wide.dtype)
    return rest


def widened(array: NDArray[Any]) -> NDArray[Any]:
    """The same numbers in a floating type that holds them, if there is one."""
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8 and array.size:
        least, most = int(array.min()), int(array.max())
        if max(-least, most) > 1 << 53:
            return array.astype(np.longdouble)
    return array.astype(np.promote_types(array.dtype, np.float64), copy=False)


def runs(array: NDArray[Any]) -> Iterator[slice]:
    """Rows that are looked at together."""
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
        for rows in runs(tokens):
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
        for rows in runs(rest):
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
    def is_distant(self) -> bool:
        """Whether all lies far from 0, so that queries lose digits though these do not; a constant tells nothing."""
        return 0.0 < DISTANT * self.half < self.largest

    @property
    def may_be_distant(self) -> bool:
        """Whether a batch may be of which this is a part, as its largest component exceeds this by a side at most."""
        return DISTANT / 2 * self.half < self.largest

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
    extent = Extent.of_batch(sides[0])
    for side in sides[1:]:
        extent = extent | Extent.of_batch(side)
    return extent.origin()


def about(origin: NDArray[np.float64], sequences: Sequences, measure: Measure) -> Sequences:
    """Sequences with their origin moved, and with weights where these would change by that."""
    tokens, scales, rest, weights = sequences.tokens, sequences.scales, sequences._rest, sequences.weights
    moved = np.empty(tokens.shape, dtype=np.float32)
    by_norm = measure.weighting == "norm" and weights is None
    norms = np.empty(len(tokens)) if by_norm else None
    for rows in runs(tokens):
        own = decode(tokens[rows], None if scales is None else scales[rows]).astype(np.float64)
        left = 0.0 if rest is None else rest[rows]
        moved[rows] = (own - origin) + left
        if norms is not None:
            norms[rows] = np.linalg.norm(own + left, axis=1)
    return sequences._moved(moved, norms if by_norm else weights)


def about_one_origin(measure: Measure, query: Sequences, docs: Sequences) -> tuple[Sequences, Sequences]:
    """Two batches as the core is to have them: where it helps, both about one origin."""
    if measure.ground not in INVARIANT or has_lost(query) or has_lost(docs):
        return query, docs
    origin = origin_of(query, docs)
    if origin is None:
        return query, docs
    moved = _moved(origin, query, measure)
    return moved, moved if docs is query else _moved(origin, docs, measure)


def about_one_origin_of_bags(measure: Measure, query: Sequences, docs: Bags) -> tuple[Measure, Sequences, Bags]:
    """The same of a query and bags, of which the table moves, and what is then to be measured."""
    if measure.ground not in INVARIANT or has_lost(query) or has_lost(docs._table):
        return measure, query, docs
    origin = origin_of(query, docs._table)
    if origin is None:
        return measure, query, docs
    table = _moved(origin, docs._table, measure)
    moved = docs._moved(table.tokens, table._came(slice(None)), table.weights)
    return measure.replace(weighting="uniform"), _moved(origin, query, measure), moved


def has_lost(side: Sequences) -> bool:
    """Whether digits are gone for good, so that an origin would tell apart what came as one and was rounded once."""
    return side._rounded and side._rest is None


def _moved(origin: NDArray[np.float64], sequences: Sequences, measure: Measure) -> Sequences:
    """Sequences about an origin that may round them, also if they came in float32: they remember how they came."""
    moved = about(origin, sequences, measure)
    if moved._digests is None:
        moved._digests = read_only(sequences._came(slice(None)))
    return moved
