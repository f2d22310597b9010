"""Rankings in the form that frameworks need: positions in the given list, and finite scores, as JSON requires."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from moverank._support.validate import as_list
from moverank.ranking import Ranking, Reranker

T = TypeVar("T")


class Scored(NamedTuple):
    """Position of a document in the given list, and its score."""

    place: int
    score: float


def scored(
    reranker: Reranker, query: str, texts: Sequence[Any], *, top_k: int | None = None, scores: ArrayLike | None = None
) -> list[Scored]:
    """Rank texts, the best first. A query or a text without a token is not an error.

    Texts without a token come last, with the score `floor`. If the query has no token, all texts get this score and
    keep their order.
    """
    ranking = reranker.rank(query, texts, top_k=top_k, scores=scores, unknown="keep")
    least = floor(ranking)
    return [Scored(d.doc_id, d.score if np.isfinite(d.score) else least) for d in ranking]


def objects(value: Any, kind: type[T], name: str) -> list[T]:
    """Documents or nodes of a framework as a list; `value` may be a generator.

    Raises
    ------
    TypeError
        If an item has another type.
    """
    listed = as_list(value, name, f"{kind.__name__} objects")
    for place, one in enumerate(listed):
        if not isinstance(one, kind):
            raise TypeError(f"{name}: expected {kind.__name__} objects, got {type(one).__name__} at position {place}")
    return listed


def floor(ranking: Ranking) -> float:
    """Score of texts that could not be compared: the measure's lowest similarity, −1 or 0.

    If the measure has none, or a score is lower because of fusion, it is 1 below the lowest score.
    """
    finite = [score for score in ranking.scores if np.isfinite(score)]
    least = ranking.measure.least_similarity
    if any(score < least for score in finite) or not np.isfinite(least):
        return min(finite, default=0.0) - 1.0
    return least
