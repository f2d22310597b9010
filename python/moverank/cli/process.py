"""Standard streams of a process of the command line: closed or full ones, and terminals of few characters."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path


def prepare_streams() -> bool:
    """Make standard streams fit for what is printed; False if there is no standard output."""
    if sys.stderr is None:
        # What is printed to no file goes to standard output, amid the results.
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        # Characters that a terminal lacks are written as escapes, not as a traceback.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    return sys.stdout is not None


def write_file(path: Path, content: bytes) -> None:
    """Write a file; an error says which, as the system does not where a disk is full."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def forget_output() -> None:
    """Throw away what is still to be written, which Python would try, and complain of, once more at exit."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        return
