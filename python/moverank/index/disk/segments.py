"""Segments: files with the arrays of one part each, back to back, as they are in memory."""

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

#: First bytes of every segment, so that the file is known for what it is.
MAGIC = b"moverank segment"

#: Arrays begin at multiples of this: a cache line, and the widest vector register.
ALIGNMENT = 64


@dataclass(frozen=True)
class ArrayEntry:
    """Where an array is in its file: little-endian, rows back to back."""

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
    """One part as the manifest names it.

    Attributes
    ----------
    file : FileEntry
        Where its arrays are.
    arrays : mapping of ArrayEntry
        What `moverank.index.parts.arrays` lists.
    numbers : mapping of float
        What `Part` says.
    removed : FileEntry or None
        Rising positions, int64, of documents that are gone.
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
    """Arrays of a segment: views of the mapped file, or of a checked copy in memory. None can be written to.

    Raises
    ------
    IndexFormatError
        If the file's size, or without `mmap` its checksum, is not that of the manifest.
    """
    octets: Any
    if mmap:
        # Not a byte of it is read: on a cold disk that would take milliseconds for each segment.
        octets = map_listed(folder, segment.file)
    else:
        octets = read_listed(folder, segment.file).data
        require_magic(folder, segment, octets)
    return {name: _view(octets, entry) for name, entry in segment.arrays.items()}


def require_magic(folder: Path, segment: Segment, octets: Any) -> None:
    """Check that a file begins as segments do."""
    if bytes(octets[: len(MAGIC)]) != MAGIC:
        raise IndexFormatError(f"{folder / segment.file.file}: is not a segment of an index")


def map_listed(folder: Path, entry: FileEntry) -> memory_map.mmap:
    """Map a file, which stays readable when it is deleted; MemoryError if there is no address space for it."""
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
