"""What is asked of an index: a query, checked once, and how much of an answer is wanted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moverank import _core
from moverank.errors import DimensionError
from moverank.index.parts.setup import Setup
from moverank.measures.measure import Measure, naming, require_same_dim
from moverank.measures.origin import about
from moverank.measures.precision import MASS_ERROR
from moverank.vectors.digests import digests_of
from moverank.vectors.histograms import Histograms, as_histogram, as_histograms, require_one_order
from moverank.vectors.sequences import Batch, One, Sequence, Sequences, as_query, as_sequences


@dataclass(frozen=True)
class Query:
    """Tokens of a query, about the index's origin, and their mass, or None: what the measure makes.

    Where costs are given, bins stand in place of tokens. `name` is what errors call it, `rounded` whether it or the
    documents came with more digits than float32 holds, and `unheld` whether mass that has to move lies on tokens of it
    that float32 does not hold: no document that came in float32 is then at distance 0.
    """

    tokens: NDArray[Any]  # float32, or uint32 where they are bins
    mass: NDArray[np.float64] | None
    name: str
    rounded: bool = False
    unheld: bool = False

    def prepared(self, measure: Measure, n_words: int | None) -> _core.Query:
        """As the core compares it, once for all that is asked; where costs are given they are about `n_words`."""
        with naming(self.name, "docs"):
            if n_words is None:
                return _core.Query(self.tokens, self.mass, measure._spec)
            return _core.Query.of_words(self.tokens, self.mass, n_words, measure._spec)

    @classmethod
    def of(
        cls,
        value: One | Histograms,
        weights: ArrayLike | None,
        setup: Setup,
        name: str,
    ) -> Query:
        """Check a query; copies, as hits solve their alignments later, from the query as it is."""
        measure, origin = setup.measure, setup.origin
        if setup.kind == "bins":
            return cls._of_histogram(value, weights, setup, name)
        if isinstance(value, Histograms):
            raise TypeError(f"{name}: expected tokens, as the index compares vectors, got Histograms")
        asked = as_query(value, weights, name, "weights", measure.weighting)
        require_same_dim(asked.dim, setup.dim, name, "the index")
        unheld = origin is None and measure._cost.translation_invariant and _is_unheld(asked, measure)
        if origin is not None:
            asked = about(np.array(origin), asked, measure)
        mass = asked.weights
        rounded = asked._rounded or origin is not None
        return cls(asked.tokens.copy(), None if mass is None else mass.copy(), name, rounded, unheld)

    @classmethod
    def _of_histogram(cls, value: object, weights: ArrayLike | None, setup: Setup, name: str) -> Query:
        if weights is not None:
            raise ValueError(f"weights: a histogram has its mass in it; {name} is all that is asked for")
        histogram = as_histogram(value, name)
        if histogram.n_bins != setup.dim:
            raise DimensionError(f"{name} has {histogram.n_bins} bins, the index has costs from {setup.dim}")
        require_one_order(histogram.labels, setup.sources, name, "the costs of the index", same_bins=True)
        require_one_order(histogram.labels, setup.targets, name, "the documents of the index")
        return cls(histogram.bins.copy(), histogram.content.copy(), name)


def query_batch(values: Batch | Histograms | ArrayLike, setup: Setup) -> Any:
    """Check queries together; slices of what comes back are queries for `Query.of`."""
    if setup.kind == "bins":
        return as_histograms(values, "queries")
    return as_sequences(cast("Sequences", values), "queries", setup.measure.weighting)


def _is_unheld(asked: Sequences, measure: Measure) -> bool:
    """Whether some token that has to move was rounded."""
    if asked._digests is None:
        return False
    held = asked._digests == digests_of(asked.tokens)
    mass = Sequence._of(asked).mass(measure.weighting)
    return bool(mass[held].sum() < measure.fraction * (1 - MASS_ERROR) * mass.sum())


@dataclass(frozen=True)
class Goal:
    """What is asked for: the k nearest within the radius, or others that are at most (1 + slack) times as far."""

    k: int
    radius: float = np.inf
    slack: float = 0.0
