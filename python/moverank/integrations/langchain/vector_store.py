"""A vector store: documents of a `TextIndex`, searched and changed by LangChain's names."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from langchain_core.documents import Document
from langchain_core.vectorstores import VectorStore

from moverank._support.validate import as_list, whole_number
from moverank.encoders import Encoder
from moverank.errors import UnknownIdError
from moverank.integrations._retrieval import created, fields_of, require_search, retrieved
from moverank.integrations._scores import objects
from moverank.integrations.langchain._documents import document_of, documents_of
from moverank.text_index import TextIndex

#: Integers as Python writes them, of as many digits as an id may have.
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")


class MoverankVectorStore(VectorStore):
    """Documents found by the meaning of their words, and by the words themselves; added and deleted at any time.

    Parameters
    ----------
    index : TextIndex
        The index. With one in a folder, opened for writing, each change is durable when its call returns.

    Raises
    ------
    TypeError, ValueError
        If it is something else, or keeps no texts.

    Notes
    -----
    Everything else is as LangChain's `VectorStore` has it: `as_retriever`, calls with ``a`` before their name, and
    LangChain's own ``index``, which adds and deletes what has changed. Searches take all options of `TextIndex.search`,
    such as `where`, also as ``as_retriever(search_kwargs={...})``. Searches by a vector, and by maximal marginal
    relevance, are not implemented, as a text has many vectors.

    If the index cuts documents into passages, what is found is the passage that is nearest to the query;
    ``metadata["passage"]`` is where it begins and ends.

    Examples
    --------
    >>> store = MoverankVectorStore.from_texts(["Stocks fell.", "A cat sat on a mat."], ids=["1", "2"], lexical=None)
    >>> store.similarity_search("where is my cat?", k=1)[0].page_content
    'A cat sat on a mat.'
    >>> store.add_texts(["The dog slept."], [{"year": 2024}], ids=["3"])
    ['3']
    >>> store.as_retriever(search_kwargs={"k": 1}).invoke("a sleeping dog")[0].metadata
    {'year': 2024}
    """

    def __init__(self, index: TextIndex) -> None:
        require_search(index)
        self._index = index

    @property
    def index(self) -> TextIndex:
        """The index that is searched."""
        return self._index

    @classmethod
    def from_texts(
        cls,
        texts: Iterable[str],
        encoder: Encoder | None = None,
        metadatas: Iterable[dict[str, Any]] | None = None,
        *,
        ids: Iterable[str] | None = None,
        unknown: str = "raise",
        **options: Any,
    ) -> MoverankVectorStore:
        """Make an index of texts, and a vector store of it.

        Parameters
        ----------
        texts : iterable of str
            The texts.
        encoder : Encoder, optional
            Turns texts into vectors, one for each token, which LangChain's embeddings do not; by default the English
            word vectors of the package.
        metadatas : iterable of dict, optional
            Metadata of each text: JSON values.
        ids : iterable of str, optional
            Id of each text; by default they are random.
        unknown
            As in `add_documents`.
        **options
            Other options of `TextIndex.create`: `path` for a folder, where the index can be opened again, `measure`,
            `passages`, `lexical` and others. By default terms are those of English, which needs
            ``pip install 'moverank[lexical]'``; ``lexical=None`` does without terms.

        Returns
        -------
        MoverankVectorStore

        Raises
        ------
        ImportError
            If `lexical` is not None, and tantivy is not installed.
        IndexExistsError
            If the folder is not empty.
        NoTokensError, TypeError, ValueError
            As in `add_documents`, and if an option is malformed.
        """
        given = documents_of(texts, metadatas, ids)
        with created({"encoder": encoder, **options}) as (index, others):
            store = cls(index, **others)
            store.add_documents(given, unknown=unknown)
        return store

    @classmethod
    def from_documents(
        cls, documents: Iterable[Document], encoder: Encoder | None = None, **options: Any
    ) -> MoverankVectorStore:
        """Make an index of documents, and a vector store of it: `from_texts` of their texts, metadata and ids."""
        given = objects(documents, Document, "documents")
        made: MoverankVectorStore = super().from_documents(given, encoder, **options)
        return made

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: Sequence[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        **options: Any,
    ) -> list[str]:
        """Add texts with their metadata, as `add_documents` does."""
        return self.add_documents(documents_of(texts, metadatas, ids), **options)

    def add_documents(
        self,
        documents: Iterable[Document],
        *,
        ids: Iterable[str | None] | None = None,
        unknown: str = "raise",
        batch_size: int | None = None,
    ) -> list[str]:
        """Add documents, in place of those with the same ids. ``add_texts`` has the same options.

        Parameters
        ----------
        documents : iterable of Document
            The documents. Their metadata, which must be JSON values, become payloads, so that conditions can use them.
        ids : iterable of str or None, optional
            Ids to use instead of the documents' own. Those that are None are random; in an index whose ids are
            integers, documents are numbered if none has an id.
        unknown : {"raise", "skip"}, default "raise"
            A document of which no word has a vector is an error, or is left out.
        batch_size : int, optional
            Documents that are added, and made durable, at a time; by default as in `TextIndex.add`.

        Returns
        -------
        list of str
            Ids of the documents that were added.

        Raises
        ------
        DuplicateIdError, NoTokensError, ReadOnlyIndexError, TypeError, ValueError
            As in `TextIndex.upsert`.
        """
        given = objects(documents, Document, "documents")
        own = [document.id for document in given] if ids is None else as_list(ids, "ids", "strings")
        if len(own) != len(given):
            raise ValueError(f"ids: expected {len(given)}, one per document, got {len(own)}")
        names = self._names(own)
        size = max(len(given), 1) if batch_size is None else whole_number(batch_size, "batch_size", least=1)
        added: list[str] = []
        for begin in range(0, len(given), size):
            some = given[begin : begin + size]
            texts, payloads = [document.page_content for document in some], [document.metadata for document in some]
            if names is None:
                done = self._index.add(texts, payloads=payloads, unknown=unknown)
            else:
                done = self._index.upsert(texts, names[begin : begin + size], payloads=payloads, unknown=unknown)
            added += map(str, done.ids)
        return added

    def delete(self, ids: Iterable[str] | None = None) -> bool:
        """Remove documents. An id that is not in the index is ignored.

        Parameters
        ----------
        ids : iterable of str, optional
            Their ids; by default all documents are removed.

        Returns
        -------
        bool
            True.

        Raises
        ------
        ReadOnlyIndexError
            If the index is not open for writing.
        """
        listed = list(self._index) if ids is None else [self._key(id) for id in as_list(ids, "ids", "strings")]
        if known := [id for id in dict.fromkeys(listed) if id in self._index]:
            self._index.remove(known)
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Documents with these ids, whole and in this order, without those that are not in the index."""
        found = []
        for id in as_list(ids, "ids", "strings"):
            try:
                text, payload = self._index.text(self._key(id)), self._index.payload(self._key(id))
            except UnknownIdError:
                continue
            found.append(Document(id=id, page_content=text or "", metadata=fields_of(payload)))
        return found

    def similarity_search(self, query: str, k: int = 4, **options: Any) -> list[Document]:
        """Find the best documents for a query, in the order of the index's scores, in which terms have a part.

        Parameters
        ----------
        query : str
            The query. One without a known word is answered by its terms, and finds nothing if the index has none.
        k : int, default 4
            Number of documents.
        **options
            Other options of `TextIndex.search`: `where`, `candidates`, `fusion`, `min_similarity` and others.

        Returns
        -------
        list of Document
        """
        return [document for document, _ in self.similarity_search_with_score(query, k, **options)]

    def similarity_search_with_score(self, query: str, k: int = 4, **options: Any) -> list[tuple[Document, float]]:
        """Find the best documents for a query, each with its similarity. Arguments are those of `similarity_search`.

        The similarity, from 0 to 1 under the default measure, means the same for every query; it is the relevance
        score, too, that a ``score_threshold`` applies to. Where terms have a part in the order, it need not decrease.
        """
        return [(document_of(hit), hit.similarity) for hit in retrieved(self._index, query, k=k, **options)]

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        return float

    def _key(self, id: Any) -> Any:
        """An id as the index has it, where ids may be integers; LangChain's are strings."""
        if self._index._settings.ids == "int" and isinstance(id, str) and _INTEGER.fullmatch(id):
            return int(id)
        return id

    def _names(self, ids: Sequence[str | None]) -> list[Any] | None:
        """Ids of new documents; None if the index is to number them."""
        if self._index._settings.ids == "int":
            return None if all(id is None for id in ids) else [self._key(id) for id in ids]
        return [str(uuid.uuid4()) if id is None else id for id in ids]
