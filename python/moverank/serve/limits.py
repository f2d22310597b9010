"""What stands between clients and handlers: names, limits, the token, the log. Plain ASGI, so that bodies stream."""

from __future__ import annotations

import asyncio
import hmac
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from moverank.serve.engine import Timing
from moverank.serve.errors import Refused, response
from moverank.serve.metrics import Metrics
from moverank.serve.options import Options
from moverank.serve.spans import span_of

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger("moverank.serve")

#: Paths that need no token: the page, which asks for one, and what tells whether the service lives.
OPEN = ("/", "/health", "/health/live", "/health/ready")

#: Names of requests that clients may give, to find them in the log.
_NAME = re.compile(r"[\w.:-]{1,128}")


class Guard:
    """Gives each request a name and a time, refuses what is not allowed or too large, and writes one line about it.

    Parameters
    ----------
    app : ASGI application
        What answers.
    options : Options
        Options of the service.
    metrics : Metrics
        Where requests are counted.
    """

    def __init__(self, app: App, options: Options, metrics: Metrics) -> None:
        self._app, self._options, self._metrics = app, options, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.lower(): value for name, value in scope["headers"]}
        given = headers.get(b"x-request-id", b"").decode("latin-1")
        name = given if _NAME.fullmatch(given) else uuid.uuid4().hex
        timing = Timing(self._options.deadline)
        scope.setdefault("state", {}).update(id=name, timing=timing, is_tei=False, documents=0)
        status = 500
        begun = False

        async def named(message: Message) -> None:
            nonlocal status, begun
            if message["type"] == "http.response.start":
                status, begun = message["status"], True
                message["headers"] = [*message.get("headers", []), (b"x-request-id", name.encode())]
            await send(message)

        with span_of(scope, headers) as span:
            try:
                self._require_token(scope, headers)
                body = _Body(receive, headers, self._options.body_bytes, timing)
                await self._app(scope, body.receive, named)
            except Refused as refused:
                if not begun:
                    await response(refused)(scope, receive, named)
            finally:
                self._tell(scope, status, timing)
                span.tell(scope, status, timing)

    def _require_token(self, scope: Scope, headers: dict[bytes, bytes]) -> None:
        token = self._options.token
        if token is None or scope["path"] in OPEN or scope["method"] == "OPTIONS":
            return
        kind, _, given = headers.get(b"authorization", b"").partition(b" ")
        if kind.lower() != b"bearer" or not hmac.compare_digest(given.strip(), token.encode()):
            raise Refused(401, "expected the token of this service, as 'Authorization: Bearer …'")

    def _tell(self, scope: Scope, status: int, timing: Timing) -> None:
        # The pattern of a path, not the path: anybody could make numbers without end by paths that there are not.
        route = scope.get("route")
        path = getattr(route, "path_format", "unknown")
        seconds = time.perf_counter() - timing.began
        state = scope["state"]
        self._metrics.requests.labels(path, str(status)).inc()
        self._metrics.seconds.labels(path).observe(seconds)
        for stage, own in timing.stages.items():
            self._metrics.stages.labels(stage).observe(own)
        if state["documents"]:
            self._metrics.documents.inc(state["documents"])
        facts = {
            "id": state["id"],
            "method": scope["method"],
            "path": scope["path"],
            "status": status,
            "ms": round(1000 * seconds, 2),
            "stages": {stage: round(1000 * own, 2) for stage, own in timing.stages.items()},
            "client": (scope.get("client") or [None])[0],
        }
        log.info("request", extra={"facts": facts})


class _Body:
    """The body of a request, refused as soon as it is too large or takes too long."""

    def __init__(self, receive: Receive, headers: dict[bytes, bytes], most: int, timing: Timing) -> None:
        self._receive, self._most, self._timing = receive, most, timing
        self._read = 0
        self._complete = False
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > most:
            raise self._too_large()

    async def receive(self) -> Message:
        """The next part."""
        if self._complete:  # what comes now is that the client has gone, at any time
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), max(self._timing.left(), 0.001))
        except asyncio.TimeoutError:
            raise Refused(408, f"the request did not come within {self._timing.deadline:g} s") from None
        if message["type"] == "http.request":
            self._read += len(message.get("body", b""))
            self._complete = not message.get("more_body", False)
            if self._read > self._most:
                raise self._too_large()
        return message

    def _too_large(self) -> Refused:
        return Refused(413, f"a request may have {self._most} bytes")
