"""Exact top-k search over a collection of sequences."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
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

#: Candidates taken from the pooled vectors at first, and how much more each further time: few enough that an easy
#: search ends early, growing fast enough that a hard one repeats little work.
FIRST_WINDOW = 64
WINDOW_GROWTH = 4


class Index:
    """Documents ready to be searched exactly under one measure. Made by `Index.build`.

    A search examines documents in rising order of a lower bound on their distance and stops when that bound exceeds
    the k-th best distance, which proves that no later document can be in the answer. Where pooled vectors bound the
    measure (capacity 1 under a metric ground cost) faiss delivers the order; otherwise one pass of the relaxed
    problem over all documents does.

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
        self._pooled: Any = None
        self._max_pooled_norm = 0.0
        if measure._spec.has_pooled_bound:
            import faiss

            pooled = corpus.pooled()
            self._pooled = faiss.IndexFlatL2(docs.dim)
            self._pooled.add(pooled)
            self._max_pooled_norm = _largest_norm(pooled)

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
        started = time.perf_counter()
        k = min(whole_number(k, "k", least=1), len(self))
        threads = self._num_threads if num_threads is None else thread_count(num_threads)
        tokens, mass = as_query(query, weights, "query", "weights")
        require_same_dim(tokens.shape[1], self._docs.dim, "query", "the index")
        # The hits solve their alignments later, from the query as it is now.
        tokens, mass = tokens.copy(), None if mass is None else mass.copy()
        with naming("query", "docs", ids=self._ids):
            search = self._corpus.search(tokens, mass, k, self._tie_ranks)
            if self._pooled is not None:
                stream = self._by_pooled_bound(tokens, mass, max(FIRST_WINDOW, 4 * k))
            else:
                stream = self._by_relaxed_bound(tokens, mass, threads)
            for candidates, bounds in stream:
                if search.examine(candidates, bounds, threads):
                    break
        positions, distances = search.hits()
        counts = search.counts
        unexamined = len(self) - counts["examined"]
        # A candidate is passed over only where its bound exceeds a k-th distance, which only falls. So whatever was
        # left has a bound of at least the first in order to exceed the last k-th distance.
        bound = float(bounds[np.searchsorted(bounds, distances[-1], side="right")]) if unexamined else np.inf
        ids = self._ids[positions]
        ids.flags.writeable = distances.flags.writeable = False
        return Hits(
            ids=ids,
            distances=distances,
            measure=self._measure,
            certificate=Certificate.of_exact_search(len(self), unexamined, bound, k, float(distances[-1])),
            stats=SearchStats(
                documents=len(self),
                pruned_by_order=unexamined,
                order="relaxed" if self._pooled is None else "pooled",
                seconds=time.perf_counter() - started,
                **counts,
            ),
            _align=lambda rank: self._alignment(tokens, mass, int(positions[rank])),
        )

    def _by_pooled_bound(
        self, tokens: NDArray[np.float32], mass: NDArray[np.float64] | None, window: int
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """Documents in rising order of the bound between pooled vectors, in growing windows."""
        pooled_query = self._corpus.pool_query(tokens, mass)[None]
        largest = max(self._max_pooled_norm, _largest_norm(pooled_query))
        sent = np.zeros(len(self), dtype=bool)
        floor = np.float32(0)
        while not sent.all():
            window = min(window, len(self))
            (squared,), (found,) = self._pooled.search(pooled_query, window)
            # A larger window repeats what was sent and, where rounding differs, may do so in another order or with
            # other last bits. What was not sent then lay beyond `floor`, which bounds it as well as its own entry.
            new = ~sent[found]
            positions, nearest = found[new], np.maximum(squared[new], floor)
            floor = max(floor, squared[-1])
            sent[positions] = True
            if len(positions):
                yield positions, self._corpus.pooled_bounds(tokens, mass, nearest, largest)
            window *= WINDOW_GROWTH

    def _by_relaxed_bound(
        self, tokens: NDArray[np.float32], mass: NDArray[np.float64] | None, threads: int
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """All documents in rising order of the relaxed problem's value."""
        bounds = self._corpus.relaxed_bounds(tokens, mass, threads)
        order = np.argsort(bounds, kind="stable")
        yield order, bounds[order]

    def _alignment(self, tokens: NDArray[np.float32], mass: NDArray[np.float64] | None, position: int) -> Alignment:
        return align(
            tokens,
            self._docs[position],
            self._measure,
            mass,
            self._docs.weights_of(position),
        )


def _largest_norm(vectors: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.square(vectors, dtype=np.float64).sum(axis=1).max()))


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
