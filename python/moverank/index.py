"""Top-k search over a collection of sequences: exact, or within a budget that says what it gives up."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moverank import _core
from moverank._storage import token_dtype
from moverank._validate import positive_number, real_number, thread_count, whole_number
from moverank.bags import Bags
from moverank.hits import Hits
from moverank.layout import Setup
from moverank.measures import Measure, measure
from moverank.names import Ids, is_name, make_names
from moverank.parts import build_part
from moverank.prefilters import Clusters, train
from moverank.query import Goal, Query
from moverank.search import Budget
from moverank.sequences import Sequences, as_sequences
from moverank.snapshot import Snapshot

_by_name = measure


class Index:
    """Documents ready to be searched exactly under one measure. Made by `Index.build`.

    A search solves some documents first, takes the mean of their dual potentials for the query's tokens, and bounds
    every other document's distance with it; then it solves documents in rising order of these bounds and stops when the
    next one exceeds the k-th best distance, which proves that no later document can be in the answer.

    References
    ----------
    .. [1] Seidl, Kriegel, "Optimal multi-step k-nearest neighbor search", SIGMOD 1998.

    Examples
    --------
    >>> import numpy as np
    >>> docs = [np.eye(3)[:2], np.eye(3)[1:], np.eye(3)[2:]]
    >>> index = Index.build(docs, "wmd", ids=["a", "b", "c"])
    >>> hits = index.search(np.eye(3)[:2], k=2)
    >>> [(hit.id, round(hit.distance, 4)) for hit in hits]
    [('a', 0.0), ('b', 0.7071)]
    >>> hits.certificate.exact
    True
    """

    def __init__(self, snapshot: Snapshot, num_threads: int) -> None:
        self._snapshot = snapshot
        self._num_threads = num_threads

    @classmethod
    def build(
        cls,
        docs: Sequences | Bags | Sequence[ArrayLike],
        measure: str | Measure = "wrd",
        *,
        ids: Ids | None = None,
        prefilter: str | Clusters | None = "Flat",
        dtype: str | None = None,
        rescore: bool = False,
        num_threads: int | None = None,
    ) -> Index:
        """Prepare documents for search.

        Parameters
        ----------
        docs : Sequences, Bags, or sequence of array_like, each of shape (n_s, d)
            The documents. Arrays of a `Sequences` or a `Bags` are kept, not copied.
        measure : str or Measure, default "wrd"
            What searches will compute.
        ids : sequence of int or of str, shape (N,), optional
            Unique names of the documents; 0 to N − 1 by default. Equal distances rank by id.
        prefilter : str, Clusters or None, default "Flat"
            How budgeted searches find candidates, and exact ones their first documents. A string: by one pooled vector
            a document; it is what `faiss.index_factory` is told, and after a semicolon what to set, as in
            "IVF256,Flat;nprobe=16". `Clusters`: by several. Only "Flat" can say how near the documents may be that it
            left out. None: no budgets. Bags need none.
        dtype : {"float32", "float16", "bfloat16", "int8"}, optional
            How to store tokens; as `docs` has them by default. Answers are exact for what is stored.
        rescore : bool, default False
            Keep the documents as they are beside those of `dtype`: bounds then come from the compact ones, less what
            rounding can have changed, and answers are exact for `docs`, of which only what the bounds leave is read.
            Not under ground "sqeuclidean".
        num_threads : int, optional
            Threads that a search uses unless it is told otherwise; all cores by default.

        Returns
        -------
        Index

        Raises
        ------
        TypeError
            If ids are neither all integers nor all strings, or a document is not made of real numbers.
        ValueError
            If a document cannot be measured, ids repeat or are of the wrong number, or faiss cannot make the prefilter;
            the message says which.
        """
        chosen = _by_name(measure)
        batch = docs if isinstance(docs, Bags) else as_sequences(docs, "docs")
        if isinstance(batch, Bags) and prefilter not in ("Flat", None):
            raise ValueError(f"prefilter: bags need none, as any search bounds every document; got {prefilter!r}")
        codes = None
        if dtype is not None and not rescore and isinstance(batch, Bags):
            raise ValueError("dtype: bags have one table of float32 vectors; only sequences are stored in other types")
        if rescore:
            codes = _checked_codes(dtype, batch, chosen)
        elif dtype is not None and isinstance(batch, Sequences):
            batch = batch.astype(dtype)
        if not (prefilter is None or isinstance(prefilter, (str, Clusters))):
            raise TypeError(f"prefilter must be a faiss factory string, Clusters or None, got {prefilter!r}")
        names = make_names(ids, len(batch))
        setup = Setup(
            measure=chosen,
            kind="bags" if isinstance(batch, Bags) else "sequences",
            dim=batch.dim,
            dtype="float32" if isinstance(batch, Bags) else batch.dtype,
            codes=codes,
            prefilter=None if isinstance(batch, Bags) else prefilter,
            ids=names.kind,
        )
        threads = thread_count(num_threads)
        part = build_part(batch, names, setup, None, {}, threads)
        faiss_index = None
        if isinstance(setup.prefilter, str):
            faiss_index = train(setup.prefilter, part.arrays["pooled"], chosen)
        return cls(Snapshot(setup, [part], [np.empty(0, dtype=np.int64)], faiss_index), threads)

    @property
    def measure(self) -> Measure:
        """What searches compute."""
        return self._snapshot.setup.measure

    @property
    def ids(self) -> NDArray[Any]:
        """Ids of the documents in the order in which they were given, shape (N,)."""
        return self._snapshot.names_at(self._snapshot.positions)

    @property
    def dim(self) -> int:
        """Dimension of the tokens."""
        return self._snapshot.setup.dim

    def __len__(self) -> int:
        return len(self._snapshot)

    def __contains__(self, id: object) -> bool:
        snapshot = self._snapshot
        return is_name(id, snapshot.setup.ids) and bool(snapshot.find([id])[0] >= 0)

    def __repr__(self) -> str:
        return f"Index({len(self)} documents, measure={self.measure.name}, dim={self.dim})"

    def search(
        self,
        query: Sequences | Bags | ArrayLike,
        k: int = 10,
        *,
        weights: ArrayLike | None = None,
        subset: Ids | None = None,
        candidates: int | None = None,
        time_budget: float | None = None,
        slack: float = 0.0,
        num_threads: int | None = None,
    ) -> Hits:
        """Find the k nearest documents: exactly, unless a budget is given.

        Parameters
        ----------
        query : array_like, shape (n, d), or Sequences or Bags of length 1
            Tokens of the query.
        k : int, default 10
            How many documents to return; all of them if there are fewer.
        weights : array_like, shape (n,), optional
            Mass of the query's tokens.
        subset : sequence of int or of str, optional
            Search these documents only.
        candidates : int, optional
            Look at so many documents, at least k: those that the prefilter brings; of bags those of lowest bound, not
            counting the ones that were solved to have bounds.
        time_budget : float, optional
            Stop after so many seconds; looked at between steps of some ten milliseconds, after the first documents.
        slack : float, default 0.0
            Stop when the k-th distance is proved to be at most (1 + slack) times the true one. Not under ground "dot",
            whose costs may be negative.
        num_threads : int, optional
            Threads to use; what `build` was told by default. The hits do not depend on it, unless a budget leaves a
            choice.

        Returns
        -------
        Hits
            The top k, nearest first, ties by id. Without a budget they are the true ones; in any case
            ``hits.certificate`` says what is proved, and ``hits.stats`` what it cost.

        Raises
        ------
        KeyError
            If an id of the subset is not in the index.
        TypeError, ValueError
            If an argument is malformed; the message names it.

        Examples
        --------
        >>> import numpy as np
        >>> index = Index.build([np.eye(4)[:2], np.eye(4)[1:]], "wrd")
        >>> index.search(np.eye(4)[2:], k=1).ids
        array([1])
        """
        snapshot = self._snapshot
        goal = Goal(whole_number(k, "k", least=1), slack=slack_number(slack, self.measure))
        budget = _budget(candidates, time_budget, goal.k)
        positions = None if subset is None else snapshot.positions_of(subset)
        asked = self._query(query, weights)
        return snapshot.search(asked, goal, budget, positions, "documents of the subset", self._threads(num_threads))

    def rerank(
        self,
        query: Sequences | Bags | ArrayLike,
        ids: Ids,
        k: int = 10,
        *,
        weights: ArrayLike | None = None,
        slack: float = 0.0,
        num_threads: int | None = None,
    ) -> Hits:
        """Find the k nearest of given documents, exactly: candidates from BM25, a vector database, a first stage.

        Parameters
        ----------
        query : array_like, shape (n, d), or Sequences or Bags of length 1
            Tokens of the query.
        ids : sequence of int or of str
            Ids of the candidates, in any order.
        k : int, default 10
            How many documents to return; all of the candidates if there are fewer.
        weights, slack, num_threads
            As in `search`.

        Returns
        -------
        Hits
            The true top k of the candidates, nearest first, ties by id; certificate and statistics are about them
            alone.

        Raises
        ------
        KeyError
            If an id is not in the index; the message names it.
        TypeError, ValueError
            If an argument is malformed, no id is given, or one is given twice; the message names it.

        Examples
        --------
        >>> import numpy as np
        >>> index = Index.build([np.eye(4)[:2], np.eye(4)[1:], np.eye(4)[2:]], "wrd", ids=["a", "b", "c"])
        >>> index.rerank(np.eye(4)[2:], ["a", "b"], k=1).ids
        array(['b'], dtype='<U1')
        """
        snapshot = self._snapshot
        goal = Goal(whole_number(k, "k", least=1), slack=slack_number(slack, self.measure))
        positions = snapshot.positions_of(ids)
        asked = self._query(query, weights)
        return snapshot.search(asked, goal, Budget(), positions, "given candidates", self._threads(num_threads))

    def range_search(
        self,
        query: Sequences | Bags | ArrayLike,
        radius: float,
        *,
        weights: ArrayLike | None = None,
        subset: Ids | None = None,
        num_threads: int | None = None,
    ) -> Hits:
        """Find all documents within a distance, exactly.

        Parameters
        ----------
        query : array_like, shape (n, d), or Sequences or Bags of length 1
            Tokens of the query.
        radius : float
            Largest distance, in units of the ground cost; documents at this very distance are hits.
        weights, subset, num_threads
            As in `search`.

        Returns
        -------
        Hits
            Any number of documents, nearest first, ties by id.

        Raises
        ------
        KeyError
            If an id of the subset is not in the index.
        TypeError, ValueError
            If an argument is malformed; the message names it.

        Examples
        --------
        >>> import numpy as np
        >>> index = Index.build([np.eye(4)[:2], np.eye(4)[1:]], "wrd")
        >>> index.range_search(np.eye(4)[:2], 0.4).ids
        array([0])
        """
        snapshot = self._snapshot
        positions = None if subset is None else snapshot.positions_of(subset)
        limit = real_number(radius, "radius")
        if np.isnan(limit):
            raise ValueError("radius must be a number, got nan")
        goal = Goal(len(snapshot), limit)
        asked = self._query(query, weights)
        return snapshot.search(asked, goal, Budget(), positions, "documents of the subset", self._threads(num_threads))

    def search_batch(
        self,
        queries: Sequences | Bags | Sequence[ArrayLike],
        k: int = 10,
        *,
        candidates: int | None = None,
        time_budget: float | None = None,
        slack: float = 0.0,
        num_threads: int | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> list[Hits]:
        """Search for many queries, each on one thread.

        Parameters
        ----------
        queries : Sequences, Bags, or sequence of array_like, each of shape (n_q, d)
            Tokens of each query, weighted if they are.
        k, candidates, time_budget, slack
            As in `search`, for each query.
        num_threads : int, optional
            Queries at a time; all cores by default.
        progress : callable, optional
            Called with the number of queries that are done and their total, after each.

        Returns
        -------
        list of Hits
            One a query, in their order: what `search` returns.

        Raises
        ------
        TypeError, ValueError
            If an argument is malformed; the message names it, and the query.

        Examples
        --------
        >>> import numpy as np
        >>> index = Index.build([np.eye(4)[:2], np.eye(4)[1:]], "wrd")
        >>> [hits.ids.tolist() for hits in index.search_batch([np.eye(4)[2:], np.eye(4)[:1]], k=1)]
        [[1], [0]]
        """
        if isinstance(queries, Bags):
            queries = queries.to_sequences(self.measure.weighting)
        batch = as_sequences(queries, "queries")
        count = whole_number(k, "k", least=1)
        allowed = slack_number(slack, self.measure)
        threads = self._threads(num_threads)
        _budget(candidates, time_budget, count)

        snapshot = self._snapshot

        def one(q: int) -> Hits:
            budget = _budget(candidates, time_budget, count)
            asked = self._query(batch[q], batch.weights_of(q), f"queries: sequence {q}")
            return snapshot.search(asked, Goal(count, slack=allowed), budget, None, "", 1)

        answers: list[Hits] = []
        workers = ThreadPoolExecutor(max_workers=threads or _core.build_info()["threads"])
        try:
            for hits in workers.map(one, range(len(batch))):
                answers.append(hits)
                if progress is not None:
                    progress(len(answers), len(batch))
        finally:
            workers.shutdown(cancel_futures=True)
        return answers

    def _query(self, value: Sequences | Bags | ArrayLike, weights: ArrayLike | None, name: str = "query") -> Query:
        return Query.of(value, weights, self.measure, self.dim, name)

    def _threads(self, num_threads: int | None) -> int:
        return self._num_threads if num_threads is None else thread_count(num_threads)


def _checked_codes(dtype: str | None, docs: Sequences | Bags, measure: Measure) -> str:
    """Refuse to rescore what would bound nothing or save nothing."""
    if isinstance(docs, Bags):
        raise ValueError("rescore: bags have nothing to rescore, as their vectors are shared")
    if dtype is None or token_dtype(dtype) in ("float32", docs.dtype):
        raise ValueError(f"rescore: expected a dtype more compact than the documents' {docs.dtype}, got {dtype!r}")
    if measure.ground == "sqeuclidean":
        raise ValueError("rescore: compact tokens give no bound under ground 'sqeuclidean'")
    return token_dtype(dtype)


def slack_number(slack: Any, measure: Measure) -> float:
    """Check a slack: finite, at least 0; above it only where distances cannot be negative."""
    number = real_number(slack, "slack")
    if not 0.0 <= number < np.inf:
        raise ValueError(f"slack must be finite and at least 0, got {number}")
    if number > 0.0 and measure.ground == "dot":
        raise ValueError("slack: distances under ground 'dot' may be negative, so no share of one is an error")
    return number


def _budget(candidates: int | None, time_budget: float | None, k: int) -> Budget:
    """Check a budget, and start its clock."""
    if candidates is not None and whole_number(candidates, "candidates", least=1) < k:
        raise ValueError(f"candidates must be at least k = {k}, got {candidates}")
    deadline = None
    if time_budget is not None:
        deadline = time.perf_counter() + positive_number(time_budget, "time_budget")
    return Budget(candidates=candidates, deadline=deadline)
