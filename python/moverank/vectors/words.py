"""Which tokens of texts are equal: each then need be moved once, and compared once per text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from moverank.vectors.digests import digests_of

#: Rows that are compared at a time.
CHUNK = 1 << 16


@dataclass(frozen=True, eq=False)
class Words:
    """Tokens with equal vectors as one word, once in each text that has them; if few are equal, each token by itself.

    Attributes
    ----------
    table : ndarray of float32, shape (V, d)
        The vector of each word.
    rows : ndarray of int64, shape (E,)
        The words of each text, as rows of the table, text after text.
    offsets : ndarray of int64, shape (N + 1,)
        Where the words of each text begin.
    place : ndarray of int64, shape (T,)
        Where the word of each token stands among `rows`.
    """

    table: NDArray[np.float32]
    rows: NDArray[np.int64]
    offsets: NDArray[np.int64]
    place: NDArray[np.int64]

    @classmethod
    def of(cls, vectors: NDArray[np.float32], offsets: NDArray[np.int64]) -> Words:
        """Group the tokens of texts, shapes (T, d) and (N + 1,)."""
        first, word = distinct_rows(vectors)
        if len(first) == len(vectors):
            # Of tokens that hardly repeat, as contextual ones, there is no second copy.
            return cls(vectors, first, offsets, word)
        table = vectors[first]
        text = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
        found, place = np.unique(text * len(table) + word, return_inverse=True)
        of_text, rows = np.divmod(found, len(table))
        return cls(table, rows, np.searchsorted(of_text, np.arange(len(offsets))), place)

    @property
    def are_shared(self) -> bool:
        """Whether texts have words in common, as those of word vectors have, so that a table of them saves work."""
        return 2 * len(self.table) <= len(self.rows)


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
