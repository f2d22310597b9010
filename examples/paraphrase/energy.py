"""What chains make small: the distance to a target, and how unlikely the words are in their order."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

import moverank as mr
from paraphrase.language_model import KneserNey

Sentence = tuple[int, ...]


class Energy:
    """Energies of many sentences in one call of moverank.

    ``E(s) = distance(target, s) - fluency * log P(s) / (len(s) + 1)``: the second term is the mean over its words and
    its end, so that sentences of all lengths compete.

    Parameters
    ----------
    target : array_like, shape (n, d)
        Vectors of the words to come near.
    vectors : ndarray of float32, shape (V, d)
        Vector of each word that sentences are made of.
    measure : str or Measure
        How far a sentence is from the target, which plays the query.
    model : KneserNey
        How likely a sentence is.
    fluency : float
        Distance that is worth one nat per word.

    Attributes
    ----------
    evaluations : int
        Sentences measured so far.
    seconds_of_transport, seconds_of_model : float
        How long their distances and their likelihoods took.
    """

    def __init__(
        self,
        target: NDArray[np.floating],
        vectors: NDArray[np.float32],
        measure: str | mr.Measure,
        model: KneserNey,
        fluency: float,
    ) -> None:
        self._target, self._vectors, self._measure = target, vectors, measure
        self._model, self._fluency = model, fluency
        self.evaluations, self.seconds_of_transport, self.seconds_of_model = 0, 0.0, 0.0

    def distances(self, sentences: Sequence[Sentence]) -> NDArray[np.float64]:
        """Distance of each sentence to the target: all of them in one call, on one thread."""
        lengths = [len(sentence) for sentence in sentences]
        words = np.fromiter((word for sentence in sentences for word in sentence), dtype=np.int64, count=sum(lengths))
        batch = mr.Sequences.from_flat(self._vectors[words], np.cumsum([0, *lengths]))
        return mr.distances(self._target, batch, self._measure, num_threads=1)

    def surprise(self, sentence: Sentence) -> float:
        """Nats per word, by the language model."""
        return -self._model.log_likelihood(sentence) / (len(sentence) + 1)

    def __call__(self, sentences: Sequence[Sentence]) -> NDArray[np.float64]:
        """Energy of each sentence."""
        begin = time.perf_counter()
        energies = self.distances(sentences)
        between = time.perf_counter()
        energies += self._fluency * np.array([self.surprise(sentence) for sentence in sentences])
        self.evaluations += len(sentences)
        self.seconds_of_transport += between - begin
        self.seconds_of_model += time.perf_counter() - between
        return energies
