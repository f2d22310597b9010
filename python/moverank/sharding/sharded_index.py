"""Several indexes that are searched as one."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any, cast

from numpy.typing import ArrayLike

from moverank._support.threads import count_of, each
from moverank._support.validate import as_list, real_number, whole_number
from moverank.index.index import Index, PathLike
from moverank.index.parts.filters import Condition
from moverank.index.parts.ids import Ids, listed_ids
from moverank.index.parts.intake import Documents, as_documents
from moverank.index.parts.payload_values import payload_list
from moverank.index.parts.payloads import payload_arrays
from moverank.measures.measure import require_same_dim
from moverank.sharding import changing
from moverank.sharding.calls import Course, Replica
from moverank.sharding.hits import ShardedHits
from moverank.sharding.local import in_this_process
from moverank.sharding.shard import Shard, ShardQuery
from moverank.sharding.sharded import Sharded
from moverank.sharding.shards import Shards, different_folders, places_by_shard
from moverank.sharding.waves import FOR_SEEDS, among, nearest, seeds_each, within
from moverank.vectors.histograms import Histograms, as_histogram, as_histograms
from moverank.vectors.sequences import Batch, One, Sequences, as_query, as_sequences


class ShardedIndex(Sharded[Shards]):
    """Several indexes that are searched as one, exactly: in this process, or in others (see `moverank.ray`).

    A search has two waves. First, each shard solves a few documents. The k-th least distance of all these is a cutoff
    for all shards, and the mean of their prices gives all of them the same bounds. Then each shard looks for documents
    within the cutoff. As a distance depends on one document only, the nearest of all are among the nearest of each, and
    the answer is that of one index, ties included.

    Each document has to be in one shard only. Searches do not compare the ids of all shards. One that meets two
    different documents of one id is refused (ShardMismatchError). One that meets the nearer of them only, takes it: its
    certificate says that hits are the nearest if each id stands for its nearest document, and counts both.

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
        What to do if a shard does not answer a search: raise, or answer from the others and say what is missing. Here,
        each has to answer once in any case, or there is no telling what is missing: ShardFailedError.
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
        self._shards = Shards(shards, names, folders, on_failure, hedge)

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
        listed = as_list(indexes, "indexes", "indexes")
        for index in listed:
            if not isinstance(index, Index):
                raise TypeError(f"indexes: expected Index, got {type(index).__name__}")
        names = [f"shard {s}" for s in range(len(listed))]
        return cls(in_this_process(Shard, listed, names, num_threads), on_failure=on_failure)

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
        listed = different_folders(folders)
        replicas = in_this_process(Shard, listed, list(map(str, listed)), num_threads)
        return cls(replicas, folders=listed, on_failure=on_failure)

    # ---- what there is ---------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"ShardedIndex({len(self)} documents in {len(self._shards)} shards, measure={self.measure.name})"

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
            If an id of the subset is in no shard, or of another type than their ids.
        TypeError, ValueError
            If an argument is malformed; the message names it.
        """
        return self._search(query, k, weights, subset, where, candidates, slack, Course.of(timeout))

    def _search(
        self,
        query: One | Histograms,
        k: int,
        weights: ArrayLike | None,
        subset: Ids | None,
        where: Condition | None,
        candidates: int | None,
        slack: float,
        course: Course,
    ) -> ShardedHits:
        count = whole_number(k, "k", least=1)
        if candidates is not None and whole_number(candidates, "candidates", least=1) < count:
            raise ValueError(f"candidates must be at least k = {count}, got {candidates}")
        shards = self._shards
        own = self._query(query, weights)
        asked = ShardQuery(uuid.uuid4().hex, own, count, seeds_each(shards, count), where, candidates, slack)
        chosen = None if subset is None else listed_ids(subset, "subset")

        def search(now: Shards) -> ShardedHits:
            parts = now.parts_of(chosen, course.part(FOR_SEEDS))
            return nearest(now, asked, parts, course, count=None if chosen is None else len(chosen))

        return shards.agreed(search, course)

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
        info = self._shards.infos[0]
        batch = (
            as_histograms(queries, "queries")
            if info.has_costs
            else as_sequences(cast("Sequences", queries), "queries", info.measure.weighting)
        )
        threads = 2 * count_of(0) if num_threads is None else whole_number(num_threads, "num_threads", least=1)
        stop = Event()

        def one(q: int) -> ShardedHits:
            own = _SearchOptions(**options)
            return self._search(
                batch[q : q + 1], k, None, own.subset, own.where, own.candidates, own.slack,
                Course.of(own.timeout, stop),
            )  # fmt: skip

        return each(one, len(batch), threads, progress, abandon=stop.set)

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
        course = Course.of(timeout)
        limit = real_number(radius, "radius")
        shards = self._shards
        asked = ShardQuery("", self._query(query, weights), 1, 1, where, None, 0.0)
        chosen = None if subset is None else listed_ids(subset, "subset")

        def search(now: Shards) -> ShardedHits:
            parts = now.parts_of(chosen, course)
            return within(now, asked, limit, parts, course, count=None if chosen is None else len(chosen))

        return shards.agreed(search, course)

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
        course = Course.of(timeout)
        shards = self._shards
        asked = ShardQuery("", self._query(query, weights), whole_number(k, "k", least=1), 1, None, None, slack)
        listed = listed_ids(ids)
        if not listed:
            raise ValueError("ids: expected at least one id, got none")
        return shards.agreed(
            lambda now: among(now, asked, len(listed), now.parts_of(listed, course, name="ids"), course), course
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
        changing.remove(self._shards, ids)

    def _write(self, method: str, docs: Documents, ids: Ids, payloads: Any) -> None:
        shards = self._shards
        checked = as_documents(docs, self.measure)
        listed = shards.ids_to_give(ids, "ids")
        if len(listed) != len(checked):
            raise ValueError(f"ids: expected {len(checked)}, one per document, got {len(listed)}")
        own = None if payloads is None else payload_list(payloads)
        payload_arrays(own, len(checked))
        if not isinstance(checked, Histograms):
            # All that is wrong with a document is found before any shard is changed.
            Index.build(checked, self.measure, ids=listed, prefilter=None)
        changes = {}
        for s, places in places_by_shard(changing.destinations(shards, listed, replacing=method == "upsert")):
            chosen = None if own is None else [own[place] for place in places]
            named = [listed[place] for place in places]
            changes[s] = ((checked[places], named), {} if chosen is None else {"payloads": chosen})
        changing.change(shards, method, changes)

    def _query(self, query: One | Histograms, weights: ArrayLike | None) -> Sequences | Histograms:
        info = self._shards.infos[0]
        if info.has_costs:
            if weights is not None:
                raise ValueError("weights: expected none, as the mass is in the histogram query")
            return as_histogram(query, "query")
        if isinstance(query, Histograms):
            raise TypeError("query: expected tokens, as the index compares vectors, got Histograms")
        checked = as_query(query, weights, "query", "weights", info.measure.weighting)
        require_same_dim(checked.dim, info.dim, "query", "the index")
        return checked


@dataclass(frozen=True)
class _SearchOptions:
    """Options of a search of several queries; any other name is a TypeError."""

    subset: Ids | None = None
    where: Condition | None = None
    candidates: int | None = None
    timeout: float | None = None
    slack: float = 0.0
