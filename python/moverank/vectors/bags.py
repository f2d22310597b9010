"""Documents as bags of words over one table of vectors."""

from __future__ import annotations

import operator
import reprlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moverank._support.arrays import plain_array
from moverank._support.storage import Stored
from moverank._support.validate import offsets_array, one_of, read_only, real_array, tokens_and_source
from moverank.vectors.bag import Bag
from moverank.vectors.digests import Came, Digests, digests_of
from moverank.vectors.flat import selected
from moverank.vectors.rounding import is_rounded, longest, may_lose, tell_if_blurred_table
from moverank.vectors.sequences import Sequences
from moverank.vectors.weighting import WEIGHTINGS, mass_of


def _rows_of_table(words: NDArray[Any], n_vectors: int, offsets: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Words as the core reads them; ValueError names one that is not a row of the table, and its document."""
    bad = (words < 0) | (words >= n_vectors)
    if bad.any():
        t = int(np.argmax(bad))
        s = int(np.searchsorted(offsets, t, side="right")) - 1
        raise ValueError(f"document {s}: word {words[t]} is not a row of vectors, which has {n_vectors}")
    return np.ascontiguousarray(words, dtype=np.uint32)


def _require_counts(
    given: Any, counts: NDArray[np.float32], words: NDArray[np.uint32], offsets: NDArray[np.int64]
) -> None:
    """Refuse numbers that are not counts; the ValueError names document and word."""
    vanished = (counts == 0) & (plain_array(given, "counts") != 0)
    bad = ~np.isfinite(counts) | (counts < 0) | vanished
    if bad.any():
        t = int(np.argmax(bad))
        s = int(np.searchsorted(offsets, t, side="right")) - 1
        fault = "is too small for float32" if vanished[t] else f"is {counts[t]}, expected a number that is not negative"
        raise ValueError(f"counts: entry {t}, word {words[t]} of document {s}, {fault}")


def _without(
    none: NDArray[np.bool_], words: NDArray[np.uint32], counts: NDArray[np.float32], offsets: NDArray[np.int64]
) -> tuple[NDArray[np.uint32], NDArray[np.float32], NDArray[np.int64]]:
    """Documents without the words whose count is 0."""
    ends = np.concatenate([[0], np.cumsum(~none)])[offsets]
    if (np.diff(ends) == 0).any():
        s = int(np.argmin(np.diff(ends)))
        raise ValueError(f"counts: document {s}: all are zero; there is no mass to move")
    return words[~none], counts[~none], ends


def _table_of(vectors: ArrayLike) -> tuple[NDArray[np.float32], Digests | None]:
    """A table in float32, and digests of what that rounds."""
    table, source = tokens_and_source(vectors, "vectors")
    tell_if_blurred_table(source, table)
    return table, digests_of(source) if may_lose(source) and is_rounded(source, table) else None


class Bags:
    """A batch of documents made of words that have one vector each, wherever they stand: 4 or 8 bytes per word.

    Document `s` owns the words ``offsets[s]:offsets[s + 1]`` of `words`, which are rows of `vectors`. An index over
    bags computes the costs of a query to every word once and looks all documents' costs up, which makes exact search
    over millions of documents a matter of milliseconds. A word that occurs twice counts twice, under every weighting.

    Parameters
    ----------
    vectors : array_like, shape (V, d)
        The vector of each word of the vocabulary; converted to float32.
    documents : sequence of sequence of int
        Rows of `vectors`, one list per document; repeated ones are counted.

    Raises
    ------
    TypeError
        If vectors are not real numbers or words are not integers.
    ValueError
        If a document is empty or names a row that does not exist, or a vector is not finite; the message names it.

    Examples
    --------
    >>> import numpy as np
    >>> Bags(np.eye(3), [[0, 1], [2, 2, 0]])
    Bags(2 documents, 4 words, vocabulary of 3, dim=3, counted)
    """

    __slots__ = ("_counts", "_digests", "_offsets", "_vectors", "_words")

    _vectors: NDArray[np.float32]
    _words: NDArray[np.uint32]
    _offsets: NDArray[np.int64]
    _counts: NDArray[np.float32] | None
    #: Digests of the vectors as given, if some component had more digits than float32 holds.
    _digests: Digests | None

    def __init__(self, vectors: ArrayLike, documents: Sequence[Iterable[int]]) -> None:
        table, digests = _table_of(vectors)
        given: Any = documents
        if isinstance(given, (str, bytes)) or not hasattr(given, "__iter__"):
            raise TypeError(f"documents: expected lists of words, got {type(given).__name__}")
        words: list[NDArray[Any]] = []
        counts: list[NDArray[Any]] = []
        for s, document in enumerate(documents):
            rows = plain_array(document, f"document {s}")
            if rows.size == 0:
                raise ValueError(f"document {s}: has no words")
            if rows.ndim != 1 or rows.dtype.kind not in "iu":
                raise TypeError(f"document {s}: expected integers, rows of vectors, got {reprlib.repr(document)}")
            own, times = np.unique(rows, return_counts=True)
            words.append(own)
            counts.append(times)
        if not words:
            raise ValueError("documents: expected at least one, got none")
        offsets = np.zeros(len(words) + 1, dtype=np.int64)
        np.cumsum([len(own) for own in words], out=offsets[1:])
        all_counts = np.concatenate(counts).astype(np.float32)
        rows = _rows_of_table(np.concatenate(words), len(table), offsets)
        self._take(table, rows, offsets, None if (all_counts == 1).all() else all_counts, digests)

    @classmethod
    def from_flat(
        cls, vectors: ArrayLike, words: ArrayLike, offsets: ArrayLike, counts: ArrayLike | None = None
    ) -> Bags:
        """Make a batch over flat arrays, without copying those that have the right dtype and order.

        Parameters
        ----------
        vectors : array_like, shape (V, d)
            The vector of each word of the vocabulary; float32 in C order is used in place.
        words : array_like of int, shape (T,)
            Rows of `vectors`, document after document, each at most once per document; uint32 is used in place.
        offsets : array_like of int, shape (N + 1,)
            Where each document begins; the last entry is T.
        counts : array_like, shape (T,), optional
            How often each word occurs, or what else multiplies its mass, such as TF-IDF: numbers that are not negative,
            kept as float32. 1 by default. Words of count 0 are left out, as `Histograms` leave out empty bins.

        Returns
        -------
        Bags
            A view of the arrays, except the offsets. Changing them afterwards changes the batch; an index that was
            built from it then has undefined answers, or refuses.

        Raises
        ------
        TypeError
            If a dtype cannot be converted.
        ValueError
            If the offsets do not cut the words into non-empty documents, a row does not exist, a number is not finite,
            a count is negative or too small for float32, or all counts of a document are 0; the message names it.

        Examples
        --------
        >>> import numpy as np
        >>> Bags.from_flat(np.eye(3), [0, 1, 2], [0, 2, 3]).lengths.tolist()
        [2, 1]
        """
        table, digests = _table_of(vectors)
        rows = plain_array(words, "words")
        if rows.dtype.kind not in "iu" or rows.ndim != 1:
            raise TypeError(f"words: expected integers of shape (T,), got dtype {rows.dtype}, shape {rows.shape}")
        cuts = offsets_array(offsets, len(rows), "document", "words")
        rows = _rows_of_table(rows, len(table), cuts)
        multiples: NDArray[np.float32] | None = None
        if counts is not None:
            multiples = real_array(counts, "counts", ndim=1, dtype=np.float32)
            if len(multiples) != len(rows):
                raise ValueError(f"counts: expected {len(rows)}, one per word, got {len(multiples)}")
            _require_counts(counts, multiples, rows, cuts)
            none = multiples == 0
            if none.any():
                rows, multiples, cuts = _without(none, rows, multiples, cuts)
        return cls._of(table, rows, cuts, multiples, digests)

    @classmethod
    def _of(
        cls,
        vectors: NDArray[np.float32],
        words: NDArray[np.uint32],
        offsets: NDArray[np.int64],
        counts: NDArray[np.float32] | None,
        digests: Digests | None,
    ) -> Bags:
        """Wrap arrays that are known to be good."""
        batch = cls.__new__(cls)
        batch._take(vectors, words, offsets, counts, digests)
        return batch

    def _take(
        self,
        vectors: NDArray[np.float32],
        words: NDArray[np.uint32],
        offsets: NDArray[np.int64],
        counts: NDArray[np.float32] | None,
        digests: Digests | None,
    ) -> None:
        self._vectors = read_only(vectors)
        self._words = read_only(words)
        self._offsets = read_only(offsets)
        self._counts = None if counts is None else read_only(counts)
        self._digests = None if digests is None else read_only(digests)

    @property
    def _rounded(self) -> bool:
        """Whether some vector was given with more digits than float32 holds."""
        return self._digests is not None

    @property
    def _longest(self) -> float:
        """Largest norm of a vector."""
        return longest(self._vectors)

    @property
    def _table(self) -> Sequences:
        """The vectors as one document."""
        return Sequences._of(Stored.floats(self._vectors), np.array([0, len(self._vectors)]), None, None, self._digests)

    def _moved(self, vectors: NDArray[np.float32], digests: Digests, norms: NDArray[np.float64] | None) -> Bags:
        """The same documents about another origin, with counts times norms if there are any."""
        counts = self._counts
        if norms is not None:
            multiples = (norms / norms.max())[self._words].astype(np.float32)
            counts = multiples if counts is None else counts * multiples
        return self._of(vectors, self._words, self._offsets, counts, digests)

    def _came_of(self, s: int, weighting: str) -> Came:
        """One document as given."""
        bag = self[s]
        return bag._as_sequence(bag.mass(weighting))._batch._came_of(0, weighting)

    @property
    def vectors(self) -> NDArray[np.float32]:
        """The vector of each word of the vocabulary, shape (V, d), read-only."""
        return self._vectors

    @property
    def words(self) -> NDArray[np.uint32]:
        """Rows of `vectors`, shape (T,), read-only."""
        return self._words

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Where each document begins, and T, shape (N + 1,), read-only."""
        return self._offsets

    @property
    def counts(self) -> NDArray[np.float32] | None:
        """How often each word occurs, shape (T,), read-only; None if all occur once."""
        return self._counts

    @property
    def dim(self) -> int:
        """Dimension of the vectors."""
        return int(self._vectors.shape[1])

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of different words of each document, shape (N,)."""
        return np.diff(self._offsets)

    @property
    def nbytes(self) -> int:
        """Bytes that vectors, words, offsets and counts take."""
        arrays = (self._vectors, self._words, self._offsets, self._counts)
        return sum(array.nbytes for array in arrays if array is not None)

    def weights_of(self, s: int, weighting: str) -> NDArray[np.float64] | None:
        """Mass of document `s` under a weighting, shape (m_s,); None where the weighting itself says it.

        Raises
        ------
        ValueError
            If the weighting is "given", and there are no counts.
        """
        one = self[operator.index(s)]
        mass = one.mass(weighting)
        return None if one.counts is None else mass

    def to_sequences(self, weighting: str = "uniform") -> Sequences:
        """Copy of the documents with a vector per word.

        Parameters
        ----------
        weighting : {"uniform", "norm", "given"}, default "uniform"
            How counts become weights: the weighting of the measure to be computed.

        Returns
        -------
        Sequences
            With weights if there are counts.
        """
        one_of(weighting, "weighting", WEIGHTINGS)
        weights: NDArray[np.float64] | None = None
        tokens = self._vectors[self._words]
        if self._counts is not None:
            weights = mass_of(tokens, weighting) * self._counts
        made = Sequences.from_flat(tokens, self._offsets, weights)
        if self._digests is not None:
            made._digests = read_only(self._digests[self._words])
        return made

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @overload
    def __getitem__(self, key: int) -> Bag: ...
    @overload
    def __getitem__(self, key: slice | NDArray[Any] | list[int]) -> Bags: ...
    def __getitem__(self, key: int | slice | NDArray[Any] | list[int]) -> Bag | Bags:
        """One document with its counts, or several, over the same table."""
        if isinstance(key, (int, np.integer)):
            if not -len(self) <= key < len(self):
                raise IndexError(f"document {key} of {len(self)}")
            first, last = self._offsets[key % len(self)], self._offsets[key % len(self) + 1]
            counts = None if self._counts is None else self._counts[first:last]
            return Bag(self._vectors, self._words[first:last], counts, self._digests)
        places, offsets = selected(self._offsets, key, "documents")
        counts = None if self._counts is None else self._counts[places]
        return Bags._of(self._vectors, self._words[places], offsets, counts, self._digests)

    def __iter__(self) -> Iterator[Bag]:
        return (self[s] for s in range(len(self)))

    def __array__(self, dtype: Any = None, copy: Any = None) -> NDArray[Any]:
        raise TypeError("Bags are not an array; .words, .counts and .vectors are")

    def __reduce__(self) -> tuple[Any, ...]:
        arrays = self._vectors, self._words, self._offsets, self._counts, self._digests
        return _unpickle, (type(self), *arrays), getattr(self, "__dict__", None)

    def __repr__(self) -> str:
        plural = "" if len(self) == 1 else "s"
        counted = "" if self._counts is None else ", counted"
        return (
            f"Bags({len(self)} document{plural}, {len(self._words)} words, vocabulary of {len(self._vectors)}, "
            f"dim={self.dim}{counted})"
        )


def _unpickle(
    kind: type[Bags],
    vectors: NDArray[Any],
    words: NDArray[Any],
    offsets: NDArray[np.int64],
    counts: NDArray[Any] | None,
    digests: Digests | None,
) -> Bags:
    made = Bags.from_flat(vectors, words, offsets, counts)
    return kind._of(made._vectors, made._words, made._offsets, made._counts, digests)
