"""Which rows of an array are equal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from moverank.vectors.digests import digests_of

#: Rows that are compared at a time.
CHUNK = 1 << 16


def distinct_rows(rows: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the different rows of an array of shape (T, d), if at most half of all rows are different.

    Returns
    -------
    ndarray of int64, shape (U,)
        Where each different row occurs first; every row, if equal ones are few.
    ndarray of int64, shape (T,)
        For each row its place in the former.
    """
    _, firsts, places = np.unique(digests_of(rows), return_index=True, return_inverse=True)
    # Two rows may have one digest, though that was never seen: then no row is merged with another.
    if 2 * len(firsts) > len(rows) or not _are_equal(rows, firsts, places):
        every = np.arange(len(rows))
        return every, every
    return firsts, places


def _are_equal(rows: NDArray[np.float32], firsts: NDArray[np.int64], places: NDArray[np.int64]) -> bool:
    runs = (slice(begin, begin + CHUNK) for begin in range(0, len(rows), CHUNK))
    return all(bool((rows[run] == rows[firsts[places[run]]]).all()) for run in runs)
