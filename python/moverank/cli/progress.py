"""Progress of a long command, on one line that is overwritten."""

from __future__ import annotations

import sys
import time


class Bar:
    """A counter of finished items on standard error, if that is a terminal.

    Parameters
    ----------
    what : str
        What is counted.
    total : int, optional
        How many there will be.
    quiet : bool, default False
        Show nothing.
    """

    def __init__(self, what: str, total: int | None = None, *, quiet: bool = False) -> None:
        self._what, self._total = what, total
        self._quiet = quiet or not sys.stderr.isatty()
        self._started = self._shown = time.monotonic()

    def show(self, done: int) -> None:
        """Show how many are done; at most ten times per second."""
        now = time.monotonic()
        if not self._quiet and now - self._shown > 0.1:
            self._shown = now
            rate = done / (now - self._started)
            of = "" if self._total is None else f" of {self._total}"
            print(f"\r{done:>12}{of} {self._what}, {rate:.0f}/s ", end="", file=sys.stderr, flush=True)

    def close(self) -> None:
        """End the line."""
        if self._shown > self._started:
            print(file=sys.stderr)
