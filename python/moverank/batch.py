"""Many distances in one call."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moverank import _core
from moverank._validate import thread_count
from moverank.measures import Measure, measure, naming, prepare, require_same_dim
from moverank.sequences import Sequences, as_query, as_sequences

_by_name = measure


def distances(
    query: Sequences | ArrayLike,
    docs: Sequences | Sequence[ArrayLike],
    measure: str | Measure = "wrd",
    *,
    weights: ArrayLike | None = None,
    num_threads: int | None = None,
) -> NDArray[np.float64]:
    """Distances of one query to many documents.

    Parameters
    ----------
    query : array_like, shape (n, d), or Sequences of length 1
        Tokens of the query.
    docs : Sequences or sequence of array_like, each of shape (m_s, d)
        The documents, of any lengths.
    measure : str or Measure, default "wrd"
        What to compute.
    weights : array_like, shape (n,), optional
        Mass of the query's tokens.
    num_threads : int, optional
        Threads to use; all cores by default. The result does not depend on it.

    Returns
    -------
    ndarray of float64, shape (N,)
        Smaller is nearer; in units of the ground cost.

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
    chosen = _by_name(measure)
    tokens, query_weights = as_query(query, weights, "query", "weights")
    batch = as_sequences(docs, "docs")
    require_same_dim(tokens.shape[1], batch.dim, "query", "docs")
    with naming("query", "docs"):
        return _core.distances(
            tokens,
            query_weights,
            batch.tokens,
            batch.scales,
            batch.offsets,
            batch.weights,
            chosen._spec,
            thread_count(num_threads),
        )


def pairwise(
    A: Sequences | Sequence[ArrayLike],
    B: Sequences | Sequence[ArrayLike] | None = None,
    measure: str | Measure = "wrd",
    *,
    num_threads: int | None = None,
) -> NDArray[np.float64]:
    """Distances of every sequence of one batch to every sequence of another.

    Parameters
    ----------
    A : Sequences or sequence of array_like, each of shape (n_r, d)
        These play the query: their mass moves whole.
    B : Sequences or sequence of array_like, each of shape (m_s, d), optional
        These play the document; `A` itself if omitted.
    measure : str or Measure, default "wrd"
        What to compute.
    num_threads : int, optional
        Threads to use; all cores by default. The result does not depend on it.

    Returns
    -------
    ndarray of float64, shape (len(A), len(B))
        ``result[r, s]`` is the distance of ``A[r]`` to ``B[s]``.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed; the message names it, and the sequence.

    Examples
    --------
    >>> import numpy as np
    >>> pairwise([np.eye(2)[:1], np.eye(2)[1:]], measure="wrd")
    array([[0., 1.],
           [1., 0.]])
    """
    chosen = _by_name(measure)
    rows = as_sequences(A, "A")
    columns = rows if B is None else as_sequences(B, "B")
    require_same_dim(rows.dim, columns.dim, "A", "B")
    with naming("A", "A"):
        prepared_rows = prepare(rows, chosen)
    with naming("B", "B"):
        prepared_columns = prepare(columns, chosen)
    return _core.pairwise(prepared_rows, prepared_columns, thread_count(num_threads))
