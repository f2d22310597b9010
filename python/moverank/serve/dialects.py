"""Requests and answers of the rerankers' dialects."""

from __future__ import annotations

import math
import time
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, Tag
from pydantic_core import PydanticCustomError

from moverank import __version__
from moverank.measures.measure import Measure
from moverank.ranking.results import RankedDocument, Ranking
from moverank.serve.engine import Timing
from moverank.serve.errors import Refused
from moverank.serve.fields import (
    OBJECT,
    TEXT,
    TEXT_OR_OBJECT,
    Capacity,
    Items,
    Seconds,
    Text,
    TextOrTexts,
    has_no_halves,
)
from moverank.text_index.results import TextHit


def _content_of(text: str, place: int) -> str:
    """The text of a document that is made of fields; an error of status 422 if it has half a character."""
    try:
        has_no_halves(text)
    except PydanticCustomError as error:
        raise Refused(422, f"document {place} {error.message()}", f"documents.{place}") from None
    return text


#: Most documents that can be wished for.
MOST = (1 << 31) - 1


class Lenient(BaseModel):
    """A request; fields that are not known are ignored, as clients send those of other servers."""

    model_config = ConfigDict(extra="ignore", strict=False)


class GivenDocument(Lenient):
    """A document as an object; other fields matter only if `rank_fields` names them."""

    model_config = ConfigDict(extra="allow")

    text: Text | None = None


Given = Annotated[Annotated[Text, TEXT] | Annotated[GivenDocument, Tag(OBJECT)], TEXT_OR_OBJECT]


class RerankRequest(Lenient):
    """Texts to be ranked for a query: in `documents`, as Cohere, Jina and vLLM have it, or in `texts`, as in TEI."""

    query: Text
    documents: Items[Given] | None = Field(None, description="Texts, or objects with a text.")
    texts: Items[Text] | None = Field(None, description="Texts, in the dialect of text-embeddings-inference.")
    model: Text | None = Field(None, description="Any name: the service has one encoder.")
    top_n: int | None = Field(None, ge=0, le=MOST, description="How many to return; 0 or none for all.")
    top_k: int | None = Field(None, ge=0, le=MOST, description="Another name of `top_n`.")
    return_documents: bool = Field(False, description="Return texts as well.")
    return_text: bool = Field(False, description="The same, in the dialect of text-embeddings-inference.")
    rank_fields: Items[Text] | None = Field(None, description="Fields of objects to compare instead of the text.")
    raw_scores: bool = Field(False, description="Similarities as they are, which may be below 0.")
    truncate: bool | None = Field(None, description="False: refuse texts that are longer than the encoder reads.")
    truncation_direction: str | None = Field(None, description="'right': texts are cut at their end.")
    measure: str | None = Field(None, description="What to compare by; by default as the service was started.")
    capacity: Capacity | None = Field(None, description="Its capacity.")
    deadline: Seconds | None = Field(None, description="Seconds after which to answer with the best so far.")
    explain: bool = Field(False, description="Add distances, the certificate and alignments under `moverank`.")

    @property
    def is_tei(self) -> bool:
        """Whether it is in the dialect of text-embeddings-inference."""
        return self.documents is None and self.texts is not None

    @property
    def at_most(self) -> int | None:
        """How many to return; None for all."""
        return self.top_n or self.top_k or None

    def contents(self) -> list[str]:
        """The texts; an error of status 400 or 422 if there are none, or one is missing."""
        if (self.documents is None) == (self.texts is None):
            raise Refused(422, "expected either documents or texts", "documents")
        if self.texts is not None:
            given: list[Any] = list(self.texts)
        else:
            given = [self._content(place, one) for place, one in enumerate(self.documents or [])]
        if not given:
            raise Refused(400, "expected at least one document", "texts" if self.is_tei else "documents")
        return given

    def _content(self, place: int, one: str | GivenDocument) -> str:
        if isinstance(one, str):
            return one
        fields = one.model_dump()
        if self.rank_fields:
            kept = [fields[name] for name in self.rank_fields if isinstance(fields.get(name), str)]
            if kept:
                return _content_of("\n".join(kept), place)
        elif one.text is not None:
            return one.text
        wanted = ", ".join(self.rank_fields or ["text"])
        raise Refused(422, f"document {place} has no text in {wanted}", f"documents.{place}")


class ScoreRequest(Lenient):
    """Pairs of texts to be scored, in the dialect of vLLM: one text against many, or texts pair by pair."""

    model: Text | None = None
    text_1: TextOrTexts | None = None
    text_2: TextOrTexts | None = None
    queries: TextOrTexts | None = None
    documents: TextOrTexts | None = None
    items: TextOrTexts | None = None
    data_1: TextOrTexts | None = None
    data_2: TextOrTexts | None = None
    measure: str | None = None
    capacity: Capacity | None = None
    deadline: Seconds | None = None

    def pairs(self) -> list[tuple[str, str]]:
        """The pairs; an error of status 422 if they do not fit together."""
        first = next((own for own in (self.text_1, self.queries, self.data_1) if own is not None), None)
        second = next((own for own in (self.text_2, self.documents, self.items, self.data_2) if own is not None), None)
        if first is None or second is None:
            raise Refused(422, "expected text_1 and text_2, or queries and documents", "text_1")
        left = [first] if isinstance(first, str) else first
        right = [second] if isinstance(second, str) else second
        if not left or not right:
            raise Refused(400, "expected at least one text on each side", "text_1" if not left else "text_2")
        if len(left) == 1:
            left = left * len(right)
        if len(left) != len(right):
            raise Refused(422, f"expected one text, or as many as the {len(right)} of the other side, got {len(left)}")
        return list(zip(left, right, strict=True))


def chosen_measure(name: str | None, capacity: float | None, default: Measure) -> Measure:
    """The measure that a request names; an error of status 422 if there is none such for texts."""
    try:
        measure = default if name is None else Measure.of(name)
        if capacity is not None:
            measure = measure.replace(capacity=capacity)
    except (TypeError, ValueError) as error:
        raise Refused(422, str(error), "measure" if name is not None else "capacity") from None
    if measure._cost.is_given:
        raise Refused(422, f"measure: the costs of {name!r} are given; texts have vectors", "measure")
    return measure


def relevance(document: RankedDocument, measure: Measure, *, raw: bool = False) -> float:
    """Score of a document, from 0 to 1: its similarity where that has bounds, else its logistic function.

    A document that cannot be compared, or was not reached in time, has the lowest score.
    """
    bounded = measure.least_similarity > -math.inf
    if not math.isfinite(document.score):
        return (-1.0 if bounded else -1e9) if raw else 0.0
    if raw:
        return document.score
    if not bounded:
        return 1.0 / (1.0 + math.exp(-max(min(document.score, 700.0), -700.0)))
    return min(max(document.score, 0.0), 1.0)


def cohere_answer(
    name: str, request: RerankRequest, texts: list[str], ranking: Ranking, extra: dict[str, Any] | None
) -> dict[str, Any]:
    """The answer in which clients of Cohere, Jina and vLLM find their fields."""
    results = []
    for document in ranking:
        one: dict[str, Any] = {
            "index": document.doc_id,
            "relevance_score": relevance(document, ranking.measure, raw=request.raw_scores),
        }
        if request.return_documents:
            one["document"] = {"text": texts[document.doc_id]}
        results.append(one)
    answer: dict[str, Any] = {
        "id": name,
        "object": "rerank",
        "created": int(time.time()),
        "model": request.model or "moverank",
        "results": results,
        "usage": {"total_tokens": ranking.tokens, "prompt_tokens": ranking.tokens},
        "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}},
    }
    return answer if extra is None else {**answer, "moverank": extra}


def tei_answer(request: RerankRequest, texts: list[str], ranking: Ranking) -> list[dict[str, Any]]:
    """The answer of text-embeddings-inference: a bare list."""
    with_text = request.return_text or request.return_documents
    return [
        {
            "index": document.doc_id,
            "score": relevance(document, ranking.measure, raw=request.raw_scores),
            **({"text": texts[document.doc_id]} if with_text else {}),
        }
        for document in ranking
    ]


def moves(document: TextHit | RankedDocument, timing: Timing) -> dict[str, Any] | None:
    """Which token moved where; None for what was not compared, and when time is over."""
    if not math.isfinite(document.distance) or not timing.can_explain(_length(document)):
        return None
    began = time.perf_counter()
    made = document.explain().to_dict()
    timing.explaining += time.perf_counter() - began
    return made


def _length(document: TextHit | RankedDocument) -> int:
    """Characters of what was compared."""
    if document.passage is not None:
        begin, end = document.passage
        return end - begin
    return len(document.text or "")


def details(ranking: Ranking, timing: Timing, *, explain: bool) -> dict[str, Any]:
    """What is proved about an answer, and, to explain it, which token of the query moved where."""
    told = {
        "measure": ranking.measure.name,
        "certificate": ranking.certificate.to_dict(),
        "stats": ranking.stats.to_dict(),
        "seconds": {name: timing.stages.get(name, 0.0) for name in ("encode", "transport")},
        "timed_out": ranking.stats.timed_out,
        "comparable": ranking.comparable,
        "lost": ranking.lost.to_dict(),
    }
    if not explain:
        return told
    results = [
        {
            "index": document.doc_id,
            "distance": document.distance if math.isfinite(document.distance) else None,
            "similarity": document.score if math.isfinite(document.score) else None,
            "alignment": moves(document, timing),
        }
        for document in ranking
    ]
    return {**told, "results": results}


def info(encoder: str, at_a_time: int) -> dict[str, Any]:
    """What clients of text-embeddings-inference read before their first request."""
    return {
        "model_id": encoder,
        "model_type": {"reranker": {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}},
        "model_dtype": "float32",
        "max_concurrent_requests": at_a_time,
        "max_client_batch_size": 100_000,
        "max_input_length": 1_000_000,
        "max_batch_tokens": 100_000_000,
        "auto_truncate": True,
        "version": __version__,
    }
