"""Prefilters: coarse searches by a few vectors per document, which propose candidates and seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank import _core
from moverank._support.threads import Lock, openmp_count, openmp_threads
from moverank.index.parts.setup import Chosen
from moverank.index.search.ladder import Positions, PrefilteredQuery
from moverank.measures.measure import Measure

#: Number of seeds, spread evenly over the collection, whose potentials give the bounds that order the documents.
SPREAD_SEEDS = 64


class ClusteredVectors:
    """Prefilter by the clusters of each document's tokens, which are prepared as if they were documents."""

    def __init__(self, clusters: _core.Corpus, per_document: int, measure: Measure, live: Positions) -> None:
        self.name = f"clusters, {per_document}"
        self.exhaustive = True
        self.gives_seeds = bool(measure._spec.has_pooled_bound)
        self._clusters = clusters
        self._live = live

    def query(
        self, query: _core.Query, positions: Positions | None, num_threads: int, wanted: int, *, as_seeds: bool
    ) -> PrefilteredQuery:
        """Candidates for one query among the documents at given positions, or all."""
        searched = self._live if positions is None else positions
        return ClusteredQuery(self.name, self._clusters, query, searched, num_threads)


class ClusteredQuery:
    """Candidates for one query, by clusters."""

    def __init__(
        self, name: str, clusters: _core.Corpus, query: _core.Query, positions: Positions, num_threads: int
    ) -> None:
        self.name = name
        self._clusters = clusters
        self._query = query
        self._positions = positions
        self._threads = num_threads
        self._order: Positions | None = None

    def nearest(self, count: int) -> tuple[Positions, float]:
        """Positions of the first `count` documents, and a lower bound on the distances of all others."""
        if self._order is None:
            self._order = self._positions[np.argsort(self._estimates(), kind="stable")]
        return self._order[:count], np.inf if count >= len(self._order) else -np.inf

    def _estimates(self) -> NDArray[np.float64]:
        """Estimated distances of documents: bounds on those of their clusters by reused potentials, which are close."""
        bounds = _core.QueryBounds(self._clusters, self._query, self._threads)
        step = max(len(self._positions) // SPREAD_SEEDS, 1)
        bounds.seed(np.ascontiguousarray(self._positions[::step][:SPREAD_SEEDS]), self._threads)
        return bounds.lower_bounds(self._positions, self._threads)


#: If only some documents are searched, faiss is asked for this multiple of the number expected to contain enough.
OVERSAMPLING = 2

#: Maximum number of pooled vectors for training. faiss samples from more by itself, but needs all in memory.
MAX_TRAINING_VECTORS = 1 << 18


class Trained:
    """A trained faiss index of the pooled vectors of an index's first documents. Loaded at the first access."""

    def __init__(self, covered: int, factory: str, load: Callable[[], Any]) -> None:
        #: Number of documents in it.
        self.covered = covered
        self._factory = factory
        self._load = load
        self._loading = Lock()

    @cached_property
    def index(self) -> Any:
        """The faiss index."""
        with self._loading:
            # Another thread may have loaded it while this one waited for the lock.
            loaded = self.__dict__.get("index")
            return self._load() if loaded is None else loaded

    def __reduce__(self) -> tuple[Any, ...]:
        octets = import_module("faiss").serialize_index(self.index)
        return _restored, (self.covered, self._factory, octets)


def _restored(covered: int, factory: str, octets: NDArray[np.uint8]) -> Trained:
    def load() -> Any:
        index = import_module("faiss").deserialize_index(octets)
        configure(index, factory)
        return index

    return Trained(covered, factory, load)


def train(factory: str, pooled: Sequence[NDArray[np.float32]], measure: Measure, num_threads: int) -> Trained | None:
    """Train a faiss index on pooled vectors; None for "Flat", which compares all vectors and needs no training.

    Parameters
    ----------
    factory : str
        Description for `faiss.index_factory`, optionally with parameters after a semicolon: "HNSW32",
        "IVF256,Flat;nprobe=16".
    pooled : sequence of ndarray, each of shape (N_p, d)
        One vector per document, for each part.
    measure : Measure
        The distance of the index.
    num_threads : int
        Number of threads; 0 means all cores.

    Raises
    ------
    ValueError
        If faiss cannot train such an index on the documents.
    """
    if factory.partition(";")[0] == "Flat":
        return None
    faiss: Any = import_module("faiss")
    count = sum(map(len, pooled))
    step = -(-count // MAX_TRAINING_VECTORS)
    try:
        index = _untrained(faiss, factory, pooled[0].shape[1], measure)
        with openmp_threads(faiss, openmp_count(num_threads)):
            if not index.is_trained:
                index.train(np.concatenate([part[::step] for part in pooled]))
            for part in pooled:
                index.add(part)
        configure(index, factory)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1]
        raise ValueError(f"prefilter: faiss cannot train {factory!r} on {count} documents: {reason}") from None
    return Trained(count, factory, lambda: index)


def require_factory(prefilter: Chosen | None, dim: int, measure: Measure) -> None:
    """Raise ValueError, before documents are prepared, if faiss does not accept a description."""
    if not isinstance(prefilter, str):
        return
    faiss: Any = import_module("faiss")
    try:
        configure(_untrained(faiss, prefilter, dim, measure), prefilter)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1]
        raise ValueError(f"prefilter: faiss does not accept {prefilter!r}: {reason}") from None


def _untrained(faiss: Any, factory: str, dim: int, measure: Measure) -> Any:
    """Create the faiss index for a description; RuntimeError if it is invalid."""
    try:
        factory.encode()  # for a lone surrogate, the bindings of faiss would raise a TypeError
    except UnicodeEncodeError as error:
        raise RuntimeError(error) from None
    return faiss.index_factory(dim, factory.partition(";")[0], _metric(faiss, measure))


def configure(index: Any, factory: str) -> None:
    """Set the parameters after the semicolon of a description; RuntimeError if faiss does not know one."""
    settings = factory.partition(";")[2]
    if settings:
        import_module("faiss").ParameterSpace().set_index_parameters(index, settings)


def _metric(faiss: Any, measure: Measure) -> int:
    by_product = not measure._spec.has_pooled_bound and (
        measure._cost.needs_directions or measure._cost.may_be_negative
    )
    return int(faiss.METRIC_INNER_PRODUCT if by_product else faiss.METRIC_L2)


class PooledVectors:
    """Prefilter by one pooled vector per document, the mean of its tokens weighted by mass.

    Under balanced measures, distances between pooled vectors are lower bounds on distances between documents. So if all
    are compared, the prefilter also bounds the distances of the documents that it does not propose. On real text the
    bound is weak, but the order is a good one.

    Parameters
    ----------
    corpus : Corpus
        Prepared documents.
    measure : Measure
        The distance of the index.
    factory : str
        Description for faiss, as in `train`.
    pooled : list of ndarray, each of shape (N_p, d)
        The pooled vectors, for each part.
    largest_norm : float
        Largest norm of the pooled vectors.
    trained : Trained or None
        Result of `train` for the first documents; the others are compared one by one.
    live : ndarray of int64
        Increasing positions of the documents that are not removed.
    """

    def __init__(
        self,
        corpus: _core.Corpus,
        measure: Measure,
        factory: str,
        pooled: list[NDArray[np.float32]],
        largest_norm: float,
        trained: Trained | None,
        live: Positions,
    ) -> None:
        self.name = f"pooled, {factory}"
        self.bounds = measure._spec.has_pooled_bound and trained is None
        self.exhaustive = trained is None
        # Averages of all tokens say much about distances if all of them move: under balanced measures.
        self.gives_seeds = bool(measure._spec.has_pooled_bound)
        self.largest_norm = largest_norm
        self.corpus = corpus
        self.live = live
        self._measure = measure
        self._trained = trained
        self._pooled = pooled
        self._n_all = sum(map(len, pooled))

    def query(
        self, query: _core.Query, positions: Positions | None, num_threads: int, wanted: int, *, as_seeds: bool
    ) -> PrefilteredQuery:
        """Candidates for one query among the documents at given positions, or all."""
        return PooledQuery(self, query, self.live if positions is None else positions)

    def search(
        self, pooled: NDArray[np.float32], count: int, positions: Positions
    ) -> tuple[NDArray[np.float32], Positions]:
        """Distances (in the sense of faiss's metric) and positions of the `count` nearest documents, or all if fewer.

        If the trained index finds too few of the given positions, all of them are compared instead.
        """
        faiss: Any = import_module("faiss")
        metric = _metric(faiss, self._measure)
        distances: list[NDArray[np.float32]] = []
        found: list[Positions] = []
        covered = 0 if self._trained is None else self._trained.covered
        # On the calling thread only: OpenMP's threads would keep spinning on cores that the rest of the search needs.
        with openmp_threads(faiss, 1):
            if self._trained is not None:
                n_wanted = int(np.searchsorted(positions, covered))
                enough = min(count, n_wanted)
                # Ask for more, as some results will be removed or not among the positions. If that is more than half
                # of all documents, comparing the given ones is faster.
                more = 0 if n_wanted == covered else OVERSAMPLING * enough * covered // max(n_wanted, 1)
                requested = enough + more
                near, places = np.empty((1, 0), np.float32), np.empty((1, 0), np.int64)
                if 0 < enough < n_wanted and requested <= covered // 2:
                    near, places = self._trained.index.search(pooled[None], requested)
                # Excludes other documents, removed ones, and −1, which faiss returns if it finds no more.
                valid = np.isin(places[0], positions)
                if int(valid.sum()) < enough:
                    covered = 0
                else:
                    distances.append(near[0][valid])
                    found.append(places[0][valid])
            first = 0
            for part in self._pooled:
                last = first + len(part)
                own = positions[np.searchsorted(positions, max(first, covered)) : np.searchsorted(positions, last)]
                if len(own):
                    rows = part if len(own) == len(part) else part[own - first]
                    near, places = faiss.knn(pooled[None], rows, min(count, len(own)), metric)
                    distances.append(near[0])
                    found.append(own[places[0]])
                first = last
        joined = np.concatenate(distances)
        order = np.argsort(-joined if metric == faiss.METRIC_INNER_PRODUCT else joined, kind="stable")[:count]
        return joined[order], np.concatenate(found)[order]


class PooledQuery:
    """Candidates for one query, by pooled vectors."""

    def __init__(self, prefilter: PooledVectors, query: _core.Query, positions: Positions) -> None:
        self.name = prefilter.name
        self._prefilter = prefilter
        self._query = query
        self._positions = positions
        self._pooled = query.pooled(prefilter.corpus)
        self._found: tuple[NDArray[np.float32], Positions] | None = None

    def nearest(self, count: int) -> tuple[Positions, float]:
        """Positions of the first `count` documents, and a lower bound on the distances of all others."""
        n = len(self._positions)
        # One more than requested: its pooled distance bounds those of all others.
        distances, found = self._search(min(count + 1, n))
        known = found[:count]
        if count >= n and len(known) == n:
            return known, np.inf
        if not self._prefilter.bounds:
            return known, -np.inf
        largest_norm = max(self._prefilter.largest_norm, float(np.linalg.norm(self._pooled.astype(np.float64))))
        bound = self._query.pooled_bounds(self._prefilter.corpus, distances[count : count + 1], largest_norm)
        return known, float(bound[0])

    def _search(self, count: int) -> tuple[NDArray[np.float32], Positions]:
        if self._found is None or len(self._found[0]) < count:
            self._found = self._prefilter.search(self._pooled, count, self._positions)
        return self._found
