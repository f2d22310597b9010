"""BM25 by its definition: what it has to know of a collection and of a text, wherever their parts are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

#: How soon further occurrences of a term count no more, and how much the length of a text counts: those of tantivy.
K1, B = 1.2, 0.75


@dataclass(frozen=True)
class Occurrences:
    """How often terms of a query occur in a text.

    Attributes
    ----------
    length : float
        Number of terms of the text, as the lexical index keeps it: rounded, if it is large.
    counts : mapping of str to float
        Number of occurrences of each term that the text has.
    """

    length: float
    counts: Mapping[str, float]


@dataclass(frozen=True)
class TermStatistics:
    """What BM25 has to know of a collection to weigh the terms of a query; those of several collections add up.

    Attributes
    ----------
    n_texts : int
        Number of texts.
    n_terms : float
        Number of all their terms, each counted as often as it occurs.
    texts_with : mapping of str to int
        Number of texts that have a term, for each term of the query.
    """

    n_texts: int
    n_terms: float
    texts_with: Mapping[str, int]

    def __add__(self, other: TermStatistics) -> TermStatistics:
        counts = Counter(self.texts_with)
        counts.update(other.texts_with)
        return TermStatistics(self.n_texts + other.n_texts, self.n_terms + other.n_terms, dict(counts))

    @property
    def mean_length(self) -> float:
        """Mean number of terms of a text; 1 without texts."""
        return self.n_terms / self.n_texts if self.n_terms else 1.0

    def idf(self, term: str) -> float:
        """Weight of a term: the larger, the fewer texts have it; above 0."""
        count = self.texts_with.get(term, 0)
        return float(np.log1p((self.n_texts - count + 0.5) / (count + 0.5)))

    def score(self, text: Occurrences) -> float:
        """BM25 score of a text of the collection.

        References
        ----------
        .. [1] Robertson, Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009.
        """
        spread = K1 * (1.0 - B + B * text.length / self.mean_length)
        return sum(self.idf(term) * (K1 + 1.0) * count / (count + spread) for term, count in text.counts.items())
