"""Lexical retrieval in one part of a collection, with the scores that its texts have in the whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from moverank.text_index.lexical import Lexical
from moverank.text_index.term_statistics import TermStatistics

#: Share by which a bound on scores is raised, as tantivy adds in float32.
ROUNDING = 1e-4


class LexicalPart:
    """The lexical index of a part, and the statistics of all parts.

    Tantivy knows only its own part. Multiplied with the right factors, its scores have the weights of terms in the
    whole; but the length of a text still counts in proportion to the mean of the part. Neither score is larger than the
    other by more than the ratio of both means: that decides how many texts have to be looked at, and these get the
    score of the definition.

    Parameters
    ----------
    lexical : Lexical
        The part.
    statistics : TermStatistics
        Those of all parts together, for the query.
    """

    def __init__(self, lexical: Lexical, statistics: TermStatistics) -> None:
        self._lexical = lexical
        self._whole = statistics

    def search(
        self,
        query: str,
        limit: int,
        keep: Callable[[list[str]], list[bool]] | None = None,
        deadline: float | None = None,
    ) -> dict[str, float]:
        """Scores of the best texts of the part; arguments as in `Lexical.search`. Equal scores are ordered by id."""
        own, factors = self._factors(query)
        if own.mean_length == self._whole.mean_length:
            return self._lexical.search(query, limit, keep, deadline, factors)
        most = max(1.0, self._whole.mean_length / own.mean_length) * (1.0 + ROUNDING)
        count = limit
        while True:
            near = self._lexical.search(query, count, keep, deadline, factors)
            scores = self.scores(query, list(near))
            best = sorted(zip(near, scores.tolist(), strict=True), key=lambda own: (-own[1], own[0]))[:limit]
            others = most * min(near.values(), default=0.0)
            is_over = deadline is not None and time.perf_counter() >= deadline
            if len(near) < count or is_over or (len(best) == limit and best[-1][1] >= others):
                return dict(best)
            count *= 2

    def scores(self, query: str, ids: Sequence[str]) -> NDArray[np.float64]:
        """Scores of given texts of the part, shape (n,); 0 for those that have no term of the query."""
        own, factors = self._factors(query)
        if own.mean_length == self._whole.mean_length:
            return self._lexical.scores(query, ids, factors)
        found = self._lexical.occurrences(query, ids)
        return np.array([self._whole.score(found[id]) if id in found else 0.0 for id in ids], dtype=np.float64)

    def _factors(self, query: str) -> tuple[TermStatistics, dict[str, float]]:
        """Statistics of the part, and how much more a term weighs in the whole than in the part."""
        own = self._lexical.statistics(query)
        return own, {term: self._whole.idf(term) / own.idf(term) for term in own.texts_with}
