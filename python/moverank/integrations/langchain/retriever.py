"""A retriever: documents of a `TextIndex`, with their scores."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import run_in_executor
from pydantic import ConfigDict, model_validator

from moverank.integrations._retrieval import created, require_search, retrieved
from moverank.integrations._scores import objects
from moverank.integrations.langchain._documents import document_of, documents_of, ids_of
from moverank.text_index import TextHit, TextIndex


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
                ids_of(given),
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
        return cls.from_documents(documents_of(texts, metadatas, ids), unknown=unknown, **options)

    def _get_relevant_documents(self, query: str, *, run_manager: Any = None, **options: Any) -> list[Document]:
        found = retrieved(self.index, query, **{**self._options, **options})
        return [_with_scores(document_of(hit), hit) for hit in found]

    async def _aget_relevant_documents(self, query: str, *, run_manager: Any = None, **options: Any) -> list[Document]:
        found: list[Document] = await run_in_executor(None, partial(self._get_relevant_documents, query, **options))
        return found


def _with_scores(document: Document, hit: TextHit) -> Document:
    """A document with the scores of a hit in its metadata."""
    document.metadata["relevance_score"] = hit.similarity
    if hit.lexical is not None:
        document.metadata["fused_score"] = hit.score
    if hit.probability is not None:
        document.metadata["probability"] = hit.probability
    return document
