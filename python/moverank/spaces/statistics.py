"""Statistics of a corpus, collected in one pass. Memory grows only with the number of distinct tokens."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from moverank.encoders.encoded import EncodedTexts


@dataclass
class Moments:
    """Mean and covariance of vectors, summed in float64."""

    count: float
    total: NDArray[np.float64]
    squares: NDArray[np.float64]

    @classmethod
    def none(cls, dim: int) -> Moments:
        """Moments of no vectors."""
        return cls(0.0, np.zeros(dim), np.zeros((dim, dim)))

    @classmethod
    def of(cls, vectors: NDArray[np.floating]) -> Moments:
        """Moments of vectors of shape (n, d)."""
        moments = cls.none(vectors.shape[1])
        moments.add(vectors)
        return moments

    def add(self, vectors: NDArray[np.floating]) -> None:
        """Add vectors of shape (n, d)."""
        wide = vectors.astype(np.float64)
        self.count += len(wide)
        self.total += wide.sum(axis=0)
        self.squares += wide.T @ wide

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean vector."""
        return self.total / self.count

    @property
    def second(self) -> NDArray[np.float64]:
        """Mean of x xᵀ."""
        return self.squares / self.count

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Covariance matrix."""
        return self.second - np.outer(self.mean, self.mean)

    def mapped(self, shift: NDArray[np.float64], matrix: NDArray[np.float64]) -> Moments:
        """Moments of (x − shift) matrix, computed from the moments of x alone."""
        total = (self.total - self.count * shift) @ matrix
        cross = np.outer(shift, self.total)
        centred = self.squares - cross - cross.T + self.count * np.outer(shift, shift)
        return Moments(self.count, total, matrix.T @ centred @ matrix)


class Statistics:
    """Counts of tokens, moments of their vectors, and a sample of texts.

    Parameters
    ----------
    dim : int
        Dimension of the vectors.
    sample_size : int
        Number of texts in the sample.
    rng : numpy.random.Generator
        Draws the sample.

    Attributes
    ----------
    texts : int
        Number of texts.
    tokens : int
        Number of tokens, repeats included.
    counts : Counter of str
        Number of occurrences of each token.
    texts_with : Counter of str
        Number of texts that contain each token.
    moments : Moments
        Mean and covariance of the vectors of all tokens.
    sample : list of (tokens, vectors)
        A uniform random sample of the texts, for steps that need whole texts, and for steps after one whose effect on
        the moments cannot be computed.
    """

    # Not a dataclass: `dataclasses.asdict` would count the pairs of a Counter.
    def __init__(self, dim: int, sample_size: int, rng: np.random.Generator) -> None:
        self.texts = 0
        self.tokens = 0
        self.counts: Counter[str] = Counter()
        self.texts_with: Counter[str] = Counter()
        self.moments = Moments.none(dim)
        self.sample: list[tuple[list[str], NDArray[np.float32]]] = []
        self._sample_size = sample_size
        self._rng = rng

    def add(self, encoded: EncodedTexts) -> None:
        """Add a batch of texts."""
        sequences = encoded.sequences
        for s, tokens in enumerate(encoded.tokens):
            self.texts += 1
            self.tokens += len(tokens)
            self.counts.update(tokens)
            self.texts_with.update(set(tokens))
            # Algorithm R (reservoir sampling): every text so far has the same probability of being in the sample.
            place = self.texts - 1 if self.texts <= self._sample_size else int(self._rng.integers(self.texts))
            if place < self._sample_size:
                drawn = (tokens, np.array(sequences[s]))
                if place == len(self.sample):
                    self.sample.append(drawn)
                else:
                    self.sample[place] = drawn
        self.moments.add(sequences.astype("float32").tokens)

    def __repr__(self) -> str:
        return f"Statistics({self.texts} texts, {self.tokens} tokens, {len(self.counts)} distinct)"
