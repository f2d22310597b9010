"""Ctrl-C while the command line is still loading, which takes long enough for people to press it."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType


def is_command() -> bool:
    """Whether this process is the command line: ``moverank`` or ``python -m moverank``."""
    name = os.path.basename(sys.argv[0]) if sys.argv else ""  # noqa: PTH119  pathlib is not loaded yet
    if name == "-m":
        return any(argument in ("moverank", "-mmoverank") for argument in sys.orig_argv)
    return name.removesuffix(".exe") == "moverank"


def end_when_interrupted() -> None:
    """Let Ctrl-C end the process at once, with one line, where it would raise KeyboardInterrupt otherwise.

    C libraries turn that into other errors while they are being imported; and nothing is open that could be damaged.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def raise_when_interrupted() -> None:
    """Let Ctrl-C raise KeyboardInterrupt again."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(number: int, frame: FrameType | None) -> None:
    os.write(2, b"moverank: interrupted\n")
    os._exit(130)


if is_command():
    end_when_interrupted()
