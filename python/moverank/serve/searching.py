"""Paths of indexes: search, and changes of documents."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator

from moverank._support.plain import finite
from moverank.errors import DuplicateIdError, NoTokensError
from moverank.ranking.fusion import Fusion
from moverank.serve.answers import Added, Document, FlatHits, Found, Indexes, Removed, described, incomplete
from moverank.serve.catalog import Catalog, Served
from moverank.serve.dialects import chosen_measure, moves
from moverank.serve.engine import Engine, Timing
from moverank.serve.errors import Refused
from moverank.serve.fields import Capacity, Id, Items, Number, Seconds, Text, with_one_unknown
from moverank.serve.reranking import shorten
from moverank.sharding import ShardedTextIndex
from moverank.text_index.changing import TEXTS_AT_ONCE
from moverank.text_index.results import TextHits
from moverank.text_index.text_index import TextIndex

router = APIRouter(prefix="/v1/indexes", tags=["indexes"])

#: Most documents of an answer, and most candidates of each first stage.
MOST = 10_000


class Strict(BaseModel):
    """A request of our own; fields that are not known are refused, as they would be ignored silently."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _has_one_fault(cls, given: Any) -> Any:
        return with_one_unknown(given, tuple(cls.model_fields))


class SearchRequest(Strict):
    """What to search an index for."""

    query: Text | None = Field(None, description="A text.")
    vectors: Items[Items[Number]] | None = Field(None, description="Token vectors instead of a text.")
    weights: Items[Number] | None = Field(None, description="A weight for each of the vectors.")
    k: int = Field(10, ge=1, le=MOST, description="Documents to return.")
    where: Text | None = Field(None, max_length=4096, description="A condition of SQL on payloads.")
    candidates: int | None = Field(
        100, ge=1, le=MOST, description="Texts that each first stage proposes; null for all."
    )
    fusion: float | None = Field(None, ge=0, le=1, description="Weight of the similarity beside that of terms.")
    min_similarity: Number | None = Field(None, description="Leave out documents that are less similar.")
    min_probability: float | None = Field(
        None, ge=0, le=1, description="Leave out documents less likely to be relevant."
    )
    measure: str | None = Field(None, description="Compare the candidates by another measure than the index's.")
    capacity: Capacity | None = Field(None, description="The measure's capacity.")
    deadline: Seconds | None = Field(None, description="Seconds after which to answer with the best so far.")
    explain: bool = Field(False, description="Add to each document which token of the query moved where.")


class NewDocument(Strict):
    """A document to be kept."""

    id: Id | None = None
    text: Text
    payload: Any = None


class NewDocuments(Strict):
    """Documents to be added, or to replace those with the same ids."""

    documents: Items[NewDocument] = Field(min_length=1, max_length=TEXTS_AT_ONCE, description="All of them, or none.")
    replace: bool = Field(False, description="Replace documents with the same ids (upsert).")


class Ids(Strict):
    """Documents by their ids."""

    ids: Items[Id] = Field(min_length=1)


@router.get("", summary="The indexes", responses=described(Indexes, 429, 503))
async def indexes(request: Request) -> JSONResponse:
    """The indexes that are served, with what clients choose by."""
    catalog: Catalog = request.app.state.catalog
    engine: Engine = request.app.state.engine
    found = await engine.run(lambda _: [served.describe() for served in catalog], request.state.timing)
    return JSONResponse({"indexes": found})


@router.post("/{name}/search", summary="Search an index", responses=described(Found, 404, body=True))
async def search(name: str, body: SearchRequest, request: Request) -> JSONResponse:
    """Find documents of an index for a text, or for token vectors: by transport and by terms, with a certificate."""
    engine: Engine = request.app.state.engine
    timing: Timing = request.state.timing
    served = request.app.state.catalog[name]
    if (body.query is None) == (body.vectors is None):
        raise Refused(422, "expected either query or vectors", "query")
    if body.query is not None and body.weights is not None:
        raise Refused(422, "applies to vectors: the words of a query have the weights of the index", "weights")
    shorten(timing, body.deadline)

    def compute(threads: int) -> JSONResponse:
        found = _by_text if body.query is not None else _by_vectors
        answer = found(served, engine, body, timing, threads)
        return JSONResponse({"id": request.state.id, "index": name, **answer})

    return await engine.run(compute, timing)


@router.get(
    "/{name}/flat",
    summary="Search an index, with a flat answer",
    responses=described(FlatHits, 404, 422, 429, 503, cut=True),
)
async def flat(
    name: str,
    request: Request,
    q: Annotated[str, Query(max_length=4096)],
    k: Annotated[int, Query(ge=1, le=MOST)] = 10,
    where: Annotated[str | None, Query(max_length=1024)] = None,
) -> JSONResponse:
    """Documents as flat objects, as Quepid's "searchapi" reads them: id, title, text, scores, fields of payloads.

    A request's first line may have 64 KiB, of which a character takes up to twelve bytes.
    """
    engine: Engine = request.app.state.engine
    served: Served = request.app.state.catalog[name]
    body = SearchRequest(query=q, k=k, where=where)

    def compute(threads: int) -> JSONResponse:
        found = _by_text(served, engine, body, request.state.timing, threads)
        hits = [_flat(hit) for hit in found["hits"]]
        headers = incomplete(found["certificate"]["unsolved"]) if found["stats"]["timed_out"] else None
        return JSONResponse({"query": q, "total": len(hits), "documents": hits}, headers=headers)

    return await engine.run(compute, request.state.timing)


@router.get(
    "/{name}/documents/{id:path}", summary="A document of an index", responses=described(Document, 404, 422, 429, 503)
)
async def document(name: str, id: str, request: Request) -> JSONResponse:
    """Text and payload of a document."""
    served: Served = request.app.state.catalog[name]

    def compute(_: int) -> dict[str, Any]:
        index = served.latest()
        own = _known_id(index, id)
        return {"id": str(own), "text": index.text(own), "payload": index.payload(own)}

    return JSONResponse(await request.app.state.engine.run(compute, request.state.timing))


@router.post(
    "/{name}/documents", summary="Add or replace documents", responses=described(Added, 403, 404, 409, body=True)
)
async def put(name: str, body: NewDocuments, request: Request) -> JSONResponse:
    """Add documents, or replace those with the same ids. They are durable, and found, when the answer comes."""
    engine: Engine = request.app.state.engine
    timing: Timing = request.state.timing
    served = _writable(request, name)
    ids = [one.id for one in body.documents]
    if None in ids and (body.replace or any(id is not None for id in ids)):
        raise Refused(422, "expected an id of each document, or of none to have them numbered", "documents")

    def compute(_: int) -> dict[str, Any]:
        texts = [one.text for one in body.documents]
        payloads = [one.payload for one in body.documents]
        given: Any = None if None in ids else ids
        if given is None and served.needs_ids:
            raise Refused(422, "expected an id of each document, as the index has several shards", "documents")
        with served.writer(timing.left()) as index:
            change = index.upsert if body.replace else index.add
            try:
                added = change(texts, given, payloads=payloads, unknown="skip")
            except DuplicateIdError as error:
                raise Refused(409, str(error), "documents") from None
            except (TypeError, ValueError) as error:
                raise Refused(422, str(error), "documents") from None
            documents = len(index)
        return {
            "index": name, "ids": [str(id) for id in added.ids], "skipped": [str(id) for id in added.skipped],
            "documents": documents,
        }  # fmt: skip

    return JSONResponse(await engine.run(compute, timing, writes=True))


@router.post("/{name}/documents/delete", summary="Remove documents", responses=described(Removed, 403, 404, body=True))
async def remove(name: str, body: Ids, request: Request) -> JSONResponse:
    """Remove documents: all of them, or none if one is not in the index."""
    return await _removed(request, name, body.ids)


@router.delete(
    "/{name}/documents/{id:path}", summary="Remove a document", responses=described(Removed, 403, 404, 422, 429, 503)
)
async def remove_one(name: str, id: str, request: Request) -> JSONResponse:
    """Remove a document."""
    return await _removed(request, name, [id])


async def _removed(request: Request, name: str, ids: list[Any]) -> JSONResponse:
    timing: Timing = request.state.timing
    served = _writable(request, name)

    def compute(_: int) -> dict[str, Any]:
        with served.writer(timing.left()) as index:
            own = [_known_id(index, id) for id in ids]
            try:
                index.remove(own)
            except DuplicateIdError as error:
                raise Refused(422, str(error), "ids") from None
            return {"index": name, "removed": len(own), "documents": len(index)}

    return JSONResponse(await request.app.state.engine.run(compute, timing, writes=True))


def _writable(request: Request, name: str) -> Served:
    served: Served = request.app.state.catalog[name]
    if not request.app.state.options.writable:
        raise Refused(403, "the service was started without --writable, so indexes cannot be changed through it")
    return served


def _known_id(index: TextIndex | ShardedTextIndex, given: Any) -> Any:
    """An id as the index has it; in paths, whole numbers come as text."""
    for id in (given, int(given) if isinstance(given, str) and _is_number(given) else given):
        if id in index:
            return id
    raise Refused(404, f"document {given!r:.80} is not in the index", "id")


def _is_number(text: str) -> bool:
    return text.isascii() and text.removeprefix("-").isdigit() and len(text) < 20


def _by_text(served: Served, engine: Engine, body: SearchRequest, timing: Timing, threads: int) -> dict[str, Any]:
    index = served.latest()
    own = index.measure
    measure = chosen_measure(body.measure, body.capacity, own)
    by_other = measure != own
    k = max(body.k, body.candidates or body.k) if by_other else body.k
    options: dict[str, Any] = {
        "where": body.where,
        "candidates": body.candidates,
        "fusion": body.fusion,
        "timeout": timing.before_writing(k) * (0.5 if by_other else 1.0),
        **served.threads(threads),
    }
    if not by_other:
        options |= {"min_similarity": -np.inf if body.min_similarity is None else body.min_similarity}
        options |= {"min_probability": body.min_probability or 0.0}
    elif body.min_probability:
        raise Refused(422, "applies to the index's own measure", "min_probability")
    try:
        hits = index.search(body.query or "", k, **options)
    except NoTokensError as error:
        raise Refused(422, str(error), "query") from None
    except (TypeError, ValueError, TimeoutError) as error:
        raise Refused(422, str(error), _named(str(error))) from None
    if by_other:
        return _by_other(served, engine, body, hits, timing, threads)
    return _answered(hits, body, timing)


def _by_other(
    served: Served, engine: Engine, body: SearchRequest, hits: TextHits, timing: Timing, threads: int
) -> dict[str, Any]:
    """Compare the candidates that an index has found by another measure than its own."""
    index = served.latest()
    if not index.stores_texts:
        raise Refused(422, "the index keeps no texts, which another measure has to encode", "measure")
    measure = chosen_measure(body.measure, body.capacity, index.measure)
    texts = [hit.text or "" for hit in hits]
    for stage, seconds in hits.seconds.items():
        timing.add(stage, seconds)
    if not texts:
        return hits.to_dict()
    ranking = engine.rank_by(served.cache, body.query or "", texts, measure, timing, threads, to_write=len(texts))
    by_place = {document.doc_id: document for document in ranking}
    scores = np.array([by_place[place].score for place in range(len(texts))])
    weight = index.fusion.weight if body.fusion is None else body.fusion
    terms = [hit.lexical for hit in hits]
    fuses = index.lexical is not None and weight < 1.0
    fused = Fusion(weight)([one or 0.0 for one in terms], scores) if fuses else scores
    shown: list[dict[str, Any]] = []
    for place in np.argsort(-fused, kind="stable").tolist():
        hit, document = hits[place], by_place[place]
        similarity = document.score if math.isfinite(document.score) else 0.0
        if measure.least_similarity == -1.0:
            similarity = max(similarity, 0.0)
        if body.min_similarity is not None and similarity < body.min_similarity:
            continue
        one = hit.to_dict() | {
            "rank": len(shown), "score": finite(float(fused[place])), "distance": finite(document.distance),
            "similarity": finite(similarity), "probability": None,
        }  # fmt: skip
        if body.explain:
            one["alignment"] = moves(document, timing)
        shown.append(one)
        if len(shown) == body.k:
            break
    timed_out = hits.stats.timed_out or ranking.stats.timed_out
    compared = sum(math.isfinite(document.distance) for document in ranking)
    what = f"{len(texts)} candidates" if compared == len(texts) else f"{compared} of {len(texts)} candidates"
    statement = f"not exact: {what}, found by {index.measure.name}, were compared by {measure.name}"
    statement += ", when time was over" if timed_out else ""
    return replace(hits, hits=()).to_dict() | {
        "measure": measure.name,
        "hits": shown,
        "certificate": ranking.certificate.to_dict() | {"exact": False, "certain": 0, "statement": statement},
        "stats": ranking.stats.to_dict() | {"timed_out": timed_out},
        "left_out": min(body.k, len(texts)) - len(shown),
    }


def _by_vectors(served: Served, engine: Engine, body: SearchRequest, timing: Timing, threads: int) -> dict[str, Any]:
    """Search the tokens of an index; terms have no part, as there is no text."""
    for name in ("fusion", "min_probability", "measure", "capacity"):
        if getattr(body, name) is not None:
            raise Refused(422, "applies to a query that is a text", name)
    least = -np.inf if body.min_similarity is None else body.min_similarity
    try:
        hits = served.latest().search_vectors(
            body.vectors or [], body.k, weights=body.weights, where=body.where, candidates=body.candidates,
            min_similarity=least, timeout=timing.before_writing(body.k), **served.threads(threads),
        )  # fmt: skip
    except (TypeError, ValueError, TimeoutError) as error:
        raise Refused(422, str(error), _named(str(error)) or "vectors") from None
    return _answered(hits, body, timing)


def _answered(hits: TextHits, body: SearchRequest, timing: Timing) -> dict[str, Any]:
    """Hits as JSON values, with reasons if they are wanted."""
    for stage, seconds in hits.seconds.items():
        timing.add(stage, seconds)
    answer = hits.to_dict()
    if body.explain:
        with timing.stage("explain"):
            for hit, shown in zip(hits, answer["hits"], strict=True):
                shown["alignment"] = moves(hit, timing)
    return answer


def _flat(hit: dict[str, Any]) -> dict[str, Any]:
    payload = hit["payload"] if isinstance(hit["payload"], dict) else {}
    plain = {name: value for name, value in payload.items() if isinstance(value, (str, int, float, bool))}
    title = payload.get("title") if isinstance(payload.get("title"), str) else (hit["text"] or "")[:80]
    own = {name: hit[name] for name in ("id", "text", "score", "similarity", "distance", "lexical", "rank")}
    return {**plain, "title": title, **own}


def _named(message: str) -> str | None:
    """The argument that a message begins with."""
    name = message.partition(":")[0].partition(" ")[0]
    return name if name in SearchRequest.model_fields else None
