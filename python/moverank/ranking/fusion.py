"""Fusion of first-stage scores with similarities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moverank._support.validate import as_list, real_array, real_number, whole_number


@dataclass(frozen=True)
class Fusion:
    """Weighted sum of two standardised scores: (1 − w) · first stage + w · similarity.

    Scores of a query's candidates are scaled to mean 0 and standard deviation 1, so that units do not matter.

    Parameters
    ----------
    weight : float
        w, from 0 (only the first stage) to 1 (only the similarity).

    Examples
    --------
    >>> Fusion(0.5)([3.0, 2.0, 1.0], [0.1, 0.4, 0.1]).round(2).tolist()
    [0.26, 0.71, -0.97]
    """

    weight: float

    def __post_init__(self) -> None:
        if not 0.0 <= real_number(self.weight, "weight") <= 1.0:
            raise ValueError(f"weight must be from 0 to 1, got {self.weight!r}")

    def __call__(self, first: ArrayLike, similarities: ArrayLike) -> NDArray[np.float64]:
        """Scores of one query's candidates, shape (n,)."""
        return self._sum(*_both(first, similarities))

    def _sum(self, first: NDArray[np.float64], similarities: NDArray[np.float64]) -> NDArray[np.float64]:
        return (1.0 - self.weight) * first + self.weight * similarities

    @classmethod
    def fit(
        cls,
        first: Sequence[ArrayLike],
        similarities: Sequence[ArrayLike],
        relevance: Sequence[ArrayLike],
        *,
        k: int = 10,
        steps: int = 20,
    ) -> Fusion:
        """Choose the weight with the best mean nDCG on some queries: use training queries, never test queries.

        Parameters
        ----------
        first, similarities : sequence of array_like, one per query, each of shape (n,)
            Scores of the candidates; −inf for those without a similarity.
        relevance : sequence of array_like, one per query, each of shape (n,)
            Relevance of each candidate; 0 means not relevant.
        k : int, default 10
            Cut-off of nDCG.
        steps : int, default 20
            The weight is found to 1 / steps; the smallest of equally good ones is chosen.

        Returns
        -------
        Fusion
        """
        given = {"first": first, "similarities": similarities, "relevance": relevance}
        listed = {name: as_list(arrays, name, "arrays, one per query") for name, arrays in given.items()}
        counts = {name: len(arrays) for name, arrays in listed.items()}
        if len(set(counts.values())) > 1 or not counts["first"]:
            found = ", ".join(f"{count} in {name}" for name, count in counts.items())
            raise ValueError(f"expected the same number of queries in each, and at least one, got {found}")
        whole_number(k, "k", least=1)
        weights = np.linspace(0.0, 1.0, whole_number(steps, "steps", least=1) + 1)
        queries = []
        for q, (own, ours, grades) in enumerate(zip(*listed.values(), strict=True)):
            both = _both(own, ours, f"[{q}]")
            queries.append((both, _gains(grades, f"relevance[{q}]", len(both[0]))))
        means = [np.mean([_ndcg(cls(w)._sum(*both), gains, k) for both, gains in queries]) for w in weights.tolist()]
        return cls(float(weights[int(np.argmax(np.round(means, 12)))]))


@dataclass(frozen=True)
class ReciprocalRanks:
    """Weighted sum of reciprocal ranks in both orders: (1 − w) / (k + rank) of the first, w / (k + rank) of the other.

    Only the order of scores matters, not by how much they differ; equal scores share the mean of their ranks. On the
    collections that we measured, standardised scores (`Fusion`) rank better.

    Parameters
    ----------
    weight : float, default 0.5
        w, from 0 (only the first stage) to 1 (only the similarity).
    k : int, default 60
        The larger it is, the less the first ranks stand out.

    References
    ----------
    .. [1] Cormack, Clarke, Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning
       Methods", SIGIR 2009.

    Examples
    --------
    >>> ReciprocalRanks(k=1)([3.0, 2.0, 1.0], [0.1, 0.4, 0.2]).round(3).tolist()
    [0.375, 0.417, 0.292]
    """

    weight: float = 0.5
    k: int = 60

    def __post_init__(self) -> None:
        if not 0.0 <= real_number(self.weight, "weight") <= 1.0:
            raise ValueError(f"weight must be from 0 to 1, got {self.weight!r}")
        whole_number(self.k, "k", least=1)

    def __call__(self, first: ArrayLike, similarities: ArrayLike) -> NDArray[np.float64]:
        """Scores of one query's candidates, shape (n,)."""
        one, two = _both(first, similarities)
        return (1.0 - self.weight) / (self.k + _ranks(one)) + self.weight / (self.k + _ranks(two))


#: What can be given where scores are to be fused.
Fusing = Fusion | ReciprocalRanks


def fusion_of(given: Fusing | float) -> Fusing:
    """A fusion as it is, or one with a given weight; errors name the argument `fusion`."""
    if isinstance(given, Fusing):
        return given
    try:
        return Fusion(given)
    except (TypeError, ValueError) as error:
        raise type(error)(f"fusion: {error}") from None


def _ranks(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1 on, the largest score first; equal ones share their mean."""
    _, groups, counts = np.unique(-scores, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    means: NDArray[np.float64] = ends - (counts - 1) / 2.0
    return means[groups]


def _both(first: ArrayLike, similarities: ArrayLike, of: str = "") -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both scores of one query's candidates, standardised."""
    one, two = _standardised(first, f"first{of}"), _standardised(similarities, f"similarities{of}")
    if len(one) != len(two):
        raise ValueError(f"similarities{of}: expected {len(one)}, as in first, got {len(two)}")
    return one, two


def _gains(grades: ArrayLike, name: str, count: int) -> NDArray[np.float64]:
    gains: NDArray[np.float64] = real_array(grades, name, ndim=1, dtype=np.float64)
    if len(gains) != count:
        raise ValueError(f"{name}: expected {count}, one per candidate, got {len(gains)}")
    if not np.isfinite(gains).all():
        raise ValueError(f"{name}: candidate {int(np.argmin(np.isfinite(gains)))} is not finite")
    return _at_unit_scale(gains)


def _standardised(scores: ArrayLike, name: str) -> NDArray[np.float64]:
    """Mean 0 and deviation 1; a missing score, −inf, becomes the lowest score."""
    array = real_array(scores, name, ndim=1, dtype=np.float64).copy()
    missing = np.isneginf(array)
    found = array[~missing]
    if not np.isfinite(found).all():
        raise ValueError(f"{name}: candidate {int(np.flatnonzero(~(np.isfinite(array) | missing))[0])} is not finite")
    if len(found):
        array[missing] = found.min()
    else:
        array[:] = 0.0
    array = _at_unit_scale(array)
    spread = array.std()
    centred: NDArray[np.float64] = array - array.mean()
    return centred / spread if spread > 0 else centred


def _at_unit_scale(array: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divided by a power of 2 so that all are below 1: squares and sums neither overflow nor underflow."""
    exponent = int(np.frexp(np.abs(array).max(initial=0.0))[1])
    scaled: NDArray[np.float64] = np.ldexp(array, -exponent)
    return scaled


def _ndcg(scores: NDArray[np.float64], gains: NDArray[np.float64], k: int) -> float:
    """Normalised discounted cumulative gain of the first k, by linear gains."""
    discounts = 1.0 / np.log2(np.arange(2, min(k, len(scores)) + 2))
    order = np.argsort(-scores, kind="stable")
    best = float(np.sort(gains)[::-1][: len(discounts)] @ discounts)
    return float(gains[order][: len(discounts)] @ discounts) / best if best > 0 else 0.0
