"""Paths that rank the texts of a request: ``/rerank`` in every dialect, ``/score``, ``/info``."""

from __future__ import annotations

import math
import time
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from moverank.measures.measure import NAMED
from moverank.serve.answers import Info, Measures, Models, Reranked, Scored, TeiRank, described, incomplete
from moverank.serve.dialects import (
    RerankRequest,
    ScoreRequest,
    chosen_measure,
    cohere_answer,
    details,
    info,
    relevance,
    tei_answer,
)
from moverank.serve.engine import Engine, Timing
from moverank.serve.errors import Refused
from moverank.vectors.encoder_identity import EncoderIdentity

router = APIRouter(tags=["rerank"])

_RERANKED: Any = described(Reranked | list[TeiRank], body=True, tei=True, cut=True)
_SCORED: Any = described(Scored, body=True, cut=True)


@router.post("/rerank", summary="Rank texts for a query", responses=_RERANKED)
@router.post("/v1/rerank", summary="Rank texts for a query", responses=_RERANKED)
@router.post("/v2/rerank", summary="Rank texts for a query", responses=_RERANKED)
async def rerank(body: RerankRequest, request: Request) -> JSONResponse:
    """Rank texts for a query: `documents` in the dialect of Cohere, Jina and vLLM, `texts` in that of TEI.

    Scores are from 0 to 1, the best first. At the deadline the answer is the best so far: documents that were not
    reached come last, at 0, and `moverank` says so, as does the header `X-Moverank-Incomplete`.
    """
    engine: Engine = request.app.state.engine
    timing: Timing = request.state.timing
    request.state.is_tei = body.is_tei
    texts = body.contents()
    measure = chosen_measure(body.measure, body.capacity, engine.measure)
    if body.truncation_direction is not None and body.truncation_direction.lower() != "right":
        raise Refused(422, f"expected 'right', got {body.truncation_direction!r:.40}", "truncation_direction")
    shorten(timing, body.deadline)

    def compute(threads: int) -> JSONResponse:
        ranking = engine.rank(body.query, texts, measure, timing, threads, body.at_most, to_write=len(texts))
        if body.truncate is False and ranking.lost.cut + ranking.lost.query_cut:
            cut = ranking.lost.cut + ranking.lost.query_cut
            raise Refused(413, f"{cut} tokens are beyond what the encoder reads; truncate allows that", "truncate")
        request.state.documents = len(texts)
        certificate = ranking.certificate
        headers = None if certificate.exact else incomplete(certificate.unsolved)
        if body.is_tei:
            return JSONResponse(tei_answer(body, texts, ranking), headers=headers)
        told = body.explain or not certificate.exact
        extra = details(ranking, timing, explain=body.explain) if told else None
        return JSONResponse(cohere_answer(request.state.id, body, texts, ranking, extra), headers=headers)

    return await engine.run(compute, timing)


@router.post("/score", summary="Score pairs of texts", responses=_SCORED)
@router.post("/v1/score", summary="Score pairs of texts", responses=_SCORED)
async def score(body: ScoreRequest, request: Request) -> JSONResponse:
    """Score one text against many, or texts pair by pair, in the dialect of vLLM.

    At the deadline pairs that were not reached have a score of 0, and `moverank` names them.
    """
    engine: Engine = request.app.state.engine
    timing: Timing = request.state.timing
    pairs = body.pairs()
    measure = chosen_measure(body.measure, body.capacity, engine.measure)
    shorten(timing, body.deadline)

    def compute(threads: int) -> JSONResponse:
        places: dict[str, list[int]] = {}
        for place, (left, _) in enumerate(pairs):
            places.setdefault(left, []).append(place)
        scores = [0.0] * len(pairs)
        unscored: list[int] = []
        tokens = 0
        for query, own in places.items():
            if timing.remaining() <= 0:
                unscored += own
                continue
            texts = [pairs[place][1] for place in own]
            ranking = engine.rank(query, texts, measure, timing, threads, to_write=len(pairs))
            tokens += ranking.tokens
            for document in ranking:
                scores[own[document.doc_id]] = relevance(document, measure)
                if ranking.stats.timed_out and not math.isfinite(document.distance):
                    unscored.append(own[document.doc_id])
        if len(unscored) == len(pairs):
            raise timing.over()
        data = [{"index": place, "object": "score", "score": one} for place, one in enumerate(scores)]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens, "completion_tokens": 0}
        answer = {
            "id": request.state.id, "object": "list", "created": int(time.time()), "model": body.model or "moverank",
            "data": data, "usage": usage,
        }  # fmt: skip
        if unscored:
            answer["moverank"] = {"timed_out": True, "unscored": sorted(unscored)}
        return JSONResponse(answer, headers=incomplete(len(unscored)) if unscored else None)

    return await engine.run(compute, timing)


@router.get("/info", summary="Facts about the encoder, in the dialect of TEI", responses=described(Info))
async def told(request: Request) -> JSONResponse:
    """What clients of text-embeddings-inference read before their first request."""
    return JSONResponse(info(_encoder_of(request), request.app.state.engine.most_in_hand))


@router.get("/v1/models", summary="The encoder, as a list of models", responses=described(Models))
async def models(request: Request) -> JSONResponse:
    """The encoder, in the dialect of OpenAI."""
    one = {"id": "moverank", "object": "model", "created": 0, "owned_by": "moverank", "encoder": _encoder_of(request)}
    return JSONResponse({"object": "list", "data": [one]})


@router.get("/v1/measures", summary="Names of measures", responses=described(Measures))
async def measures() -> JSONResponse:
    """Names that `measure` can have."""
    return JSONResponse({"measures": [name for name, own in NAMED.items() if not own._cost.is_given]})


def shorten(timing: Timing, seconds: float | None) -> None:
    """Let a request ask for less time than the service allows."""
    if seconds is not None:
        timing.deadline = min(timing.deadline, seconds)


def _encoder_of(request: Request) -> str:
    return str(EncoderIdentity.of(request.app.state.engine.encoder))
