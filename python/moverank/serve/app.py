"""The application: handlers, limits around them, and the errors between."""

from __future__ import annotations

import base64
import hashlib
import logging
import os
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.routing import Match

from moverank import __version__
from moverank.errors import EncoderMismatchError, IndexFormatError, IndexNotFoundError, ShardFailedError
from moverank.serve import reranking, searching
from moverank.serve.answers import INCOMPLETE, Health, Readiness, described
from moverank.serve.catalog import Catalog
from moverank.serve.engine import Engine
from moverank.serve.errors import Refused, body_of, failure, response
from moverank.serve.fields import named
from moverank.serve.limits import Guard, is_open
from moverank.serve.metrics import SEVERAL, Metrics
from moverank.serve.naming import Named
from moverank.serve.options import DEADLINE, Options
from moverank.serve.workers import end_with_parent, forget_dead
from moverank.sharding import ShardedTextIndex

log = logging.getLogger("moverank.serve")

_DESCRIPTION = """Ranking by optimal transport: rerankers' dialects, search of indexes of texts, and reasons.

The page at `/` shows rankings. Errors have the form
`{"message", "detail", "error": {"message", "type", "param", "code"}}`, or, for bodies with `texts` that were
read, that of text-embeddings-inference."""


def create_app(options: Options | None = None, *, shards: Mapping[str, ShardedTextIndex] | None = None) -> FastAPI:
    """Make the application, with its indexes open and its encoder loaded.

    Parameters
    ----------
    options : Options, optional
        Options of the service.
    shards : mapping of str to ShardedTextIndex, optional
        Shards that are open already, such as those of `moverank.ray.sharded_text_index`, by the names under which they
        are served. The application closes them when it ends.

    Returns
    -------
    FastAPI
        For any ASGI server.

    Raises
    ------
    IndexNotFoundError, IndexFormatError, EncoderMismatchError
        If an index cannot be opened, as in `TextIndex.open`.
    """
    chosen = Options() if options is None else options
    engine = Engine(chosen)
    given = dict(shards or {})
    named = [*chosen.indexes, *chosen.shards, *given]
    for name in named:
        if named.count(name) > 1:
            raise ValueError(f"shards: two indexes have the name {name!r:.80}")
    catalog = Catalog(chosen, given, engine.cache)
    metrics = Metrics(engine, catalog)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, float]]:
        yield {DEADLINE: chosen.deadline}
        engine.close()
        catalog.close()

    app: FastAPI = FastAPIOffline(title="moverank", version=__version__, description=_DESCRIPTION, lifespan=lifespan)
    app.state.options, app.state.engine, app.state.catalog = chosen, engine, catalog
    app.include_router(reranking.router)
    app.include_router(searching.router)
    _add_service_paths(app, metrics)
    _add_error_handlers(app)
    if chosen.token is not None:
        _describe_token(app)
    app.add_middleware(Guard, options=chosen)
    if chosen.origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=list(chosen.origins), allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "X-Request-Id"],
            expose_headers=["Retry-After", "X-Request-Id", INCOMPLETE],
        )  # fmt: skip
    app.add_middleware(Named, options=chosen, metrics=metrics)
    return app


def from_environment() -> FastAPI:
    """The application of a worker process."""
    end_with_parent()
    forget_dead(os.environ[SEVERAL])
    return create_app(Options.from_environment())


def _add_service_paths(app: FastAPI, metrics: Metrics) -> None:
    page = (files("moverank.serve") / "page.html").read_text(encoding="utf-8")
    policy = _policy_for(page)
    lives: Any = described(Health, token=False)

    @app.get("/", include_in_schema=False)
    async def shown() -> HTMLResponse:
        return HTMLResponse(page, headers={"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer"})

    @app.get("/health", tags=["service"], summary="Whether the service answers", responses=lives)
    @app.get("/health/live", tags=["service"], summary="Whether the process lives", responses=lives)
    async def live() -> JSONResponse:
        """It does."""
        return JSONResponse({"status": "ok"})

    @app.get(
        "/health/ready",
        tags=["service"],
        summary="Whether indexes can be searched",
        responses=described(Readiness, 503, token=False),
    )
    async def ready(request: Request) -> JSONResponse:
        """Status 503 if an index cannot be read any more."""
        try:
            for served in request.app.state.catalog:
                served.latest()
        except Refused:
            raise
        except Exception as error:
            raise Refused(503, f"index {served.name!r}: {error}", retry_after=5) from None
        return JSONResponse({"status": "ok", "in_hand": request.app.state.engine.in_hand})

    @app.get(
        "/metrics",
        tags=["service"],
        summary="Numbers for Prometheus",
        response_class=PlainTextResponse,
        responses={401: {"description": "As elsewhere", "content": {"application/json": {}}}},
    )
    async def numbers() -> Response:
        """Requests, where their time goes, caches and indexes."""
        return Response(metrics.shown(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _describe_token(app: FastAPI) -> None:
    """Say on the OpenAPI page that the token is wanted, so that it can be given there."""
    describe = app.openapi

    def openapi() -> dict[str, Any]:
        described_app: dict[str, Any] = describe()
        described_app["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        described_app["security"] = [{"token": []}]
        for path, operations in described_app["paths"].items():
            if is_open(path):
                for operation in operations.values():
                    operation["security"] = []
        return described_app

    app.openapi = openapi


def _policy_for(page: str) -> str:
    """A policy by which browsers run and load what is in the page, and nothing else."""

    def hashed(tag: str) -> str:
        parts = re.findall(rf"<{tag}[^>]*>(.*?)</{tag}>", page, re.DOTALL)
        digests = [base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in parts]
        return " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"

    return (
        f"default-src 'none'; script-src {hashed('script')}; style-src {hashed('style')}; connect-src 'self'; "
        "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _add_error_handlers(app: FastAPI) -> None:
    def is_tei(request: Request) -> bool:
        return bool(getattr(request.state, "is_tei", False))

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> JSONResponse:
        return response(error, tei=is_tei(request))

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> JSONResponse:
        kind = request.headers.get("content-type", "")
        if request.method == "POST" and not re.match(r"application/([\w.+-]+\+)?json\b", kind):
            # Pages of other origins can send other types without being asked, so they are not guessed to be JSON.
            return response(Refused(415, f"expected Content-Type: application/json, got {kind!r:.80}"))
        first = error.errors()[0]
        status = 400 if first["type"] == "json_invalid" else 422
        place = named(first["loc"][1:]) if status == 422 else []  # the first says where it was read
        param = ".".join(place) or None
        message = f"{param}: {first['msg']}" if param and status == 422 else f"the body is not JSON: {first['msg']}"
        if param is None and status == 422:
            message = first["msg"]
        tei = isinstance(error.body, dict) and "texts" in error.body and "documents" not in error.body
        return JSONResponse(_plain(body_of(status, message, param, tei=tei)), status)

    @app.exception_handler(HTTPException)
    async def of_framework(request: Request, error: HTTPException) -> JSONResponse:
        headers: Any = error.headers
        if error.status_code == 405:
            # The framework names the methods of the first of the routes with this path alone.
            routes = [*app.routes, *reranking.router.routes, *searching.router.routes]
            matching = [route for route in routes if route.matches(request.scope)[0] != Match.NONE]
            methods = {method for route in matching for method in getattr(route, "methods", None) or ()}
            methods |= {"HEAD"} if "GET" in methods else set()
            headers = {"Allow": ", ".join(sorted(methods))}
        return JSONResponse(
            body_of(error.status_code, str(error.detail), tei=is_tei(request)), error.status_code, headers
        )

    @app.exception_handler(ShardFailedError)
    async def unanswered(request: Request, error: ShardFailedError) -> JSONResponse:
        return response(Refused(503, f"shards did not answer, or were not changed: {error}", retry_after=1))

    @app.exception_handler(IndexNotFoundError)
    @app.exception_handler(IndexFormatError)
    @app.exception_handler(EncoderMismatchError)
    async def unreadable(request: Request, error: Exception) -> JSONResponse:
        return response(Refused(503, f"the index cannot be read: {error}", retry_after=5), tei=is_tei(request))

    @app.exception_handler(RecursionError)
    async def too_deep(request: Request, error: RecursionError) -> JSONResponse:
        return response(Refused(400, "the body is nested too deeply"))

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> JSONResponse:
        log.exception("failed", extra={"facts": {"id": getattr(request.state, "id", None), "path": request.url.path}})
        return failure(tei=is_tei(request))


def _plain(body: dict[str, Any]) -> dict[str, Any]:
    """The same with characters that JSON can hold, as clients send halves of surrogate pairs."""

    def clean(value: Any) -> Any:
        if isinstance(value, str):
            return value.encode("utf-8", "replace").decode()
        return {name: clean(own) for name, own in value.items()} if isinstance(value, dict) else value

    cleaned: dict[str, Any] = clean(body)
    return cleaned
