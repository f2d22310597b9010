"""Digits beyond float32: which numbers have them, and which batches lie far from the origin.

A component given in float64 is stored as the nearest float32 number. If all components of a dimension
lie far from 0 and near to each other, like timestamps or projected coordinates, most of their differences is
lost. So the remainder is kept as well (`rest`), and `measures.origin` computes about an origin amid the tokens.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank._support.storage import Stored
from moverank._support.warn import warn
from moverank.errors import PrecisionWarning

#: Unit roundoff of float32.
UNIT = 2.0**-24

#: A dimension is far from 0 if its largest component is this many times half of its extent: four bits are lost.
FAR = 16.0

#: All tokens are far from 0 if they lie this many times half of their longest extent away: a query between them
#: loses six bits.
DISTANT = 64.0

#: The same after another batch's origin was subtracted: half of float32's digits are lost.
BLURRED = 4096.0

#: Components examined at a time, so that temporaries stay in the cache.
AT_ONCE = 1 << 18

#: Dtypes whose numbers are all float32 numbers, too.
HELD = frozenset(np.dtype(t) for t in "?bBhHef")


def may_lose(array: NDArray[Any]) -> bool:
    """Whether this array's dtype has numbers that float32 does not have."""
    return array.dtype not in HELD


def is_rounded(source: NDArray[Any], tokens: NDArray[np.float32]) -> bool:
    """Whether some number of `source` was rounded in `tokens`."""
    return any(bool((widened(source[rows]) != tokens[rows]).any()) for rows in runs(source))


def rest_of(source: NDArray[Any], tokens: NDArray[np.float32]) -> NDArray[np.float64]:
    """`source` less `tokens`, which are float32."""
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


def runs(array: NDArray[Any] | Stored) -> Iterator[slice]:
    """Rows that are examined together."""
    at_once = max(AT_ONCE // max(array.shape[1], 1), 1)
    return (slice(start, start + at_once) for start in range(0, len(array), at_once))


class Extent:
    """Least and largest component of each dimension."""

    def __init__(self, least: NDArray[np.floating], most: NDArray[np.floating]) -> None:
        self._least = least.astype(np.float64)
        self._most = most.astype(np.float64)

    @classmethod
    def of(cls, tokens: Stored, rest: NDArray[np.float64] | None = None) -> Extent:
        """The extent of stored tokens; with their `rest`, that of the tokens as given."""
        least: NDArray[np.floating] = np.full(tokens.dim, np.inf, dtype=np.float32 if rest is None else np.float64)
        most: NDArray[np.floating] = -least
        for rows in runs(tokens):
            part: NDArray[np.floating] = tokens[rows].decoded()
            if rest is not None:
                part = part + rest[rows]
            np.minimum(least, part.min(axis=0), out=least)
            np.maximum(most, part.max(axis=0), out=most)
        return cls(least, most)

    def about(self, origin: NDArray[np.float64]) -> Extent:
        """The extent of the same tokens less an origin."""
        return Extent(self._least - origin, self._most - origin)

    def __or__(self, other: Extent) -> Extent:
        return Extent(np.minimum(self._least, other._least), np.maximum(self._most, other._most))

    @property
    def largest(self) -> float:
        """Largest absolute value of a component."""
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
        """Whether all lies far from 0, so that queries lose digits even if these do not; a constant says nothing."""
        return 0.0 < DISTANT * self.half < self.largest

    @property
    def may_be_distant(self) -> bool:
        """Whether a batch that contains this one may be: its largest component exceeds this one's by at most a side."""
        return DISTANT / 2 * self.half < self.largest

    @property
    def is_blurred(self) -> bool:
        """Whether everything between these loses half of float32's digits; a constant has nothing to lose."""
        return 0.0 < BLURRED * self.half < self.largest

    def origin(self) -> NDArray[np.float64] | None:
        """Middle of the dimensions that lie far from 0, and 0 for the others; None if all are near."""
        far = self.far()
        # Halves are added, because the sum may be infinite.
        return np.where(far, self._least / 2 + self._most / 2, 0.0) if far.any() else None


def longest(tokens: NDArray[np.floating]) -> float:
    """Largest norm of a token."""
    squares = (np.einsum("td,td->t", tokens[rows], tokens[rows], dtype=np.float64).max() for rows in runs(tokens))
    return math.sqrt(max(squares))


def tell_if_blurred_table(source: NDArray[Any], vectors: NDArray[np.float32]) -> None:
    """Warn if the vectors of a table came in float64 and float32 loses their differences."""
    if may_lose(source) and len(vectors) > 1 and is_rounded(source, vectors):
        wide = source.astype(np.float64)
        extent = Extent(wide.min(axis=0), wide.max(axis=0))
        if extent.is_blurred:
            warn(
                f"vectors: lie near to each other up to {extent.largest:.3g} from the origin, where float32 keeps them "
                f"to {UNIT * extent.largest:.1g}; subtract their mean first",
                PrecisionWarning,
            )
