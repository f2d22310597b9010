"""Which tokens of texts are equal: training compares each of them once per text, and moves each of them once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from moverank.vectors.distinct import distinct_rows


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
        # Of tokens that hardly repeat, as contextual ones, there is no second copy.
        table = vectors if len(first) == len(vectors) else vectors[first]
        text = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
        found, place = np.unique(text * len(table) + word, return_inverse=True)
        of_text, rows = np.divmod(found, len(table))
        return cls(table, rows, np.searchsorted(of_text, np.arange(len(offsets))), place)

    @property
    def are_shared(self) -> bool:
        """Whether texts have words in common, as those of word vectors have, so that a table of them saves work."""
        return 2 * len(self.table) <= len(self.rows)
