"""A retriever with the names and results of PyLate's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from moverank.index.parts.ids import Ids
from moverank.integrations.pylate.indexes import Embeddings, Moverank
from moverank.integrations.pylate.rank import RerankResult


class ColBERT:
    """Search an index for the documents that are nearest to each query.

    Parameters
    ----------
    index : Moverank
        The index.

    Raises
    ------
    TypeError
        If `index` is not a `Moverank`.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from moverank.integrations.pylate import indexes, retrieve
    >>> index = indexes.Moverank(index_folder=tempfile.mkdtemp())
    >>> index = index.add_documents([1, 2], [np.eye(3)[:2], np.eye(3)[2:]])
    >>> retrieve.ColBERT(index=index).retrieve(queries_embeddings=[np.eye(3)[1:]], k=1)
    [[{'id': 1, 'score': 1.0}]]
    """

    def __init__(self, index: Moverank) -> None:
        if not isinstance(index, Moverank):
            raise TypeError(f"index: expected an indexes.Moverank, got {type(index).__name__}")
        self.index = index

    def retrieve(
        self,
        queries_embeddings: Embeddings,
        k: int = 10,
        k_token: int | None = None,
        device: Any = None,
        batch_size: int | None = None,
        subset: Sequence[Ids] | Ids | None = None,
    ) -> list[list[RerankResult]]:
        """Find the documents with the highest scores for each query.

        Parameters
        ----------
        queries_embeddings, k, subset
            As in `Moverank.__call__`.
        k_token, device, batch_size
            Ignored, as by PyLate's retriever with any index that ranks documents itself, such as PLAID.

        Returns
        -------
        list of list of dict
            For each query ``{"id": ..., "score": ...}``, the highest score first.

        Raises
        ------
        ValueError
            If the index is empty, or an argument is malformed; the message names it.
        """
        return self.index(queries_embeddings, k, subset)
