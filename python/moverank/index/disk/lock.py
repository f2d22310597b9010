"""The lock of an index: it has one writer at a time, across all processes."""

from __future__ import annotations

import os
import weakref
from contextlib import suppress
from pathlib import Path

from moverank.errors import IndexLockedError
from moverank.index.disk.files import writing

LOCK = "lock"


class Lock:
    """The right to write to an index. The system releases it when the process ends in any way.

    It is an advisory lock (flock) on the file `lock`. On network file systems, it is as reliable as their flock.
    """

    def __init__(self, folder: Path) -> None:
        import fcntl  # imported here, as Windows does not have it, where the rest of the package works

        path = folder / LOCK
        with writing(path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        self._close = weakref.finalize(self, os.close, descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 20).decode(errors="replace").strip()
            self._close()
            raise IndexLockedError(
                f"{folder}: process {holder or 'unknown'} has the index open for writing; wait until it is closed, or "
                "open it for reading"
            ) from None
        self._process = os.getpid()
        # The process id is only used in the message above, so failing to write it, on a full disk, is not an error.
        with suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{self._process}\n".encode(), 0)

    def require(self) -> None:
        """Refuse a forked child, which shares the lock with its parent."""
        if os.getpid() != self._process:
            raise IndexLockedError(
                "the index was opened for writing before this process was forked; open it again in this process"
            )

    def release(self) -> None:
        """Release the lock."""
        self._close()
