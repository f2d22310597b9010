"""One search: the checks of its arguments, and the search of one snapshot (state of an index) for a query."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moverank import _core
from moverank._support.threads import count_of, each
from moverank._support.validate import positive_number, real_array, real_number, whole_number
from moverank.index.found import FoundDocuments, documents_sound
from moverank.index.parts.filters import Condition, filter_of
from moverank.index.parts.ids import Ids, Positions
from moverank.index.search.hits import Certificate, Hits, Rung, SearchStats
from moverank.index.search.ladder import Budget, PrefilteredQuery, started
from moverank.index.search.query import Goal, Query, query_batch
from moverank.index.search.seeds import Seeds
from moverank.index.snapshot import Snapshot
from moverank.measures.precision import TINY, tell_if_below, tell_vanished, zero
from moverank.vectors.histograms import Histograms
from moverank.vectors.rounding import longest
from moverank.vectors.sequences import Batch, One

#: Names in certificates for all documents, for those of a subset, and for given candidates; and what a condition adds.
EVERYTHING, SUBSET, GIVEN = "documents", "documents of the subset", "given candidates"
CHOSEN = " that satisfy the condition"


@dataclass(frozen=True)
class Request:
    """A search without its query. Made by `nearest`, `among` or `within`.

    Attributes
    ----------
    snapshot : Snapshot
        The state of the index to search; later changes do not affect the search.
    goal : Goal
        How many documents, and how exact.
    candidates, timeout
        The budget, as in `Index.search`.
    positions : ndarray of int64 or None
        Increasing positions of the documents to search; None for all.
    name : str
        Name of these documents in the certificate, which states what is proved about the answer.
    began : float
        Start of the search, by `time.perf_counter`.
    tells_lost : bool
        Whether to warn about digits that distances lost.
    """

    snapshot: Snapshot
    goal: Goal
    candidates: int | None
    timeout: float | None
    positions: Positions | None
    name: str
    began: float
    tells_lost: bool = True

    @classmethod
    def nearest(
        cls,
        snapshot: Snapshot,
        k: int,
        *,
        slack: float,
        candidates: int | None,
        timeout: float | None,
        subset: Ids | None = None,
        where: Condition | None = None,
        strict: bool = True,
    ) -> Request:
        """Request the k nearest documents, as `Index.search` does; errors name the argument.

        Unless `strict`, a field of `where` may be one that no payload has: it is null then.
        """
        began = time.perf_counter()
        goal = _goal(snapshot, k, slack)
        if candidates is not None and whole_number(candidates, "candidates", least=1) < goal.k:
            raise ValueError(f"candidates must be at least k = {goal.k}, got {candidates}")
        seconds = _seconds(timeout)
        positions = _chosen(snapshot, subset, where, None if seconds is None else began + seconds, strict)
        return cls(snapshot, goal, candidates, seconds, positions, _name(subset, where), began)

    @classmethod
    def among(cls, snapshot: Snapshot, ids: Ids, k: int, *, slack: float, timeout: float | None) -> Request:
        """Request the k nearest of given documents, as `Index.rerank` does; errors name the argument."""
        began = time.perf_counter()
        goal, seconds = _goal(snapshot, k, slack), _seconds(timeout)
        return cls(snapshot, goal, None, seconds, snapshot.positions_of(ids), GIVEN, began)

    @classmethod
    def within(
        cls,
        snapshot: Snapshot,
        radius: float,
        *,
        timeout: float | None,
        subset: Ids | None,
        where: Condition | None,
        strict: bool = True,
    ) -> Request:
        """Request all documents within a radius, as `Index.range_search` does; errors name the argument."""
        began = time.perf_counter()
        limit = real_number(radius, "radius")
        if np.isnan(limit):
            raise ValueError("radius must be a number, got nan")
        seconds = _seconds(timeout)
        positions = _chosen(snapshot, subset, where, None if seconds is None else began + seconds, strict)
        return cls(snapshot, Goal(len(snapshot), limit), None, seconds, positions, _name(subset, where), began)

    def answer(
        self,
        query: One | Histograms,
        weights: ArrayLike | None,
        num_threads: int,
        cutoff: float | None = None,
        potentials: ArrayLike | None = None,
    ) -> Hits:
        """Search for one query; `cutoff` and `potentials` as in `Index.search`."""
        checked = Query.of(query, weights, self.snapshot.setup, "query")
        return self.answer_checked(checked, num_threads, cutoff, potentials)

    def answer_checked(
        self, query: Query, num_threads: int, cutoff: float | None = None, potentials: ArrayLike | None = None
    ) -> Hits:
        """Search for one query that has been checked."""
        return _Search(self, query, self._budget(self.began), num_threads).finish(cutoff, potentials)

    def seeds(self, query: One | Histograms, weights: ArrayLike | None, num_threads: int, count: int | None) -> Seeds:
        """Solve only the first documents, a default number of them or `count`; the result continues the search."""
        checked = Query.of(query, weights, self.snapshot.setup, "query")
        return _Search(self, checked, self._budget(self.began), num_threads, count).begin()

    def answers(
        self,
        queries: Batch | Histograms | ArrayLike,
        num_threads: int,
        progress: Callable[[int, int], object] | None,
    ) -> list[Hits]:
        """Search for many queries, each on one thread and with its own budget."""
        setup = self.snapshot.setup
        batch = query_batch(queries, setup)
        stop = _core.StopFlag()

        def one(q: int) -> Hits:
            budget = self._budget(time.perf_counter(), stop)
            checked = Query.of(batch[q : q + 1], None, setup, f"queries: sequence {q}")
            return _Search(self, checked, budget, 1).finish(None, None)

        return each(one, len(batch), count_of(num_threads), progress, abandon=stop.set)

    def _budget(self, began: float, stop: _core.StopFlag | None = None) -> Budget:
        return Budget(self.candidates, None if self.timeout is None else began + self.timeout, stop)


def _goal(snapshot: Snapshot, k: int, slack: float) -> Goal:
    """Check k and slack. A slack above 0 is a relative error, so it requires distances that cannot be negative."""
    count = whole_number(k, "k", least=1)
    relative = real_number(slack, "slack")
    if not 0.0 <= relative < np.inf:
        raise ValueError(f"slack must be finite and at least 0, got {relative}")
    if relative > 0.0 and snapshot.has_negative_costs:
        raise ValueError(
            f"slack must be 0, as costs may be negative in this index (ground {snapshot.setup.measure.ground!r}), and "
            f"so may distances: a relative error has no meaning; got {relative}"
        )
    return Goal(count, slack=relative)


def _seconds(timeout: float | None) -> float | None:
    return None if timeout is None else positive_number(timeout, "timeout")


def _chosen(
    snapshot: Snapshot, subset: Ids | None, where: Condition | None, deadline: float | None, strict: bool
) -> Positions | None:
    return snapshot.chosen(subset, None if where is None else filter_of(where, deadline), strict=strict)


def _name(subset: Ids | None, where: Condition | None) -> str:
    return (EVERYTHING if subset is None else SUBSET) + ("" if where is None else CHOSEN)


def _cutoff(cutoff: float | None) -> float:
    if cutoff is None:
        return np.inf
    limit = real_number(cutoff, "cutoff")
    if np.isnan(limit):
        raise ValueError("cutoff must be a number, got nan")
    return limit


def _potentials(potentials: ArrayLike | None) -> NDArray[np.float64] | None:
    if potentials is None:
        return None
    prices = real_array(potentials, "potentials", ndim=1, dtype=np.float64)
    if not np.isfinite(prices).all():
        raise ValueError("potentials: expected finite numbers")
    return prices if len(prices) else None


class _Search:
    """The search of the documents of a request for one query; `n_seeds` is how many are solved first."""

    def __init__(
        self, request: Request, query: Query, budget: Budget, num_threads: int, n_seeds: int | None = None
    ) -> None:
        self._started = time.perf_counter()
        self._snapshot = request.snapshot
        self._goal = request.goal
        self._subset = request.positions
        self._name = request.name
        self._tells_lost = request.tells_lost
        self._query = query
        self._budget = budget
        self._threads = num_threads
        self._n_seeds = n_seeds
        self._count = len(self._snapshot) if self._subset is None else len(self._subset)
        self._k = min(self._goal.k, self._count)
        #: Made by `begin`, or else by `finish`.
        self._core: _core.Search | None = None

    def begin(self) -> Seeds:
        """Solve the seeds."""
        if self._count == 0:
            return Seeds(self._snapshot.ids_at(np.empty(0, dtype=np.int64)), np.empty(0), np.empty(0), 0, self)
        self._core = self._in_core()
        with documents_sound():
            positions, distances, potentials, count = self._core.begin()
        ids = self._snapshot.ids_at(positions)
        order = np.lexsort((ids, distances))
        return Seeds(ids[order], distances[order], potentials, count, self)

    def finish(self, cutoff: float | None, potentials: ArrayLike | None) -> Hits:
        """Find the answer, and certify it."""
        snapshot, goal, measure = self._snapshot, self._goal, self._snapshot.setup.measure
        limit, prices = _cutoff(cutoff), _potentials(potentials)
        positions, distances = np.empty(0, dtype=np.int64), np.empty(0)
        proved = _core.certify(distances, bound=np.inf, unsolved=0, k=0, radius=goal.radius)
        rungs: tuple[Rung, ...] = ()
        timed_out = False
        if self._count:
            result = self._result(limit, prices)
            positions, distances = result.positions, result.distances
            proved, timed_out = result.certificate, result.timed_out
            rungs = tuple(Rung(rung.name, rung.seen, rung.dropped, rung.seconds) for rung in result.rungs)
        if self._tells_lost and len(positions) and measure._cost.translation_invariant:
            self._tell_if_lost(positions, distances)
        ids = snapshot.ids_at(positions)
        # The core returns all documents that tie at the k-th distance; those with the lowest ids are kept.
        order = np.lexsort((ids, distances))[: self._k]
        positions, ids, distances = positions[order], ids[order], distances[order]
        # Within a cutoff that is too near for k documents, it is what documents are compared with.
        has_fewer = np.isinf(goal.radius) and len(positions) < self._k
        nearest = min(goal.radius, limit) if not np.isinf(goal.radius) or has_fewer else np.inf
        stats = SearchStats(
            documents=self._count,
            rungs=rungs,
            exact_solves=self._count - proved.unsolved,
            seconds=time.perf_counter() - self._started,
            timed_out=timed_out,
        )
        radius = None if np.isposinf(nearest) else nearest
        return Hits(
            ids=ids,
            distances=distances,
            measure=measure,
            certificate=Certificate.of(proved, distances, self._count, self._name, radius=radius),
            stats=stats,
            _documents=FoundDocuments(snapshot, self._query, positions.tolist()),
        )

    def _result(self, cutoff: float, potentials: NDArray[np.float64] | None) -> _core.SearchResult:
        search = self._in_core() if self._core is None else self._core
        wanted = search.n_potentials
        if potentials is not None and len(potentials) != wanted:
            expected = f"{wanted}, one per distinct token of the query" if wanted else "none under this measure"
            raise ValueError(f"potentials: expected {expected}, got {len(potentials)}")
        with documents_sound():
            return search.finish(cutoff, potentials)

    def _in_core(self) -> _core.Search:
        setup = self._snapshot.setup
        prepared = self._query.prepared(setup.measure, setup.dim if setup.kind == "bins" else None)
        candidates = self._candidates(prepared, self._k if np.isinf(self._goal.radius) else 0)
        prefilter = None if candidates is None else self._snapshot.prefilter
        with documents_sound():
            return started(
                self._snapshot.corpus,
                prepared,
                self._snapshot.searched if self._subset is None else self._subset,
                self._budget,
                candidates,
                k=self._k,
                radius=self._goal.radius,
                slack=self._goal.slack,
                n_seeds=self._n_seeds,
                seed_by_candidates=prefilter is not None and prefilter.gives_seeds,
                num_threads=self._threads,
            )

    def _candidates(self, query: _core.Query, wanted: int) -> PrefilteredQuery | None:
        """Documents proposed by the prefilter (approximate vectors of documents): for a budget, or as seeds.

        With a budget, the search is limited to them, or begins with them until time is over. Without one, a search of
        the whole collection solves them first (as seeds), so that its bound on the k-th distance is small early.
        """
        snapshot, budget, subset = self._snapshot, self._budget, self._subset
        if not snapshot.kind.needs_prefilter:
            return None
        prefilter = snapshot.prefilter
        if budget.candidates is not None:
            if prefilter is None:
                raise ValueError("candidates: need a prefilter, but this index was built without one")
            return prefilter.query(query, subset, self._threads, wanted, as_seeds=False)
        if prefilter is None or (subset is not None and not prefilter.exhaustive):
            return None
        if (prefilter.gives_seeds and subset is None) or budget.deadline is not None:
            return prefilter.query(query, subset, self._threads, wanted, as_seeds=budget.deadline is None)
        return None

    def _tell_if_lost(self, found: Positions, distances: NDArray[np.float64]) -> None:
        """Warn if distances are near the rounding error of float32, or are 0 because a difference was rounded away."""
        snapshot, query = self._snapshot, self._query
        measure, reach = snapshot.setup.measure, longest(query.tokens)
        if not query.rounded and reach >= TINY:
            return
        longest_of_all = max(part.longest for part in snapshot.parts)
        if tell_if_below(distances, measure, reach + longest_of_all) or not query.unheld:
            return
        parts = {snapshot.place(position)[0] for position in found[distances <= zero(measure, 2 * reach)].tolist()}
        # Documents that were rounded too may have been equal to the query before rounding, so only the others tell.
        if any(snapshot.parts[p].numbers.get("rounded") == 0.0 for p in parts):
            tell_vanished()
