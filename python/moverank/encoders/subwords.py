"""Merging the pieces of words, which transformers work on, into the words that people read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

#: How to represent a word by its pieces: keep each piece, take their mean, or take the first piece.
Subwords = Literal["keep", "mean", "first"]


def require_subwords(subwords: str) -> None:
    """Refuse an unknown way to represent words."""
    if subwords not in get_args(Subwords):
        raise ValueError(f"subwords must be one of {', '.join(map(repr, get_args(Subwords)))}, got {subwords!r}")


def merged(
    vectors: NDArray[np.floating], words: Sequence[int], subwords: Subwords
) -> tuple[NDArray[np.floating], list[int], list[int]]:
    """Merge the vectors of pieces that belong to the same word.

    Parameters
    ----------
    vectors : ndarray, shape (n, d)
        One per piece.
    words : sequence of int, length n
        Number of the word to which each piece belongs; the pieces of a word are adjacent.
    subwords : str
        How to represent a word.

    Returns
    -------
    tuple of ndarray, list of int, list of int
        One vector per word, and the positions of its first and last pieces.
    """
    first = [p for p in range(len(words)) if p == 0 or words[p] != words[p - 1]]
    last = [p - 1 for p in [*first[1:], len(words)]]
    if subwords == "keep" or not first:
        every = list(range(len(words)))
        return vectors, every, every
    if subwords == "first":
        return vectors[first], first, last
    counts = np.diff([*first, len(words)])
    sums = np.add.reduceat(vectors.astype(np.float32, copy=False), first, axis=0)
    return (sums / counts[:, None]).astype(np.float32), first, last
