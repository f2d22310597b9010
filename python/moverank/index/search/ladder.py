"""How one query is searched: which documents are solved first, which bounds are asked, and when it ends.

Seeds are solved, and the mean of their dual potentials for the query's tokens bounds every other document. What the
bounds leave is solved in rising order of them, until the next exceeds the k-th distance (Seidl, Kriegel, "Optimal
multi-step k-nearest neighbor search", SIGMOD 1998). A budget ends it earlier; then the least bound of what is left says
what the answer is worth.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from moverank import _core
from moverank.index.search.hits import Rung
from moverank.index.search.query import Query

#: Documents likely to be near that are solved before anything is bounded: the mean of so many row potentials is as good
#: as that of more.
NEAR_SEEDS = 20

#: Documents spread over the collection that are solved first where nothing says which are near.
SPREAD_SEEDS = 64

#: Bags whose better bound is asked for each that a budget lets through.
BOUNDS_A_CANDIDATE = 8

#: Documents, a thread, that are bounded and then solved before the next are, where a search may run out of time.
DOCUMENTS_A_STEP = 64

Positions = NDArray[np.int64]
Bounds = NDArray[np.float64]


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

    def query(self, query: Query, positions: Positions | None, num_threads: int) -> PrefilteredQuery:
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
    def unlimited(self) -> bool:
        """Whether the answer will be exact."""
        return self.candidates is None and self.deadline is None

    @property
    def seconds_left(self) -> float | None:
        """Until the deadline, if there is one."""
        return None if self.deadline is None else max(self.deadline - time.perf_counter(), 0.0)


class Ladder:
    """One search on its way down."""

    def __init__(self, search: _core.TopKSearch, positions: Positions, k: int, budget: Budget, threads: int) -> None:
        self._search = search
        self._positions = positions
        self._n_documents = int(positions[-1]) + 1  # or more
        self._n_seeds = min(max(NEAR_SEEDS, k), len(positions))
        self._budget = budget
        self._threads = threads
        self._seen: list[tuple[str, int, float]] = []
        self._bound_name = "two-sided bound"
        #: Lower bound on the distance of documents that were left out before anything was said about each.
        self.left_out = np.inf

    # ---- collections of token vectors ------------------------------------------------------------------------------

    def over_tokens(self, candidates: PrefilteredQuery | None, *, seed_by_candidates: bool, bounds_from: str) -> None:
        """Bounds cost a cost matrix each, so a prefilter says what to look at, or at least where to begin."""
        self._bound_name = f"bound from {bounds_from}"
        if self._budget.unlimited:
            hint = candidates.nearest(self._n_seeds)[0] if candidates is not None and seed_by_candidates else None
            self._bound_and_examine(self._positions, hint)
            return
        nearest = self._positions
        n_seeds = self._n_seeds
        if candidates is not None:
            limit = min(self._budget.candidates or len(self._positions), len(self._positions))
            started = time.perf_counter()
            nearest, self.left_out = candidates.nearest(limit)
            if self._budget.candidates is None and len(nearest) < len(self._positions):
                # An approximate prefilter finds some documents only; with enough time the others follow.
                others = np.setdiff1d(self._positions, nearest, assume_unique=True)
                nearest, self.left_out = np.concatenate([nearest, others]), np.inf
            n_seeds = min(self._n_seeds, len(nearest))
            self._seen.append((candidates.name, len(self._positions) - n_seeds, time.perf_counter() - started))
        if self._budget.deadline is None:
            self._bound_and_examine(nearest, nearest[:n_seeds] if seed_by_candidates else None)
            return
        # Time may be over before all have bounds, so the first are solved before the next are bounded.
        self._search.seed(nearest[:n_seeds], self._threads)
        done = n_seeds
        step = DOCUMENTS_A_STEP * max(self._threads, 1)
        while done < len(nearest) and not self._search.timed_out:
            chunk = nearest[done : done + step]
            self._examine(chunk, self._search.lower_bounds(chunk, self._threads))
            done += len(chunk)
        if done < len(nearest):
            # The order is not that of the bounds: what was not looked at may be anywhere above the prefilter's bound.
            self.left_out = min(self.left_out, -np.inf if candidates is None else candidates.nearest(done)[1])
        self._seen.append((self._bound_name, done - n_seeds, 0.0))

    def _bound_and_examine(self, positions: Positions, seeds: Positions | None) -> None:
        if seeds is not None:
            self._search.seed(seeds, self._threads)
            bounds = self._search.lower_bounds(positions, self._threads)
        else:
            # Minima alone give the order, once; what the seeds' potentials say is asked when a document's turn comes.
            bounds = self._search.lower_bounds(positions, self._threads)
            seeds = positions[_lowest(bounds, min(self._n_seeds, len(positions)))]
            self._search.seed(seeds, self._threads)
        is_seed = np.zeros(self._n_documents, dtype=bool)
        is_seed[seeds] = True
        left = np.flatnonzero(~is_seed[positions])
        self._seen.append((self._bound_name, len(left), 0.0))
        self._examine(positions[left], bounds[left])

    # ---- bags of words ---------------------------------------------------------------------------------------------

    def over_bags(self, *, one_sided_first: bool) -> None:
        """Bounds cost nanoseconds a word, so every document gets one."""
        n = len(self._positions)
        spread = np.unique(np.linspace(0, n - 1, min(SPREAD_SEEDS, max(n // 16, 1))).astype(np.int64))
        self._search.seed(self._positions[spread], self._threads)
        rest = np.delete(self._positions, spread)
        one_sided = one_sided_first and self._search.has_one_sided_bounds
        cheap = self._search.one_sided_bounds if one_sided else self._search.lower_bounds
        bounds = cheap(rest, self._threads)
        limit = min(self._budget.candidates or len(rest), len(rest))
        near = _lowest(bounds, min(self._n_seeds, limit))
        self._seen.append(("one-sided bound" if one_sided else self._bound_name, len(rest) - len(near), 0.0))
        if len(near):
            self._search.seed(rest[near], self._threads)
        bounds[near] = np.inf
        left = np.flatnonzero(bounds <= self._search.cutoff)
        limit -= len(near)
        if limit < len(left):
            # By the cheap bound first; the better one then says which of these are looked at.
            left = left[_lowest(bounds[left], BOUNDS_A_CANDIDATE * limit)]
        rest, bounds = rest[left], self._leave_all_but(bounds, left)
        self._seen.append((self._bound_name if one_sided else "the same by near seeds", len(rest), 0.0))
        bounds = np.maximum(bounds, self._search.lower_bounds(rest, self._threads))
        if limit < len(rest):
            kept = _lowest(bounds, limit)
            rest, bounds = rest[kept], self._leave_all_but(bounds, kept)
        self._examine(rest, bounds)

    # ---- both ------------------------------------------------------------------------------------------------------

    def _examine(self, positions: Positions, bounds: Bounds) -> None:
        # Most are out already: sorting these would take longer than solving the others.
        within = np.flatnonzero(bounds <= self._search.cutoff)
        positions, bounds = positions[within], self._leave_all_but(bounds, within)
        order = np.argsort(bounds, kind="stable")
        self._search.examine(positions[order], bounds[order], self._threads)

    def _leave_all_but(self, bounds: Bounds, kept: NDArray[np.intp]) -> Bounds:
        """Bounds of the documents kept; of the others the least is remembered."""
        others = np.ones(len(bounds), dtype=bool)
        others[kept] = False
        self.left_out = min(self.left_out, float(bounds.min(where=others, initial=np.inf)))
        return bounds[kept]

    def bound(self) -> float:
        """No document without a distance is nearer than this."""
        return min(self._search.floor, self.left_out)

    @property
    def timed_out(self) -> bool:
        """Whether time was over before the search was."""
        return self._search.timed_out

    @property
    def exact_solves(self) -> int:
        """Documents solved to the end."""
        return int(self._search.counts["exact_solves"])

    def rungs(self) -> tuple[Rung, ...]:
        """What each rung saw and dropped."""
        counts = self._search.counts
        seconds = {
            "one-sided bound": counts["scan_seconds"],
            self._bound_name: counts["bound_seconds"],
        }
        n_seeds = int(counts["seeds"])
        solved = self.exact_solves - n_seeds
        came_to_solver = solved + int(counts["pruned_by_solver"])
        levels = [*self._seen, ("exact solver", came_to_solver, counts["solve_seconds"])]
        left = [*(seen for _, seen, _ in levels[1:]), solved]
        rungs = [Rung("seeds, solved", n_seeds, 0, counts["seed_seconds"])]
        for (name, seen, spent), after in zip(levels, left, strict=True):
            rungs.append(Rung(name, seen, seen - after, seconds.get(name, spent)))
        return tuple(rungs)


def _lowest(bounds: Bounds, count: int) -> NDArray[np.intp]:
    """Places of so many lowest bounds; ties by place."""
    if count >= len(bounds):
        return np.arange(len(bounds))
    if count == 0:
        return np.empty(0, dtype=np.intp)
    # Exactly as many as asked, whatever ties at the edge: the last place of argpartition is not defined among equals.
    edge = np.partition(bounds, count - 1)[count - 1]
    below = np.flatnonzero(bounds < edge)
    at = np.flatnonzero(bounds == edge)
    chosen = np.concatenate([below, at[: count - len(below)]])
    return chosen[np.argsort(bounds[chosen], kind="stable")]
