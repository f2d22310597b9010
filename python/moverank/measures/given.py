"""Distances between histograms whose ground costs are given as a table, instead of vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank import _core
from moverank._support.arrays import plain_array
from moverank.errors import DimensionError
from moverank.measures.measure import Measure, emd, naming
from moverank.solvers.sinkhorn import Sinkhorn
from moverank.vectors.histograms import Histograms, as_histogram, as_histograms, labels_of, require_one_order

#: No cost may be below this: bounds are computed in float32, where sums of two must not overflow.
LEAST_COST = -1.5 * 2.0**126

_NO_BINS = np.empty(0, dtype=np.uint32)


@dataclass(frozen=True, eq=False)
class Costs:
    """A checked table of costs; +inf forbids a move. The core reads `by_target`: one row per bin of documents.

    Attributes
    ----------
    by_target : ndarray of float32 or float64, shape (L, K)
        Cost of each bin of documents from each bin of queries.
    sources, targets : tuple of str, optional
        Names of the bins, if a DataFrame gave them.
    """

    by_target: NDArray[Any]
    sources: tuple[str, ...] | None = None
    targets: tuple[str, ...] | None = None

    @classmethod
    def of(cls, value: Any) -> Costs:
        """Check a table of shape (K, L): from each bin of queries to each bin of documents.

        Raises
        ------
        TypeError
            If costs are not real numbers.
        ValueError
            If the table is not two-dimensional, or a cost is NaN or too far below 0; the message names it.
        """
        if isinstance(value, Costs):
            return value
        table = plain_array(value, "costs")
        if table.dtype.kind not in "fiub":
            raise TypeError(f"costs: expected real numbers, got dtype {table.dtype}")
        if table.ndim != 2 or table.size == 0:
            raise ValueError(f"costs: expected a table of shape (K, L), from bins to bins, got shape {table.shape}")
        kept = np.float32 if table.dtype in (np.float32, np.float16) else np.float64
        by_target: NDArray[np.floating[Any]] = np.ascontiguousarray(table.T, dtype=kept)
        bad = ~(by_target >= LEAST_COST)
        if bad.any():
            target, source = np.argwhere(bad)[0].tolist()
            cost = by_target[target, source]
            fault = "is NaN" if np.isnan(cost) else f"is {cost:.3g}, below {LEAST_COST:.3g}, the limit"
            raise ValueError(f"costs: entry ({source}, {target}) {fault}; use np.inf to forbid a move")
        by_target.flags.writeable = False
        return cls(by_target, labels_of(value, "index"), labels_of(value, "columns"))

    @property
    def n_sources(self) -> int:
        """Bins of queries, K."""
        return int(self.by_target.shape[1])

    @property
    def n_targets(self) -> int:
        """Bins of documents, L."""
        return int(self.by_target.shape[0])

    @cached_property
    def least(self) -> float:
        """The least cost."""
        return float(self.by_target.min())

    @cached_property
    def is_symmetric(self) -> bool:
        """Whether both directions cost the same, to the last bit."""
        return self.n_sources == self.n_targets and np.array_equal(self.by_target, self.by_target.T)

    @cached_property
    def stays_free(self) -> bool:
        """Whether mass that stays in its bin costs nothing, and no move costs less."""
        return self.n_sources == self.n_targets and self.least >= 0.0 and not self.by_target.diagonal().any()

    def require_sources(self, histograms: Histograms, name: str) -> None:
        """Refuse histograms over bins other than the rows of the table."""
        _require_bins(histograms, self.n_sources, self.sources, name, f"costs have {self.n_sources} rows")

    def require_targets(self, histograms: Histograms, name: str) -> None:
        """Refuse histograms over bins other than the columns of the table."""
        _require_bins(histograms, self.n_targets, self.targets, name, f"costs have {self.n_targets} columns")

    def between(self, sources: NDArray[Any], targets: NDArray[Any]) -> NDArray[Any]:
        """Costs from some bins to some bins, shape (n, m)."""
        return np.ascontiguousarray(self.by_target[np.ix_(targets, sources)].T)


def _require_bins(histograms: Histograms, count: int, labels: tuple[str, ...] | None, name: str, has: str) -> None:
    if histograms.n_bins != count:
        raise DimensionError(f"{name} has {histograms.n_bins} bins, but {has}; they must agree")
    require_one_order(histograms.labels, labels, name, "costs", same_bins=True)


def chosen_measure(asked: str | Measure | None) -> Measure:
    """The measure where costs are given: `emd` by default; ValueError for one that needs vectors."""
    if asked is None:
        return emd
    chosen = Measure.of(asked)
    if not chosen._cost.is_given:
        raise ValueError(
            f"measure: {chosen.name} computes its costs from vectors, but costs are given; "
            "use 'emd', or a Measure with ground 'given'"
        )
    return chosen


def prepared(histograms: Histograms, table: NDArray[Any], measure: Measure, name: str) -> _core.BagCorpus:
    """Histograms as the core compares them, with the costs of their bins; queries have a table without columns."""
    with naming(name, name):
        bags = _core.PreparedBags.of_costs(
            table, histograms.bins, histograms.offsets, histograms.content, measure._spec, _NO_BINS
        )
    return _core.BagCorpus([bags])


def _both_prepared(
    sources: Histograms, targets: Histograms, table: Costs, measure: Measure, name_of_targets: str
) -> tuple[_core.BagCorpus, _core.BagCorpus]:
    """Histograms of `A`, which play the query and need no costs, and those they are compared with."""
    queries = prepared(sources, np.empty((table.n_sources, 0), dtype=np.float32), measure, "A")
    return queries, prepared(targets, table.by_target, measure, name_of_targets)


def pairwise_given(
    A: Any,
    B: Any,
    costs: Any,
    measure: str | Measure | None,
    progress: Callable[[int, int], object] | None,
    num_threads: int,
) -> NDArray[np.float64]:
    """Distances of every histogram of one batch to every one of another; see `moverank.pairwise`."""
    table, chosen = Costs.of(costs), chosen_measure(measure)
    within = B is None or B is A
    if within and table.n_sources != table.n_targets:
        raise ValueError(
            f"costs: between bins of A they must be square, got {table.n_sources} rows and {table.n_targets} columns"
        )
    rows = as_histograms(A, "A")
    columns = rows if within else as_histograms(B, "B")
    table.require_sources(rows, "A")
    table.require_targets(columns, "A" if within else "B")
    require_one_order(columns.labels, rows.labels, "B", "A")
    queries, documents = _both_prepared(rows, columns, table, chosen, "A" if within else "B")
    mirrored = within and table.is_symmetric and chosen.is_symmetric
    # Mass may stay where it is; with entropy or prices that would not be optimal.
    zero_diagonal = within and table.stays_free and not isinstance(chosen.problem, Sinkhorn)
    return _core.pairwise_bags(queries, documents, mirrored, zero_diagonal, progress, num_threads)


def paired_given(
    A: Any,
    B: Any,
    costs: Any,
    measure: str | Measure | None,
    progress: Callable[[int, int], object] | None,
    num_threads: int,
) -> NDArray[np.float64]:
    """Distances of histograms to those at the same positions; see `moverank.paired_distances`."""
    table, chosen = Costs.of(costs), chosen_measure(measure)
    sources, targets = as_histograms(A, "A"), as_histograms(B, "B")
    table.require_sources(sources, "A")
    table.require_targets(targets, "B")
    require_one_order(targets.labels, sources.labels, "B", "A")
    if len(sources) != len(targets):
        raise ValueError(f"expected as many histograms in A as in B, got {len(sources)} and {len(targets)}")
    queries, documents = _both_prepared(sources, targets, table, chosen, "B")
    return _core.paired_bag_distances(queries, documents, progress, num_threads)


def one_against_many_given(
    query: Any, docs: Any, costs: Any, measure: str | Measure | None, names: tuple[str, str] = ("query", "docs")
) -> tuple[_core.Query, _core.BagCorpus]:
    """One histogram and the others, prepared."""
    table, chosen = Costs.of(costs), chosen_measure(measure)
    asked = as_histogram(query, names[0])
    batch = as_histograms(docs, names[1])
    table.require_sources(asked, names[0])
    table.require_targets(batch, names[1])
    require_one_order(batch.labels, asked.labels, names[1], names[0])
    with naming(names[0], names[1]):
        query_of_bins = _core.Query.of_words(asked.bins, asked.content, table.n_sources, chosen._spec)
    return query_of_bins, prepared(batch, table.by_target, chosen, names[1])


def distance_given(x: Any, y: Any, costs: Any, measure: Measure) -> float:
    """Distance of two histograms."""
    costs = Costs.of(costs)
    target = as_histogram(y, "y")
    asked, corpus = one_against_many_given(x, target, costs, measure, ("x", "y"))
    return float(_core.bag_distances(asked, corpus, 1)[0])
