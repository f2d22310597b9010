"""The core's ladder of bounds for one query, with its interfaces: prefilters, and the budget that ends a search."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from moverank import _core

Positions = NDArray[np.int64]


class PrefilteredQuery(Protocol):
    """The candidates that a prefilter proposes for one query, nearest first."""

    name: str

    def nearest(self, count: int) -> tuple[Positions, float]:
        """Positions of the first `count` documents, and a lower bound on the distances of all others."""
        ...


class Prefilter(Protocol):
    """A coarse search, which proposes near documents without reading all of their tokens."""

    @property
    def exhaustive(self) -> bool:
        """Whether it finds the near documents of any subset, as it compares all, or knows how to look for them."""
        ...

    @property
    def gives_seeds(self) -> bool:
        """Whether the first documents that it proposes are near by the measure, so that they are good seeds."""
        ...

    def query(
        self, query: _core.Query, positions: Positions | None, num_threads: int, wanted: int, *, as_seeds: bool
    ) -> PrefilteredQuery:
        """Candidates for one query among the documents at given positions, or all.

        `wanted` is the number of documents that the search is to return, 0 if that is not limited. `as_seeds` is
        whether only some near documents are needed, not as many of the nearest as can be found.
        """
        ...


@dataclass(frozen=True)
class Budget:
    """Limits that end a search before its answer is proved exact."""

    candidates: int | None = None
    deadline: float | None = None
    #: Set from outside to end a search on a thread that Ctrl-C does not reach.
    stop: _core.StopFlag | None = None

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the deadline; None if there is none."""
        return None if self.deadline is None else max(self.deadline - time.perf_counter(), 0.0)


def started(
    corpus: _core.Corpus | _core.BagCorpus,
    query: _core.Query,
    positions: Positions | None,
    budget: Budget,
    candidates: PrefilteredQuery | None,
    *,
    k: int,
    radius: float,
    slack: float,
    n_seeds: int | None,
    seed_by_candidates: bool,
    num_threads: int,
) -> _core.Search:
    """A search of the documents at increasing positions, or all, within the budget, which has not begun."""
    return _core.Search(
        corpus,
        query,
        k=k,
        radius=radius,
        slack=slack,
        positions=positions,
        budget=budget.candidates,
        timeout=budget.seconds_left,
        n_seeds=n_seeds,
        source=candidates,
        source_gives_seeds=seed_by_candidates,
        stop=budget.stop,
        num_threads=num_threads,
    )
