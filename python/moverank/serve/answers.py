"""Answers, as the OpenAPI page describes them.

Handlers make them as plain objects, which nothing checks on their way out.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Answer(BaseModel):
    """An object with these keys and no others, so that a test of the description finds what it lacks."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())


# ---- errors ----------------------------------------------------------------------------------------------------------


class ErrorFacts(Answer):
    """An error, as OpenAI and vLLM have it."""

    message: str
    type: str
    param: str | None = Field(description="The field that was wrong.")
    code: int


class WrongField(Answer):
    """What was wrong, and where."""

    loc: list[str]
    msg: str
    type: str


class Error(Answer):
    """An error in which clients of Cohere, OpenAI, vLLM, Jina and Infinity find theirs."""

    message: str
    detail: str | list[WrongField] = Field(description="A list if the status is 422, else the message.")
    error: ErrorFacts


class TeiError(Answer):
    """An error in the dialect of text-embeddings-inference."""

    error: str
    error_type: Literal["Backend", "Empty", "Overloaded", "Unhealthy", "Validation"]


_REASONS = {
    400: "The body is not JSON, or has no documents",
    401: "The token is missing or wrong",
    403: "Indexes cannot be changed through this service",
    404: "There is no such index or document",
    408: "The request did not come in time",
    409: "A document with this id is there already",
    413: "The request is too large",
    415: "The body is not sent as JSON",
    422: "A field is wrong",
    429: "Too many requests wait; Retry-After says when to try again",
    503: "No answer in time, or the index cannot be used now; Retry-After says when to try again",
}

_OF_BODIES = (400, 408, 413, 415, 422)
_OF_COMPUTING = (429, 503)


#: Header of an answer for which not all was compared: the number of texts that were not.
INCOMPLETE = "X-Moverank-Incomplete"


def incomplete(count: int) -> dict[str, str]:
    """Headers of an answer for which so many texts were not compared; they also tell clients that read a bare list."""
    return {INCOMPLETE: str(count)}


def described(
    model: Any, *statuses: int, body: bool = False, tei: bool = False, token: bool = True, cut: bool = False
) -> dict[int, Any]:
    """What a path answers by status, for the framework's page.

    Parameters
    ----------
    model : type
        The answer.
    *statuses : int
        Errors of this path alone.
    body : bool, default False
        Add the errors of paths that read a body and compute.
    tei : bool, default False
        The path also speaks the dialect of text-embeddings-inference.
    token : bool, default True
        Clients need the token, if there is one.
    cut : bool, default False
        The answer may be cut short, which a header says.
    """
    error: Any = Error | TeiError if tei else Error
    found = {*statuses, *((401,) if token else ()), *((*_OF_BODIES, *_OF_COMPUTING) if body else ())}
    answer: dict[str, Any] = {"model": model}
    if cut:
        told = "The number of texts that were not compared, because time was over or the query has no known word."
        answer["headers"] = {INCOMPLETE: {"description": told, "schema": {"type": "integer"}}}
    return {200: answer} | {status: {"model": error, "description": _REASONS[status]} for status in sorted(found)}


# ---- texts of a request ----------------------------------------------------------------------------------------------


class Contents(Answer):
    """A document that comes back."""

    text: str


class RankedText(Answer):
    """A document's place among those of the request, and its score."""

    index: int
    relevance_score: float = Field(description="From 0 to 1, unless `raw_scores` were wanted.")
    document: Contents | None = Field(None, description="Comes with `return_documents`.")


class Usage(Answer):
    """Tokens that were compared."""

    total_tokens: int
    prompt_tokens: int


class Lost(Answer):
    """Words without a vector, and tokens beyond the encoder's limit."""

    query_dropped: int
    dropped: int
    query_cut: int
    cut: int


class Move(Answer):
    """Mass that moved from a token of the query to one of the document."""

    source: int
    target: int
    mass: float
    cost: float | None
    contribution: float | None
    source_token: str
    target_token: str


class Alignment(Answer):
    """Which token of the query moved where; contributions add up to the value."""

    value: float | None
    source_tokens: list[str]
    target_tokens: list[str]
    a: list[float]
    b: list[float]
    pooled_into: list[int] | None
    moves: list[Move]
    lost: Lost


class Certificate(Answer):
    """What is proved about an answer."""

    exact: bool
    bound: float | None
    unsolved: int
    certain: int
    error: float | None
    statement: str


class Rung(Answer):
    """A bound of the search: how many documents it saw and dropped."""

    name: str
    seen: int
    dropped: int
    seconds: float


class Stats(Answer):
    """Work of a search."""

    documents: int
    rungs: list[Rung]
    exact_solves: int
    seconds: float
    timed_out: bool


class Reason(Answer):
    """Why a document stands where it stands; null if it could not be compared."""

    index: int
    distance: float | None
    similarity: float | None
    alignment: Alignment | None


class Reasons(Answer):
    """What comes with `explain`, and with every answer that is not complete."""

    measure: str
    certificate: Certificate
    stats: Stats
    seconds: dict[str, float]
    timed_out: bool
    comparable: bool
    lost: Lost
    results: list[Reason] | None = Field(None, description="Comes with `explain`.")


class Version(Answer):
    """Of Cohere's interface."""

    version: str


class Billed(Answer):
    """Always one, and free."""

    search_units: int


class Meta(Answer):
    """What clients of Cohere look for."""

    api_version: Version
    billed_units: Billed


class Reranked(Answer):
    """Documents of a request, the best first."""

    id: str
    object: Literal["rerank"]
    created: int
    model: str
    results: list[RankedText]
    usage: Usage
    meta: Meta
    moverank: Reasons | None = Field(None, description="Comes with `explain`, and if not all texts were compared.")


class TeiRank(Answer):
    """A text of a request in the dialect of text-embeddings-inference; these come as a bare list, the best first."""

    index: int
    score: float
    text: str | None = Field(None, description="Comes with `return_text`.")


class Score(Answer):
    """The score of a pair."""

    index: int
    object: Literal["score"]
    score: float = Field(ge=0, le=1)


class ScoreUsage(Usage):
    """Tokens that were compared."""

    completion_tokens: int


class Unscored(Answer):
    """Pairs that were not reached before the deadline, and have a score of 0."""

    timed_out: bool
    unscored: list[int] = Field(description="Their indices, those of pairs without a known word included.")


class Scored(Answer):
    """Pairs in the order of the request."""

    id: str
    object: Literal["list"]
    created: int
    model: str
    data: list[Score]
    usage: ScoreUsage
    moverank: Unscored | None = Field(None, description="Comes if time was over.")


class Model(Answer):
    """The encoder as a model of OpenAI's."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    encoder: str


class Models(Answer):
    """A list with one model."""

    object: Literal["list"]
    data: list[Model]


class Info(Answer):
    """What clients of text-embeddings-inference read before their first request."""

    model_id: str
    model_type: dict[str, Any]
    model_dtype: str
    max_concurrent_requests: int
    max_client_batch_size: int
    max_input_length: int
    max_batch_tokens: int
    auto_truncate: bool
    version: str


class Measures(Answer):
    """Names that `measure` can have."""

    measures: list[str]


# ---- indexes ---------------------------------------------------------------------------------------------------------


class Index(Answer):
    """An index that is served."""

    name: str
    documents: int
    measure: str
    ground: str
    weighting: str
    capacity: float | None = Field(description="Null if there is none.")
    encoder: str
    lexical: str | None = Field(description="The language whose terms count, or null.")
    fusion: float | None = Field(description="Weight of the similarity beside that of terms; null without terms.")
    passages: bool
    texts: bool = Field(description="Whether the index keeps the texts.")


class Indexes(Answer):
    """All that are served."""

    indexes: list[Index]


class Hit(Answer):
    """A document that was found."""

    rank: int
    id: str
    score: float | None
    distance: float | None
    passage: list[int] | None
    text: str | None
    payload: Any
    similarity: float | None
    lexical: float | None
    probability: float | None
    alignment: Alignment | None = Field(None, description="Comes with `explain`.")


class Found(Answer):
    """Documents of an index, the best first."""

    id: str
    index: str
    query: str | None = Field(description="Null if vectors were searched for.")
    measure: str
    hits: list[Hit]
    certificate: Certificate
    stats: Stats
    seconds: dict[str, float]
    comparable: bool
    dropped: int
    left_out: int


class FlatHit(BaseModel):
    """A document with the fields of its payload beside its own."""

    model_config = ConfigDict(extra="allow")

    title: str
    id: str
    text: str | None
    score: float | None
    similarity: float | None
    distance: float | None
    lexical: float | None
    rank: int


class FlatHits(Answer):
    """Documents as flat objects."""

    query: str
    total: int
    documents: list[FlatHit]


class Document(Answer):
    """A document of an index."""

    id: str
    text: str | None
    payload: Any


class Added(Answer):
    """Documents that were kept, and those that could not be compared with anything."""

    index: str
    ids: list[str]
    skipped: list[str]
    documents: int


class Removed(Answer):
    """How many are gone, and how many are left."""

    index: str
    removed: int
    documents: int


# ---- the service -----------------------------------------------------------------------------------------------------


class Health(Answer):
    """The service answers."""

    status: Literal["ok"]


class Readiness(Health):
    """And can search."""

    in_hand: int
