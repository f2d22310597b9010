"""Which rows of an array differ."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Rows that are hashed at a time.
ROWS = 1 << 16


def distinct_rows(rows: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the different rows of an array of shape (T, d), to the last bit.

    Returns
    -------
    ndarray of int64, shape (U,)
        Where each different row occurs first.
    ndarray of int64, shape (T,)
        For each row its place in the former.
    """
    bits = np.ascontiguousarray(rows).view(np.uint32)
    factors = np.random.default_rng(0).integers(1 << 63, size=bits.shape[1], dtype=np.uint64) * 2 + 1
    hashes = np.concatenate(
        [np.empty(0, dtype=np.uint64)]
        + [(bits[first : first + ROWS] * factors).sum(axis=1) for first in range(0, len(bits), ROWS)]
    )
    firsts, places = _unique(hashes)
    if not all(
        np.array_equal(bits[first : first + ROWS], bits[firsts[places[first : first + ROWS]]])
        for first in range(0, len(bits), ROWS)
    ):
        # Two rows have one hash. That is possible, but was never seen.
        return _unique(bits.view(np.dtype((np.void, bits.dtype.itemsize * bits.shape[1])))[:, 0])
    return firsts, places


def _unique(values: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    _, firsts, places = np.unique(values, return_index=True, return_inverse=True)
    return firsts, places
