"""A step that gives token weights by identity, norm, rarity and position, as `moverank.learning` learns them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from moverank.spaces.simplex import largest, places_within, shares, spread
from moverank.spaces.weights import TokenWeights

Vectors = NDArray[np.float32]
Weights = NDArray[np.float64]
Offsets = NDArray[np.int64]

#: What the score of a token is made of, apart from its identity.
FEATURES = ("norm", "rarity", "position")


@dataclass(frozen=True, eq=False)
class LearntWeights:
    """Mass b_t · n · σ(s)_t of token t of n, with scores s_t = ln(identity) + coefficients · features.

    b_t is the mass that the token had before: its weight if it has one, else |x| if `by_norm`, else 1. σ, softmax or
    sparsemax, maps the scores of a text to shares that sum to 1. If all scores are equal, mass stays as it was.

    Parameters
    ----------
    identity : TokenWeights
        A factor per token.
    rarity : TokenWeights
        Inverse document frequencies.
    coefficients : ndarray of float64, shape (3,)
        Of ln |x|, of ln(rarity), and of ln(1 + position).
    kind : {"softmax", "sparsemax"}
        The function σ.
    temperature : float
        Scores are divided by this.
    keep : float
        Share of the tokens of a text that keep their mass, those with most of it. The others get none, and `Space`
        leaves them out.
    by_norm : bool
        Whether a token without a weight has its norm as mass.
    """

    identity: TokenWeights
    rarity: TokenWeights
    coefficients: NDArray[np.float64]
    kind: str
    temperature: float
    keep: float
    by_norm: bool

    @property
    def leaves_out(self) -> bool:
        """Whether tokens may lose all of their mass."""
        return self.kind == "sparsemax" or self.keep < 1.0

    def apply(self, tokens: Sequence[str], vectors: Vectors, weights: Weights | None) -> tuple[Vectors, Weights | None]:
        """Weigh the tokens of one text."""
        return self.apply_to_texts(tokens, vectors, weights, np.array([0, len(vectors)]))

    def apply_to_texts(
        self, tokens: Sequence[str], vectors: Vectors, weights: Weights | None, offsets: Offsets
    ) -> tuple[Vectors, Weights]:
        """Weigh the tokens of several texts, text s of which has the tokens offsets[s]:offsets[s + 1]."""
        features = features_of(tokens, vectors, self.rarity, offsets)
        scores = np.log(self.identity.of(tokens)) + features @ self.coefficients
        return vectors, masses(
            base_mass(vectors, weights, self.by_norm), scores / self.temperature, offsets, self.kind, self.keep
        )

    def __repr__(self) -> str:
        named = [f"{name} {c:+.3g}" for name, c in zip(FEATURES, self.coefficients.tolist(), strict=True) if c]
        parts = [self.kind, f"{len(self.identity)} tokens", *named]
        if self.keep < 1.0:
            parts.append(f"keeps {self.keep:g}")
        return f"LearntWeights({', '.join(parts)})"


def features_of(tokens: Sequence[str], vectors: Vectors, rarity: TokenWeights, offsets: Offsets) -> NDArray[np.float64]:
    """Numbers of each token, shape (n, 3), in the order of `FEATURES`."""
    norms = norms_of(vectors)
    positive = np.where(norms > 0, norms, 1.0)  # a zero vector has no mass whatever its score
    return np.stack([np.log(positive), np.log(rarity.of(tokens)), np.log1p(places_within(offsets))], axis=1)


def base_mass(vectors: Vectors, weights: Weights | None, by_norm: bool) -> Weights:
    """Mass of tokens before anything is learnt."""
    if weights is not None:
        return weights
    return norms_of(vectors) if by_norm else np.ones(len(vectors))


def norms_of(vectors: Vectors) -> NDArray[np.float64]:
    """|x| of each vector in float64, without a copy of all of them."""
    found: NDArray[np.float64] = np.sqrt(np.einsum("td,td->t", vectors, vectors, dtype=np.float64))
    return found


def masses(base: Weights, scores: Weights, offsets: Offsets, kind: str, keep: float) -> Weights:
    """The mass b_t · n · σ(s)_t of each token, without that of those that are not kept."""
    mass = base * shares(kind, scores, offsets) * spread(np.diff(offsets).astype(np.float64), offsets)
    # Sparsemax may leave all mass to a token that had none: such a text keeps what it had.
    lost = np.add.reduceat(mass, offsets[:-1]) <= 0.0
    mass = np.where(spread(lost.astype(np.float64), offsets) > 0, base, mass)
    return mass if keep >= 1.0 else np.where(largest(mass, offsets, keep), mass, 0.0)
