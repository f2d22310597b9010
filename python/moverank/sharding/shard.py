"""One index among several that are searched as one: what a process that holds it does when it is asked."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from moverank._support.threads import Lock
from moverank.errors import IndexLockedError, ShardFailedError
from moverank.index.answer import Request
from moverank.index.found import FoundDocuments, KeptDocuments
from moverank.index.index import Index, PathLike
from moverank.index.parts.filters import Condition
from moverank.index.parts.ids import listed_ids
from moverank.index.search.hits import Hits, SearchStats
from moverank.index.search.query import Query
from moverank.index.search.seeds import Seeds
from moverank.index.snapshot import Snapshot
from moverank.measures.measure import Measure
from moverank.sharding.fingerprint import Fingerprint
from moverank.vectors.histograms import Histograms
from moverank.vectors.sequences import Sequences

#: Searches that have begun and wait for their second wave. One that was dropped is begun anew.
SEARCHES_KEPT = 64

#: Seconds to wait for another process that changes the index.
SECONDS_TO_WRITE = 10.0

#: Latest states that are kept, so that hits stay what they were when they were found.
STATES_KEPT = 8

T = TypeVar("T")


@dataclass(frozen=True)
class ShardInfo:
    """What a coordinator has to know of a shard."""

    fingerprint: Fingerprint
    measure: Measure
    has_costs: bool
    has_string_ids: bool
    has_negative_costs: bool
    dim: int
    n_documents: int
    num_threads: int
    state: str


@dataclass(frozen=True, eq=False)
class ShardQuery:
    """A search of all shards; `name` tells it from others.

    `count` is the number of seeds of each shard. `strict` is whether a field of `where` that no payload of the shard
    has is an error; otherwise it is null. `state` is the state to search, if the shard still has it; else the latest.
    """

    name: str
    query: Sequences | Histograms
    k: int
    count: int
    where: Condition | None
    candidates: int | None
    slack: float
    strict: bool = True
    state: str = ""


@dataclass(frozen=True)
class FromState:
    """What a shard says, and the state of its index that it was read from."""

    value: Any
    state: str


@dataclass(frozen=True, eq=False)
class ShardSeeds:
    """`Seeds` of one shard, and the state of its index that they are from: a cutoff of another is none for this one."""

    ids: NDArray[Any]
    distances: NDArray[np.float64]
    potentials: NDArray[np.float64]
    count: int
    state: str

    @classmethod
    def of(cls, seeds: Seeds, state: str) -> ShardSeeds:
        """Take what is needed from seeds."""
        return cls(seeds.ids, seeds.distances, seeds.potentials, seeds.count, state)


@dataclass(frozen=True, eq=False)
class ShardAnswer:
    """Answer of one shard, without what belongs to documents: these are fetched for the hits that are left after all.

    `bound` and `unsolved` are those of `Certificate`; `state` is the state of the index that was read.
    """

    ids: NDArray[Any]
    distances: NDArray[np.float64]
    bound: float
    unsolved: int
    stats: SearchStats
    state: str

    @classmethod
    def of(cls, hits: Hits, state: str) -> ShardAnswer:
        """Take what is needed from hits."""
        proved = hits.certificate
        return cls(hits.ids, hits.distances, proved.bound, proved.unsolved, hits.stats, state)


class LatestStates(Generic[T]):
    """The latest states that were searched, by name. Thread-safe.

    They are kept for a while: for searches that began before a later state was loaded, and for those that look at hits
    found in them. So a load of the latest state disturbs no search.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[str, T] = OrderedDict()
        self._lock = Lock()

    def at(self, name: str, latest_name: str, latest: T) -> T:
        """The state of a name, or the latest one, which is kept from now on, if that is no longer there."""
        with self._lock:
            self._kept[latest_name] = latest
            while len(self._kept) > STATES_KEPT:
                self._kept.popitem(last=False)
            return self._kept.get(name, latest)

    def get(self, name: str) -> T | None:
        """The state of a name; None if it is no longer kept."""
        with self._lock:
            return self._kept.get(name)


class Shard:
    """An index as one of several. Thread-safe; arguments and results are small, and can be pickled.

    Parameters
    ----------
    index : Index or path
        The index, or its folder, which is opened at the first call.
    num_threads : int, optional
        Threads per call; by default those of the index.
    """

    def __init__(self, index: Index | PathLike, num_threads: int | None = None) -> None:
        self._given = index if isinstance(index, Index) else Path(index)
        self._opened = index if isinstance(index, Index) else None
        self._threads = num_threads
        self._begun: OrderedDict[str, tuple[Seeds, str]] = OrderedDict()
        self._states: LatestStates[Snapshot] = LatestStates()
        self._lock = Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return Shard, (self._given, self._threads)

    @property
    def _index(self) -> Index:
        with self._lock:
            if self._opened is None:
                assert isinstance(self._given, Path), "an index that was given is open"
                self._opened = Index.open(self._given, num_threads=self._threads)
            return self._opened

    def describe(self) -> ShardInfo:
        """Say what is in the index."""
        snapshot = self._index._snapshot
        setup = snapshot.setup
        return ShardInfo(
            Fingerprint.of(snapshot),
            setup.measure,
            setup.kind == "bins",
            setup.ids == "str",
            snapshot.has_negative_costs,
            setup.dim,
            len(snapshot),
            self._num_threads,
            snapshot.name,
        )

    def seed(self, asked: ShardQuery, subset: Sequence[Any] | None, timeout: float | None) -> ShardSeeds:
        """Solve the seeds of a search, and keep its state for `search`."""
        request = self._request(asked, subset, timeout)
        seeds = request.seeds(asked.query, None, self._num_threads, asked.count)
        with self._lock:
            self._begun[asked.name] = seeds, request.snapshot.name
            while len(self._begun) > SEARCHES_KEPT:
                self._begun.popitem(last=False)
        return ShardSeeds.of(seeds, request.snapshot.name)

    def search(
        self,
        asked: ShardQuery,
        subset: Sequence[Any] | None,
        timeout: float | None,
        cutoff: float | None,
        potentials: NDArray[np.float64] | None,
    ) -> ShardAnswer:
        """Continue the search, or, if this shard has not begun it, search with what others have found."""
        with self._lock:
            begun = self._begun.pop(asked.name, None)
        if begun is not None:
            seeds, state = begun
            return ShardAnswer.of(seeds.search(cutoff=cutoff, potentials=potentials), state)
        request = self._request(asked, subset, timeout)
        hits = request.answer(asked.query, None, self._num_threads, cutoff, potentials)
        return ShardAnswer.of(hits, request.snapshot.name)

    def range_search(
        self, asked: ShardQuery, subset: Sequence[Any] | None, timeout: float | None, radius: float
    ) -> ShardAnswer:
        """All documents within a radius."""
        snapshot = self._at(asked.state)
        request = Request.within(
            snapshot, radius, timeout=timeout, subset=subset, where=asked.where, strict=asked.strict
        )
        return ShardAnswer.of(request.answer(asked.query, None, self._num_threads), snapshot.name)

    def rerank(self, asked: ShardQuery, ids: Sequence[Any], timeout: float | None) -> ShardAnswer:
        """The nearest of given documents."""
        request = Request.among(self._at(asked.state), ids, asked.k, slack=asked.slack, timeout=timeout)
        return ShardAnswer.of(request.answer(asked.query, None, self._num_threads), request.snapshot.name)

    def documents(self, query: Sequences | Histograms, ids: Sequence[Any], state: str) -> KeptDocuments:
        """Tokens, payloads and texts of documents, in the order of `ids`, for hits of a query in a state of the index.

        Raises
        ------
        ShardFailedError
            If that state is no longer kept.
        """
        snapshot = self._kept(state)
        checked = Query.of(query, None, snapshot.setup, "query")
        positions = [snapshot.position_of(id) for id in ids]
        return FoundDocuments(snapshot, checked, positions).kept()

    def _kept(self, state: str) -> Snapshot:
        found = self._states.get(state)
        if found is None:
            raise ShardFailedError("the index has changed often since this search; search again")
        return found

    def known_fields(self, names: Sequence[str]) -> tuple[set[str], set[str]]:
        """Those of some fields that a payload has; and some fields, for messages."""
        snapshot = self._index._snapshot
        return snapshot.known_fields(names), snapshot.fields_shown()

    def has(self, ids: Sequence[Any], state: str = "") -> FromState:
        """Which documents the index has, as an array, in a state if it is still kept, else in the latest."""
        own = self._at(state)
        return FromState(own.find(listed_ids(ids)) >= 0, own.name)

    def refresh(self) -> str:
        """Load the latest state of the index in the folder; returns its name."""
        self._at("")  # kept for searches that have begun
        if self._index._is_in_folder:
            self._changed.refresh()
        return self._index._snapshot.name

    def change(self, path: PathLike | None, method: str, *args: Any, **options: Any) -> Any:
        """Call a method of the index that changes it, such as "add"; returns what that returns.

        An index in a folder is opened for writing for this one call, so that other processes can write in between.
        """
        if path is None:
            returned = getattr(self._changed, method)(*args, **options)
        else:
            with self._in_turn(Path(path)) as writer:
                returned = getattr(writer, method)(*args, **options)
        self.refresh()
        return returned

    def _at(self, state: str) -> Snapshot:
        """A state of the index, or the latest one if that is no longer kept."""
        latest = self._index._snapshot
        return self._states.at(state, latest.name, latest)

    def _in_turn(self, path: Path) -> Any:
        """The index in a folder, open for writing, when other processes have written."""
        until = time.monotonic() + SECONDS_TO_WRITE
        while True:
            try:
                return self._writer(path)
            except IndexLockedError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.02)

    @property
    def _changed(self) -> Any:
        """What loads later states, and makes changes if it is not in a folder."""
        return self._index

    def _writer(self, path: Path) -> Any:
        """The same, open for writing in a folder."""
        return Index.open(path, writable=True)

    @property
    def _num_threads(self) -> int:
        return self._index._threads(self._threads)

    def _request(self, asked: ShardQuery, subset: Sequence[Any] | None, timeout: float | None) -> Request:
        return Request.nearest(
            self._at(asked.state), asked.k, slack=asked.slack, candidates=asked.candidates, timeout=timeout,
            subset=subset, where=asked.where, strict=asked.strict,
        )  # fmt: skip
