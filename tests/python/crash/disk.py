"""A disk that fails when told to: what stands between `moverank.index.disk.files` and the system in these tests."""

import errno
import os
import random
import signal
from pathlib import Path

from moverank.index.disk import files


class Disk:
    """Lists the calls that change a disk, and at one of them does what `fault` says.

    Parameters
    ----------
    at : int or None
        Number of the call at which something happens; nothing does if None.
    fault : str
        "kill" ends the process instead of the call, "kill after" behind it, "kill within" after half of a write;
        "power" ends it and takes from the disk what was not yet durable; "error" fails, a write after half of it.
    seed : int
        Decides what a loss of power takes.
    """

    def __init__(self, at=None, fault="error", seed=0):
        self.at, self.fault = at, fault
        self.calls = []
        self.failed = None
        self._random = random.Random(seed)
        self._paths = {}  # of open descriptors
        self._synced = {}  # bytes of a file known to be durable
        self._undone = []  # changes of folders that are not durable yet, latest last

    def __getattr__(self, name):
        return getattr(os, name)

    def _count(self, name):
        self.calls.append(name)
        if len(self.calls) != self.at:
            return False
        self.failed = name
        if self.fault == "kill" or (self.fault == "kill within" and name != "write"):
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fault == "power":
            self._lose_power()
        return True

    def _after(self, is_it, name):
        if not is_it:
            return
        if self.fault == "kill after":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fault == "error":
            kind = errno.ENOSPC if name in ("open", "write", "replace") else errno.EIO
            raise OSError(kind, os.strerror(kind))

    def open(self, path, flags, mode=0o777):
        if not flags & os.O_CREAT:
            descriptor = os.open(path, flags, mode)
            self._paths[descriptor] = Path(path)
            return descriptor
        is_it = self._count("open")
        if is_it and self.fault == "error":
            self._after(is_it, "open")
        descriptor = os.open(path, flags, mode)
        self._paths[descriptor] = Path(path)
        self._synced[Path(path)] = 0
        self._undone.append((Path(path), None))
        self._after(is_it, "open")
        return descriptor

    def write(self, descriptor, octets):
        is_it = self._count("write")
        if is_it:
            # Half of it, as a disk that runs full takes it; then the fault.
            half = bytes(octets[: len(octets) // 2])
            if half:
                os.write(descriptor, half)
            if self.fault == "kill within":
                os.kill(os.getpid(), signal.SIGKILL)
            self._after(is_it, "write")
        # Short writes are allowed at any time.
        return os.write(descriptor, octets[: max(len(octets) * 2 // 3, 1)])

    def fsync(self, descriptor):
        is_it = self._count("fsync")
        if is_it and self.fault == "error":
            self._after(is_it, "fsync")
        os.fsync(descriptor)
        path = self._paths[descriptor]
        if path.is_dir():
            self._undone = [(own, before) for own, before in self._undone if own.parent != path]
        else:
            self._synced[path] = path.stat().st_size
        self._after(is_it, "fsync")

    def close(self, descriptor):
        is_it = self._count("close")
        self._paths.pop(descriptor, None)
        os.close(descriptor)
        self._after(is_it, "close")

    def replace(self, path, old):
        is_it = self._count("replace")
        if is_it and self.fault == "error":
            self._after(is_it, "replace")
        old = Path(old)
        before = old.read_bytes() if old.exists() else None
        os.replace(path, old)  # noqa: PTH105
        self._synced[old] = self._synced.pop(Path(path), 0)
        self._undone = [(own, was) for own, was in self._undone if own != Path(path)]
        self._undone.append((old, before))
        self._after(is_it, "replace")

    def unlink(self, path):
        is_it = self._count("unlink")
        if is_it and self.fault == "error":
            self._after(is_it, "unlink")
        path = Path(path)
        before = path.read_bytes() if path.exists() else None
        os.unlink(path)  # noqa: PTH108
        self._undone.append((path, before))
        self._after(is_it, "unlink")

    def _lose_power(self):
        """Take back some of what no fsync has made durable: bytes of files, and changes of folders."""
        for path, durable in self._synced.items():
            if path.exists() and path.stat().st_size > durable:
                os.truncate(path, self._random.randint(durable, path.stat().st_size))
        # Changes of a folder may reach the disk in any order, though most file systems keep to their own.
        for path, before in reversed(self._undone):
            if self._random.random() < 0.5:
                continue
            if before is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(before)
        os.kill(os.getpid(), signal.SIGKILL)

    def __enter__(self):
        files.os = self
        return self

    def __exit__(self, *exception):
        files.os = os
