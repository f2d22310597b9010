"""Exact top-k search over a collection of sequences."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moverank import _core
from moverank._validate import thread_count, whole_number
from moverank.alignment import Alignment, align
from moverank.hits import Certificate, Hits, SearchStats
from moverank.measures import Measure, measure, naming, prepare, require_same_dim
from moverank.sequences import Sequences, as_query, as_sequences

_by_name = measure

#: Documents that are solved before anything is bounded: the mean of so many row potentials is as good as that of more.
SEEDS = 20


class Index:
    """Documents ready to be searched exactly under one measure. Made by `Index.build`.

    A search solves some documents that are likely near, takes the mean of their dual potentials for the query's tokens,
    and bounds every other document's distance with it; then it solves documents in rising order of these bounds and
    stops when the next one exceeds the k-th best distance, which proves that no later document can be in the answer.

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
        self, docs: Sequences, measure: Measure, ids: NDArray[Any], corpus: _core.Corpus, num_threads: int
    ) -> None:
        self._docs = docs
        self._measure = measure
        self._ids = ids
        self._corpus = corpus
        self._num_threads = num_threads
        self._tie_ranks = np.empty(len(ids), dtype=np.int64)
        self._tie_ranks[np.argsort(ids)] = np.arange(len(ids))
        self._place: dict[Any, int] | None = None  # by id; made when first needed
        self._pooled: Any = None
        if measure._spec.has_pooled_bound:
            import faiss

            self._pooled = faiss.IndexFlatL2(docs.dim)
            self._pooled.add(corpus.pooled())

    @classmethod
    def build(
        cls,
        docs: Sequences | Sequence[ArrayLike],
        measure: str | Measure = "wrd",
        *,
        ids: Sequence[int] | Sequence[str] | NDArray[Any] | None = None,
        num_threads: int | None = None,
    ) -> Index:
        """Prepare documents for search.

        Parameters
        ----------
        docs : Sequences or sequence of array_like, each of shape (n_s, d)
            The documents. Their arrays are kept, not copied, if they already are a `Sequences`.
        measure : str or Measure, default "wrd"
            What searches will compute.
        ids : sequence of int or of str, shape (N,), optional
            Unique names of the documents; 0 to N − 1 by default. Equal distances rank by id.
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
            If a document cannot be measured, or ids repeat or are of the wrong number; the message says which.
        """
        chosen = _by_name(measure)
        batch = as_sequences(docs, "docs")
        names = _ids(ids, len(batch))
        threads = thread_count(num_threads)
        with naming("docs", "docs", ids=None if ids is None else names):
            corpus = prepare(batch, chosen)
        return cls(batch, chosen, names, corpus, threads)

    @property
    def measure(self) -> Measure:
        """What searches compute."""
        return self._measure

    @property
    def ids(self) -> NDArray[Any]:
        """Ids of the documents in the order in which they were given, shape (N,), read-only."""
        return self._ids

    @property
    def docs(self) -> Sequences:
        """The documents."""
        return self._docs

    def __len__(self) -> int:
        return len(self._docs)

    def __repr__(self) -> str:
        return f"Index({len(self)} documents, measure={self._measure.name}, dim={self._docs.dim})"

    def search(
        self,
        query: Sequences | ArrayLike,
        k: int = 10,
        *,
        weights: ArrayLike | None = None,
        num_threads: int | None = None,
    ) -> Hits:
        """Find the k nearest documents, exactly.

        Parameters
        ----------
        query : array_like, shape (n, d), or Sequences of length 1
            Tokens of the query.
        k : int, default 10
            How many documents to return; all of them if the index holds fewer.
        weights : array_like, shape (n,), optional
            Mass of the query's tokens.
        num_threads : int, optional
            Threads to use; what `build` was told by default. The hits do not depend on it.

        Returns
        -------
        Hits
            The true top k, nearest first, ties by id, with certificate and statistics.

        Raises
        ------
        TypeError, ValueError
            If an argument is malformed; the message names it.

        Examples
        --------
        >>> import numpy as np
        >>> index = Index.build([np.eye(4)[:2], np.eye(4)[1:]], "wrd")
        >>> index.search(np.eye(4)[2:], k=1).ids
        array([1])
        """
        return self._search(query, k, weights, num_threads, None)

    def rerank(
        self,
        query: Sequences | ArrayLike,
        ids: Sequence[int] | Sequence[str] | NDArray[Any],
        k: int = 10,
        *,
        weights: ArrayLike | None = None,
        num_threads: int | None = None,
    ) -> Hits:
        """Find the k nearest of given documents, exactly: candidates from BM25, a vector database, a first stage.

        Parameters
        ----------
        query : array_like, shape (n, d), or Sequences of length 1
            Tokens of the query.
        ids : sequence of int or of str
            Ids of the candidates, in any order.
        k : int, default 10
            How many documents to return; all of the candidates if there are fewer.
        weights : array_like, shape (n,), optional
            Mass of the query's tokens.
        num_threads : int, optional
            Threads to use; what `build` was told by default. The hits do not depend on it.

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
        return self._search(query, k, weights, num_threads, self._positions(ids))

    def _positions(self, ids: Sequence[int] | Sequence[str] | NDArray[Any]) -> NDArray[np.int64]:
        """Places of ids in the index."""
        if isinstance(ids, str) or not isinstance(ids, Iterable):
            raise TypeError(f"ids: expected a list of ids, got {ids!r}")
        wanted = list(ids)
        if not wanted:
            raise ValueError("ids: expected at least one candidate")
        if self._place is None:
            self._place = {name: place for place, name in enumerate(self._ids.tolist())}
        places = []
        for name in wanted:
            plain = name.item() if isinstance(name, np.generic) else name
            if isinstance(plain, bool) or plain not in self._place:
                raise KeyError(f"ids: {plain!r} is not in the index")
            places.append(self._place[plain])
        unique, counts = np.unique(np.array(places, dtype=np.int64), return_counts=True)
        if len(unique) < len(places):
            raise ValueError(f"ids: {self._ids[unique[np.argmax(counts > 1)]].item()!r} is given more than once")
        return unique

    def _search(
        self,
        query: Sequences | ArrayLike,
        k: int,
        weights: ArrayLike | None,
        num_threads: int | None,
        given: NDArray[np.int64] | None,
    ) -> Hits:
        """Top k of the documents at the given positions, or of all."""
        started = time.perf_counter()
        n_documents = len(self) if given is None else len(given)
        k = min(whole_number(k, "k", least=1), n_documents)
        threads = self._num_threads if num_threads is None else thread_count(num_threads)
        tokens, mass = as_query(query, weights, "query", "weights")
        require_same_dim(tokens.shape[1], self._docs.dim, "query", "the index")
        # The hits solve their alignments later, from the query as it is now.
        tokens, mass = tokens.copy(), None if mass is None else mass.copy()
        with naming("query", "docs", ids=self._ids):
            search = self._corpus.search(tokens, mass, k, self._tie_ranks)
            candidates, bounds = self._plan_search(search, tokens, mass, k, threads, given)
            search.examine(candidates, bounds, threads)
        positions, distances = search.hits()
        counts = search.counts
        unexamined = n_documents - counts["examined"]
        # A candidate is passed over only where its bound exceeds a k-th distance, which only falls. So whatever was
        # left has a bound of at least the first in order to exceed the last k-th distance.
        bound = float(bounds[np.searchsorted(bounds, distances[-1], side="right")]) if unexamined else np.inf
        ids = self._ids[positions]
        ids.flags.writeable = distances.flags.writeable = False
        return Hits(
            ids=ids,
            distances=distances,
            measure=self._measure,
            certificate=Certificate.of_exact_search(
                n_documents, unexamined, bound, k, float(distances[-1]), given=given is not None
            ),
            stats=SearchStats(
                documents=n_documents,
                pruned_by_order=unexamined,
                seeds=min(max(SEEDS, k), n_documents),
                order="relaxed" if self._pooled is None or given is not None else "dual",
                seconds=time.perf_counter() - started,
                **counts,
            ),
            _align=lambda rank: self._alignment(tokens, mass, int(positions[rank])),
        )

    def _plan_search(
        self,
        search: _core.TopKSearch,
        tokens: NDArray[np.float32],
        mass: NDArray[np.float64] | None,
        k: int,
        threads: int,
        given: NDArray[np.int64] | None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Solve seeds; return all other documents in rising order of a lower bound, with that bound."""
        positions = np.arange(len(self), dtype=np.int64) if given is None else given
        n_seeds = min(max(SEEDS, k), len(positions))
        if self._pooled is not None and given is None:
            # Near pooled vectors make good seeds and weak bounds.
            _, (seeds,) = self._pooled.search(self._corpus.pool_query(tokens, mass)[None], n_seeds)
            search.seed(seeds, threads)
            bounds = search.lower_bounds(positions, threads)
        else:
            # Minima alone give the order, once; what the seeds' potentials say is asked when a document's turn comes.
            bounds = search.lower_bounds(positions, threads)
            seeds = positions[np.argsort(bounds, kind="stable")[:n_seeds]]
            search.seed(seeds, threads)
        left = ~np.isin(positions, seeds)
        candidates, bounds = positions[left], bounds[left]
        order = np.argsort(bounds, kind="stable")
        return candidates[order], bounds[order]

    def _alignment(self, tokens: NDArray[np.float32], mass: NDArray[np.float64] | None, position: int) -> Alignment:
        return align(
            tokens,
            self._docs[position],
            self._measure,
            mass,
            self._docs.weights_of(position),
        )


def _ids(ids: Sequence[int] | Sequence[str] | NDArray[Any] | None, count: int) -> NDArray[Any]:
    """Check ids: all integers or all strings, unique, one a document."""
    if ids is None:
        ids = np.arange(count, dtype=np.int64)
    if isinstance(ids, str) or not isinstance(ids, Iterable):
        raise TypeError(f"ids: expected a list of ids, got {ids!r}")
    listed = list(ids)
    if len(listed) != count:
        raise ValueError(f"ids: expected {count}, one a document, got {len(listed)}")
    names: NDArray[Any]
    if all(isinstance(x, str) for x in listed):
        names = np.array(listed, dtype=np.str_)
    elif all(isinstance(x, (int, np.integer)) and not isinstance(x, bool) for x in listed):
        try:
            names = np.array(listed, dtype=np.int64)
        except OverflowError:
            raise ValueError("ids: an integer does not fit into 64 bits") from None
    else:
        kinds = " and ".join(dict.fromkeys(type(x).__name__ for x in listed))
        raise TypeError(f"ids: expected all integers or all strings, got {kinds}")
    unique, counts = np.unique(names, return_counts=True)
    if len(unique) < count:
        raise ValueError(f"ids: {unique[np.argmax(counts > 1)].item()!r} is given more than once")
    names.flags.writeable = False
    return names
