"""The query of a search, checked once, and the goal: how many documents, and how exact."""

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
    """Tokens of a query, relative to the index's origin, and their mass; None for the mass that the measure sets.

    For given costs, `tokens` are bins. `name` is the name of the query in errors. `rounded` is whether the query or the
    documents were given with more digits than float32 has. `unheld` is whether tokens that were rounded have mass that
    must move: then no document given in float32 is really at distance 0.
    """

    tokens: NDArray[Any]  # float32, or uint32 for bins
    mass: NDArray[np.float64] | None
    name: str
    rounded: bool = False
    unheld: bool = False

    def prepared(self, measure: Measure, n_words: int | None) -> _core.Query:
        """Prepare the query for the core; for given costs, `n_words` is the number of bins of queries."""
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
        """Check a query and copy its arrays: hits compute alignments later, when the user may have changed them."""
        measure, origin = setup.measure, setup.origin
        if setup.kind == "bins":
            return cls._of_histogram(value, weights, setup, name)
        if isinstance(value, Histograms):
            raise TypeError(f"{name}: expected tokens, as the index compares vectors, got Histograms")
        checked = as_query(value, weights, name, "weights", measure.weighting)
        require_same_dim(checked.dim, setup.dim, name, "the index")
        unheld = origin is None and measure._cost.translation_invariant and _is_unheld(checked, measure)
        if origin is not None:
            checked = about(np.array(origin), checked, measure)
        mass = checked.weights
        rounded = checked._rounded or origin is not None
        return cls(checked.tokens.copy(), None if mass is None else mass.copy(), name, rounded, unheld)

    @classmethod
    def _of_histogram(cls, value: object, weights: ArrayLike | None, setup: Setup, name: str) -> Query:
        if weights is not None:
            raise ValueError(f"weights: expected none, as the mass is in the histogram {name}")
        histogram = as_histogram(value, name)
        if histogram.n_bins != setup.dim:
            raise DimensionError(f"{name}: expected {setup.dim} bins, as in the index's costs, got {histogram.n_bins}")
        require_one_order(histogram.labels, setup.sources, name, "the costs of the index", same_bins=True)
        require_one_order(histogram.labels, setup.targets, name, "the documents of the index")
        return cls(histogram.bins.copy(), histogram.content.copy(), name)


def query_batch(values: Batch | Histograms | ArrayLike, setup: Setup) -> Any:
    """Check a batch of queries; slices of the result are queries for `Query.of`."""
    if setup.kind == "bins":
        return as_histograms(values, "queries")
    return as_sequences(cast("Sequences", values), "queries", setup.measure.weighting)


def _is_unheld(query: Sequences, measure: Measure) -> bool:
    """Whether tokens that were rounded have mass that must move."""
    if query._digests is None:
        return False
    held = query._digests == digests_of(query.tokens)
    mass = Sequence._of(query).mass(measure.weighting)
    return bool(mass[held].sum() < measure.fraction * (1 - MASS_ERROR) * mass.sum())


@dataclass(frozen=True)
class Goal:
    """The requested answer: the k nearest documents within a radius.

    With slack, the k-th distance may be up to (1 + slack) times the true one.
    """

    k: int
    radius: float = np.inf
    slack: float = 0.0
