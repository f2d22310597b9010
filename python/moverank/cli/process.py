"""Standard streams of the command line: closed or full ones, and terminals with few characters."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path


def prepare_streams() -> bool:
    """Prepare standard streams for printing; False if there is no standard output."""
    if sys.stderr is None:
        # Without it, messages would go to standard output, amid the results.
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        # Characters that a terminal lacks are written as escapes; otherwise printing them is an error.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    return sys.stdout is not None


def write_file(path: Path, content: bytes) -> None:
    """Write a file; errors name it, which those of the system do not if the disk is full."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def forget_output() -> None:
    """Discard unwritten output, which Python would otherwise try to write again at exit, with another error."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        return
