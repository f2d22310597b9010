"""LangChain: a document compressor that reranks, and a retriever. ``pip install 'moverank[langchain]'``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from moverank._support.optional import optional
from moverank._support.validate import whole_number
from moverank.encoders import Encoder
from moverank.index.index import Index
from moverank.index.parts.filters import Condition
from moverank.integrations._retrieval import indexed, payload_of, require_counts, retrieved
from moverank.integrations._scores import objects, scored
from moverank.measures.measure import Measure
from moverank.ranking import Reranker

optional("langchain_core", "langchain")

from langchain_core.documents import BaseDocumentCompressor, Document  # noqa: E402 - checked first, to name the extra
from langchain_core.retrievers import BaseRetriever  # noqa: E402
from langchain_core.runnables import run_in_executor  # noqa: E402
from pydantic import ConfigDict, Field  # noqa: E402


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


class MoverankRetriever(BaseRetriever):
    """Find the documents of an index that are nearest to a text.

    Attributes
    ----------
    index : Index
        The index. The payload of each document is its text, or an object that contains it; see `text_field`.
    reranker : Reranker
        Encodes queries with the encoder of the index; by default with the bundled word vectors.
    k : int
        Number of documents to return; 10 by default.
    candidates : int or None
        Maximum number of documents to examine, as in `Index.search`; by default the answer is exact.
    where : str, tuple of str and a sequence, callable, or None
        Search only documents whose payload satisfies this condition, as in `Index.search`.
    text_field : str
        Field of payloads that contains the text; "text" by default. Other fields become the document's metadata.

    Notes
    -----
    ``invoke(query, k=..., candidates=..., where=...)`` overrides these attributes for one call. Each `Document` has the
    id of the index as a string; the similarity is ``metadata["relevance_score"]``. A query without a known word finds
    nothing. ``ainvoke`` searches in another thread.

    Examples
    --------
    >>> from langchain_core.documents import Document
    >>> documents = [
    ...     Document(id="1", page_content="Stocks fell.", metadata={"year": 2023}),
    ...     Document(id="2", page_content="A cat sat on a mat.", metadata={"year": 2024}),
    ... ]
    >>> retriever = MoverankRetriever.from_documents(documents, k=1)
    >>> retriever.invoke("where is my cat?")[0].page_content
    'A cat sat on a mat.'
    >>> retriever.invoke("where is my cat?", where="year < 2024")[0].id
    '1'
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    index: Index
    reranker: Reranker = Field(default_factory=Reranker)
    k: int = Field(default=10, ge=1)
    candidates: int | None = Field(default=None, ge=1)
    where: Any = None
    text_field: str = "text"

    @classmethod
    def from_documents(
        cls,
        documents: Iterable[Document],
        encoder: Encoder | None = None,
        *,
        measure: str | Measure | None = None,
        k: int = 10,
        candidates: int | None = None,
        where: Condition | None = None,
        text_field: str = "text",
        skip_empty: bool = False,
        **options: Any,
    ) -> MoverankRetriever:
        """Build an index of documents in memory, and a retriever for it.

        Parameters
        ----------
        documents : iterable of Document
            The documents. Either all have an id, or none. Their metadata, which must be JSON values, are stored in the
            payloads, so that conditions can use them.
        encoder : Encoder, optional
            Turns texts into vectors; the bundled word vectors by default.
        measure : str or Measure, optional
            The distance to search by; WRD with capacity 4 by default, as for `Reranker`.
        k, candidates, where, text_field
            Attributes of the retriever.
        skip_empty : bool, default False
            Leave out documents without a token, which cannot be found, instead of raising an error.
        **options
            Options of `Index.build`, such as `prefilter` and `dtype`.

        Returns
        -------
        MoverankRetriever
            Its `index` can be saved; open it later with ``MoverankRetriever(index=Index.open(path), reranker=...)``.

        Raises
        ------
        NoTokensError
            If a document has no token, unless `skip_empty`.
        TypeError, ValueError
            If an argument is malformed, or only some documents have an id; the message names it.
        """
        require_counts(k, candidates, "k")
        given = objects(documents, Document, "documents")
        ids = [document.id for document in given if document.id is not None]
        if ids and len(ids) < len(given):
            raise ValueError(f"documents: {len(ids)} of {len(given)} have an id; give ids to all or to none")
        payloads = [
            payload_of(document.page_content, document.metadata, text_field, f"documents: document {d}")
            for d, document in enumerate(given)
        ]
        texts = [document.page_content for document in given]
        index, reranker = indexed(
            texts, payloads, ids or None, encoder, measure, skip_empty=skip_empty, options=options
        )
        return cls(index=index, reranker=reranker, k=k, candidates=candidates, where=where, text_field=text_field)

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: Any = None,
        k: int | None = None,
        candidates: int | None = None,
        where: Condition | None = None,
    ) -> list[Document]:
        found = retrieved(
            self.reranker,
            self.index,
            query,
            k=self.k if k is None else whole_number(k, "k", least=1),
            candidates=self.candidates if candidates is None else candidates,
            where=self.where if where is None else where,
            text_field=self.text_field,
        )
        return [
            Document(id=str(one.id), page_content=one.text, metadata={**one.fields, "relevance_score": one.score})
            for one in found
        ]

    async def _aget_relevant_documents(self, query: str, *, run_manager: Any = None, **options: Any) -> list[Document]:
        found: list[Document] = await run_in_executor(None, partial(self._get_relevant_documents, query, **options))
        return found
