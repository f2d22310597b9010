"""Histograms over bins whose ground costs are given: words, clusters, cell types."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moverank._support.arrays import plain_array
from moverank._support.validate import read_only
from moverank.vectors.bags import Bags


class Histograms:
    """A batch of histograms over shared bins: their entries above zero, in float64.

    Distances between histograms need a table of costs between the bins, ``pairwise(p, costs=S)``, and accept anything
    that makes a `Histograms`; making one first saves repeating the conversion.

    Parameters
    ----------
    histograms : array_like, shape (N, K); sparse matrix of SciPy; DataFrame; Bags
        One histogram per row, in any unit: each is normalised to total 1. In `Bags`, words are bins and counts their
        content; vectors are ignored. Columns of a DataFrame name the bins.

    Raises
    ------
    TypeError
        If they are not real numbers.
    ValueError
        If a number is negative or not finite, or a histogram is empty; the message names it.

    Examples
    --------
    >>> Histograms([[0.5, 0.5, 0.0], [0.0, 0.0, 2.0]])
    Histograms(2 histograms, 3 bins, 3 above zero)
    """

    __slots__ = ("_bins", "_content", "_labels", "_n_bins", "_offsets")

    _bins: NDArray[np.uint32]
    _offsets: NDArray[np.int64]
    _content: NDArray[np.float64]
    _n_bins: int
    _labels: tuple[str, ...] | None

    def __init__(self, histograms: Any) -> None:
        made = as_histograms(histograms, "histograms")
        for name in Histograms.__slots__:
            setattr(self, name, getattr(made, name))

    @classmethod
    def _of(
        cls,
        bins: NDArray[Any],
        offsets: NDArray[np.int64],
        content: NDArray[np.float64],
        n_bins: int,
        labels: tuple[str, ...] | None = None,
    ) -> Histograms:
        """Wrap arrays that are known to be good."""
        made = cls.__new__(cls)
        made._bins = read_only(np.ascontiguousarray(bins, dtype=np.uint32))
        made._offsets = read_only(offsets)
        made._content = read_only(content)
        made._n_bins = n_bins
        made._labels = labels
        return made

    @property
    def n_bins(self) -> int:
        """Number of bins, K."""
        return self._n_bins

    @property
    def bins(self) -> NDArray[np.uint32]:
        """Bins above zero, histogram after histogram, shape (T,), read-only."""
        return self._bins

    @property
    def content(self) -> NDArray[np.float64]:
        """Their content, as given, shape (T,), read-only."""
        return self._content

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Where each histogram begins, and T, shape (N + 1,), read-only."""
        return self._offsets

    @property
    def labels(self) -> tuple[str, ...] | None:
        """Names of the bins, if a DataFrame gave them."""
        return self._labels

    def toarray(self) -> NDArray[np.float64]:
        """The histograms as they were given, shape (N, K)."""
        dense = np.zeros((len(self), self._n_bins))
        dense[np.repeat(np.arange(len(self)), np.diff(self._offsets)), self._bins] = self._content
        return dense

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @overload
    def __getitem__(self, key: int) -> Histograms: ...
    @overload
    def __getitem__(self, key: slice | NDArray[Any] | list[int]) -> Histograms: ...
    def __getitem__(self, key: int | slice | NDArray[Any] | list[int]) -> Histograms:
        if isinstance(key, (int, np.integer)):
            place = operator.index(key)
            if not -len(self) <= place < len(self):
                raise IndexError(f"histogram {place} of {len(self)}")
            key = [place]
        chosen = np.arange(len(self))[key]
        if chosen.ndim != 1 or chosen.size == 0:
            raise ValueError("a batch of histograms cannot be empty: expected a one-dimensional selection")
        places = np.concatenate([np.arange(self._offsets[s], self._offsets[s + 1]) for s in chosen])
        ends = np.zeros(len(chosen) + 1, dtype=np.int64)
        np.cumsum(np.diff(self._offsets)[chosen], out=ends[1:])
        return self._of(self._bins[places], ends, self._content[places], self._n_bins, self._labels)

    def __iter__(self) -> Iterator[Histograms]:
        return (self[s] for s in range(len(self)))

    def __reduce__(self) -> tuple[Any, ...]:
        arrays = self._bins, self._offsets, self._content
        return type(self)._of, (*arrays, self._n_bins, self._labels), getattr(self, "__dict__", None)

    def __repr__(self) -> str:
        plural = "" if len(self) == 1 else "s"
        return f"Histograms({len(self)} histogram{plural}, {self._n_bins} bins, {len(self._bins)} above zero)"


def as_histograms(value: Any, name: str) -> Histograms:
    """Take a batch as it is, or make one; errors name the argument and the histogram."""
    if isinstance(value, Histograms):
        return value
    if isinstance(value, Bags):
        content = np.ones(len(value.words)) if value.counts is None else value.counts.astype(np.float64)
        return _summed(value.words, value.offsets, content, len(value.vectors), None, name)
    if hasattr(value, "tocsr") and hasattr(value, "toarray"):
        rows = value.tocsr()
        if len(rows.shape) != 2:
            raise ValueError(f"{name}: expected histograms of shape (N, K), got shape {rows.shape}")
        content = _reals(rows.data, name)
        return _summed(rows.indices, rows.indptr, content, int(rows.shape[1]), None, name)
    dense = _reals(plain_array(value, name), name)
    if dense.ndim != 2:
        hint = "; one histogram is [p], a batch of one" if dense.ndim == 1 else ""
        raise ValueError(f"{name}: expected histograms of shape (N, K), got shape {dense.shape}{hint}")
    _require_content(dense.ravel(), name, lambda t: divmod(t, dense.shape[1]))
    rows, bins = np.nonzero(dense)
    offsets = np.zeros(len(dense) + 1, dtype=np.int64)
    np.cumsum(np.bincount(rows, minlength=len(dense)), out=offsets[1:])
    _require_none_empty(offsets, name)
    return Histograms._of(bins, offsets, dense[rows, bins], dense.shape[1], labels_of(value, "columns"))


def as_histogram(value: Any, name: str) -> Histograms:
    """The same for a single histogram, which may be a vector of shape (K,)."""
    if not isinstance(value, (Histograms, Bags)) and getattr(value, "ndim", None) != 2:
        labels = labels_of(value, "index")
        vector = plain_array(value, name)
        if vector.ndim == 1:
            one = as_histograms(vector[None], name)
            return Histograms._of(one.bins, one.offsets, one.content, one.n_bins, labels)
    made = as_histograms(value, name)
    if len(made) != 1:
        raise ValueError(f"{name}: expected one histogram, got {len(made)}")
    return made


def labels_of(value: Any, axis: str) -> tuple[str, ...] | None:
    """Names that a pandas object gives its rows ("index") or columns, unless they merely count from 0."""
    named = getattr(value, axis, None) if hasattr(value, "iloc") else None
    if named is None:
        return None
    labels = tuple(str(label) for label in named)
    return None if labels == tuple(map(str, range(len(labels)))) else labels


def require_one_order(
    own: tuple[str, ...] | None, others: tuple[str, ...] | None, name: str, where: str, *, same_bins: bool = False
) -> None:
    """Refuse two sides whose bins have the same names in another order.

    Other names are fine, as the sides may be about different bins; unless they are the `same_bins`.
    """
    if own is None or others is None or own == others or (sorted(own) != sorted(others) and not same_bins):
        return
    place = next(t for t, label in enumerate(own) if label != others[t])
    raise ValueError(
        f"{name}: bin {place} is called {own[place]!r}, but {others[place]!r} in {where}; bins are taken by position, "
        "so bring both into one order, as in frame[costs.index], or drop the names"
    )


def _reals(array: NDArray[Any], name: str) -> NDArray[np.float64]:
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name}: expected real numbers, got dtype {array.dtype}")
    return np.ascontiguousarray(array, dtype=np.float64)


def _summed(
    bins: NDArray[Any],
    offsets: ArrayLike,
    content: NDArray[np.float64],
    n_bins: int,
    labels: tuple[str, ...] | None,
    name: str,
) -> Histograms:
    """Histograms of entries in any order: entries of the same bin are added up, zeros are left out."""
    cuts = np.asarray(offsets, dtype=np.int64)
    rows = np.repeat(np.arange(len(cuts) - 1), np.diff(cuts))
    bins = np.asarray(bins, dtype=np.int64)[cuts[0] : cuts[-1]]
    content = content[cuts[0] : cuts[-1]]
    _require_content(content, name, lambda t: (int(rows[t]), int(bins[t])))
    places, first = np.unique(rows * n_bins + bins, return_inverse=True)
    sums = np.bincount(first, weights=content, minlength=len(places)) if len(places) else np.empty(0)
    kept = sums > 0
    places, sums = places[kept], sums[kept]
    ends = np.zeros(len(cuts), dtype=np.int64)
    np.cumsum(np.bincount(places // max(n_bins, 1), minlength=len(cuts) - 1), out=ends[1:])
    _require_none_empty(ends, name)
    return Histograms._of(places % max(n_bins, 1), ends, np.ascontiguousarray(sums), n_bins, labels)


def _require_content(content: NDArray[np.float64], name: str, place: Any) -> None:
    """Refuse numbers that are not mass; `place` gives histogram and bin of one."""
    bad = ~(np.isfinite(content) & (content >= 0))
    if bad.any():
        t = int(np.argmax(bad))
        histogram, bin_ = place(t)
        fault = "is negative" if content[t] < 0 else "is not finite"
        raise ValueError(f"{name}: histogram {histogram}: bin {bin_} {fault} ({content[t]:.3g})")


def _require_none_empty(offsets: NDArray[np.int64], name: str) -> None:
    if len(offsets) < 2:
        raise ValueError(f"{name}: expected at least one histogram, got none")
    empty = np.diff(offsets) == 0
    if empty.any():
        raise ValueError(f"{name}: histogram {int(np.argmax(empty))}: all bins are zero; there is no mass to move")
