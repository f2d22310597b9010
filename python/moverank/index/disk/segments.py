"""Segments: files with the arrays of one part each, back to back, in the same form as in memory."""

from __future__ import annotations

import errno
import math
import mmap as memory_map
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank.errors import IndexFormatError
from moverank.index.disk.files import FileEntry, NewFile, open_listed, read_listed
from moverank.index.parts.merging import Chunked

#: First bytes of every segment, by which the file is recognised.
MAGIC = b"moverank segment"

#: Arrays begin at multiples of this, the size of a cache line and of the widest vector register.
ALIGNMENT = 64


@dataclass(frozen=True)
class ArrayEntry:
    """Location of an array in its file. Numbers are little-endian, rows are back to back."""

    dtype: str
    shape: tuple[int, ...]
    offset: int

    @property
    def nbytes(self) -> int:
        """Bytes of the array."""
        count = np.dtype(self.dtype).itemsize
        for extent in self.shape:
            count *= extent
        return count


@dataclass(frozen=True)
class Segment:
    """One part, as listed in the manifest.

    Attributes
    ----------
    file : FileEntry
        File of the arrays.
    arrays : mapping of ArrayEntry
        Arrays, as listed in `moverank.index.parts.arrays`.
    numbers : mapping of float
        Numbers of the `Part`.
    removed : FileEntry or None
        File with the increasing positions, int64, of removed documents.
    """

    file: FileEntry
    arrays: Mapping[str, ArrayEntry]
    numbers: Mapping[str, float]
    removed: FileEntry | None = None

    def __len__(self) -> int:
        return self.arrays["offsets"].shape[0] - 1


def write_segment(path: Path, arrays: Mapping[str, Chunked], numbers: Mapping[str, float]) -> Segment:
    """Write a new segment, and make it durable."""
    entries = {}
    with NewFile(path) as file:
        file.write(MAGIC)
        for name, array in arrays.items():
            file.align(ALIGNMENT)
            little = array.dtype.newbyteorder("<")
            entries[name] = ArrayEntry(little.str, array.shape, file.nbytes)
            for piece in array.pieces:
                file.write(piece.astype(little, copy=False))
        return Segment(file.finish(), entries, dict(numbers))


def read_segment(folder: Path, segment: Segment, *, mmap: bool) -> dict[str, NDArray[Any]]:
    """Arrays of a segment: read-only views of the mapped file, or of a checked copy in memory.

    Raises
    ------
    IndexFormatError
        If the file's size, or without `mmap` its checksum, differs from the manifest.
    """
    octets: Any
    if mmap:
        # No byte is read, not even the magic: on a cold disk that would take milliseconds per segment.
        octets = map_listed(folder, segment.file)
    else:
        octets = read_listed(folder, segment.file).data
        require_magic(folder, segment, octets)
    return {name: _view(octets, entry) for name, entry in segment.arrays.items()}


def require_magic(folder: Path, segment: Segment, octets: Any) -> None:
    """Check that a file begins with the magic bytes of segments."""
    if bytes(octets[: len(MAGIC)]) != MAGIC:
        raise IndexFormatError(f"{folder / segment.file.file}: is not a segment of an index")


def map_listed(folder: Path, entry: FileEntry) -> memory_map.mmap:
    """Memory-map a file, so that it remains readable after deletion; MemoryError if there is no address space."""
    path = folder / entry.file
    with open_listed(folder, entry) as file:
        try:
            return memory_map.mmap(file.fileno(), 0, access=memory_map.ACCESS_READ)
        except OSError as error:
            if error.errno == errno.ENOMEM:
                raise MemoryError(f"{path}: its {entry.nbytes} bytes cannot be mapped") from None
            raise OSError(error.errno, error.strerror, str(path)) from None


def _view(octets: Any, entry: ArrayEntry) -> NDArray[Any]:
    flat = np.frombuffer(octets, entry.dtype, math.prod(entry.shape), entry.offset)
    return flat.reshape(entry.shape)
