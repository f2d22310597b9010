"""Lexical retrieval in parts of a collection, with the scores that their texts have in the whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from moverank.text_index.lexical import Lexical
from moverank.text_index.term_statistics import TermStatistics

#: Share by which bounds on scores are widened, as tantivy adds in float32.
ROUNDING = 1e-4


class LexicalPart:
    """The lexical index of a part, and the statistics of all parts.

    Tantivy knows only its own part. Multiplied with the right factors, its scores have the weights of terms in the
    whole; but the length of a text still counts in proportion to the mean of the part. So they are near the scores of
    the whole, and never farther than by the ratio of both means.

    Parameters
    ----------
    lexical : Lexical
        The part.
    statistics : TermStatistics
        Those of all parts together, for the query.
    text_of : callable, optional
        Returns a text of the part by its id; None if it is not kept.
    """

    def __init__(
        self, lexical: Lexical, statistics: TermStatistics, text_of: Callable[[str], str | None] = lambda id: None
    ) -> None:
        self._lexical = lexical
        self._whole = statistics
        self._text_of = text_of

    def search(
        self,
        query: str,
        limit: int,
        keep: Callable[[list[str]], list[bool]] | None = None,
        deadline: float | None = None,
    ) -> dict[str, float]:
        """The texts that are best by scores near those of the whole; arguments as in `Lexical.search`."""
        return self._lexical.search(query, limit, keep, deadline, self._factors(query)[1])

    def scores(self, query: str, ids: Sequence[str]) -> NDArray[np.float64]:
        """Scores of given texts in the whole, shape (n,); 0 for those that have no term of the query."""
        own, factors = self._factors(query)
        if own.mean_length == self._whole.mean_length:
            return self._lexical.scores(query, ids, factors)
        found = self._lexical.occurrences(query, ids, self._text_of)
        return np.array([self._whole.score(found[id]) if id in found else 0.0 for id in ids], dtype=np.float64)

    def _factors(self, query: str) -> tuple[TermStatistics, dict[str, float]]:
        """Statistics of the part, and how much more a term weighs in the whole than in the part."""
        own = self._lexical.statistics(query)
        return own, {term: self._whole.idf(term) / own.idf(term) for term in own.texts_with}


def best_of_parts(
    ask: Callable[[Mapping[int, int]], Mapping[int, Mapping[str, float]]], ratios: Mapping[int, float], limit: int
) -> dict[str, int]:
    """The texts of several parts of which none can be missing from the best of the whole, and the part of each.

    Each part names as many as are wanted, and more of them while a text that it did not name could be among the best: a
    score in the whole is at most the larger of its score near that and this times the ratio of mean lengths.

    Parameters
    ----------
    ask : callable
        Takes a number of texts for each of some parts; returns what `LexicalPart.search` says in each, but for those
        that do not answer.
    ratios : mapping of int to float
        For each part, the mean length of all texts, divided by that of its own.
    limit : int
        Number of texts that are wanted.

    Returns
    -------
    dict
        Texts that may be among the best, in the order of scores near those of the whole: not many more than wanted.
    """
    most = {part: max(1.0, ratio) * (1.0 + ROUNDING) for part, ratio in ratios.items()}
    least = {part: min(1.0, ratio) * (1.0 - ROUNDING) for part, ratio in ratios.items()}
    counts = dict.fromkeys(ratios, limit)
    found: dict[int, Mapping[str, float]] = {}
    asked: dict[int, int] = dict(counts)
    while True:
        answers = ask(asked)
        found |= answers
        lower = sorted((least[part] * score for part, own in found.items() for score in own.values()), reverse=True)
        reached = lower[limit - 1] if len(lower) >= limit else 0.0
        asked = {}
        for part, own in answers.items():
            # It may have more, and the next one could be as good as the last.
            if len(own) >= counts[part] and most[part] * min(own.values()) > reached:
                counts[part] *= 2
                asked[part] = counts[part]
        if not asked:
            break
    near = [
        (score, text, part)
        for part, own in found.items()
        for text, score in own.items()
        if most[part] * score >= reached
    ]
    return {text: part for _, text, part in sorted(near, key=lambda own: (-own[0], own[1]))}
