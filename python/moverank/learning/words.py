"""Which tokens of texts are equal: training compares each of them once per text, and moves each of them once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from moverank.vectors.digests import digests_of

#: Tokens that are compared with the table at a time.
CHUNK = 1 << 16


@dataclass(frozen=True, eq=False)
class Words:
    """Tokens with equal vectors as one word, once in each text that has them.

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
        _, first, word = np.unique(digests_of(vectors), return_index=True, return_inverse=True)
        table = vectors[first]
        if not _are_equal(vectors, table, word):  # two vectors with one digest: then no token is merged with another
            table, word = vectors, np.arange(len(vectors))
        text = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
        found, place = np.unique(text * len(table) + word, return_inverse=True)
        of_text, rows = np.divmod(found, len(table))
        return cls(table, rows, np.searchsorted(of_text, np.arange(len(offsets))), place)

    @property
    def are_shared(self) -> bool:
        """Whether texts have words in common, as those of word vectors have, so that a table of them saves work."""
        return 2 * len(self.table) <= len(self.rows)


def _are_equal(vectors: NDArray[np.float32], table: NDArray[np.float32], word: NDArray[np.int64]) -> bool:
    runs = (slice(begin, begin + CHUNK) for begin in range(0, len(vectors), CHUNK))
    return all(bool((vectors[run] == table[word[run]]).all()) for run in runs)
