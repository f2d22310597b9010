"""One writer at a time, across processes."""

from __future__ import annotations

import os
import weakref
from contextlib import suppress
from pathlib import Path

from moverank.errors import IndexLockedError
from moverank.index.disk.files import writing

LOCK = "lock"


class Lock:
    """The right to write to an index. The system takes it back when the process ends, however it ends.

    It is an advisory lock of the whole file `lock` (flock): on network file systems it is as good as these make it.
    """

    def __init__(self, folder: Path) -> None:
        import fcntl  # Windows has none; there the rest of the package works

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
                f"{folder}: process {holder or 'unknown'} has it open for writing; wait until it closes it, or open it "
                "for reading"
            ) from None
        self._process = os.getpid()
        # Only the message above needs it, so a full disk is not a reason to fail.
        with suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{self._process}\n".encode(), 0)

    def require(self) -> None:
        """Refuse a forked child, which shares the lock with its parent."""
        if os.getpid() != self._process:
            raise IndexLockedError("the index was opened for writing before this process was forked; open it anew here")

    def release(self) -> None:
        """Give it up."""
        self._close()
