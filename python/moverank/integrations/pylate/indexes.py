"""An index with the methods of PyLate's, which ranks by optimal transport; MaxSim is a member of its family."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from moverank._support.validate import as_list, thread_count, whole_number
from moverank.errors import IndexExistsError, IndexNotFoundError
from moverank.index.index import Index
from moverank.index.parts.ids import Ids
from moverank.index.search.hits import Hits
from moverank.integrations.pylate._embeddings import batch_of, ids_of, scores_of
from moverank.integrations.pylate.rank import RerankResult
from moverank.measures.measure import Measure
from moverank.vectors.sequences import Sequences

Embeddings = Sequence[ArrayLike] | ArrayLike


class Moverank:
    """An index in a folder, with the names and results of PyLate's indexes.

    Parameters
    ----------
    index_folder : path, default "indexes"
        Folder of indexes; it is created with the first documents.
    index_name : str, default "colbert"
        Name of the index in this folder.
    override : bool, default False
        Replace an index of this name. It is replaced in one step when the first documents are added, and ignored until
        then. Folders that contain anything else are never replaced.
    measure : str or Measure, default "maxsim"
        The distance to search by.
    candidates : int, optional
        Maximum number of documents to examine per query, as in `Index.search`; it must be at least the `k` of searches.
        By default, searches are exact.
    num_threads : int, optional
        Number of threads; all cores by default.
    **options
        Options of `Index.build`: `prefilter`, `dtype` and `rescore`. An index that exists keeps those with which it was
        built, as PyLate's indexes do.

    Attributes
    ----------
    is_end_to_end_index : bool
        True: calls return ranked documents, as PLAID does, so that PyLate's own retriever accepts this index.

    Raises
    ------
    IndexExistsError
        If the folder contains something other than an index of moverank, such as an index of PyLate.
    MeasureMismatchError
        If the index exists and was built for another measure.
    TypeError, ValueError
        If an argument is malformed; the message names it.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> index = Moverank(index_folder=tempfile.mkdtemp(), index_name="letters", override=True)
    >>> documents = [np.eye(3)[:2], np.eye(3)[2:]]
    >>> index = index.add_documents(documents_ids=["a", "b"], documents_embeddings=documents)
    >>> index(queries_embeddings=[np.eye(3)[:2]], k=2)
    [[{'id': 'a', 'score': 2.0}, {'id': 'b', 'score': 0.0}]]
    """

    is_end_to_end_index = True

    def __init__(
        self,
        index_folder: str | os.PathLike[str] = "indexes",
        index_name: str = "colbert",
        override: bool = False,
        *,
        measure: str | Measure = "maxsim",
        candidates: int | None = None,
        num_threads: int | None = None,
        **options: Any,
    ) -> None:
        unknown = sorted(set(options) - {"prefilter", "dtype", "rescore"})
        if unknown:
            raise TypeError(f"{unknown[0]}: unknown option; known are prefilter, dtype and rescore")
        self._path = Path(index_folder, index_name)
        self._measure = Measure.of(measure)
        self._candidates = None if candidates is None else whole_number(candidates, "candidates", least=1)
        thread_count(num_threads)
        self._num_threads = num_threads
        self._options = options
        self._index: Index | None = None
        #: Whether an index in the folder is to be replaced when documents are added.
        self._replacing = override
        found = self._opened(None if override else self._measure)
        if override and found is not None:
            found.close()
        elif not override:
            self._index = found

    def __len__(self) -> int:
        index = self._current()
        return 0 if index is None else len(index)

    def __repr__(self) -> str:
        return f"Moverank({str(self._path)!r}, {len(self)} documents, measure={self._measure.name})"

    def add_documents(self, documents_ids: str | Ids, documents_embeddings: Embeddings) -> Moverank:
        """Add documents; they are on disk when the call returns.

        Parameters
        ----------
        documents_ids : str, or sequence of str or of int
            Unique ids, one per document; either all strings or all integers.
        documents_embeddings : sequence of array_like, each of shape (n, d), or array_like
            Embeddings of the documents' tokens, without padding.

        Returns
        -------
        Moverank
            The index itself.

        Raises
        ------
        DuplicateIdError
            If an id is given twice or is already in the index; nothing is added. `update_documents` replaces documents.
        DimensionError
            If the dimension of embeddings is not that of the index.
        TypeError, ValueError
            If an argument is malformed, or there is not one id per document; the message names it.
        """
        return self._put(documents_ids, documents_embeddings, replacing=False)

    def remove_documents(self, documents_ids: str | Ids) -> Moverank:
        """Remove documents.

        Parameters
        ----------
        documents_ids : str, or sequence of str or of int
            Ids of the documents.

        Returns
        -------
        Moverank
            The index itself.

        Raises
        ------
        UnknownIdError
            If an id is not in the index; nothing is removed.
        ValueError
            If the index is empty.
        """
        ids = ids_of(documents_ids, "documents_ids")
        self._required()
        with self._writer() as index:
            index.remove(ids)
        return self

    def update_documents(self, documents_ids: str | Ids, documents_embeddings: Embeddings) -> Moverank:
        """Add documents, and remove those with the same ids if there are any, in one step.

        Parameters
        ----------
        documents_ids, documents_embeddings
            As in `add_documents`.

        Returns
        -------
        Moverank
            The index itself.

        Raises
        ------
        TypeError, ValueError
            As in `add_documents`, but ids may be in the index.
        """
        return self._put(documents_ids, documents_embeddings, replacing=True)

    def __call__(
        self,
        queries_embeddings: Embeddings,
        k: int = 10,
        subset: Sequence[Ids] | Ids | None = None,
    ) -> list[list[RerankResult]]:
        """Find the documents with the highest scores for each query.

        Parameters
        ----------
        queries_embeddings : sequence of array_like, each of shape (n, d), or array_like
            Embeddings of the queries' tokens.
        k : int, default 10
            Number of documents per query; all documents if there are fewer.
        subset : sequence of ids, or sequence of such sequences, optional
            Search only these documents: the same for all queries, or one list per query. Ids that are not in the index
            are ignored, as in PyLate, so an empty list finds nothing.

        Returns
        -------
        list of list of dict
            For each query ``{"id": ..., "score": ...}``, the highest score first; equal scores are ordered by id.

        Raises
        ------
        ValueError
            If the index is empty, or an argument is malformed; the message names it.
        """
        index = self._required()
        whole_number(k, "k", least=1)
        queries = batch_of(queries_embeddings, "queries_embeddings")
        if queries is None:
            return []
        found: list[Hits | None]
        if subset is None and len(queries) > 1:
            found = list(index.search_batch(queries, k, candidates=self._candidates))
        else:
            found = [
                None if own == [] else index.search(query, k, subset=own, candidates=self._candidates)
                for query, own in zip(queries, _subsets(subset, len(queries), index), strict=True)
            ]
        return [[] if hits is None else _results(hits, len(query)) for query, hits in zip(queries, found, strict=True)]

    def _current(self) -> Index | None:
        """The index in its latest state, whichever process changed it; None if it has not been built."""
        if self._replacing:
            return None
        if self._index is None:
            self._index = self._opened(self._measure)
        else:
            self._index.refresh()
        return self._index

    def _required(self) -> Index:
        index = self._current()
        if index is None or not len(index):
            raise ValueError(f"{self._path}: the index is empty; add documents first")
        return index

    def _opened(self, measure: Measure | None) -> Index | None:
        """The index in the folder, opened for reading; None if the folder is empty or does not exist."""
        try:
            return Index.open(self._path, measure=measure, num_threads=self._num_threads)
        except IndexNotFoundError:
            if self._path.is_dir() and any(self._path.iterdir()):
                raise IndexExistsError(
                    f"{self._path}: contains something other than an index of moverank; give another index_name"
                ) from None
            return None

    def _put(self, documents_ids: Any, embeddings: Embeddings, *, replacing: bool) -> Moverank:
        ids, docs = ids_of(documents_ids, "documents_ids"), batch_of(embeddings, "documents_embeddings")
        count = 0 if docs is None else len(docs)
        if len(ids) != count:
            raise ValueError(f"documents_ids: expected {count}, one per document, got {len(ids)}")
        if docs is None:
            return self
        if self._current() is None:
            self._build(docs, ids)
        else:
            with self._writer() as index:
                (index.upsert if replacing else index.add)(docs, ids)
        return self

    def _build(self, docs: Sequences, ids: list[Any]) -> None:
        index = Index.build(docs, self._measure, ids=ids, num_threads=self._num_threads, **self._options)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        index.save(self._path, overwrite=self._replacing)
        self._replacing = False

    def _writer(self) -> Index:
        """The index opened for writing, for one change: other objects and processes can change it in between."""
        return Index.open(self._path, writable=True, measure=self._measure, num_threads=self._num_threads)


def _subsets(subset: Any, count: int, index: Index) -> list[list[Any] | None]:
    """For each query the ids to search that are in the index; None for all documents."""
    if subset is None:
        return [None] * count
    listed = as_list(subset, "subset", "ids, or lists of ids")
    if not listed or isinstance(listed[0], str) or not hasattr(listed[0], "__iter__"):
        given = [ids_of(listed, "subset")] * count
    elif len(listed) == count:
        given = [ids_of(own, f"subset {q}") for q, own in enumerate(listed)]
    else:
        raise ValueError(f"subset: expected {count} lists, one per query, got {len(listed)}")
    return [[name for name in dict.fromkeys(own) if name in index] for own in given]


def _results(hits: Hits, query_tokens: int) -> list[RerankResult]:
    scores = scores_of(hits.measure, hits.distances, query_tokens)
    return [RerankResult(id=name, score=score) for name, score in zip(hits.ids.tolist(), scores, strict=True)]
