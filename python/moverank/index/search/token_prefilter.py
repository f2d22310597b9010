"""The prefilter over tokens: documents found by the cells in which their tokens lie."""

from __future__ import annotations

import numpy as np

from moverank import _core
from moverank.index.parts.cells import Cells
from moverank.index.parts.setup import TokenCells
from moverank.index.search.ladder import Positions, PrefilteredQuery
from moverank.measures.measure import Measure

#: Documents that are ordered by bounds where some near ones are enough.
RANKED_FOR_SEEDS = 256


class TokenPrefilter:
    """Prefilter by the centroids of the cells in which tokens lie."""

    #: Of a subset it compares all documents if they are few, and otherwise those with tokens near the query's.
    exhaustive = True
    gives_seeds = True

    def __init__(self, options: TokenCells, cells: Cells, measure: Measure, live: Positions | None) -> None:
        self.name = f"tokens, {len(cells.codebook)} cells"
        self._options = options
        self._stage = cells.stage(measure)
        self._live = live

    def query(
        self, query: _core.Query, positions: Positions | None, num_threads: int, wanted: int, *, as_seeds: bool
    ) -> PrefilteredQuery:
        """Candidates for one query among the documents at given positions, or all."""
        ranked = min(self._options.ranked, RANKED_FOR_SEEDS) if as_seeds else self._options.ranked
        chosen = self._live if positions is None else positions
        return TokenQuery(self, query, chosen, num_threads, max(ranked, wanted))

    def nearest(
        self, query: _core.Query, count: int, positions: Positions | None, num_threads: int, ranked: int
    ) -> Positions:
        """Positions of the first `count` documents; fewer only if all of at least `ranked` near ones are among them."""
        return self._stage.nearest(
            query,
            count=count,
            n_cells=self._options.probes,
            n_ranked=ranked,
            positions=positions,
            num_threads=num_threads,
        )


class TokenQuery:
    """Candidates for one query, by cells."""

    def __init__(
        self, prefilter: TokenPrefilter, query: _core.Query, positions: Positions | None, num_threads: int, ranked: int
    ) -> None:
        self.name = prefilter.name
        self._prefilter = prefilter
        self._query = query
        self._positions = positions
        self._threads = num_threads
        self._ranked = ranked

    def nearest(self, count: int) -> tuple[Positions, float]:
        """Positions of the first `count` documents, and a lower bound on the distances of all others: none is known."""
        found = self._prefilter.nearest(self._query, count, self._positions, self._threads, self._ranked)
        return found, -np.inf
