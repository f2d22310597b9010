"""Many distances in one call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moverank import _core
from moverank._support.validate import require_callable, thread_count
from moverank.measures.given import one_against_many_given, paired_given, pairwise_given
from moverank.measures.measure import Measure, naming, prepare, require_same_dim, require_vectors
from moverank.measures.origin import about_one_origin, about_one_origin_of_bags
from moverank.measures.precision import tell_if_lost
from moverank.solvers.interval import SolvedBatch
from moverank.vectors.bags import Bags
from moverank.vectors.histograms import Histograms
from moverank.vectors.sequences import Batch, One, Sequences, as_query, as_sequences


def distances(
    query: One | Histograms,
    docs: Batch | Histograms | ArrayLike,
    measure: str | Measure | None = None,
    *,
    weights: ArrayLike | None = None,
    costs: ArrayLike | None = None,
    num_threads: int | None = None,
) -> NDArray[np.float64]:
    """Distances of one query to many documents.

    Parameters
    ----------
    query : array_like, shape (n, d), or Sequence
        Tokens of the query, with weights if it carries any.
    docs : Sequences, Bags, encoded texts, or sequence of array_like or Sequence, each of shape (m_s, d)
        The documents, of any lengths, with weights if they carry any.
    measure : str or Measure, optional
        What to compute; by default "wrd", or "emd" where costs are given.
    weights : array_like, shape (n,), optional
        Mass of the query's tokens, replacing weights that it carries.
    costs : array_like, shape (K, L), optional
        Cost of moving from each bin of the query to each bin of a document, instead of vectors. `query` is then
        a histogram, of shape (K,), and `docs` are histograms: an array of shape (N, L), a sparse matrix of SciPy, a
        DataFrame, `Histograms` or `Bags`. Solved in float32 if the table is, otherwise in float64. ``np.inf`` forbids a
        move.
    num_threads : int, optional
        Threads to use; all cores by default. The result does not depend on it.

    Returns
    -------
    ndarray of float64, shape (N,)
        Smaller is nearer; in units of the ground cost. Infinite where `costs` forbid every plan.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed; the message names it, and the document.

    Examples
    --------
    >>> import numpy as np
    >>> query = np.eye(3)[:2]
    >>> distances(query, [np.eye(3)[:2], np.eye(3)[1:], np.eye(3)[2:]], "wmd").round(4)
    array([0.    , 0.7071, 1.4142])
    """
    if costs is not None:
        return _core.bag_distances(*_given(query, docs, costs, measure, weights), thread_count(num_threads))
    chosen, asked, batch, arguments = _one_against_many(query, docs, measure, weights, num_threads)
    with naming("query", "docs"):
        found = _core.bag_distances(*arguments) if isinstance(batch, Bags) else _core.distances(*arguments)
    tell_if_lost(found, chosen, asked, batch)
    return found


@dataclass(frozen=True, repr=False, eq=False)
class CertifiedDistances(SolvedBatch):
    """Distances of one query to many documents, each with an interval.

    Attributes
    ----------
    values : ndarray of float64, shape (N,)
        The result of `distances`.
    lower, upper : ndarray of float64, shape (N,)
        ``lower <= exact value <= upper``, proved. "Exact" is the value without entropy and without relaxation; `upper`
        is infinite where only a bound was requested. `gap` is their difference.
    iterations : ndarray of int64, shape (N,)
        Simplex pivots, or sweeps of the scaling.
    marginal_error : ndarray of float64, shape (N,)
        L1 error of the entropic plan's marginals; 0 for other problems.
    converged : ndarray of bool, shape (N,)
        Whether each reached the tolerance.
    """

    _noun = "documents"

    values: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    iterations: NDArray[np.int64]
    marginal_error: NDArray[np.float64]
    converged: NDArray[np.bool_]

    @classmethod
    def _of(cls, found: _core.CertifiedColumns) -> CertifiedDistances:
        return cls(found.value, found.lower, found.upper, found.iterations, found.marginal_error, found.converged)


def certified_distances(
    query: One | Histograms,
    docs: Batch | Histograms | ArrayLike,
    measure: str | Measure | None = None,
    *,
    weights: ArrayLike | None = None,
    costs: ArrayLike | None = None,
    num_threads: int | None = None,
) -> CertifiedDistances:
    """Distances of one query to many documents, each with an interval around the exact value.

    The exact value is the optimum of the float32 costs computed from the vectors, as in all of this package; their
    error, some 1e-7 of the size of the tokens, is not part of the interval (docs/numerics.md).

    Parameters
    ----------
    query, docs, measure, weights, costs, num_threads
        As in `distances`.

    Returns
    -------
    CertifiedDistances

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed; the message names it, and the document.

    Examples
    --------
    >>> import numpy as np
    >>> from moverank import Sinkhorn, wmd
    >>> smooth = wmd.replace(problem=Sinkhorn(epsilon=0.1))
    >>> found = certified_distances(np.eye(3)[:2], [np.eye(3)[1:], np.eye(3)[2:]], smooth)
    >>> exact = distances(np.eye(3)[:2], [np.eye(3)[1:], np.eye(3)[2:]], wmd)
    >>> bool(np.all((found.lower <= exact) & (exact <= found.upper)))
    True
    """
    if costs is not None:
        given = _given(query, docs, costs, measure, weights)
        return CertifiedDistances._of(_core.bag_certified_distances(*given, thread_count(num_threads)))
    chosen, asked, batch, arguments = _one_against_many(query, docs, measure, weights, num_threads)
    with naming("query", "docs"):
        in_core = _core.bag_certified_distances if isinstance(batch, Bags) else _core.certified_distances
        found = CertifiedDistances._of(in_core(*arguments))
    tell_if_lost(found.values, chosen, asked, batch)
    return found


def pairwise(
    A: Batch | Histograms | ArrayLike,
    B: Batch | Histograms | ArrayLike | None = None,
    measure: str | Measure | None = None,
    *,
    costs: ArrayLike | None = None,
    progress: Callable[[int, int], object] | None = None,
    num_threads: int | None = None,
) -> NDArray[np.float64]:
    """Distances of every sequence of one batch to every sequence of another.

    Within one batch (no `B`, or `A` again) the matrix of a symmetric measure is exactly symmetric and half of its pairs
    are solved, and where equal sequences are at distance 0 so is its diagonal: `scipy.spatial.distance.squareform` and
    estimators with ``metric="precomputed"`` accept it as it is. `Measure.is_symmetric` and
    `Measure.is_zero_between_equals` say which measures these are.

    Parameters
    ----------
    A : Sequences or sequence of array_like, each of shape (n_r, d)
        These play the query: all of their mass moves.
    B : Sequences or sequence of array_like, each of shape (m_s, d), optional
        These play the document; `A` itself by default.
    measure : str or Measure, optional
        What to compute; by default "wrd", or "emd" where costs are given.
    costs : array_like, shape (K, L), optional
        Cost of moving from each bin of `A` to each bin of `B`, instead of vectors; square without `B`. `A` and
        `B` are then histograms: arrays of shapes (N, K) and (M, L), sparse matrices of SciPy, DataFrames, `Histograms`
        or `Bags`. Costs may be negative, and need not be symmetric or a metric; ``np.inf`` forbids a move. Solved
        in float32 if the table is, otherwise in float64; if table and measure are symmetric, only half of the pairs
        are solved.
    progress : callable, optional
        Called from time to time, and at the end, with the number of finished pairs and of all pairs: of a symmetric
        matrix, those of one half.
    num_threads : int, optional
        Threads to use; all cores by default. The result does not depend on it.

    Returns
    -------
    ndarray of float64, shape (len(A), len(B))
        ``result[r, s]`` is the distance of ``A[r]`` to ``B[s]``; infinite where `costs` forbid every plan.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed; the message names it, and the sequence.

    Notes
    -----
    `Bags` have most words in common, so costs between words are computed once for many rows: for as many at a time as
    256 MiB have room for. Where only the nearest of each row matter, `neighbours` solves few of the pairs.

    Examples
    --------
    >>> import numpy as np
    >>> pairwise([np.eye(2)[:1], np.eye(2)[1:]], measure="wrd")
    array([[0., 1.],
           [1., 0.]])
    >>> pairwise([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]], costs=[[0, 1, 2], [1, 0, 1], [2, 1, 0]])
    array([[0. , 1.5],
           [1.5, 0. ]])
    """
    if progress is not None:
        require_callable(progress, "progress")
    if costs is not None:
        return pairwise_given(A, B, costs, measure, progress, thread_count(num_threads))
    chosen = _of_vectors(measure)
    if isinstance(A, Bags) and (B is None or isinstance(B, Bags)):
        return _pairwise_bags(A, A if B is None else B, chosen, progress, thread_count(num_threads))
    rows = as_sequences(cast("Batch", A), "A", chosen.weighting)
    columns = rows if B is None or B is A else as_sequences(cast("Batch", B), "B", chosen.weighting)
    require_same_dim(rows.dim, columns.dim, "A", "B")
    rows, columns = about_one_origin(chosen, rows, columns)
    within = columns is rows
    prepared_rows, prepared_columns = _both_prepared(rows, columns, chosen)
    mirrored, zero_diagonal = within and chosen.is_symmetric, within and chosen.is_zero_between_equals
    found = _core.pairwise(
        prepared_rows, prepared_columns, mirrored, zero_diagonal, progress, thread_count(num_threads)
    )
    tell_if_lost(found, chosen, rows, columns)
    return found


def paired_distances(
    A: Batch | Histograms | ArrayLike,
    B: Batch | Histograms | ArrayLike,
    measure: str | Measure | None = None,
    *,
    costs: ArrayLike | None = None,
    progress: Callable[[int, int], object] | None = None,
    num_threads: int | None = None,
) -> NDArray[np.float64]:
    """Distances of the sequences of one batch to those at the same positions of another.

    Parameters
    ----------
    A : Sequences or sequence of array_like, each of shape (n_s, d)
        These play the query: all of their mass moves.
    B : Sequences or sequence of array_like, each of shape (m_s, d)
        As many; these play the document.
    measure : str or Measure, optional
        What to compute; by default "wrd", or "emd" where costs are given.
    costs : array_like, shape (K, L), optional
        Cost of moving from each bin of `A` to each bin of `B`, instead of vectors. `A` and `B` are then
        histograms, as in `pairwise`.
    progress : callable, optional
        Called from time to time, and at the end, with the number of finished pairs and of all pairs.
    num_threads : int, optional
        Threads to use; all cores by default. The result does not depend on it.

    Returns
    -------
    ndarray of float64, shape (len(A),)
        ``result[s]`` is the distance of ``A[s]`` to ``B[s]``; infinite where `costs` forbid every plan.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed; the message names it, and the sequence.

    Examples
    --------
    >>> import numpy as np
    >>> paired_distances([np.eye(2)[:1], np.eye(2)], [np.eye(2)[1:], np.eye(2)], "wmd").round(4)
    array([1.4142, 0.    ])
    >>> paired_distances([[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]], costs=[[0, 3], [np.inf, 0]])
    array([3., 0.])
    """
    if progress is not None:
        require_callable(progress, "progress")
    if costs is not None:
        return paired_given(A, B, costs, measure, progress, thread_count(num_threads))
    chosen = _of_vectors(measure)
    queries = as_sequences(cast("Batch", A), "A", chosen.weighting)
    documents = as_sequences(cast("Batch", B), "B", chosen.weighting)
    require_same_dim(queries.dim, documents.dim, "A", "B")
    if len(queries) != len(documents):
        raise ValueError(f"expected as many sequences in A as in B, got {len(queries)} and {len(documents)}")
    queries, documents = about_one_origin(chosen, queries, documents)
    prepared_queries, prepared_documents = _both_prepared(queries, documents, chosen)
    found = _core.paired_distances(prepared_queries, prepared_documents, progress, thread_count(num_threads))
    tell_if_lost(found, chosen, queries, documents)
    return found


def _both_prepared(
    rows: Sequences, columns: Sequences, measure: Measure
) -> tuple[_core.PreparedSequences, _core.PreparedSequences]:
    """`A` and `B` as the core compares them; one batch is prepared once."""
    with naming("A", "A"):
        prepared_rows = prepare(rows, measure)
    with naming("B", "B"):
        return prepared_rows, prepared_rows if columns is rows else prepare(columns, measure)


def _one_against_many(
    query: Any,
    docs: Any,
    measure: str | Measure | None,
    weights: ArrayLike | None,
    num_threads: int | None,
) -> tuple[Measure, Sequences, Sequences | Bags, tuple[Any, ...]]:
    """Check the arguments of one query against many documents; the last item is the arguments of the core."""
    chosen = _of_vectors(measure)
    asked = as_query(query, weights, "query", "weights", chosen.weighting)
    if isinstance(docs, Bags):
        require_same_dim(asked.dim, docs.dim, "query", "docs")
        chosen, asked, docs = about_one_origin_of_bags(chosen, asked, docs)
        corpus = corpus_of(docs, chosen, "docs")
        with naming("query", "docs"):
            prepared = _core.Query(asked.tokens, asked.weights, chosen._spec)
        return chosen, asked, docs, (prepared, corpus, thread_count(num_threads))
    batch = as_sequences(docs, "docs", chosen.weighting)
    require_same_dim(asked.dim, batch.dim, "query", "docs")
    asked, batch = about_one_origin(chosen, asked, batch)
    documents = batch._stored.in_core(), batch.offsets, batch.weights
    return chosen, asked, batch, (asked.tokens, asked.weights, *documents, chosen._spec, thread_count(num_threads))


def corpus_of(bags: Bags, measure: Measure, name: str) -> _core.BagCorpus:
    """Bags as the core compares them: a query's costs to each word in use are computed once."""
    with naming(name, name):
        none_known = np.empty(0, dtype=np.uint32)
        return _core.BagCorpus(
            [_core.PreparedBags(bags.vectors, bags.words, bags.offsets, bags.counts, measure._spec, none_known)]
        )


def _pairwise_bags(
    rows: Bags, columns: Bags, measure: Measure, progress: Callable[[int, int], object] | None, num_threads: int
) -> NDArray[np.float64]:
    """`pairwise` of bags, over one table or two."""
    require_same_dim(rows.dim, columns.dim, "A", "B")
    within = columns is rows
    prepared_rows = corpus_of(rows, measure, "A")
    prepared_columns = prepared_rows if within else corpus_of(columns, measure, "B")
    mirrored, zero_diagonal = within and measure.is_symmetric, within and measure.is_zero_between_equals
    found = _core.pairwise_bags(prepared_rows, prepared_columns, mirrored, zero_diagonal, progress, num_threads)
    tell_if_lost(found, measure, rows, columns)
    return found


def _given(
    query: Any, docs: Any, costs: ArrayLike, measure: str | Measure | None, weights: ArrayLike | None
) -> tuple[_core.Query, _core.BagCorpus]:
    """The same where costs are given, except the threads."""
    if weights is not None:
        raise ValueError("weights: a histogram contains its mass; give only the query")
    return one_against_many_given(query, docs, costs, measure)


def _of_vectors(asked: str | Measure | None) -> Measure:
    """The measure for vectors: "wrd" by default."""
    chosen = Measure.of("wrd" if asked is None else asked)
    require_vectors(chosen)
    return chosen
