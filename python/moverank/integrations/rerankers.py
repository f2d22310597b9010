"""rerankers: one of its models. ``pip install 'moverank[rerankers]'``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from moverank._optional import optional
from moverank.ranking import Reranker

optional("rerankers", "rerankers")

from rerankers.documents import Document  # noqa: E402 - checked first, to name the extra
from rerankers.models.ranker import BaseRanker  # noqa: E402
from rerankers.results import RankedResults, Result  # noqa: E402


class MoverankRanker(BaseRanker):
    """A ranker by optimal transport.

    Parameters
    ----------
    reranker : Reranker, optional
        What ranks; one with the bundled word vectors by default.

    Examples
    --------
    >>> MoverankRanker().rank("a cat", ["the dog", "the cat"]).top_k(1)[0].doc_id
    1
    """

    def __init__(self, reranker: Reranker | None = None) -> None:
        self._reranker = Reranker() if reranker is None else reranker

    def score(self, query: str, doc: str) -> float:
        """Similarity of one text."""
        return self._reranker.rank(query, [doc])[0].score

    def rank(
        self,
        query: str,
        docs: str | Document | Sequence[str] | Sequence[Document],
        doc_ids: Sequence[str] | Sequence[int] | None = None,
    ) -> RankedResults:
        """Rank texts or documents; ranks begin with 1, as those of the library's other models."""
        given: Sequence[Any] = [docs] if isinstance(docs, (str, Document)) else docs
        documents = [
            document if isinstance(document, Document) else Document(document, d if doc_ids is None else doc_ids[d])
            for d, document in enumerate(given)
        ]
        ranking = self._reranker.rank(query, [document.text for document in documents])
        results = [Result(documents[ranked.doc_id], ranked.score, ranked.rank + 1) for ranked in ranking]
        return RankedResults(results, query, has_scores=True)
