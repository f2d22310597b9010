"""Inputs that look like text: token vectors around shared topics, with a common direction and skewed norms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class TokenSource:
    """Draws sequences: 64 topics plus one direction that all tokens share plus noise; lognormal norms."""

    def __init__(self, dim: int, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)
        self._topics = self._rng.normal(size=(64, dim)) / np.sqrt(dim)
        self._common = self._rng.normal(size=dim) / np.sqrt(dim)
        self._dim = dim

    def sequence(self, n: int) -> NDArray[np.float32]:
        """Tokens of one sequence, shape (n, dim)."""
        rng = self._rng
        directions = self._topics[rng.integers(64, size=n)] + 0.5 * self._common
        directions += 0.7 * rng.normal(size=(n, self._dim)) / np.sqrt(self._dim)
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        return (directions * rng.lognormal(0.0, 0.35, size=(n, 1))).astype(np.float32)


def unit_and_mass(x: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Directions of tokens, and masses in proportion to their norms."""
    norms = np.linalg.norm(x, axis=1)
    mass = norms.astype(np.float64)
    return x / norms[:, None], mass / mass.sum()


def word_rotator_problem(
    x: NDArray[np.float32], y: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Cosine costs and normalised norms of two sequences, in float64."""
    (units_x, a), (units_y, b) = unit_and_mass(x), unit_and_mass(y)
    return np.clip(1.0 - units_x.astype(np.float64) @ units_y.astype(np.float64).T, 0, 2), a, b
