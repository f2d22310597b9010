"""A compressor of documents, which is LangChain's name for a reranker."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from langchain_core.documents import BaseDocumentCompressor, Document
from pydantic import ConfigDict, Field

from moverank.integrations._scores import objects, scored
from moverank.ranking import Reranker


class MoverankCompressor(BaseDocumentCompressor):
    """Keep the documents nearest to the query, the best first.

    Attributes
    ----------
    reranker : Reranker
        The reranker to use; one with the bundled word vectors by default.
    top_n : int
        Number of documents to keep; 5 by default.

    Notes
    -----
    Use it in a `ContextualCompressionRetriever`, or call it directly. The score is returned as
    ``metadata["relevance_score"]`` and is always finite. A document without a known word comes last with the lowest
    possible score. If the query has no known word, documents keep their order. A reranker with fusion raises an error,
    as LangChain passes no scores of the first stage.

    Examples
    --------
    >>> from langchain_core.documents import Document
    >>> found = [Document(page_content="Stocks fell."), Document(page_content="A cat sat on a mat.")]
    >>> [d.page_content for d in MoverankCompressor(top_n=1).compress_documents(found, "where is my cat?")]
    ['A cat sat on a mat.']
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    reranker: Reranker = Field(default_factory=Reranker)
    top_n: int = Field(default=5, ge=1)

    def compress_documents(
        self, documents: Iterable[Document], query: str, callbacks: Any = None
    ) -> Sequence[Document]:
        """Rank documents for a query and keep the best; the given documents are not changed."""
        given = objects(documents, Document, "documents")
        texts = [document.page_content for document in given]
        return [
            given[place].model_copy(update={"metadata": {**given[place].metadata, "relevance_score": score}})
            for place, score in scored(self.reranker, query, texts, top_k=self.top_n)
        ]
