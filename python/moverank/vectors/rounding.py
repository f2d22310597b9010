"""Digits that float32 does not hold: which numbers lose some, and where all of a batch lies far from the origin.

A component that is given in float64 is stored as the float32 number next to it. Where all components of a dimension
lie far from 0 and near to each other, as timestamps or projected coordinates do, most of what tells them apart is then
lost. So what float32 leaves is kept beside (`rest`), and `measures.origin` computes about an origin amid the tokens.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank._support.storage import decode
from moverank._support.warn import warn
from moverank.errors import PrecisionWarning

#: Unit roundoff of float32.
UNIT = 2.0**-24

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
    def of(
        cls,
        tokens: NDArray[Any],
        scales: NDArray[np.float32] | None = None,
        rest: NDArray[np.float64] | None = None,
    ) -> Extent:
        """That of stored tokens; with the `rest` that float32 left of them, that of the tokens as they came."""
        least: NDArray[np.floating] = np.full(tokens.shape[1], np.inf, dtype=np.float32 if rest is None else np.float64)
        most: NDArray[np.floating] = -least
        for rows in runs(tokens):
            part: NDArray[np.floating] = decode(tokens[rows], None if scales is None else scales[rows])
            if rest is not None:
                part = part + rest[rows]
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


def longest(tokens: NDArray[np.floating]) -> float:
    """Largest norm of a token."""
    squares = (np.einsum("td,td->t", tokens[rows], tokens[rows], dtype=np.float64).max() for rows in runs(tokens))
    return math.sqrt(max(squares))


def tell_if_blurred_table(source: NDArray[Any], vectors: NDArray[np.float32]) -> None:
    """Warn if the vectors of a table came in float64 and float32 drops what tells them apart."""
    if may_lose(source) and len(vectors) > 1 and is_rounded(source, vectors):
        wide = source.astype(np.float64)
        extent = Extent(wide.min(axis=0), wide.max(axis=0))
        if extent.is_blurred:
            warn(
                f"vectors: lie near to each other up to {extent.largest:.3g} from the origin, where float32 keeps them "
                f"to {UNIT * extent.largest:.1g}; subtract their mean before",
                PrecisionWarning,
            )
