"""A batch of documents: the input of a build on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from moverank.index.parts.ids import Ids, listed_ids
from moverank.index.parts.intake import Documents, as_documents
from moverank.index.parts.payload_values import payload_list
from moverank.vectors.bags import Bags
from moverank.vectors.sequences import Sequences


@dataclass(frozen=True, init=False, repr=False, eq=False)
class Batch:
    """Some documents with their ids and payloads.

    Parameters
    ----------
    docs : Sequences, Bags, or sequence of array_like, each of shape (n_s, d)
        The documents.
    ids : sequence of int or of str, shape (N,), optional
        Ids of the documents; by default the integers after those of the previous batch.
    payloads : sequence, shape (N,), optional
        A JSON value per document, which is returned with hits; None for no payload.

    Raises
    ------
    TypeError, ValueError
        If documents are malformed, or there is not one id or payload per document.
    """

    docs: Sequences | Bags
    ids: Ids | None
    payloads: Sequence[Any] | None

    def __init__(self, docs: Documents, ids: Ids | None = None, payloads: Sequence[Any] | None = None) -> None:
        checked = as_documents(docs)
        listed = {
            "ids": None if ids is None else listed_ids(ids),
            "payloads": None if payloads is None else payload_list(payloads),
        }
        for name, given in listed.items():
            if given is not None and len(given) != len(checked):
                raise ValueError(f"{name}: expected {len(checked)}, one per document, got {len(given)}")
        object.__setattr__(self, "docs", checked)
        object.__setattr__(self, "ids", ids)
        object.__setattr__(self, "payloads", listed["payloads"])

    def __len__(self) -> int:
        return len(self.docs)

    def __repr__(self) -> str:
        return f"Batch({self.docs!r})"
