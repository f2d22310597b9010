"""rerankers: a model for this library. ``pip install 'moverank[rerankers]'``."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

import numpy as np

from moverank._support.optional import optional
from moverank._support.validate import as_list
from moverank.integrations._scores import scored
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
        The reranker to use; one with the bundled word vectors by default.

    Examples
    --------
    >>> MoverankRanker().rank("a cat", ["the dog", "the cat"]).top_k(1)[0].doc_id
    1
    """

    def __init__(self, reranker: Reranker | None = None) -> None:
        self._reranker = Reranker() if reranker is None else reranker

    def score(self, query: str, doc: str) -> float:
        """Return the similarity of one text, a finite number."""
        return scored(self._reranker, query, [doc])[0].score

    def rank(
        self,
        query: str,
        docs: str | Document | Sequence[str] | Sequence[Document],
        doc_ids: Sequence[str] | Sequence[int] | None = None,
        metadata: Sequence[dict[str, Any]] | None = None,
    ) -> RankedResults:
        """Rank texts or documents; ranks begin with 1, as in the library's other models.

        Parameters
        ----------
        query : str
            The query.
        docs : str, Document, or a sequence of them
            The candidates; an empty sequence gives no results.
        doc_ids : sequence of str or of int, optional
            Ids, one per document; they replace those of the documents. Documents without any id get 0, 1, ….
        metadata : sequence of dict, optional
            Metadata, one dict per document; they replace those of the documents.

        Returns
        -------
        RankedResults
            Results with finite scores. Texts without a known word come last with the lowest possible score. If the
            query has no known word, documents keep their order. The given documents are not changed.
        """
        given = [docs] if isinstance(docs, (str, Document)) else as_list(docs, "docs", "texts or documents")
        names = _one_each(doc_ids, "doc_ids", len(given))
        notes = _one_each(metadata, "metadata", len(given))
        documents = [_document(one, place, names[place], notes[place]) for place, one in enumerate(given)]
        found = scored(self._reranker, query, [document.text for document in documents])
        results = [Result(documents[place], score, rank) for rank, (place, score) in enumerate(found, start=1)]
        return RankedResults(results, query, has_scores=True)


def _one_each(value: Sequence[Any] | None, name: str, count: int) -> list[Any]:
    if value is None:
        return [None] * count
    listed = as_list(value, name, "values, one per document")
    if len(listed) != count:
        raise ValueError(f"{name}: expected {count}, one per document, got {len(listed)}")
    return listed


def _document(given: Any, place: int, doc_id: Any, metadata: dict[str, Any] | None) -> Document:
    document = copy(given) if isinstance(given, Document) else Document(given, metadata={})
    if document.text is None:
        raise ValueError(f"docs: document {place}: expected text, got {document.document_type}")
    if doc_id is not None:
        document.doc_id = doc_id.item() if isinstance(doc_id, np.generic) else doc_id
    elif document.doc_id is None:
        document.doc_id = place
    if metadata is not None:
        document.metadata = metadata
    return document
