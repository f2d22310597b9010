"""How tokens without weights of their own get their mass, as the core's table of weightings says."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from moverank import _core
from moverank._support.validate import one_of

#: Facts about each weighting, by name.
WEIGHTINGS = {weighting.name: weighting for weighting in _core.weightings()}


def require_weighting(weighting: str, *, has_weights: bool) -> None:
    """Refuse an unknown weighting, and "given" where no weights are given."""
    if WEIGHTINGS[one_of(weighting, "weighting", WEIGHTINGS)].needs_weights and not has_weights:
        raise ValueError(f"weighting {weighting!r} needs weights")


def mass_of(vectors: NDArray[np.floating], weighting: str) -> NDArray[np.float64]:
    """Mass that a weighting gives each token by itself, shape (n,), before masses are divided by their total.

    The same for all tokens, unless it follows from their norms.
    """
    chosen = WEIGHTINGS[weighting]
    if not chosen.needs_vectors:
        return np.ones(len(vectors))
    return chosen.mass(np.linalg.norm(vectors.astype(np.float64), axis=1))
