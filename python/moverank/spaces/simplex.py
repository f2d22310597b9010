"""Shares that sum to one within each text: functions of scores, over ragged segments, in float64.

Training needs derivatives of the same functions; `moverank.learning.simplex` adds them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Offsets = NDArray[np.int64]

#: Functions from scores to shares, by name.
KINDS = ("softmax", "sparsemax")


def shares(kind: str, scores: Array, offsets: Offsets) -> Array:
    """Shares of the tokens of each text, shape (n,), of a kind in `KINDS`; `offsets` are those of `Sequences`."""
    return softmax(scores, offsets) if kind == "softmax" else sparsemax(scores, offsets)


def softmax(scores: Array, offsets: Offsets) -> Array:
    """exp(s_t) / Σ exp(s), within each segment."""
    grown = np.exp(scores - spread(np.maximum.reduceat(scores, offsets[:-1]), offsets))
    return grown / spread(np.add.reduceat(grown, offsets[:-1]), offsets)


def sparsemax(scores: Array, offsets: Offsets) -> Array:
    """The point of the simplex that is nearest to the scores, within each segment: low scores get exactly 0.

    References
    ----------
    .. [1] Martins, Astudillo, "From Softmax to Sparsemax", ICML 2016.
    """
    order = sorted_within(scores, offsets)
    # About the largest, so that sums stay small.
    ranked = (scores - spread(np.maximum.reduceat(scores, offsets[:-1]), offsets))[order]
    running = np.cumsum(ranked)
    before = np.concatenate([[0.0], running])[offsets[:-1]]
    sums = running - spread(before, offsets)
    count = places_within(offsets) + 1.0
    is_in = 1.0 + count * ranked > sums
    support = np.add.reduceat(is_in.astype(np.int64), offsets[:-1])
    last = offsets[:-1] + support - 1
    threshold = (sums[last] - 1.0) / support
    found = np.empty_like(scores)
    found[order] = np.maximum(ranked - spread(threshold, offsets), 0.0)
    return found


def largest(shares: Array, offsets: Offsets, keep: float) -> NDArray[np.bool_]:
    """Which tokens are among the ⌈keep · n⌉ of largest share in their text; of equal ones the first count."""
    order = sorted_within(shares, offsets)
    lengths = np.diff(offsets)
    # Rounded before it is rounded up, so that a third of 3 tokens is 1 and not 2.
    kept = np.maximum(np.ceil(np.round(lengths * keep, 9)), 1.0)
    found = np.zeros(len(shares), dtype=bool)
    found[order] = places_within(offsets) < spread(kept, offsets)
    return found


def spread(per_segment: NDArray[np.float64], offsets: Offsets) -> Array:
    """The number of each segment, once per entry of it."""
    return np.repeat(per_segment, np.diff(offsets))


def places_within(offsets: Offsets) -> NDArray[np.int64]:
    """0, 1, 2, … within each segment."""
    return np.arange(offsets[-1]) - np.repeat(offsets[:-1], np.diff(offsets))


def sorted_within(values: Array, offsets: Offsets) -> NDArray[np.int64]:
    """Order of entries, segment after segment, the largest of each first; equal ones keep their order."""
    segments = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    order: NDArray[np.int64] = np.lexsort((-values, segments))
    return order
