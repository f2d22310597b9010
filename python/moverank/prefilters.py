"""Prefilters: vector indexes that bring candidates for a search that cannot look at everything."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank import _core
from moverank.measures import Measure


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
        self, tokens: NDArray[np.float32], mass: NDArray[np.float64] | None, positions: NDArray[np.int64] | None
    ) -> PooledQuery:
        """Candidates for one query among the documents at some positions, or all."""
        return PooledQuery(self, tokens, mass, positions)


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

    @property
    def name(self) -> str:
        """Name of the prefilter, as statistics print it."""
        return self._prefilter.name

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
        distances, found = self._prefilter._index.search(self._pooled()[None], count, params=only)
        valid = found[0] >= 0
        return distances[0][valid], found[0][valid]

    def _pooled(self) -> NDArray[np.float32]:
        return self._prefilter._corpus.pool_query(self._tokens, self._mass)

    def _largest_norm(self) -> float:
        return max(self._prefilter._largest_norm, float(np.linalg.norm(self._pooled().astype(np.float64))))
