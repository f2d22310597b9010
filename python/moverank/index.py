"""Top-k search over a collection of sequences: exact, or within a budget that says what it gives up."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moverank import _core
from moverank._ids import DocumentIds, Ids
from moverank._storage import token_dtype
from moverank._validate import positive_number, real_number, thread_count, whole_number
from moverank.alignment import Alignment, align
from moverank.bags import Bags
from moverank.hits import Certificate, Hits, SearchStats
from moverank.measures import Measure, measure, naming, prepare, prepare_bags, require_same_dim
from moverank.prefilters import Clusters, make_prefilter
from moverank.search import Budget, Ladder, Prefilter
from moverank.sequences import Sequences, as_query, as_sequences
from moverank.sinkhorn import Sinkhorn

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

    def __init__(
        self,
        docs: Sequences | Bags,
        measure: Measure,
        ids: DocumentIds,
        corpus: _core.Corpus | _core.BagCorpus,
        prefilter: str | Clusters | None,
        codes: str | None,
        num_threads: int,
    ) -> None:
        self._docs = docs
        self._measure = measure
        self._ids = ids
        self._corpus = corpus
        self._codes = codes
        self._num_threads = num_threads
        self._all = np.arange(len(docs), dtype=np.int64)
        self._prefilter: Prefilter | None = None
        if isinstance(corpus, _core.Corpus):
            if prefilter is not None:
                self._prefilter = make_prefilter(prefilter, corpus, measure, num_threads)
            if codes is not None and isinstance(docs, Sequences):
                coded = docs.astype(codes)
                corpus.add_codes(coded.tokens, coded.scales)

    @classmethod
    def build(
        cls,
        docs: Sequences | Bags | Sequence[ArrayLike],
        measure: str | Measure = "wrd",
        *,
        ids: Ids | None = None,
        prefilter: str | Clusters | None = "Flat",
        codes: str | None = None,
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
        codes : {"int8", "float16", "bfloat16"}, optional
            Keep the tokens in this type as well, and compute bounds from it, less what it can have changed. Answers
            stay those of `docs`, of which only what the bounds leave is read, so they may be a memory map. Not under
            ground "sqeuclidean".
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
        if codes is not None:
            _require_codes(codes, batch, chosen)
        names = DocumentIds(ids, len(batch))
        threads = thread_count(num_threads)
        with naming("docs", "docs", ids=None if ids is None else names.names):
            corpus = prepare_bags(batch, chosen) if isinstance(batch, Bags) else prepare(batch, chosen)
        return cls(batch, chosen, names, corpus, prefilter, codes, threads)

    @property
    def measure(self) -> Measure:
        """What searches compute."""
        return self._measure

    @property
    def ids(self) -> NDArray[Any]:
        """Ids of the documents in the order in which they were given, shape (N,), read-only."""
        return self._ids.names

    @property
    def docs(self) -> Sequences | Bags:
        """The documents."""
        return self._docs

    def __len__(self) -> int:
        return len(self._docs)

    def __repr__(self) -> str:
        return f"Index({len(self)} documents, measure={self._measure.name}, dim={self._docs.dim})"

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
        goal = _Goal(whole_number(k, "k", least=1), np.inf, slack_number(slack, self._measure), weights)
        budget = _budget(candidates, time_budget, goal.k)
        positions = None if subset is None else self._ids.positions_of(subset)
        return self._search(query, goal, budget, positions, "documents of the subset", num_threads)

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
        goal = _Goal(whole_number(k, "k", least=1), np.inf, slack_number(slack, self._measure), weights)
        return self._search(query, goal, Budget(), self._ids.positions_of(ids), "given candidates", num_threads)

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
        positions = None if subset is None else self._ids.positions_of(subset)
        limit = real_number(radius, "radius")
        if np.isnan(limit):
            raise ValueError("radius must be a number, got nan")
        goal = _Goal(len(self), limit, 0.0, weights)
        return self._search(query, goal, Budget(), positions, "documents of the subset", num_threads)

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
            queries = queries.to_sequences(self._measure.weighting)
        batch = as_sequences(queries, "queries")
        count = whole_number(k, "k", least=1)
        allowed = slack_number(slack, self._measure)
        threads = self._threads(num_threads)
        _budget(candidates, time_budget, count)

        def one(q: int) -> Hits:
            budget = _budget(candidates, time_budget, count)
            goal = _Goal(count, np.inf, allowed, batch.weights_of(q))
            return self._search(batch[q], goal, budget, None, "", 1, name=f"queries: sequence {q}")

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

    def _threads(self, num_threads: int | None) -> int:
        return self._num_threads if num_threads is None else thread_count(num_threads)

    def _search(
        self,
        query: Sequences | Bags | ArrayLike,
        goal: _Goal,
        budget: Budget,
        subset: NDArray[np.int64] | None,
        subset_name: str,
        num_threads: int | None,
        *,
        name: str = "query",
    ) -> Hits:
        """Search the documents at the given positions, or all."""
        started = time.perf_counter()
        positions = self._all if subset is None else subset
        threads = self._threads(num_threads)
        tokens, mass = self._query(query, goal.weights, name)
        k = min(goal.k, len(positions))
        with naming(name, "docs", ids=self.ids):
            search = self._corpus.search(tokens, mass, k, goal.radius, goal.slack, self._ids.ranks, threads)
            wanted = k if np.isinf(goal.radius) else 1
            ladder = Ladder(search, positions, wanted, budget, threads)
            if isinstance(self._corpus, _core.BagCorpus):
                ladder.over_bags(one_sided_first=self._measure.capacity == 1.0)
            else:
                # Over the whole collection the nearest by pooled vectors are good seeds, under balanced measures.
                near = self._measure._spec.has_pooled_bound and not (budget.unlimited and subset is not None)
                candidates = None if self._prefilter is None else self._prefilter.query(tokens, mass, subset, threads)
                if candidates is None and not budget.unlimited:
                    raise ValueError("candidates, time_budget: need a prefilter, and this index was built without one")
                bounds_from = "costs" if self._codes is None else f"{self._codes} codes"
                ladder.over_tokens(candidates, seed_by_candidates=near, bounds_from=bounds_from)
        found, distances = search.hits()
        stats = SearchStats(
            documents=len(positions),
            rungs=ladder.rungs(),
            exact_solves=search.counts["exact_solves"],
            seconds=time.perf_counter() - started,
        )
        ids = self.ids[found]
        ids.flags.writeable = distances.flags.writeable = False
        return Hits(
            ids=ids,
            distances=distances,
            measure=self._measure,
            certificate=Certificate.of(
                distances,
                max(ladder.bound(), _least_distance(self._measure)),
                len(positions),
                len(positions) - stats.exact_solves,
                "documents" if subset is None else subset_name,
                radius=None if np.isinf(goal.radius) else goal.radius,
            ),
            stats=stats,
            _align=lambda rank: self._alignment(tokens, mass, int(found[rank])),
        )

    def _query(
        self, query: Sequences | Bags | ArrayLike, weights: ArrayLike | None, name: str
    ) -> tuple[NDArray[np.float32], NDArray[np.float64] | None]:
        """Tokens and mass of the query; copies, as the hits solve their alignments later, from the query as it is."""
        if isinstance(query, Bags):
            query = query.to_sequences(self._measure.weighting)
        tokens, mass = as_query(query, weights, name, "weights")
        require_same_dim(tokens.shape[1], self._docs.dim, name, "the index")
        return tokens.copy(), None if mass is None else mass.copy()

    def _alignment(self, tokens: NDArray[np.float32], mass: NDArray[np.float64] | None, position: int) -> Alignment:
        document = self._docs[position]
        if isinstance(self._docs, Bags):
            weights = self._docs.weights_of(position, self._measure.weighting)
        else:
            weights = self._docs.weights_of(position)
        return align(tokens, document, self._measure, mass, weights)


@dataclass(frozen=True)
class _Goal:
    """What is asked for."""

    k: int
    radius: float
    slack: float
    weights: ArrayLike | None


def _require_codes(codes: str, docs: Sequences | Bags, measure: Measure) -> None:
    """Refuse codes that would bound nothing or save nothing."""
    if isinstance(docs, Bags):
        raise ValueError("codes: bags need none, as their vectors are shared")
    if token_dtype(codes) in ("float32", docs.dtype):
        raise ValueError(f"codes: expected a type more compact than the documents' {docs.dtype}, got {codes!r}")
    if measure.ground == "sqeuclidean":
        raise ValueError("codes: give no bound under ground 'sqeuclidean'")


def _least_distance(measure: Measure) -> float:
    """What no distance of the measure is below."""
    return -np.inf if measure.ground == "dot" or isinstance(measure.problem, Sinkhorn) else 0.0


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
