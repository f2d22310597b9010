"""Bytes of a file or of standard input, decompressed if needed. The first bytes can be inspected before reading."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, cast

from moverank.errors import TextFormatError

#: The path that means standard input.
STDIN = Path("-")
#: Number of first bytes by which a format is recognised.
HEAD = 1 << 16
#: Extensions of compressed files. The compression itself is recognised by the first bytes.
PACKED = (".gz", ".bz2", ".xz", ".zst")

_MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "Zstandard"}
#: Other common formats, by their first bytes.
_OTHER_FORMATS = {
    b"%PDF-": "a PDF",
    b"PK\x03\x04": "a zip archive (as are .docx and .odt files)",
    b"7z\xbc\xaf": "a 7z archive",
}


@dataclass(frozen=True)
class Source:
    """An open file: its name in messages, its first bytes, and a stream of all its bytes, the first included."""

    name: str
    head: bytes
    stream: io.BufferedReader


class _Rejoined(io.RawIOBase):
    """A stream whose first bytes were already read and are repeated. Works for pipes, which cannot be rewound."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        super().__init__()
        self._head, self._rest = memoryview(head), rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        taken = bytes(self._head[: len(buffer)]) or self._rest.read(len(buffer))
        self._head = self._head[len(taken) :] if len(self._head) else self._head
        buffer[: len(taken)] = taken
        return len(taken)


def shown(path: str | os.PathLike[str]) -> str:
    """Name of a path as text; bytes that are not UTF-8 are written as escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """Open a file, or standard input for ``-``, and decompress it if needed.

    Raises
    ------
    OSError
        If the file cannot be read.
    TextFormatError
        If its compressed data are damaged, or if it is an archive or a PDF.
    """
    name = "standard input" if path == STDIN else shown(path)
    with _raw(path) as raw:
        head = raw.read(HEAD)
        for magic, what in _OTHER_FORMATS.items():
            if head.startswith(magic):
                raise TextFormatError(f"{name}: is {what}, not text")
        stream: BinaryIO = io.BufferedReader(_Rejoined(head, raw))
        packing = next((packing for magic, packing in _MAGIC.items() if head.startswith(magic)), None)
        if packing is None:
            yield Source(name, head, cast(io.BufferedReader, stream))
            return
        unpacked = _unpacked(stream, packing, name)
        try:
            head = unpacked.read(HEAD)
            yield Source(name, head, io.BufferedReader(_Rejoined(head, unpacked)))
        except (EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile) as error:
            raise TextFormatError(f"{name}: is damaged or cut off: {error}") from None
        except OSError as error:
            # bz2 reports damaged data by an OSError without a number, as it has no error class of its own.
            if error.errno is not None:
                raise
            raise TextFormatError(f"{name}: is damaged or cut off: {error}") from None
        except Exception as error:
            if type(error).__name__ != "ZstdError":
                raise
            raise TextFormatError(f"{name}: is damaged or cut off: {error}") from None


@contextmanager
def _raw(path: Path) -> Iterator[BinaryIO]:
    if path != STDIN:
        with path.open("rb") as file:
            yield file
    elif sys.stdin is None:
        raise TextFormatError("standard input: is closed")
    else:
        yield sys.stdin.buffer


def _unpacked(stream: BinaryIO, packing: str, name: str) -> BinaryIO:
    if packing == "gzip":
        return cast(BinaryIO, gzip.GzipFile(fileobj=stream))
    if packing == "bzip2":
        return cast(BinaryIO, bz2.BZ2File(stream))
    if packing == "xz":
        return cast(BinaryIO, lzma.LZMAFile(stream))
    return _zstandard(stream, name)


def _zstandard(stream: BinaryIO, name: str) -> BinaryIO:
    try:
        return cast(BinaryIO, import_module("compression.zstd").ZstdFile(stream))  # from Python 3.14 on
    except ImportError:
        pass
    try:
        library = import_module("zstandard")
    except ImportError:
        raise TextFormatError(f"{name}: is compressed by Zstandard: pip install 'moverank[zstd]'") from None
    return cast(BinaryIO, io.BufferedReader(_Frames(stream, library.ZstdDecompressor().decompressobj)))


class _Frames(io.RawIOBase):
    """Decompressed frames of Zstandard. Unlike the library's own reader, it notices if the file is truncated."""

    def __init__(self, packed: BinaryIO, new: Callable[[], Any]) -> None:
        super().__init__()
        self._packed, self._new = packed, new
        self._frame: Any = None
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            taken = b"" if self._frame is None else self._frame.unused_data if self._frame.eof else b""
            taken = taken or self._packed.read(HEAD)
            if not taken:
                if self._frame is not None and not self._frame.eof:
                    raise EOFError("its last frame has no end")
                return 0
            if self._frame is None or self._frame.eof:
                self._frame = self._new()
            self._ready = self._frame.decompress(taken)
        found, self._ready = self._ready[: len(buffer)], self._ready[len(buffer) :]
        buffer[: len(found)] = found
        return len(found)
