"""Static word vectors: one vector a word, whatever its context."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from moverank._validate import tokens_array, whole_number
from moverank.bags import Bags
from moverank.encoders.encoded import EncodedTexts
from moverank.encoders.tokenize import pieces, words_of
from moverank.encoders.vector_files import read_table, save_table
from moverank.sequences import Sequences


class WordVectors:
    """Look words up in a table of vectors.

    A text is lower-cased and cut into words of letters and digits with inner hyphens and apostrophes. A word that has
    no vector is split at these; parts that have none are dropped. Repeated words stay repeated, so that they weigh
    more.

    Parameters
    ----------
    words : sequence of str
        The vocabulary, lower case, without repeats.
    vectors : array_like, shape (len(words), d)
        Their vectors; converted to float32.

    Raises
    ------
    TypeError, ValueError
        If the vectors are not finite real numbers, one row a word, or a word is given twice.

    Examples
    --------
    >>> encoder = WordVectors(["cat", "sat"], [[1.0, 0.0], [0.0, 1.0]])
    >>> encoder.encode(["The cat sat."]).tokens
    [['cat', 'sat']]
    """

    def __init__(self, words: Sequence[str], vectors: NDArray[np.floating] | Sequence[Sequence[float]]) -> None:
        self._vectors = tokens_array(vectors, "vectors")
        if len(words) != len(self._vectors):
            raise ValueError(f"vectors: expected {len(words)} rows, one a word, got {len(self._vectors)}")
        self._row_of = {word: row for row, word in enumerate(words)}
        if len(self._row_of) < len(words):
            raise ValueError("words: a word is given more than once")

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, limit: int | None = None) -> WordVectors:
        """Load a table of word vectors, in any of the formats in which they are found.

        Parameters
        ----------
        path : path
            GloVe's text, word2vec's text (a first line with two counts) or binary, fastText's .vec; an .npz archive
            with `words` and `vectors`; or a folder that `save` wrote, which is mapped, not read. What a file is, is
            seen from its beginning.
        limit : int, optional
            Load so many words only, the first: files list the most frequent ones first.

        Returns
        -------
        WordVectors
            Of words that are listed twice, the first counts.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If it is none of these, or damaged; the message names file and line.
        """
        if limit is not None:
            whole_number(limit, "limit", least=1)
        words, vectors = read_table(path, limit)
        if len(set(words)) < len(words):
            first = {word: row for row, word in reversed(list(enumerate(words)))}
            kept = np.sort(np.fromiter(first.values(), dtype=np.int64, count=len(first)))
            words, vectors = [words[row] for row in kept.tolist()], vectors[kept]
        return cls(words, vectors)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the table into a folder that `load` maps: it opens in the time of its words, and processes share it."""
        save_table(folder, list(self._row_of), self._vectors)

    @classmethod
    def default(cls) -> WordVectors:
        """Load the English vectors that come with the package: 128 dimensions, distilled from MiniLM."""
        return _bundled()

    @property
    def dim(self) -> int:
        """Dimension of the vectors."""
        return int(self._vectors.shape[1])

    def __len__(self) -> int:
        return len(self._row_of)

    def __contains__(self, word: str) -> bool:
        return word in self._row_of

    def __repr__(self) -> str:
        return f"WordVectors({len(self)} words, dim={self.dim})"

    def encode(self, texts: Sequence[str], *, skip_empty: bool = False) -> EncodedTexts:
        """Turn texts into sequences of word vectors.

        Parameters
        ----------
        texts : sequence of str
            The texts.
        skip_empty : bool, default False
            Leave out texts of which no word has a vector; they are missing from `EncodedTexts.kept`.

        Returns
        -------
        EncodedTexts

        Raises
        ------
        TypeError
            If `texts` is one string, or holds something else than strings.
        ValueError
            If a text has no word with a vector (unless skipped), or no text is left; the message names it.
        """
        tokens, kept, dropped = self._words_of(texts, skip_empty=skip_empty)
        rows = [self._row_of[word] for words in tokens for word in words]
        offsets = np.zeros(len(tokens) + 1, dtype=np.int64)
        np.cumsum([len(words) for words in tokens], out=offsets[1:])
        return EncodedTexts(Sequences.from_flat(self._vectors[rows], offsets), tokens, kept, dropped)

    def bags(self, texts: Sequence[str]) -> Bags:
        """Turn texts into bags over this table: what an index of many texts is best made of.

        Parameters
        ----------
        texts : sequence of str
            The texts.

        Returns
        -------
        Bags
            One bag a text, words counted.

        Raises
        ------
        TypeError
            If `texts` is one string, or holds something else than strings.
        ValueError
            If a text has no word with a vector; the message names it.

        Examples
        --------
        >>> encoder = WordVectors(["cat", "sat"], [[1.0, 0.0], [0.0, 1.0]])
        >>> encoder.bags(["The cat sat.", "Cat, cat!"])
        Bags(2 documents, 3 words, vocabulary of 2, dim=2, counted)
        """
        tokens, _, _ = self._words_of(texts, skip_empty=False)
        return Bags(self._vectors, [[self._row_of[word] for word in words] for words in tokens])

    def _words_of(self, texts: Sequence[str], *, skip_empty: bool) -> tuple[list[list[str]], list[int], list[int]]:
        """Known words of the texts that have any, which texts these are, and how many words of each have no vector."""
        if isinstance(texts, str):
            raise TypeError("texts: expected a list of texts, got one string")
        tokens: list[list[str]] = []
        kept: list[int] = []
        dropped: list[int] = []
        for t, text in enumerate(texts):
            if not isinstance(text, str):
                raise TypeError(f"texts: text {t} is no string but {type(text).__name__}")
            known, unknown = self._known(text)
            if known:
                tokens.append(known)
                kept.append(t)
                dropped.append(unknown)
            elif not skip_empty:
                raise ValueError(f"texts: text {t} has no word with a vector: {_shorten(text)!r}")
        if not tokens:
            raise ValueError("texts: no text has a word with a vector")
        return tokens, kept, dropped

    def _known(self, text: str) -> tuple[list[str], int]:
        """Words of the text that have a vector, and how many do not."""
        known: list[str] = []
        unknown = 0
        for word in words_of(text):
            parts = [word] if word in self._row_of else pieces(word)
            found = [part for part in parts if part in self._row_of]
            known.extend(found)
            unknown += not found
        return known, unknown


@cache
def _bundled() -> WordVectors:
    packed = files("moverank.data").joinpath("word-vectors.npz").read_bytes()
    with np.load(io.BytesIO(packed), allow_pickle=False) as table:
        words = bytes(table["words"]).decode().split("\n")
        vectors = table["codes"].astype(np.float32) * table["scale"][:, None]
    return WordVectors(words, vectors)


def _shorten(text: str, length: int = 60) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
