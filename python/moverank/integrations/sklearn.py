"""scikit-learn: distances and neighbours of sequences for its estimators. ``pip install 'moverank[sklearn]'``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moverank._support.optional import optional
from moverank._support.validate import whole_number
from moverank.index.index import Index
from moverank.measures.distances import pairwise
from moverank.measures.measure import Measure
from moverank.vectors.bags import Bags
from moverank.vectors.histograms import Histograms, as_histograms
from moverank.vectors.sequences import Sequences, as_sequences

_base = optional("sklearn.base", "sklearn")
_sparse = optional("scipy.sparse", "sklearn")
_validation = optional("sklearn.utils.validation", "sklearn")

Texts = Sequences | Bags | Histograms | Sequence[ArrayLike] | ArrayLike


def pairwise_distances(
    X: Texts,
    Y: Texts | None = None,
    *,
    metric: str | Measure | None = None,
    costs: ArrayLike | None = None,
    n_jobs: int | None = None,
) -> NDArray[np.float64]:
    """Compute distances between sequences, as ``sklearn.metrics.pairwise_distances`` does between rows.

    Parameters
    ----------
    X, Y : Sequences, Bags, or sequence of array_like or Sequence, each of shape (n_s, d)
        Sequences, with their weights if they have any. Without `Y`, distances between all pairs in `X`. With `costs`,
        histograms of shape (N, K), dense or sparse.
    metric : str or Measure, optional
        The distance to compute; "wrd" by default, or "emd" if costs are given.
    costs : array_like, shape (K, L), optional
        Cost of moving a unit of mass from each bin of `X` to each bin of `Y`: see `moverank.pairwise`.
    n_jobs : int, optional
        Number of threads; all cores by default, or if negative.

    Returns
    -------
    ndarray of float64, shape (len(X), len(Y))
        Distances, for estimators with ``metric="precomputed"``.
    """
    threads = None if n_jobs is None or n_jobs < 0 else n_jobs
    return pairwise(X, Y, metric, costs=costs, num_threads=threads)


class TransportNeighbors(_base.TransformerMixin, _base.BaseEstimator):  # type: ignore[name-defined]
    """The nearest sequences of a fitted set as a sparse graph, for estimators with ``metric="precomputed"``.

    The counterpart of scikit-learn's `KNeighborsTransformer`. Neighbours are exact; lower bounds exclude most other
    sequences without solving a transport problem for them.

    Parameters
    ----------
    n_neighbors : int, default 5
        Number of neighbours per sequence. The graph has one more, as each sequence of the fitted set is its own nearest
        neighbour.
    measure : str or Measure, optional
        The distance to compute; "wrd" by default, or "emd" if costs are given.
    costs : array_like, shape (K, L), optional
        Cost of moving a unit of mass from each bin of a query to each bin of the fitted set. Both are then histograms,
        dense or sparse.
    num_threads : int, optional
        Number of threads; all cores by default.

    Examples
    --------
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> X = [np.eye(3)[:2], np.eye(3)[:1], np.eye(3)[2:], np.eye(3)[1:]]
    >>> model = make_pipeline(TransportNeighbors(2), KNeighborsClassifier(1, metric="precomputed"))
    >>> model.fit(X, ["left", "left", "right", "right"]).predict([np.eye(3)[2:]])
    array(['right'], dtype='<U5')
    """

    def __init__(
        self,
        n_neighbors: int = 5,
        measure: str | Measure | None = None,
        num_threads: int | None = None,
        costs: ArrayLike | None = None,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.measure = measure
        self.costs = costs
        self.num_threads = num_threads

    def fit(self, X: Texts, y: object = None) -> TransportNeighbors:
        """Build an index of a set of sequences."""
        whole_number(self.n_neighbors, "n_neighbors", least=1)
        # Bags are not converted to sequences, as an index of bags is faster.
        batch = X if isinstance(X, Bags) and self.costs is None else self._batch(X)
        self.index_ = Index.build(batch, self.measure, costs=self.costs, prefilter=None, num_threads=self.num_threads)
        self.n_samples_fit_ = len(batch)
        return self

    def fit_transform(self, X: Texts, y: object = None) -> Any:
        """Build an index of a set of sequences, and return the graph of the set itself."""
        return self.fit(X).transform(X)

    def transform(self, X: Texts) -> Any:
        """Return the graph of distances to the nearest sequences.

        Returns
        -------
        scipy.sparse.csr_matrix of float64, shape (len(X), n_samples_fit_)
            Each row holds `n_neighbors` + 1 distances, or all if the fitted set has fewer sequences.
        """
        distances, places = self.kneighbors(X, self.n_neighbors + 1)
        rows = np.arange(0, distances.size + 1, distances.shape[1])
        shape = (len(distances), self.n_samples_fit_)
        return _sparse.csr_matrix((distances.ravel(), places.ravel(), rows), shape=shape)

    def kneighbors(self, X: Texts, n_neighbors: int | None = None) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Find the nearest sequences of the fitted set, the nearest first.

        Returns
        -------
        tuple of ndarray, both of shape (len(X), k)
            Distances, and positions in the fitted set.
        """
        _validation.check_is_fitted(self, "index_")
        k = min(self.n_neighbors if n_neighbors is None else n_neighbors, self.n_samples_fit_)
        found = self.index_.search_batch(self._batch(X), k)
        return np.array([hits.distances for hits in found]), np.array([hits.ids for hits in found])

    def _batch(self, X: Texts) -> Sequences | Histograms:
        if self.costs is not None:
            return as_histograms(X, "X")
        # If X are bags, the measure's weighting determines the mass of their words.
        chosen = Measure.of("wrd" if self.measure is None else self.measure)
        return as_sequences(cast("Sequences", X), "X", chosen.weighting)
