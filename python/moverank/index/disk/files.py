"""Writing and reading files of an index. A file is written once and made durable before anything refers to it."""

from __future__ import annotations

import errno
import os
import stat
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from moverank.errors import IndexFormatError, IndexWriteError, NoPermissionError, NoSpaceError

#: Maximum bytes per system call that writes or reads; Ctrl-C is handled between calls.
BYTES_AT_ONCE = 1 << 23

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_LINKS = (errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)
_NO_PERMISSION = (errno.EACCES, errno.EPERM, errno.EROFS)


@dataclass(frozen=True)
class FileEntry:
    """A file of an index, as listed in the manifest.

    The checksum is zlib's CRC-32, which is in Python's standard library and runs at a gigabyte per second. It detects
    damage by disks and incomplete copies. It is not a signature.
    """

    file: str
    nbytes: int
    crc32: int


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Convert errors of the system about a file or folder into named errors with advice."""
    try:
        yield
    except IndexWriteError:
        raise
    except OSError as error:
        name = str(error.filename or path)
        if error.errno in _NO_SPACE:
            raise NoSpaceError(
                error.errno, f"no space to write: {error.strerror}; free some space and call again", name
            ) from None
        if error.errno in _NO_PERMISSION:
            advice = f"no permission to write: {error.strerror}; use a folder with write permission"
            raise NoPermissionError(error.errno, advice, name) from None
        raise IndexWriteError(error.errno, f"could not be written: {error.strerror}", name) from None


def require_posix() -> None:
    """Refuse systems that cannot make a folder durable, or cannot replace a file while others read it."""
    if not hasattr(os, "O_DIRECTORY"):
        raise NotImplementedError(
            "indexes in folders need a POSIX system (Linux, macOS); on this system, keep them in memory"
        )


# Only the functions below change a folder: tests make each of their system calls fail, or end the process there.


class NewFile:
    """A new file, written from start to end. It is deleted unless it is finished."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._nbytes = 0
        self._crc32 = 0
        self._finished = False

    def __enter__(self) -> NewFile:
        with writing(self.path):
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        return self

    def __exit__(self, *exception: object) -> None:
        if not self._finished:
            with suppress(OSError):
                os.close(self._descriptor)
            with suppress(OSError):
                remove_file(self.path)

    @property
    def nbytes(self) -> int:
        """Bytes written."""
        return self._nbytes

    def write(self, piece: NDArray[Any] | bytes) -> None:
        """Append bytes. A system call may write fewer than requested, so it is repeated."""
        octets = np.ascontiguousarray(piece).data if isinstance(piece, np.ndarray) else memoryview(piece)
        if octets.nbytes == 0:
            return
        octets = octets.cast("B")
        with writing(self.path):
            while octets:
                written = os.write(self._descriptor, octets[:BYTES_AT_ONCE])
                if written == 0:
                    raise OSError(errno.EIO, "the system wrote no bytes")
                self._crc32 = zlib.crc32(octets[:written], self._crc32)
                self._nbytes += written
                octets = octets[written:]

    def align(self, nbytes: int) -> None:
        """Append zeros up to a multiple of `nbytes`."""
        self.write(bytes(-self._nbytes % nbytes))

    def finish(self) -> FileEntry:
        """Make the file durable, and close it."""
        with writing(self.path):
            os.fsync(self._descriptor)
            # Never close twice: the descriptor may then belong to a file that another thread opened meanwhile.
            self._finished = True
            try:
                os.close(self._descriptor)
            except OSError:
                with suppress(OSError):
                    remove_file(self.path)
                raise
        return FileEntry(self.path.name, self._nbytes, self._crc32)


def replace_file(path: Path, old: Path) -> None:
    """Replace a file by another atomically."""
    with writing(path):
        os.replace(path, old)  # noqa: PTH105


def link_file(path: Path, new: Path) -> None:
    """Give a durable file a second name, in another folder; a copy where the file system has no links."""
    try:
        with writing(new):
            os.link(path, new)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        with NewFile(new) as file, open_file(path) as octets:
            while piece := octets.read(BYTES_AT_ONCE):
                file.write(piece)
            file.finish()


def remove_file(path: Path) -> None:
    """Delete a file."""
    os.unlink(path)  # noqa: PTH108


def sync_folder(folder: Path) -> None:
    """Make the list of files in a folder durable."""
    with writing(folder):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def open_file(path: Path) -> BinaryIO:
    """Open a file for reading; IndexFormatError if it is a link, a pipe or a device."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise IndexFormatError(f"{path}: is a link; files of an index are regular files") from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise IndexFormatError(f"{path}: is not a regular file")
    return os.fdopen(descriptor, "rb", buffering=0)


def open_listed(folder: Path, entry: FileEntry) -> BinaryIO:
    """Open a file of an index; IndexFormatError if its size differs from the manifest."""
    file = open_file(folder / entry.file)
    nbytes = os.fstat(file.fileno()).st_size
    if nbytes != entry.nbytes:
        file.close()
        raise IndexFormatError(
            f"{folder / entry.file}: expected {entry.nbytes} bytes by the manifest, got {nbytes}; the index is damaged"
        )
    return file


def read_listed(folder: Path, entry: FileEntry) -> NDArray[np.uint8]:
    """Read a file into memory; IndexFormatError if its size or checksum differs from the manifest."""
    with open_listed(folder, entry) as file:
        octets = np.empty(entry.nbytes, dtype=np.uint8)
        view, done = octets.data, 0
        while count := file.readinto(view[done : done + BYTES_AT_ONCE]):  # type: ignore[attr-defined]
            done += count
    require_checksum(folder, entry, [octets[:done]])
    octets.flags.writeable = False
    return octets


def require_checksum(folder: Path, entry: FileEntry, pieces: Iterable[Any]) -> None:
    """Check the contents of a file against the checksum in the manifest."""
    crc32 = 0
    for piece in pieces:
        crc32 = zlib.crc32(piece, crc32)
    if crc32 != entry.crc32:
        raise IndexFormatError(
            f"{folder / entry.file}: expected the checksum {entry.crc32:08x} by the manifest, got {crc32:08x}; "
            "the index is damaged"
        )
