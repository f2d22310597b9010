"""Connections that do not send a request: uvicorn waits for them without end, this closes them at the deadline."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from moverank.serve.options import DEADLINE


class Impatient:
    """Closes a connection if the head of a request does not come within the deadline; for a protocol of uvicorn.

    What comes after the head has the request's own time, and how long a connection may be silent between two requests
    is uvicorn's to say.
    """

    transport: asyncio.Transport
    loop: asyncio.AbstractEventLoop
    app_state: dict[str, Any]
    #: The request that came last, with its answer.
    cycle: Any
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)  # type: ignore[misc]
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Read on; time goes by until the head is complete, however often a part of it comes."""
        super().data_received(data)  # type: ignore[misc]
        if self.cycle is None or self.cycle.response_complete:
            self._wait()
        else:
            self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._end()
        super().connection_lost(exc)  # type: ignore[misc]

    def _wait(self) -> None:
        if self._timer is None and not self.transport.is_closing():
            self._timer = self.loop.call_later(self.app_state[DEADLINE], self._expire)

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        self._timer = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()


class ImpatientProtocol(Impatient, AutoHTTPProtocol):
    """The protocol that uvicorn would choose, with that limit."""
