"""LangChain's documents as texts, payloads and ids of a `TextIndex`, and back."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from langchain_core.documents import Document

from moverank._support.validate import as_list
from moverank.integrations._retrieval import fields_of
from moverank.text_index import TextHit


def documents_of(
    texts: Iterable[str], metadatas: Iterable[dict[str, Any]] | None, ids: Iterable[str | None] | None
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


def ids_of(documents: Sequence[Document]) -> list[str] | None:
    """Ids of documents, random ones for those that have none; None if no document has one."""
    if all(document.id is None for document in documents):
        return None
    return [str(uuid.uuid4()) if document.id is None else document.id for document in documents]


def document_of(hit: TextHit) -> Document:
    """The document that was found, or its passage, without scores."""
    fields = fields_of(hit.payload)
    if hit.passage is not None:
        fields["passage"] = list(hit.passage)
    return Document(id=str(hit.id), page_content=hit.text or "", metadata=fields)
