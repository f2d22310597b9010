"""Haystack: a ranker component. ``pip install 'moverank[haystack]'``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from moverank._support.optional import optional
from moverank._support.validate import whole_number
from moverank.integrations._scores import objects, scored
from moverank.measures.measure import Measure
from moverank.ranking import Reranker

optional("haystack", "haystack")

from haystack import Document, component, default_from_dict, default_to_dict  # noqa: E402 - checked first


@component
class MoverankRanker:
    """Rank documents for a query.

    Parameters
    ----------
    top_k : int, default 10
        Number of documents to return.
    measure : str or Measure, optional
        The distance to rank by, as for `Reranker`.
    reranker : Reranker, optional
        The reranker to use; by default one with the bundled word vectors and `measure`. A pipeline with a reranker
        cannot be written to a file, as its encoder cannot.
    """

    def __init__(self, top_k: int = 10, measure: str | Measure | None = None, reranker: Reranker | None = None) -> None:
        whole_number(top_k, "top_k", least=1)
        if measure is not None and reranker is not None:
            raise ValueError("measure: expected none with a reranker, which has its own measure")
        self.top_k = top_k
        self.measure = measure
        self._given = reranker
        self._reranker: Reranker | None = reranker

    def warm_up(self) -> None:
        """Load the word vectors."""
        if self._reranker is None:
            self._reranker = Reranker(measure=self.measure)

    def to_dict(self) -> dict[str, Any]:
        """Describe the component, so that a pipeline can be written to a file."""
        if self._given is not None or isinstance(self.measure, Measure):
            raise ValueError("a ranker with a Reranker or a Measure object cannot be written to a file")
        described: dict[str, Any] = default_to_dict(self, top_k=self.top_k, measure=self.measure)
        return described

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> MoverankRanker:
        """Create the component from the description made by `to_dict`."""
        component: MoverankRanker = default_from_dict(cls, data)
        return component

    @component.output_types(documents=list[Document])
    def run(self, query: str, documents: list[Document], top_k: int | None = None) -> dict[str, list[Document]]:
        """Rank documents, the best first. Scores are the measure's similarities, and always finite.

        A document without a known word comes last with the lowest possible score. If the query has no known word,
        documents keep their order.

        Parameters
        ----------
        query : str
            The query.
        documents : list of Document
            The candidates.
        top_k : int, optional
            Number of documents to return; overrides that of the component.

        Returns
        -------
        dict
            ``{"documents": [...]}``.
        """
        given = objects(documents, Document, "documents")
        if not given:
            return {"documents": []}
        for document in given:
            if document.content is None:
                raise ValueError(f"documents: document {document.id!r} has no text")
        self.warm_up()
        assert self._reranker is not None
        texts = [document.content or "" for document in given]
        found = scored(self._reranker, query, texts, top_k=self.top_k if top_k is None else top_k)
        return {"documents": [replace(given[place], score=score) for place, score in found]}
