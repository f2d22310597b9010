"""Which words to try at a place: likely beside its neighbours, near the target, or any."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paraphrase.language_model import KneserNey

#: Distributions that are kept; each has two numbers per word.
KEPT = 512


@dataclass(frozen=True, eq=False)
class Words:
    """A distribution over words."""

    log_probability: NDArray[np.float64]
    cumulative: NDArray[np.float64]

    @classmethod
    def of(cls, weights: NDArray[np.float64]) -> Words:
        """Normalise weights, which are not negative."""
        probability = weights / weights.sum()
        with np.errstate(divide="ignore"):
            return cls(np.log(probability), np.cumsum(probability))

    def draw(self, count: int, random: np.random.Generator) -> list[int]:
        """Draw independent words."""
        found = np.searchsorted(self.cumulative, random.random(count) * self.cumulative[-1], side="right")
        return [int(word) for word in found]


class WordProposal:
    """A mixture that knows the neighbours of a place, and not the word that is there now.

    Not to know it is what makes weighing by density over proposal probability correct: the way back has the same
    distribution.

    Parameters
    ----------
    model : KneserNey
        Gives a word the weight ``P(word | left) P(right | word)``.
    near : ndarray of float64, shape (V,)
        Distribution that does not depend on neighbours, such as `near_target`; its zeros are words never to use.
    shares : tuple of float
        Of the model, of `near`, and of all allowed words alike.
    """

    def __init__(
        self, model: KneserNey, near: NDArray[np.float64], shares: tuple[float, float, float] = (0.55, 0.35, 0.1)
    ) -> None:
        self._model, self._shares = model, shares
        self._allowed = near > 0
        self._fixed = shares[1] * near / near.sum() + shares[2] * self._allowed / self._allowed.sum()
        self._kept: OrderedDict[tuple[int, int], Words] = OrderedDict()

    def between(self, left: int, right: int) -> Words:
        """Words to try between two neighbours, the start and the end of a sentence among them."""
        found = self._kept.get((left, right))
        if found is None:
            fitting = self._model.after(left) * self._model.before(right) * self._allowed
            found = Words.of(self._shares[0] * fitting / fitting.sum() + self._fixed)
            self._kept[left, right] = found
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return found

    def at(self, sentence: tuple[int, ...], first: int, after: int) -> Words:
        """Words to try in place of ``sentence[first:after]``."""
        left = sentence[first - 1] if first > 0 else self._model.start
        right = sentence[after] if after < len(sentence) else self._model.end
        return self.between(left, right)


def near_target(
    target: NDArray[np.floating], vectors: NDArray[np.float32], allowed: NDArray[np.bool_], width: float = 0.08
) -> NDArray[np.float64]:
    """Weight of each word by its cosine to the most similar word of the target, shape (V,)."""
    lengths = np.linalg.norm(vectors, axis=1) + 1e-30
    cosine = (vectors @ (target / np.linalg.norm(target, axis=1, keepdims=True)).T) / lengths[:, None]
    weights = np.exp((cosine.max(axis=1).astype(np.float64) - 1.0) / width) * allowed
    return weights / weights.sum()
