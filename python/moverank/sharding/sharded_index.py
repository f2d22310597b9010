"""Several indexes that are searched as one."""

from __future__ import annotations

import math
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moverank._support.threads import count_of, each
from moverank._support.validate import one_of, positive_number, real_number, whole_number
from moverank.errors import (
    DuplicateIdError,
    IndexClosedError,
    ShardFailedError,
    ShardMismatchError,
    UnknownFieldError,
    UnknownIdError,
)
from moverank.index.index import Index, PathLike
from moverank.index.parts.filters import Condition
from moverank.index.parts.ids import Ids, is_id, listed_ids
from moverank.index.parts.intake import Documents, as_documents
from moverank.index.parts.payload_values import payload_list
from moverank.index.parts.payloads import payload_arrays
from moverank.index.search.seeds import Seeds
from moverank.measures.measure import Measure, require_same_dim
from moverank.sharding.calls import Caller, Calls, Replica
from moverank.sharding.hits import Fetch, RemoteDocuments, ShardedHits
from moverank.sharding.local import LocalReplica
from moverank.sharding.merging import Failure, ShardReport, merge
from moverank.sharding.routing import shard_of
from moverank.sharding.shard import Shard, ShardInfo, ShardQuery
from moverank.vectors.histograms import Histograms, as_histogram, as_histograms
from moverank.vectors.sequences import Batch, One, Sequences, as_query, as_sequences

#: Seeds of all shards together, if an answer needs no more: as many as one index solves.
SEEDS = 20

#: How often all shards are loaded, or a search is repeated, until no shard has changed meanwhile.
ATTEMPTS_TO_AGREE = 20

#: Seconds beyond which a timeout is none.
LONGEST_WAIT = 1e8

#: Share of the time that the first wave may take. A shard that takes longer is asked in the second wave all the same.
FOR_SEEDS = 0.5

#: Share of the time that is left which a shard gets for its part, so that its best so far arrives in time.
OF_TIME_LEFT = 0.9


class ShardedIndex:
    """Several indexes that are searched as one, exactly: in this process, or in others (see `moverank.ray`).

    A search has two waves. First, each shard solves a few documents. The k-th least distance of all these is a cutoff
    for all shards, and the mean of their prices gives all of them the same bounds. Then each shard looks for documents
    within the cutoff. As a distance depends on one document only, the nearest of all are among the nearest of each, and
    the answer is that of one index, ties included.

    Made by `open` for indexes in folders, and by `of` for indexes in memory.

    Parameters
    ----------
    shards : sequence of sequence of Replica
        The shards, each of which has one replica or more.
    names : sequence of str, optional
        Names of the shards, for messages.
    folders : sequence of path, optional
        The folder of each shard, which can then be changed.
    on_failure : {"raise", "partial"}, default "raise"
        What to do if a shard does not answer: raise, or answer from the others and say what is missing.
    hedge : float or None, default 95
        A call of a shard that takes longer than this percentile of earlier calls is sent to another replica too.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> docs = [rng.normal(size=(4, 8)) for _ in range(100)]
    >>> halves = [Index.build(docs[:50], "wrd"), Index.build(docs[50:], "wrd", ids=range(50, 100))]
    >>> sharded = ShardedIndex.of(halves)
    >>> hits = sharded.search(docs[70], k=3)
    >>> hits.ids[0], hits.certificate.exact, hits.shards.answered
    (np.int64(70), True, 2)
    """

    def __init__(
        self,
        shards: Sequence[Sequence[Replica]],
        *,
        names: Sequence[str] | None = None,
        folders: Sequence[PathLike] | None = None,
        on_failure: str = "raise",
        hedge: float | None = 95.0,
    ) -> None:
        if not shards or not all(len(own) for own in shards):
            raise ValueError("shards: expected at least one, each with at least one replica")
        one_of(on_failure, "on_failure", ("raise", "partial"))
        if hedge is not None and not 0.0 < real_number(hedge, "hedge") < 100.0:
            raise ValueError(f"hedge: expected a percentile between 0 and 100, or None, got {hedge}")
        given = [own[0].name for own in shards] if names is None else list(names)
        if len(given) != len(shards) or (folders is not None and len(folders) != len(shards)):
            raise ValueError(f"names, folders: expected {len(shards)}, one per shard")
        self._on_failure = on_failure
        self._is_closed = False
        self._folders = None if folders is None else [Path(folder) for folder in folders]
        self._caller = Caller(shards, given, hedge=hedge)
        self._infos: list[ShardInfo] = []
        self.refresh()

    @classmethod
    def of(cls, indexes: Sequence[Index], *, on_failure: str = "raise", num_threads: int | None = None) -> ShardedIndex:
        """Search indexes in this process as one.

        Parameters
        ----------
        indexes : sequence of Index
            The shards. Each document must be in one of them only.
        on_failure : {"raise", "partial"}, default "raise"
            As in the class.
        num_threads : int, optional
            Threads of all shards together; all cores by default.
        """
        listed = list(indexes)
        threads = _threads_each(num_threads, len(listed))
        replicas = [[LocalReplica(Shard(index, threads), f"shard {s}")] for s, index in enumerate(listed)]
        return cls(replicas, on_failure=on_failure)

    @classmethod
    def open(
        cls, folders: Sequence[PathLike], *, on_failure: str = "raise", num_threads: int | None = None
    ) -> ShardedIndex:
        """Search the indexes in some folders as one, in this process.

        Parameters
        ----------
        folders : sequence of path
            The folders of the shards.
        on_failure : {"raise", "partial"}, default "raise"
            As in the class.
        num_threads : int, optional
            Threads of all shards together; all cores by default.
        """
        listed = list(folders)
        threads = _threads_each(num_threads, len(listed))
        replicas = [[LocalReplica(Shard(folder, threads), str(folder))] for folder in listed]
        return cls(replicas, folders=listed, on_failure=on_failure)

    # ---- what there is ---------------------------------------------------------------------------------------------

    @property
    def measure(self) -> Measure:
        """The measure that distances are computed by."""
        return self._infos[0].measure

    @property
    def sizes(self) -> list[int]:
        """Number of documents of each shard, when it was last heard of."""
        return [info.n_documents for info in self._infos]

    def __len__(self) -> int:
        return sum(self.sizes)

    def __repr__(self) -> str:
        return f"ShardedIndex({len(self)} documents in {len(self._infos)} shards, measure={self.measure.name})"

    def __contains__(self, id: object) -> bool:
        return is_id(id, "str" if self._infos[0].has_string_ids else "int") and bool(self._owners([id])[0] >= 0)

    def close(self) -> None:
        """Release all replicas. Indexes that were given to `of` stay open."""
        self._is_closed = True
        for replicas in self._caller.shards:
            for replica in replicas:
                replica.close()

    def __enter__(self) -> ShardedIndex:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def refresh(self) -> None:
        """Let every replica load the latest state of its folder.

        Raises
        ------
        ShardFailedError
            If a replica cannot be reached.
        """
        before: list[Any] = []
        replicas = [own for shard in self._caller.shards for own in shard]
        for _ in range(ATTEMPTS_TO_AGREE):
            # States that are still the latest after all have been loaded were so at the same moment: no document that
            # is being moved is missing from all of them.
            states = [own for shard in self._caller.tell("refresh") for own in shard]
            for replica, state in zip(replicas, states, strict=True):
                if isinstance(state, Exception):
                    raise ShardFailedError(f"{replica.name}: {type(state).__name__}: {state}") from state
            if states == before:
                break
            before = states
        else:
            raise ShardFailedError("refresh: the shards change faster than they can be loaded")
        self._infos = self._described()

    def _described(self) -> list[ShardInfo]:
        calls = self._caller.ask("describe", [()] * len(self._caller.shards), None)
        infos: list[ShardInfo] = []
        for place, info in enumerate(calls.answers):
            if isinstance(info, Failure):
                raise ShardFailedError(f"{info}")
            infos.append(info)
            names = self._caller.names
            infos[0].fingerprint.require(info.fingerprint, names[0], names[place])
        return infos

    # ---- searches --------------------------------------------------------------------------------------------------

    def search(
        self,
        query: One | Histograms,
        k: int = 10,
        *,
        weights: ArrayLike | None = None,
        subset: Ids | None = None,
        where: Condition | None = None,
        candidates: int | None = None,
        timeout: float | None = None,
        slack: float = 0.0,
    ) -> ShardedHits:
        """Find the k nearest documents of all shards.

        Parameters
        ----------
        query, k, weights, subset, where, slack
            As in `Index.search`. A function as `where` must be one that can be pickled, for shards in other processes.
        candidates : int, optional
            Maximum number of documents to examine in each shard, as in `Index.search`.
        timeout : float, optional
            Seconds after which the best documents so far are returned. A shard that has not answered by then has
            failed.

        Returns
        -------
        ShardedHits
            The nearest first, ties by id, as one index of all documents would find them. If shards failed, the
            certificate says so, and is not exact.

        Raises
        ------
        ShardFailedError
            If a shard does not answer, unless `on_failure` is "partial"; if none does, in any case.
        UnknownIdError
            If an id of the subset is in no shard.
        TypeError, ValueError
            If an argument is malformed; the message names it.
        """
        began = time.perf_counter()
        deadline = _deadline(timeout, began)
        count = whole_number(k, "k", least=1)
        if candidates is not None and whole_number(candidates, "candidates", least=1) < count:
            raise ValueError(f"candidates must be at least k = {count}, got {candidates}")
        asked = ShardQuery(
            uuid.uuid4().hex, self._query(query, weights), count, self._seeds_each(count), where, candidates, slack
        )
        return self._agreed(lambda: self._searched(asked, subset, deadline, began))

    def search_batch(
        self,
        queries: Batch | Histograms | ArrayLike,
        k: int = 10,
        *,
        num_threads: int | None = None,
        progress: Callable[[int, int], object] | None = None,
        **options: Any,
    ) -> list[ShardedHits]:
        """Search for many queries.

        Parameters
        ----------
        queries : Sequences, Bags, or sequence of array_like, each of shape (n_q, d)
            Tokens of each query, with weights if they have any.
        k, **options
            As in `search`, for each query.
        num_threads : int, optional
            Number of queries that are on their way at the same time; by default twice the number of cores.
        progress : callable, optional
            Called after each query with the number of queries done and their total.

        Returns
        -------
        list of ShardedHits
            The result of `search` for each query, in order.
        """
        info = self._infos[0]
        batch = (
            as_histograms(queries, "queries")
            if info.has_costs
            else as_sequences(cast("Sequences", queries), "queries", info.measure.weighting)
        )
        threads = 2 * count_of(0) if num_threads is None else whole_number(num_threads, "num_threads", least=1)
        return each(lambda q: self.search(batch[q : q + 1], k, **options), len(batch), threads, progress)

    def range_search(
        self,
        query: One | Histograms,
        radius: float,
        *,
        weights: ArrayLike | None = None,
        subset: Ids | None = None,
        where: Condition | None = None,
        timeout: float | None = None,
    ) -> ShardedHits:
        """Find all documents within a distance, in all shards.

        Parameters
        ----------
        query, radius, weights, subset, where
            As in `Index.range_search`.
        timeout : float, optional
            As in `search`.

        Returns
        -------
        ShardedHits

        Raises
        ------
        ShardFailedError, UnknownIdError, TypeError, ValueError
            As in `search`.
        """
        began = time.perf_counter()
        deadline = _deadline(timeout, began)
        limit = real_number(radius, "radius")
        asked = ShardQuery("", self._query(query, weights), 1, 1, where, None, 0.0)

        def searched() -> ShardedHits:
            subsets = self._subsets(subset, deadline)
            calls = self._with_fields(
                "range_search",
                lambda own: [_with(part, own, part, self._left(deadline), limit) for part in subsets],
                asked,
                deadline,
            )[1]
            return self._merged(asked, calls.answers, None, (calls.seconds,), calls.retried, began, radius=limit)

        return self._agreed(searched)

    def rerank(
        self,
        query: One | Histograms,
        ids: Ids,
        k: int = 10,
        *,
        weights: ArrayLike | None = None,
        timeout: float | None = None,
        slack: float = 0.0,
    ) -> ShardedHits:
        """Find the k nearest of given documents exactly, whichever shards they are in.

        Parameters
        ----------
        query, ids, k, weights, slack
            As in `Index.rerank`.
        timeout : float, optional
            As in `search`.

        Returns
        -------
        ShardedHits

        Raises
        ------
        ShardFailedError, UnknownIdError, TypeError, ValueError
            As in `search`.
        """
        began = time.perf_counter()
        deadline = _deadline(timeout, began)
        asked = ShardQuery("", self._query(query, weights), whole_number(k, "k", least=1), 1, None, None, slack)
        listed = listed_ids(ids)
        if not listed:
            raise ValueError("ids: expected at least one id, got none")
        return self._agreed(lambda: self._reranked(asked, listed, deadline, began))

    def _reranked(self, asked: ShardQuery, ids: list[Any], deadline: float | None, began: float) -> ShardedHits:
        parts = self._subsets(ids, deadline, name="ids")
        # Which of the candidates are in shards that did not say: those that no other has.
        found = sum(len(part) for part in parts if not isinstance(part, Failure))
        unknown = len(ids) - found
        places = [s for s, part in enumerate(parts) if isinstance(part, Failure) or part]
        args = [_with(part, asked, part, self._left(deadline)) for part in parts]
        calls = self._caller.ask("rerank", [own if s in places else None for s, own in enumerate(args)], deadline)
        answers = []
        for s in places:
            answer = calls.answers[s]
            if isinstance(answer, Failure):
                lost = unknown if isinstance(parts[s], Failure) else len(parts[s])
                unknown = 0 if isinstance(parts[s], Failure) else unknown
                answer = replace(answer, n_documents=lost)
            answers.append(answer)
        return self._merged(
            asked, answers, asked.k, (calls.seconds,), calls.retried, began, what="given candidates", places=places
        )

    def _agreed(self, search: Callable[[], ShardedHits]) -> ShardedHits:
        """Search again if a shard has another state than when all were loaded, as one that was started anew has."""
        if self._is_closed:
            raise IndexClosedError("the sharded index was closed; open it again")
        for _ in range(ATTEMPTS_TO_AGREE):
            try:
                return search()
            except _Changed:
                self.refresh()
        raise ShardFailedError("the shards change faster than they can be searched")

    def _searched(self, asked: ShardQuery, subset: Ids | None, deadline: float | None, began: float) -> ShardedHits:
        subsets = self._subsets(subset, _share(deadline))
        until = _share(deadline)
        asked, first = self._with_fields(
            "seed", lambda own: [_with(part, own, part, self._left(deadline)) for part in subsets], asked, until
        )
        potentials = _mean_potentials(first.answers)
        # A shard knows the fields of the condition, or there would be an error; one that was late may not.
        asked = replace(asked, strict=False)
        # One that was slow may be in time for the second wave.
        lost = [own if isinstance(own, Failure) and not own.is_late else None for own in first.answers]

        def second_wave(only: Sequence[Failure | None], cutoff: float | None) -> Calls:
            args = [
                part
                if isinstance(part, Failure)
                else failure or (asked, part, self._left(deadline), cutoff, potentials)
                for part, failure in zip(subsets, only, strict=True)
            ]
            return self._caller.ask("search", args, deadline, prefer=first.replicas)

        second = second_wave(lost, _kth(first.answers, asked.k))
        retried = first.retried + second.retried
        seconds: tuple[float, ...] = (first.seconds, second.seconds)
        failed = [own if isinstance(own, Failure) else None for own in second.answers]
        left = [own for own, failure in zip(first.answers, failed, strict=True) if failure is None]
        in_time = deadline is None or time.perf_counter() < deadline
        if any(failed) and in_time and _kth(left, asked.k) != _kth(first.answers, asked.k):
            # The cutoff was that of documents which have been lost since; without them, it is farther away.
            third = second_wave(failed, _kth(left, asked.k))
            retried, seconds = retried + third.retried, (*seconds, third.seconds)
            second = third
        return self._merged(asked, second.answers, asked.k, seconds, retried, began)

    def _merged(
        self,
        asked: ShardQuery,
        answers: list[Any],
        k: int | None,
        seconds: tuple[float, ...],
        retried: int,
        began: float,
        *,
        radius: float | None = None,
        what: str = "documents",
        places: list[int] | None = None,
    ) -> ShardedHits:
        """Merge what shards answered, or raise if some did not; `places` are those asked, by default all."""
        own = list(range(len(answers))) if places is None else places
        for s, one in zip(own, answers, strict=True):
            if not isinstance(one, Failure) and one.state != self._infos[s].state:
                raise _Changed
        if places is None:
            answers = [
                replace(one, n_documents=self._infos[s].n_documents) if isinstance(one, Failure) else one
                for s, one in zip(own, answers, strict=True)
            ]
        failed = tuple(one for one in answers if isinstance(one, Failure))
        if failed and (self._on_failure == "raise" or len(failed) == len(answers)):
            more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
            raise ShardFailedError(f"{failed[0]}{more}")
        merged = merge(
            answers,
            k,
            radius=radius,
            may_be_negative=self._infos[0].has_negative_costs,
            what=what,
            seconds=time.perf_counter() - began,
        )
        lost = sum(one.n_documents for one in failed)
        coverage = 1.0 - lost / merged.stats.documents if merged.stats.documents else float(not failed)
        shards = [own[place] for place in merged.shards.tolist()]
        documents = Fetch(self._caller, asked.query, shards, merged.ids.tolist())
        return ShardedHits(
            ids=merged.ids,
            distances=merged.distances,
            measure=self.measure,
            certificate=merged.certificate,
            stats=merged.stats,
            shards=ShardReport(len(answers), len(answers) - len(failed), failed, coverage, retried, seconds),
            _documents=RemoteDocuments(documents, list(range(len(shards)))),
        )

    # ---- changes ---------------------------------------------------------------------------------------------------

    def add(self, docs: Documents, ids: Ids, *, payloads: Sequence[Any] | None = None) -> None:
        """Add documents, each to the shard that its id decides on.

        Each shard's own change is made whole or not at all. If one fails, others may have changed: the error says
        which, and `upsert` can be repeated.

        Parameters
        ----------
        docs, ids, payloads
            As in `Index.add`. Ids have to be given.

        Raises
        ------
        DuplicateIdError
            If an id is given twice, or is in a shard already; nothing is added.
        ShardFailedError
            If a shard cannot be changed.
        TypeError, ValueError
            If an argument is malformed; the message names it.
        """
        self._write("add", docs, ids, payloads)

    def upsert(self, docs: Documents, ids: Ids, *, payloads: Sequence[Any] | None = None) -> None:
        """Add documents, and replace those with the same ids, wherever they are.

        Parameters
        ----------
        docs, ids, payloads
            As in `add`.

        Raises
        ------
        ShardFailedError, TypeError, ValueError
            As in `add`.
        """
        self._write("upsert", docs, ids, payloads)

    def remove(self, ids: Ids) -> None:
        """Remove documents.

        Parameters
        ----------
        ids : sequence of int or of str
            Ids of the documents.

        Raises
        ------
        UnknownIdError
            If an id is in no shard; nothing is removed.
        ShardFailedError
            If a shard cannot be changed.
        """
        listed = self._checked_ids(ids, "ids")
        self.refresh()
        owners = self._owners(listed)
        if (owners < 0).any():
            raise UnknownIdError(f"ids: {listed[int(np.argmin(owners))]!r:.80} is in no shard")
        self._change("remove", {s: (([listed[p] for p in places],), {}) for s, places in _places_by_shard(owners)})

    def _write(self, method: str, docs: Documents, ids: Ids, payloads: Any) -> None:
        checked = as_documents(docs, self.measure)
        listed = self._checked_ids(ids, "ids")
        if len(listed) != len(checked):
            raise ValueError(f"ids: expected {len(checked)}, one per document, got {len(listed)}")
        own = None if payloads is None else payload_list(payloads)
        payload_arrays(own, len(checked))
        if not isinstance(checked, Histograms):
            # All that is wrong with a document is found before any shard is changed.
            Index.build(checked, self.measure, ids=listed, prefilter=None)
        self.refresh()  # another process may have moved some
        owners = self._owners(listed)
        if method == "add" and (owners >= 0).any():
            known = listed[int(np.argmax(owners >= 0))]
            raise DuplicateIdError(f"ids: {known!r:.80} is already in a shard; upsert replaces documents")
        owners = np.where(owners >= 0, owners, [shard_of(id, len(self._infos)) for id in listed])
        changes = {}
        for s, places in _places_by_shard(owners):
            chosen = None if own is None else [own[place] for place in places]
            named = [listed[place] for place in places]
            changes[s] = ((checked[places], named), {} if chosen is None else {"payloads": chosen})
        self._change(method, changes)

    def _change(self, method: str, changes: dict[int, tuple[tuple[Any, ...], dict[str, Any]]]) -> None:
        done: list[str] = []
        names = self._caller.names
        for s, (args, options) in changes.items():
            folder = None if self._folders is None else self._folders[s]
            try:
                self._caller.ask_first(s, "change", folder, method, *args, **options)
            except Exception as error:
                changed = f"changed: {', '.join(done)}" if done else "nothing was changed"
                if not done and isinstance(error, (TypeError, ValueError, LookupError)):
                    raise
                raise ShardFailedError(f"{names[s]}: {type(error).__name__}: {error}; {changed}") from error
            done.append(names[s])
        try:
            self.refresh()
        except ShardFailedError as error:
            raise ShardFailedError(f"{error}; all was changed, but not every replica has loaded it") from error

    # ---- parts of searches -----------------------------------------------------------------------------------------

    def _query(self, query: One | Histograms, weights: ArrayLike | None) -> Sequences | Histograms:
        info = self._infos[0]
        if info.has_costs:
            if weights is not None:
                raise ValueError("weights: expected none, as the mass is in the histogram query")
            return as_histogram(query, "query")
        if isinstance(query, Histograms):
            raise TypeError("query: expected tokens, as the index compares vectors, got Histograms")
        checked = as_query(query, weights, "query", "weights", info.measure.weighting)
        require_same_dim(checked.dim, info.dim, "query", "the index")
        return checked

    def _seeds_each(self, k: int) -> int:
        """Seeds of each shard: together as many as one index solves, and enough for an answer."""
        return max(math.ceil(max(SEEDS, k) / len(self._infos)), min(k, 4))

    def _with_fields(
        self,
        method: str,
        args: Callable[[ShardQuery], list[Any]],
        asked: ShardQuery,
        deadline: float | None,
    ) -> tuple[ShardQuery, Calls]:
        """Ask all shards. A field of a condition may be unknown to some of them, but not to all."""
        calls = self._caller.ask(method, args(asked), deadline, kept=(UnknownFieldError,))
        unknown = [s for s, own in enumerate(calls.answers) if isinstance(own, UnknownFieldError)]
        if not unknown:
            return asked, calls
        if not any(not isinstance(own, (UnknownFieldError, Failure)) for own in calls.answers):
            error: UnknownFieldError = calls.answers[unknown[0]]
            raise error
        lenient = replace(asked, strict=False)
        again = args(lenient)
        more = self._caller.ask(method, [own if s in unknown else None for s, own in enumerate(again)], deadline)
        for s in unknown:
            calls.answers[s], calls.replicas[s] = more.answers[s], more.replicas[s]
        return lenient, replace(calls, retried=calls.retried + more.retried, seconds=calls.seconds + more.seconds)

    def _owners(self, ids: Any) -> NDArray[np.int64]:
        """The shard of each document; −1 for those that are in none."""
        listed = list(ids)
        owners = np.full(len(listed), -1, dtype=np.int64)
        calls = self._caller.ask("has", [(listed,)] * len(self._infos), None)
        for s, has in enumerate(calls.answers):
            if isinstance(has, Failure):
                raise ShardFailedError(f"{has}")
            twice = owners[has] >= 0
            if twice.any():
                id = np.array(listed, dtype=object)[has][twice][0]
                raise ShardMismatchError(
                    f"two shards have a document of the id {id!r:.80}; `rebalance` finishes a move that was interrupted"
                )
            owners[has] = s
        return owners

    def _subsets(self, subset: Ids | None, deadline: float | None, name: str = "subset") -> list[Any]:
        """For each shard, which of some documents it has, or why that is not known; None for all."""
        count = len(self._infos)
        if subset is None:
            return [None] * count
        listed = self._checked_ids(subset, name)
        calls = self._caller.ask("has", [(listed,)] * count, deadline) if listed else Calls([[]] * count, [], 0, 0.0)
        parts: list[Any] = []
        seen = np.zeros(len(listed), dtype=bool)
        for has in calls.answers:
            if isinstance(has, Failure):
                parts.append(has)
                continue
            parts.append([id for id, own in zip(listed, has, strict=True) if own])
            seen |= np.asarray(has, dtype=bool) if len(has) else False
        if not seen.all() and not any(isinstance(part, Failure) for part in parts):
            raise UnknownIdError(f"{name}: {listed[int(np.argmin(seen))]!r:.80} is in no shard")
        return parts

    def _checked_ids(self, ids: Ids, name: str) -> list[Any]:
        """Different ids of the type that the shards have, as a list."""
        listed = listed_ids(ids, name)
        kind = "str" if self._infos[0].has_string_ids else "int"
        for id in listed:
            if not is_id(id, kind):
                raise TypeError(f"{name}: expected {kind}, the type of ids in this index, got {id!r:.80}")
        if len(set(listed)) < len(listed):
            twice = next(id for id, count in Counter(listed).items() if count > 1)
            raise DuplicateIdError(f"{name}: {twice!r:.80} is given more than once")
        return listed

    @staticmethod
    def _left(deadline: float | None) -> float | None:
        return None if deadline is None else max(OF_TIME_LEFT * (deadline - time.perf_counter()), 1e-6)


def _places_by_shard(owners: NDArray[np.int64]) -> list[tuple[int, list[int]]]:
    """Each shard that owns something, and the places of what it owns."""
    return [(s, np.flatnonzero(owners == s).tolist()) for s in np.unique(owners).tolist()]


def _share(deadline: float | None) -> float | None:
    """When a first part of a search has to end."""
    now = time.perf_counter()
    return None if deadline is None else now + FOR_SEEDS * (deadline - now)


def _deadline(timeout: float | None, began: float) -> float | None:
    """When time is over; None for never, and for longer than a clock can wait."""
    seconds = None if timeout is None else positive_number(timeout, "timeout")
    return None if seconds is None or seconds > LONGEST_WAIT else began + seconds


class _Changed(Exception):
    """A shard has another state than when all were loaded."""


def _kth(seeds: Sequence[Any], k: int) -> float | None:
    """The k-th least distance of all seeds; None if there are fewer. A document that is in two shards counts once."""
    known = [own for own in seeds if isinstance(own, Seeds) and len(own.ids)]
    if not known:
        return None
    distances = np.concatenate([own.distances for own in known])
    _, first = np.unique(np.concatenate([own.ids for own in known]), return_index=True)
    return float(np.sort(distances[first])[k - 1]) if len(first) >= k else None


def _mean_potentials(seeds: Sequence[Any]) -> NDArray[np.float64] | None:
    """The mean over all documents that were solved; None if bounds can use none."""
    counted = [own for own in seeds if isinstance(own, Seeds) and own.count]
    total = sum(own.count for own in counted)
    mean: NDArray[np.float64] = sum((own.potentials * (own.count / total) for own in counted), np.zeros(1))
    return mean if counted else None


def _with(part: Any, *args: Any) -> Any:
    return part if isinstance(part, Failure) else args


def _threads_each(num_threads: int | None, count: int) -> int:
    threads = count_of(0) if num_threads is None else whole_number(num_threads, "num_threads", least=1)
    return max(threads // max(count, 1), 1)
