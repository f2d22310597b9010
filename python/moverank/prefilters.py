"""Prefilters: what brings candidates for a search that cannot look at everything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank import _core
from moverank._validate import whole_number
from moverank.measures import Measure, prepare
from moverank.search import SPREAD_SEEDS, Prefilter, PrefilteredQuery
from moverank.sequences import Sequences


@dataclass(frozen=True)
class Clusters:
    """Prefilter by several pooled vectors a document: its tokens' clusters, compared by the measure itself.

    Brings better candidates than one pooled vector does, for some hundred nanoseconds a document. Distances to clusters
    bound nothing, so a budgeted search that uses them is certain of none of its hits.

    Parameters
    ----------
    per_document : int, default 4
        Clusters of a document; memory is that many float32 vectors.

    Raises
    ------
    TypeError, ValueError
        If the number is no integer, or below 1.

    Examples
    --------
    >>> import numpy as np
    >>> from moverank import Index
    >>> docs = [np.eye(8)[k:] for k in range(8)]
    >>> index = Index.build(docs, "wrd", prefilter=Clusters(2))
    >>> index.search(np.eye(8)[7:], k=1, candidates=3).ids
    array([7])
    """

    per_document: int = 4

    def __post_init__(self) -> None:
        whole_number(self.per_document, "per_document", least=1)


def make_prefilter(kind: str | Clusters, corpus: _core.Corpus, measure: Measure, num_threads: int) -> Prefilter:
    """Prepare a prefilter over documents."""
    if isinstance(kind, Clusters):
        return ClusteredVectors(corpus, measure, kind.per_document, num_threads)
    if isinstance(kind, str):
        return PooledVectors(corpus, measure, kind)
    raise TypeError(f"prefilter must be a faiss factory string, Clusters or None, got {kind!r}")


class ClusteredVectors:
    """Clusters of each document's tokens, prepared as documents of their own."""

    def __init__(self, corpus: _core.Corpus, measure: Measure, per_document: int, num_threads: int) -> None:
        self.name = f"clusters, {per_document}"
        centroids, mass, counts = corpus.clusters(per_document, num_threads)
        filled = (np.arange(per_document) < counts[:, None]).ravel()
        offsets = np.zeros(len(counts) + 1, dtype=np.int64)
        np.cumsum(counts, out=offsets[1:])
        self._documents = prepare(Sequences.from_flat(centroids[filled], offsets, mass[filled]), measure)
        self._ranks = np.arange(len(counts), dtype=np.int64)

    def query(
        self,
        tokens: NDArray[np.float32],
        mass: NDArray[np.float64] | None,
        positions: NDArray[np.int64] | None,
        num_threads: int,
    ) -> PrefilteredQuery:
        """Candidates for one query among the documents at some positions, or all."""
        return ClusteredQuery(self, tokens, mass, positions, num_threads)


class ClusteredQuery:
    """One query's candidates by clusters."""

    def __init__(
        self,
        prefilter: ClusteredVectors,
        tokens: NDArray[np.float32],
        mass: NDArray[np.float64] | None,
        positions: NDArray[np.int64] | None,
        num_threads: int,
    ) -> None:
        self.name = prefilter.name
        self._prefilter = prefilter
        self._threads = num_threads
        self._query = tokens, mass
        self._positions = prefilter._ranks if positions is None else positions
        self._order: NDArray[np.int64] | None = None

    def nearest(self, count: int) -> tuple[NDArray[np.int64], float]:
        """Positions of so many documents, nearest first, and a lower bound on the distance of all others."""
        if self._order is None:
            self._order = self._positions[np.argsort(self._estimates(), kind="stable")]
        return self._order[:count], np.inf if count >= len(self._order) else -np.inf

    def _estimates(self) -> NDArray[np.float64]:
        """The reused-potential bound of each document's clusters, which is close to their distance."""
        ranks = self._prefilter._ranks
        search = self._prefilter._documents.search(*self._query, 1, np.inf, 0.0, ranks, self._threads)
        step = max(len(self._positions) // SPREAD_SEEDS, 1)
        search.seed(np.ascontiguousarray(self._positions[::step][:SPREAD_SEEDS]), self._threads)
        return search.lower_bounds(self._positions, self._threads)


class PooledVectors:
    """One vector a document, the mass-weighted mean of its tokens, in a faiss index.

    Under balanced measures distances between these bound the measure from below, so that an exhaustive index also says
    how near the documents can be that it left out; they are a weak bound and a fair order on real text.

    Parameters
    ----------
    corpus : Corpus
        Prepared documents.
    measure : Measure
        What is searched by.
    factory : str
        What `faiss.index_factory` is told, and after a semicolon what to set: "HNSW32", "IVF256,Flat;nprobe=16".

    Raises
    ------
    ValueError
        If faiss cannot make such an index of the documents.
    """

    def __init__(self, corpus: _core.Corpus, measure: Measure, factory: str) -> None:
        faiss: Any = import_module("faiss")
        self._corpus = corpus
        self._bounds = measure._spec.has_pooled_bound
        pooled = corpus.pooled()
        self._largest_norm = float(np.sqrt((pooled.astype(np.float64) ** 2).sum(axis=1).max()))
        by_product = not self._bounds and measure.ground in ("cosine", "dot")
        kind, _, settings = factory.partition(";")
        try:
            self._index = faiss.index_factory(
                pooled.shape[1], kind, faiss.METRIC_INNER_PRODUCT if by_product else faiss.METRIC_L2
            )
            self._index.train(pooled)
            self._index.add(pooled)
            if settings:
                faiss.ParameterSpace().set_index_parameters(self._index, settings)
        except RuntimeError as error:
            reason = str(error).splitlines()[-1]
            raise ValueError(f"prefilter: faiss cannot make {factory!r} of {len(pooled)} documents: {reason}") from None
        self.name = f"pooled, {factory}"
        self._exhaustive = kind == "Flat"

    def query(
        self,
        tokens: NDArray[np.float32],
        mass: NDArray[np.float64] | None,
        positions: NDArray[np.int64] | None,
        num_threads: int,
    ) -> PrefilteredQuery:
        """Candidates for one query among the documents at some positions, or all."""
        return PooledQuery(self, tokens, mass, positions)


@contextmanager
def _one_thread(faiss: Any) -> Iterator[None]:
    """Keep faiss on the calling thread: others would spin for work on the cores that the search goes on with."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


class PooledQuery:
    """One query's candidates by pooled vectors."""

    def __init__(
        self,
        prefilter: PooledVectors,
        tokens: NDArray[np.float32],
        mass: NDArray[np.float64] | None,
        positions: NDArray[np.int64] | None,
    ) -> None:
        self._prefilter = prefilter
        self._tokens = tokens
        self._mass = mass
        self._positions = positions
        self._found: tuple[NDArray[np.float32], NDArray[np.int64]] | None = None
        self.name = prefilter.name

    def nearest(self, count: int) -> tuple[NDArray[np.int64], float]:
        """Positions of so many documents, nearest first, and a lower bound on the distance of all others."""
        n = self._prefilter._index.ntotal if self._positions is None else len(self._positions)
        distances, found = self._search(min(count + 1, n))
        known = found[:count]
        if count >= n and len(known) == n:
            return known, np.inf
        if not (self._prefilter._bounds and self._prefilter._exhaustive):
            return known, -np.inf
        bound = self._prefilter._corpus.pooled_bounds(
            self._tokens, self._mass, distances[count : count + 1], self._largest_norm()
        )
        return known, float(bound[0])

    def _search(self, count: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Distances and positions in the index's order; approximate indexes may find fewer."""
        if self._found is None or len(self._found[0]) < count:
            self._found = self._ask(count)
        return self._found

    def _ask(self, count: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        faiss: Any = import_module("faiss")
        if self._positions is not None and not self._prefilter._exhaustive:
            raise ValueError(f"subset: a budget within a subset needs the prefilter 'Flat', this one is {self.name!r}")
        only = None if self._positions is None else faiss.SearchParameters(sel=faiss.IDSelectorBatch(self._positions))
        with _one_thread(faiss):
            distances, found = self._prefilter._index.search(self._pooled()[None], count, params=only)
        valid = found[0] >= 0
        return distances[0][valid], found[0][valid]

    def _pooled(self) -> NDArray[np.float32]:
        return self._prefilter._corpus.pool_query(self._tokens, self._mass)

    def _largest_norm(self) -> float:
        return max(self._prefilter._largest_norm, float(np.linalg.norm(self._pooled().astype(np.float64))))
