"""What is asked of an index: a query, checked once, and how much of an answer is wanted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moverank._origin import about
from moverank.bags import Bags
from moverank.measures import Measure, require_same_dim
from moverank.sequences import Sequences, as_query


@dataclass(frozen=True)
class Query:
    """Tokens of a query, about the index's origin, and their mass, or None: what the measure makes.

    `name` is what errors call it, `rounded` whether it or the documents came with more digits than float32 holds.
    """

    tokens: NDArray[np.float32]
    mass: NDArray[np.float64] | None
    name: str
    rounded: bool = False

    @classmethod
    def of(
        cls,
        value: Sequences | Bags | ArrayLike,
        weights: ArrayLike | None,
        measure: Measure,
        dim: int,
        origin: tuple[float, ...] | None,
        name: str = "query",
    ) -> Query:
        """Check a query; copies, as hits solve their alignments later, from the query as it is."""
        if isinstance(value, Bags):
            value = value.to_sequences(measure.weighting)
        asked = as_query(value, weights, name, "weights")
        require_same_dim(asked.dim, dim, name, "the index")
        if origin is not None:
            asked = about(np.array(origin), asked, measure)
        mass = asked.weights
        rounded = asked._rounded or origin is not None
        return cls(asked.tokens.copy(), None if mass is None else mass.copy(), name, rounded)


@dataclass(frozen=True)
class Goal:
    """What is asked for: the k nearest of those within the radius, or such as are by (1 + slack) farther."""

    k: int
    radius: float = np.inf
    slack: float = 0.0
