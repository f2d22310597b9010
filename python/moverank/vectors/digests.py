"""Tokens as given, hashed to eight bytes each: whether two tokens that are equal in float32 were different.

They serve nothing else, and only where a distance is 0 and some number was rounded.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from moverank.vectors.rounding import runs, widened

Digests = NDArray[np.uint64]


class Came(NamedTuple):
    """One sequence as given: digests of its tokens, their mass, and the largest norm about the origin."""

    digests: Digests
    mass: NDArray[np.float64]
    longest: float


def digests_of(tokens: NDArray[Any]) -> Digests:
    """A number per token, equal for equal tokens whatever their type; shape (n,)."""
    found = np.empty(len(tokens), dtype=np.uint64)
    for rows in runs(tokens):
        wide = widened(tokens[rows])
        high = wide.astype(np.float64)
        found[rows] = _folded(high, 0)
        if wide.dtype != np.float64:  # large integers, as long doubles
            low = (wide - high).astype(np.float64)
            found[rows] += _folded(low, tokens.shape[1])
    return found


def _folded(tokens: NDArray[np.float64], first: int) -> Digests:
    """Sum of mixed bits times odd numbers, one per component. 0 gives 0, and -0 as well."""
    bits = (tokens + 0.0).view(np.uint64)
    bits = bits ^ (bits >> np.uint64(32))  # otherwise the low half of a float32 number would be 0
    sums: Digests = (bits * _multipliers(first, tokens.shape[1])).sum(axis=1, dtype=np.uint64)
    return sums


def _multipliers(first: int, count: int) -> Digests:
    """Pseudo-random odd numbers: splitmix64 (Steele, Lea, Flood, OOPSLA 2014)."""
    with np.errstate(over="ignore"):
        mixed = np.arange(first + 1, first + count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (mixed ^ (mixed >> np.uint64(31))) | np.uint64(1)
