"""Ranking of documents passed to a function, without an index."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike, NDArray

from moverank._support.validate import positive_number
from moverank.index.index import Index
from moverank.index.search.hits import Hits
from moverank.measures.measure import Measure
from moverank.vectors.sequences import Batch, One

#: Seconds passed on if the timeout is already over, as a search requires a positive number.
JUST_OVER = 1e-9


def rerank(
    query: One,
    docs: Batch,
    k: int = 10,
    measure: str | Measure = "wrd",
    *,
    ids: Sequence[int] | Sequence[str] | NDArray[Any] | None = None,
    weights: ArrayLike | None = None,
    timeout: float | None = None,
    slack: float = 0.0,
    num_threads: int | None = None,
) -> Hits:
    """Find the k nearest of given documents exactly, such as the candidates of a first stage, without an index.

    Lower bounds exclude most documents, so this is several times faster than `distances`, with the same answer. If the
    same documents are ranked repeatedly, build an `Index` and use `Index.rerank`.

    Parameters
    ----------
    query : array_like, shape (n, d), or Sequences or Bags of length 1
        Tokens of the query.
    docs : Sequences, Bags, or sequence of array_like, each of shape (n_s, d)
        The candidates.
    k : int, default 10
        Number of documents to return; all documents if there are fewer.
    measure : str or Measure, default "wrd"
        The distance to rank by.
    ids : sequence of int or of str, shape (N,), optional
        Unique ids of the candidates; 0 to N − 1 by default. Documents at equal distances are ordered by id.
    weights : array_like, shape (n,), optional
        Mass (weight to be moved) of each token of the query.
    timeout : float, optional
        Stop after this many seconds and return the best documents solved so far, which may be fewer than k. The time to
        prepare the documents is included, but preparation is not stopped.
    slack : float, default 0.0
        Stop when the k-th distance is proved to be at most (1 + slack) times the true one.
    num_threads : int, optional
        Number of threads; all cores by default. Without a timeout, the hits do not depend on it.

    Returns
    -------
    Hits
        The top k, nearest first; equal distances are ordered by id. They are exact unless `timeout` or `slack` ended
        the search early. ``hits.certificate`` states what is proved about them, ``hits.stats`` the work that was done.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed; the message names it, and the document.

    Examples
    --------
    >>> import numpy as np
    >>> docs = [np.eye(4)[:2], np.eye(4)[1:], np.eye(4)[2:]]
    >>> rerank(np.eye(4)[2:], docs, k=2, ids=["a", "b", "c"]).ids.tolist()
    ['c', 'b']
    """
    started = time.perf_counter()
    seconds = None if timeout is None else positive_number(timeout, "timeout")
    index = Index.build(docs, measure, ids=ids, prefilter=None, num_threads=num_threads)
    if seconds is not None:
        seconds = max(seconds - (time.perf_counter() - started), JUST_OVER)
    return index.search(query, k, weights=weights, timeout=seconds, slack=slack)
