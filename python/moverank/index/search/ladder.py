"""How one query is searched: the core's ladder of bounds, what finds candidates for it, and when it ends."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from moverank import _core
from moverank.index.search.hits import Rung

Positions = NDArray[np.int64]


class PrefilteredQuery(Protocol):
    """Documents in the order in which a prefilter finds them near one query."""

    name: str

    def nearest(self, count: int) -> tuple[Positions, float]:
        """Positions of so many documents, nearest first, and a lower bound on the distance of all others."""
        ...


class Prefilter(Protocol):
    """What finds documents that may be near, without looking at all of their tokens."""

    @property
    def exhaustive(self) -> bool:
        """Whether it compares every document, so that it can be asked about any of them."""
        ...

    def query(self, query: _core.Query, positions: Positions | None, num_threads: int) -> PrefilteredQuery:
        """Candidates for one query among the documents at some positions, or all."""
        ...


@dataclass(frozen=True)
class Budget:
    """When to stop before the answer is proved."""

    candidates: int | None = None
    deadline: float | None = None
    #: Raised where the search runs on a thread that Ctrl-C does not reach.
    stop: _core.StopFlag | None = None

    @property
    def seconds_left(self) -> float | None:
        """Until the deadline, if there is one."""
        return None if self.deadline is None else max(self.deadline - time.perf_counter(), 0.0)


def descend(
    corpus: _core.Corpus | _core.BagCorpus,
    query: _core.Query,
    positions: Positions,
    budget: Budget,
    candidates: PrefilteredQuery | None,
    *,
    k: int,
    radius: float,
    slack: float,
    seed_by_candidates: bool,
    num_threads: int,
) -> _core.SearchResult:
    """Search documents at rising positions, and as long as the budget allows."""
    return _core.search(
        corpus,
        query,
        k=k,
        radius=radius,
        slack=slack,
        positions=positions,
        budget=budget.candidates,
        timeout=budget.seconds_left,
        source=None if candidates is None else candidates.nearest,
        source_gives_seeds=seed_by_candidates,
        stop=budget.stop,
        num_threads=num_threads,
    )


def named_rungs(rungs: list[_core.Rung], bound: str, candidates: PrefilteredQuery | None) -> tuple[Rung, ...]:
    """What each stage of the core's search saw and dropped, by names for readers; `bound` is that of its main bound."""
    names = {
        "seeds": "seeds, solved",
        "source": "" if candidates is None else candidates.name,
        "one_sided": "one-sided bound",
        "bound": bound,
        "rebound": "the same by near seeds",
        "solver": "exact solver",
    }
    return tuple(Rung(names[rung.stage], rung.seen, rung.dropped, rung.seconds) for rung in rungs)
