"""Errors as clients read them: each dialect has a form of its own for the same fault."""

from __future__ import annotations

from typing import Any

from fastapi.exceptions import HTTPException
from fastapi.responses import JSONResponse

#: Names of kinds of errors, by status: in the dialect of vLLM and OpenAI, and in that of text-embeddings-inference.
KINDS = {
    400: ("BadRequestError", "Empty"),
    401: ("AuthenticationError", "Validation"),
    403: ("PermissionDeniedError", "Validation"),
    404: ("NotFoundError", "Validation"),
    405: ("BadRequestError", "Validation"),
    408: ("RequestTimeoutError", "Overloaded"),
    409: ("ConflictError", "Validation"),
    413: ("RequestTooLargeError", "Validation"),
    415: ("UnsupportedMediaTypeError", "Validation"),
    422: ("UnprocessableEntityError", "Validation"),
    429: ("RateLimitError", "Overloaded"),
    500: ("InternalServerError", "Backend"),
    503: ("ServiceUnavailableError", "Unhealthy"),
}


class Refused(HTTPException):
    """A request that cannot be answered. A subclass, as the framework hides other errors while it reads a body.

    Parameters
    ----------
    status : int
        Status of HTTP.
    message : str
        What was wrong, for the client.
    param : str, optional
        The field that was wrong.
    retry_after : int, optional
        Seconds after which it may be tried again.
    """

    def __init__(self, status: int, message: str, param: str | None = None, retry_after: int | None = None) -> None:
        super().__init__(status, message)
        self.status, self.message, self.param, self.retry_after = status, message, param, retry_after


def body_of(status: int, message: str, param: str | None = None, *, tei: bool = False) -> dict[str, Any]:
    """An error's body: of text-embeddings-inference, or one in which clients of Cohere, OpenAI and Jina find theirs."""
    kind, tei_kind = KINDS.get(status, KINDS[500])
    if tei:
        return {"error": message, "error_type": tei_kind}
    # Clients of Jina read `detail` whatever it is; those of Infinity, which FastAPI describes, know the list alone.
    place = [] if param is None else param.split(".")
    detail = [{"loc": ["body", *place], "msg": message, "type": kind}] if status == 422 else message
    error = {"message": message, "type": kind, "param": param, "code": status}
    return {"message": message, "detail": detail, "error": error}


def response(refused: Refused, *, tei: bool = False) -> JSONResponse:
    """The answer for a refusal."""
    headers = {} if refused.retry_after is None else {"Retry-After": str(refused.retry_after)}
    if refused.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body_of(refused.status, refused.message, refused.param, tei=tei), refused.status, headers)


def failure(*, tei: bool = False) -> JSONResponse:
    """The answer when the service fails."""
    return JSONResponse(body_of(500, "the service failed; its log says why", tei=tei), 500)
