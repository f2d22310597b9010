"""Clients that do not send a request, or do not take the answer: uvicorn waits for them without end, this does not."""

from __future__ import annotations

import asyncio
import math
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from moverank.serve.options import DEADLINE

#: Share of what waits to be sent that a client has to take within each deadline, so that ten of these are enough.
LEAST_TAKEN = 0.1


class Impatient:
    """Closes connections of clients that take too long; for a protocol of uvicorn.

    The head of a request has to come within the deadline. What comes after the head has the request's own time, and how
    long a connection may be silent between two requests is uvicorn's to say. Of an answer, a tenth has to be taken
    within each deadline: it is held in memory until it is, and no request waits for it that a limit would count.
    """

    transport: asyncio.Transport
    loop: asyncio.AbstractEventLoop
    app_state: dict[str, Any]
    #: The request that came last, with its answer.
    cycle: Any
    _timer: asyncio.TimerHandle | None = None
    _reading: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)  # type: ignore[misc]
        transport.set_write_buffer_limits(high=0)  # of whatever is not sent at once we want to hear
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
        self._end_reading()
        super().connection_lost(exc)  # type: ignore[misc]

    def pause_writing(self) -> None:
        """Begin to look whether the client takes its answer."""
        super().pause_writing()  # type: ignore[misc]
        held = self.transport.get_write_buffer_size()
        self._look_later(held, math.ceil(LEAST_TAKEN * held))

    def resume_writing(self) -> None:
        """Look no longer: it has taken all."""
        self._end_reading()
        super().resume_writing()  # type: ignore[misc]

    def _look_later(self, held: int, least: int) -> None:
        self._end_reading()
        self._reading = self.loop.call_later(self.app_state[DEADLINE], self._look, held - least, least)

    def _look(self, most: int, least: int) -> None:
        if self.transport.get_write_buffer_size() > most:
            self.transport.abort()  # to close it would be to send the rest
        else:
            self._look_later(most, least)

    def _end_reading(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

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
