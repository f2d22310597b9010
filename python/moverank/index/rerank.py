"""Ranking of documents that come with the call."""

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

#: Seconds left of a timeout that has run out: a search wants more than none.
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
    """Find the k nearest of documents that a first stage brought, exactly, without an index.

    Most of them are dropped by lower bounds, so this is several times faster than `distances` and gives the same
    answer. For documents that come again and again, build an `Index` and use `Index.rerank`.

    Parameters
    ----------
    query : array_like, shape (n, d), or Sequences or Bags of length 1
        Tokens of the query.
    docs : Sequences, Bags, or sequence of array_like, each of shape (n_s, d)
        The candidates.
    k : int, default 10
        How many to return; all of them if there are fewer.
    measure : str or Measure, default "wrd"
        What to rank by.
    ids : sequence of int or of str, shape (N,), optional
        Unique names of the candidates; 0 to N − 1 by default. Equal distances rank by id.
    weights : array_like, shape (n,), optional
        Mass of the query's tokens.
    timeout : float, optional
        Stop after so many seconds, with what was found by then: fewer than k documents if no more were solved. To
        prepare the documents counts, and is waited for.
    slack : float, default 0.0
        Stop when the k-th distance is proved to be at most (1 + slack) times the true one.
    num_threads : int, optional
        Threads to use; all cores by default. The hits do not depend on it.

    Returns
    -------
    Hits
        The true top k, nearest first, ties by id, unless time was over before, with certificate and statistics.

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
