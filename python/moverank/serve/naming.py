"""What surrounds all else: a name and a time for each request, a line about it, numbers, and a span."""

from __future__ import annotations

import logging
import re
import time
import uuid

from moverank.serve.asgi import App, Message, Receive, Scope, Send, headers_of
from moverank.serve.engine import Timing
from moverank.serve.metrics import Metrics
from moverank.serve.options import Options
from moverank.serve.spans import span_of

log = logging.getLogger("moverank.serve")

#: Names of requests that clients may give, to find them in the log.
_NAME = re.compile(r"[\w.:-]{1,128}", re.ASCII)


class Named:
    """Gives each request a name and a time, and tells of it; answers to HEAD are those to GET without a body.

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
        headers = headers_of(scope)
        given = headers.get(b"x-request-id", b"").decode("latin-1")
        name = given if _NAME.fullmatch(given) else uuid.uuid4().hex
        timing = Timing(self._options.deadline)
        scope.setdefault("state", {}).update(id=name, timing=timing, is_tei=False, documents=0)
        is_head = scope["method"] == "HEAD"
        # A copy, as the server has to know that no body may follow.
        inner = {**scope, "method": "GET"} if is_head else scope
        status = 500

        async def named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-request-id", name.encode())]
            elif is_head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        with span_of(scope, headers) as span:
            try:
                await self._app(inner, receive, named)
            finally:
                scope["route"] = inner.get("route")
                self._tell(scope, status, timing)
                span.tell(scope, status, timing)

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
