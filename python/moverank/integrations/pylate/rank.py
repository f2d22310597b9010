"""Rerank given documents, with the names and results of PyLate's `rank`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np
from numpy.typing import ArrayLike

from moverank._support.validate import as_list
from moverank.integrations.pylate._embeddings import batch_of, ids_of, scores_of
from moverank.measures.distances import distances
from moverank.measures.measure import Measure


class RerankResult(TypedDict):
    """A document in an answer: its id, and its score, larger is better."""

    id: int | str
    score: float


def rerank(
    documents_ids: Sequence[Sequence[Any]],
    queries_embeddings: Sequence[ArrayLike] | ArrayLike,
    documents_embeddings: Sequence[Sequence[ArrayLike] | ArrayLike],
    device: str | None = None,
    *,
    measure: str | Measure = "maxsim",
    num_threads: int | None = None,
) -> list[list[RerankResult]]:
    """Rank the given documents of each query by their scores.

    Parameters
    ----------
    documents_ids : sequence of sequence of int or of str
        For each query, the ids of its documents.
    queries_embeddings : sequence of array_like, each of shape (n, d), or array_like
        Embeddings of the queries' tokens.
    documents_embeddings : sequence of sequence of array_like, each of shape (n, d)
        For each query, the embeddings of its documents, without padding. PyLate pads shorter documents with zeros,
        which raise negative similarities to 0; here they are compared as they are.
    device : str, optional
        Ignored: distances are computed on the CPU.
    measure : str or Measure, default "maxsim"
        The distance to rank by.
    num_threads : int, optional
        Number of threads; all cores by default.

    Returns
    -------
    list of list of dict
        For each query ``{"id": ..., "score": ...}``, the highest score first; equal scores keep their order.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed, or numbers of queries, ids and documents differ; the message names it.

    Examples
    --------
    >>> import numpy as np
    >>> rerank([["a", "b"]], [np.eye(3)[:1]], [[np.eye(3)[1:], np.eye(3)[:2]]])
    [[{'id': 'b', 'score': 1.0}, {'id': 'a', 'score': 0.0}]]
    """
    chosen = Measure.of(measure)
    queries = batch_of(queries_embeddings, "queries_embeddings")
    ids = as_list(documents_ids, "documents_ids", "lists of ids, one per query")
    groups = as_list(documents_embeddings, "documents_embeddings", "lists of arrays, one per query")
    count = 0 if queries is None else len(queries)
    for name, given in (("documents_ids", ids), ("documents_embeddings", groups)):
        if len(given) != count:
            raise ValueError(f"{name}: expected {count} lists, one per query, got {len(given)}")
    results: list[list[RerankResult]] = []
    for q, query in enumerate(queries or []):
        own, docs = ids_of(ids[q], f"documents_ids {q}"), batch_of(groups[q], f"documents_embeddings {q}")
        if len(own) != (0 if docs is None else len(docs)):
            raise ValueError(f"documents_ids {q}: expected {0 if docs is None else len(docs)} ids, got {len(own)}")
        found = np.empty(0) if docs is None else distances(query, docs, chosen, num_threads=num_threads)
        scores = scores_of(chosen, found, len(query))
        order = np.argsort(found, kind="stable").tolist()
        results.append([RerankResult(id=own[place], score=scores[place]) for place in order])
    return results
