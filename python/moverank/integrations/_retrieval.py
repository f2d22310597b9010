"""Texts found in an index, in the form that retrievers of frameworks need, and indexes made of texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from moverank._support.validate import whole_number
from moverank.encoders import Encoder, WordVectors, encode_documents
from moverank.index.index import Index
from moverank.index.parts.filters import Condition
from moverank.measures.measure import Measure
from moverank.ranking import DEFAULT_MEASURE, Reranker
from moverank.vectors.bags import Bags
from moverank.vectors.sequences import Sequences


class Retrieved(NamedTuple):
    """A document of an index: its id, its text and the other fields of its payload, and its score."""

    id: int | str
    text: str
    fields: dict[str, Any]
    score: float


def retrieved(
    reranker: Reranker,
    index: Index,
    query: str,
    *,
    k: int,
    candidates: int | None,
    where: Condition | None,
    text_field: str,
) -> list[Retrieved]:
    """Find the documents of an index that are nearest to a text; none if the text has no token.

    Raises
    ------
    ValueError
        If the payload of a document contains no text; the message gives its id.
    """
    ranking = reranker.rank(query, index, top_k=k, candidates=candidates, where=where, unknown="keep")
    return [
        Retrieved(document.doc_id, *_contents(document.payload, text_field, document.doc_id), document.score)
        for document in ranking
    ]


def require_counts(k: int, candidates: int | None, name: str) -> int:
    """Check the number of documents to return, `name` in errors, and of those to examine, before texts are encoded."""
    count = whole_number(k, name, least=1)
    if candidates is not None and whole_number(candidates, "candidates", least=1) < count:
        raise ValueError(f"candidates must be at least {name} = {count}, got {candidates}")
    return count


def payload_of(text: str, fields: dict[str, Any], text_field: str, name: str) -> dict[str, Any]:
    """Payload of a document, whose fields conditions can use; `name` is that of the document in errors."""
    if text_field in fields:
        raise ValueError(
            f"{name}: its metadata has a field {text_field!r}, under which its text is stored; give another text_field"
        )
    return {text_field: text, **fields}


def indexed(
    texts: Sequence[str],
    payloads: Sequence[dict[str, Any]],
    ids: Sequence[str] | None,
    encoder: Encoder | None,
    measure: str | Measure | None,
    *,
    skip_empty: bool,
    options: dict[str, Any],
) -> tuple[Index, Reranker]:
    """Make an index of texts, and the reranker that searches it for a text; `options` are those of `Index.build`.

    With `skip_empty`, texts without a token are left out; otherwise they are an error that names them.
    """
    chosen: Encoder = WordVectors.default() if encoder is None else encoder
    reranker = Reranker(chosen)
    encoded = encode_documents(chosen, texts, skip_empty=skip_empty)
    docs: Sequences | Bags = encoded.sequences
    if type(chosen) is WordVectors:  # a subclass may encode in another way
        docs = chosen.bags([texts[t] for t in encoded.kept])
    index = Index.build(
        docs,
        DEFAULT_MEASURE if measure is None else measure,
        ids=None if ids is None else [ids[t] for t in encoded.kept],
        payloads=[payloads[t] for t in encoded.kept],
        encoder=chosen,
        **options,
    )
    return index, reranker


def _contents(payload: Any, text_field: str, id: int | str) -> tuple[str, dict[str, Any]]:
    """Text and other fields of a payload, which is a text itself or an object with one."""
    fields = dict(payload) if isinstance(payload, dict) else {text_field: payload}
    text = fields.pop(text_field, None)
    if not isinstance(text, str):
        raise ValueError(
            f"index: document {id!r} has no text in its payload; expected a string, or an object with a string "
            f"{text_field!r}"
        )
    return text, fields
