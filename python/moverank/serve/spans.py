"""Requests as spans of OpenTelemetry, by its conventions for servers of HTTP; nothing without that library."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any

from moverank.serve.engine import Timing


class Span:
    """What is told of a request when its answer is known.

    Parameters
    ----------
    made : opentelemetry.trace.Span or None
        The library's span; None without the library.
    """

    def __init__(self, made: Any = None) -> None:
        self._made = made

    def tell(self, scope: Mapping[str, Any], status: int, timing: Timing) -> None:
        """Name the span by the pattern of the path, as paths have no end, and add status and stages."""
        if self._made is None or not self._made.is_recording():
            return
        route = getattr(scope.get("route"), "path_format", None)
        if route is not None:
            self._made.update_name(f"{scope['method']} {route}")
            self._made.set_attribute("http.route", route)
        self._made.set_attribute("http.response.status_code", status)
        self._made.set_attribute("moverank.request.id", scope["state"]["id"])
        for stage, seconds in timing.stages.items():
            self._made.set_attribute(f"moverank.seconds.{stage}", seconds)
        if status >= 500:
            from opentelemetry.trace import Status, StatusCode

            self._made.set_attribute("error.type", str(status))
            self._made.set_status(Status(StatusCode.ERROR))


@contextmanager
def span_of(scope: MutableMapping[str, Any], headers: Mapping[bytes, bytes]) -> Iterator[Span]:
    """A span around a request, which is part of the client's trace if it sends a `traceparent`.

    An error that gets here is recorded, and goes on.
    """
    try:
        from opentelemetry import propagate, trace
    except ImportError:
        yield Span()
        return
    client, server = scope.get("client"), scope.get("server")
    facts = {
        "http.request.method": scope["method"],
        "url.path": scope["path"],
        "url.scheme": scope.get("scheme", "http"),
        "network.protocol.version": scope.get("http_version", "1.1"),
        "client.address": client[0] if client else None,
        "server.address": server[0] if server else None,
        "server.port": server[1] if server else None,
        "user_agent.original": headers.get(b"user-agent", b"").decode("latin-1") or None,
    }
    # An instrumented server or framework has a span already, which knows of the client's.
    has_span = trace.get_current_span().get_span_context().is_valid
    sent = {name.decode("latin-1"): own.decode("latin-1") for name, own in headers.items()}
    with trace.get_tracer("moverank").start_as_current_span(
        scope["method"],
        context=None if has_span else propagate.extract(sent),
        kind=trace.SpanKind.INTERNAL if has_span else trace.SpanKind.SERVER,
        attributes={name: value for name, value in facts.items() if value is not None},
    ) as made:
        yield Span(made)
