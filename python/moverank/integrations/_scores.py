"""Rankings as frameworks take them: a place in the list that came, and a score that JSON can hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from moverank._support.validate import as_list
from moverank.ranking import Ranking, Reranker

T = TypeVar("T")


class Scored(NamedTuple):
    """A document of those that were given, and its score."""

    place: int
    score: float


def scored(
    reranker: Reranker, query: str, texts: Sequence[Any], *, top_k: int | None = None, scores: ArrayLike | None = None
) -> list[Scored]:
    """Rank texts, the best first; a query or a text without a token stops nothing.

    Texts without a token come last, at `floor`; so do all, in the order in which they came, where the query has none.
    """
    ranking = reranker.rank(query, texts, top_k=top_k, scores=scores, unknown="keep")
    least = floor(ranking)
    return [Scored(d.doc_id, d.score if np.isfinite(d.score) else least) for d in ranking]


def objects(value: Any, kind: type[T], name: str) -> list[T]:
    """Documents or nodes of a framework as a list; they may come from a generator.

    Raises
    ------
    TypeError
        If something is of another type.
    """
    listed = as_list(value, name, f"{kind.__name__} objects")
    for place, one in enumerate(listed):
        if not isinstance(one, kind):
            raise TypeError(f"{name}: expected each to be a {kind.__name__}, got {type(one).__name__} at {place}")
    return listed


def floor(ranking: Ranking) -> float:
    """Score of what could not be compared: the least that the measure has, −1 or 0; else 1 below the lowest found."""
    found = [score for score in ranking.scores if np.isfinite(score)]
    least = {"cosine": -1.0, "euclidean": 0.0, "sqeuclidean": 0.0}.get(ranking.measure.ground)
    if least is None or any(score < least for score in found):
        return min(found, default=0.0) - 1.0
    return least
