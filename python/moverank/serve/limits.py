"""What stands between clients and handlers: hosts, the token, limits. Plain ASGI, so that bodies stream."""

from __future__ import annotations

import asyncio
import hmac

from moverank.serve.asgi import App, Message, Receive, Scope, Send, headers_of
from moverank.serve.engine import Timing
from moverank.serve.errors import Refused, failure, response
from moverank.serve.hosts import is_one_of
from moverank.serve.options import Options

#: Paths that tell whether the service lives; orchestrators ask them by any address.
HEALTH = ("/health", "/health/live", "/health/ready")

#: Paths that need no token: the page, which asks for one, the description of paths, where one can be given, and health.
OPEN = ("/", "/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json", *HEALTH)

#: Where what these pages load lies.
_OPEN_FOLDER = "/static-offline-docs/"


def is_open(path: str) -> bool:
    """Whether a path needs no token."""
    return path in OPEN or path.startswith(_OPEN_FOLDER)


class Guard:
    """Refuses what is not allowed or too large, and answers when the service fails.

    Parameters
    ----------
    app : ASGI application
        What answers.
    options : Options
        Options of the service.
    """

    def __init__(self, app: App, options: Options) -> None:
        self._app, self._options = app, options

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = headers_of(scope)
        state = scope["state"]
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            self._require_host(scope, headers)
            self._require_token(scope, headers)
            body = _Body(receive, headers, self._options.body_bytes, state["timing"])
            await self._app(scope, body.receive, watched)
        except Refused as refused:
            if not begun:
                await response(refused)(scope, receive, watched)
        except Exception:
            # The framework answers outside of all that adds headers; it finds the answer begun, and logs the error.
            if not begun:
                await failure(tei=state["is_tei"])(scope, receive, watched)
            raise

    def _require_host(self, scope: Scope, headers: dict[bytes, bytes]) -> None:
        hosts = self._options.hosts
        if not hosts or scope["path"] in HEALTH:
            return
        given = headers.get(b"host", b"").decode("latin-1")
        if not is_one_of(given, hosts):
            raise Refused(403, f"Host: {given!r:.80} does not name this service; --allow-host adds names")

    def _require_token(self, scope: Scope, headers: dict[bytes, bytes]) -> None:
        token = self._options.token
        if token is None or is_open(scope["path"]) or scope["method"] == "OPTIONS":
            return
        kind, _, given = headers.get(b"authorization", b"").partition(b" ")
        if kind.lower() != b"bearer" or not hmac.compare_digest(given.strip(), token.encode()):
            raise Refused(401, "expected the token of this service, as 'Authorization: Bearer …'")


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
