"""LangChain: a document compressor that reranks, and a retriever. ``pip install 'moverank[langchain]'``."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from moverank._support.optional import optional
from moverank._support.validate import as_list
from moverank.integrations._retrieval import created, fields_of, require_search, retrieved
from moverank.integrations._scores import objects, scored
from moverank.ranking import Reranker
from moverank.text_index import TextHit, TextIndex

optional("langchain_core", "langchain")

from langchain_core.documents import BaseDocumentCompressor, Document  # noqa: E402 - checked first, to name the extra
from langchain_core.retrievers import BaseRetriever  # noqa: E402
from langchain_core.runnables import run_in_executor  # noqa: E402
from pydantic import ConfigDict, Field, model_validator  # noqa: E402


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
    """Find documents by the meaning of their words, and by the words themselves.

    Attributes
    ----------
    index : TextIndex
        The index. Changes to it are found by the next call.
    k : int
        Number of documents to return; 10 by default.
    where : str, tuple of str and a sequence, callable, or None
        Return only documents whose metadata satisfy this condition, as in `TextIndex.search`.
    candidates : int or None
        Texts that terms and tokens propose each, 100 by default; None compares all.
    fusion : Fusion, ReciprocalRanks, float or None
        Weight of the similarity beside lexical scores, as in `TextIndex.search`.
    min_similarity, min_probability : float
        Leave out documents below, as in `TextIndex.search`. The answer may then be empty.

    Notes
    -----
    Documents are in the order of the index's scores. In their metadata are the fields of their payload and, in place of
    fields with the same name:

    - ``"relevance_score"``: the similarity, from 0 to 1 under the default measure. It means the same for every query,
      so that it can be compared with a threshold. Where terms have a part in the order, it need not decrease.
    - ``"fused_score"``: if terms have a part in the order, what documents are ordered by. It says nothing beyond its
      query.
    - ``"probability"``: if the index is calibrated for such searches, how often such documents were relevant.
    - ``"passage"``: if the index cuts documents into passages, the begin and the end, in characters, of the one that
      is nearest to the query and is the ``page_content``.

    ``invoke(query, k=...)`` overrides options for one call: all that `TextIndex.search` has. A query without a known
    word is answered by its terms, and finds nothing if the index has none. ``ainvoke`` searches in another thread.

    Examples
    --------
    >>> from langchain_core.documents import Document
    >>> documents = [
    ...     Document(id="1", page_content="Stocks fell.", metadata={"year": 2023}),
    ...     Document(id="2", page_content="A cat sat on a mat.", metadata={"year": 2024}),
    ... ]
    >>> retriever = MoverankRetriever.from_documents(documents, k=1, lexical=None)
    >>> retriever.invoke("where is my cat?")[0].page_content
    'A cat sat on a mat.'
    >>> retriever.invoke("where is my cat?", where="year < 2024")[0].id
    '1'
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    index: TextIndex
    k: int = 10
    where: Any = None
    candidates: int | None = 100
    fusion: Any = None
    min_similarity: float = -np.inf
    min_probability: float = 0.0

    @model_validator(mode="after")
    def _require_search(self) -> MoverankRetriever:
        require_search(self.index, **self._options)
        return self

    @property
    def _options(self) -> dict[str, Any]:
        return {
            "k": self.k,
            "where": self.where,
            "candidates": self.candidates,
            "fusion": self.fusion,
            "min_similarity": self.min_similarity,
            "min_probability": self.min_probability,
        }

    @classmethod
    def from_documents(
        cls, documents: Iterable[Document], *, unknown: str = "raise", **options: Any
    ) -> MoverankRetriever:
        """Make an index of documents, and a retriever for it.

        Parameters
        ----------
        documents : iterable of Document
            The documents. Their metadata, which must be JSON values, become payloads, so that conditions can use them.
            If some have an id, the others get a random one; if none has, they are numbered.
        unknown : {"raise", "skip"}, default "raise"
            A document of which no word has a vector is an error, or is left out.
        **options
            Attributes of the retriever, such as `k`, and options of `TextIndex.create`: `path` for a folder, where the
            index can be opened again, `encoder`, `measure`, `passages`, `lexical` and others. By default terms are
            those of English, which needs ``pip install 'moverank[lexical]'``; ``lexical=None`` does without terms.

        Returns
        -------
        MoverankRetriever

        Raises
        ------
        ImportError
            If `lexical` is not None, and tantivy is not installed.
        IndexExistsError
            If the folder is not empty.
        NoTokensError
            If a document has no word with a vector, unless `unknown` is "skip".
        TypeError, ValueError
            If an argument is malformed; the message names it.
        """
        given = objects(documents, Document, "documents")
        with created(options) as (index, others):
            retriever = cls(index=index, **others)
            index.add(
                [document.page_content for document in given],
                _ids_of(given),
                payloads=[document.metadata for document in given],
                unknown=unknown,
            )
        return retriever

    @classmethod
    def from_texts(
        cls,
        texts: Iterable[str],
        metadatas: Iterable[dict[str, Any]] | None = None,
        ids: Iterable[str] | None = None,
        *,
        unknown: str = "raise",
        **options: Any,
    ) -> MoverankRetriever:
        """Make an index of texts, and a retriever for it: `from_documents` of texts, metadata and ids apart.

        Parameters
        ----------
        texts : iterable of str
            The texts.
        metadatas : iterable of dict, optional
            Metadata of each text.
        ids : iterable of str, optional
            Id of each text; by default they are numbered.
        unknown, **options
            As in `from_documents`.

        Returns
        -------
        MoverankRetriever
        """
        return cls.from_documents(_documents(texts, metadatas, ids), unknown=unknown, **options)

    def _get_relevant_documents(self, query: str, *, run_manager: Any = None, **options: Any) -> list[Document]:
        found = retrieved(self.index, query, **{**self._options, **options})
        return [_with_scores(_document(hit), hit) for hit in found]

    async def _aget_relevant_documents(self, query: str, *, run_manager: Any = None, **options: Any) -> list[Document]:
        found: list[Document] = await run_in_executor(None, partial(self._get_relevant_documents, query, **options))
        return found


def _documents(
    texts: Iterable[str], metadatas: Iterable[dict[str, Any]] | None, ids: Iterable[str] | None
) -> list[Document]:
    """Documents of texts, and what is given beside them."""
    listed = as_list(texts, "texts", "strings")
    fields: list[Any] = [{}] * len(listed) if metadatas is None else as_list(metadatas, "metadatas", "dicts")
    names: list[Any] = [None] * len(listed) if ids is None else as_list(ids, "ids", "strings")
    for name, values in (("metadatas", fields), ("ids", names)):
        if len(values) != len(listed):
            raise ValueError(f"{name}: expected {len(listed)}, one per text, got {len(values)}")
    return [
        Document(id=id, page_content=text, metadata=own) for text, own, id in zip(listed, fields, names, strict=True)
    ]


def _ids_of(documents: Sequence[Document]) -> list[str] | None:
    """Ids of documents, random ones for those that have none; None if no document has one."""
    if all(document.id is None for document in documents):
        return None
    return [str(uuid.uuid4()) if document.id is None else document.id for document in documents]


def _document(hit: TextHit) -> Document:
    fields = fields_of(hit.payload)
    if hit.passage is not None:
        fields["passage"] = list(hit.passage)
    return Document(id=str(hit.id), page_content=hit.text or "", metadata=fields)


def _with_scores(document: Document, hit: TextHit) -> Document:
    """A document with the scores of a hit in its metadata."""
    document.metadata["relevance_score"] = hit.similarity
    if hit.lexical is not None:
        document.metadata["fused_score"] = hit.score
    if hit.probability is not None:
        document.metadata["probability"] = hit.probability
    return document
