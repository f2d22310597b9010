"""One document as a bag of words: an element of a batch of bags."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank._support.validate import one_of, read_only
from moverank.vectors.digests import Digests
from moverank.vectors.sequences import Sequence
from moverank.vectors.token_array import TokenArray
from moverank.vectors.weighting import WEIGHTINGS, mass_of, require_weighting


class Bag(TokenArray):
    """One document as a bag of words over a table of vectors: an element of `Bags`, which makes it.

    Wherever a sequence is accepted, it stands for the vectors of its words and their counts:
    counts multiply the mass that the measure's weighting gives. Where an array is expected, it acts as the array of its
    vectors, (m, d), without counts; other uses that would lose counts are a TypeError, as for a weighted `Sequence`.

    Examples
    --------
    >>> import numpy as np
    >>> from moverank import Bags
    >>> bag = Bags(np.eye(3), [[0, 1], [2, 2, 0]])[1]
    >>> bag
    Bag(2 words, dim=3, counted)
    >>> bag.to_sequence("uniform").weights
    array([1., 2.])
    """

    __slots__ = ("_counts", "_digests", "_tokens", "_vectors", "_words")

    def __init__(
        self,
        vectors: NDArray[np.float32],
        words: NDArray[np.uint32],
        counts: NDArray[np.float32] | None,
        digests: Digests | None = None,
    ) -> None:
        self._vectors = vectors  # not a view per bag, so that bags pickled together share it
        self._words = read_only(words)
        self._counts = None if counts is None else read_only(counts)
        self._tokens: NDArray[np.float32] = read_only(vectors[words])
        self._digests = digests  # of the table as given, where float32 rounded it

    @property
    def vectors(self) -> NDArray[np.float32]:
        """The table: the vector of each word of the vocabulary, shape (V, d), read-only."""
        return self._vectors

    @property
    def words(self) -> NDArray[np.uint32]:
        """The different words, as rows of the table, shape (m,), read-only."""
        return self._words

    @property
    def counts(self) -> NDArray[np.float32] | None:
        """How often each word occurs, shape (m,), read-only; None if all occur once."""
        return self._counts

    @property
    def tokens(self) -> NDArray[np.float32]:
        """The vectors of the words, shape (m, d), read-only."""
        return self._tokens

    @property
    def _mass(self) -> NDArray[Any] | None:
        return self._counts

    def _with(self, tokens: NDArray[Any]) -> Any:
        raise TypeError("the counts of a bag belong to its words; use .tokens, without counts, or .to_sequence()")

    def mass(self, weighting: str) -> NDArray[np.float64]:
        """Mass of each word under a weighting, shape (m,), even if all occur once.

        Raises
        ------
        ValueError
            If the weighting is "given", and there are no counts.
        """
        require_weighting(weighting, has_weights=self._counts is not None)
        mass = mass_of(self._tokens, weighting)
        return mass if self._counts is None else mass * self._counts

    def to_sequence(self, weighting: str = "uniform") -> Sequence:
        """Return the vectors of the words with their mass.

        Parameters
        ----------
        weighting : {"uniform", "norm", "given"}, default "uniform"
            How counts become weights: the weighting of the measure to be computed.

        Returns
        -------
        Sequence
            With weights if there are counts.
        """
        one_of(weighting, "weighting", WEIGHTINGS)
        return self._as_sequence(None if self._counts is None else self.mass(weighting))

    def _as_sequence(self, mass: NDArray[np.float64] | None) -> Sequence:
        return Sequence._made(self._tokens, mass, None if self._digests is None else self._digests[self._words])

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        """Vectors of words, by position: an array."""
        found: NDArray[np.float32] = self._tokens[key]
        if found.ndim == 2 and self._counts is not None:
            raise TypeError("a part of a bag would lose its counts; take a part of .to_sequence() or of .tokens")
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        arrays = self._vectors, self._words, self._counts, self._digests
        return type(self), arrays, getattr(self, "__dict__", None)

    def __repr__(self) -> str:
        plural = "" if len(self) == 1 else "s"
        counted = "" if self._counts is None else ", counted"
        return f"Bag({len(self)} word{plural}, dim={self.dim}{counted})"
