"""Files of arrays, back to back, in the same form as in memory, such as segments, which have the arrays of a part."""

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
class ArrayFile:
    """A file of arrays, as listed in the manifest.

    Attributes
    ----------
    file : FileEntry
        The file.
    arrays : mapping of ArrayEntry
        Its arrays, by name.
    """

    file: FileEntry
    arrays: Mapping[str, ArrayEntry]

    @property
    def shapes(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        """Dtype and shape of each array."""
        return {name: (entry.dtype, entry.shape) for name, entry in self.arrays.items()}


@dataclass(frozen=True)
class Segment(ArrayFile):
    """One part, as listed in the manifest; its arrays are those in `moverank.index.parts.arrays`.

    Attributes
    ----------
    numbers : mapping of float
        Numbers of the `Part`.
    removed : FileEntry or None
        File with the increasing positions, int64, of removed documents.
    """

    numbers: Mapping[str, float]
    removed: FileEntry | None = None

    def __len__(self) -> int:
        return self.arrays["offsets"].shape[0] - 1


def write_arrays(path: Path, arrays: Mapping[str, Chunked]) -> ArrayFile:
    """Write a new file of arrays, and make it durable."""
    entries = {}
    with NewFile(path) as file:
        file.write(MAGIC)
        for name, array in arrays.items():
            file.align(ALIGNMENT)
            little = array.dtype.newbyteorder("<")
            entries[name] = ArrayEntry(little.str, array.shape, file.nbytes)
            for piece in array.pieces:
                file.write(piece.astype(little, copy=False))
        return ArrayFile(file.finish(), entries)


def read_arrays(folder: Path, stored: ArrayFile, *, mmap: bool) -> dict[str, NDArray[Any]]:
    """Arrays of a file: read-only views of the mapped file, or of a checked copy in memory.

    Raises
    ------
    IndexFormatError
        If the file's size, or without `mmap` its checksum, differs from the manifest.
    """
    octets: Any
    if mmap:
        # No byte is read, not even the magic: on a cold disk that would take milliseconds per segment.
        octets = map_listed(folder, stored.file)
    else:
        octets = read_listed(folder, stored.file).data
        require_magic(folder, stored, octets)
    return {name: _view(octets, entry) for name, entry in stored.arrays.items()}


def require_magic(folder: Path, stored: ArrayFile, octets: Any) -> None:
    """Check that a file begins with the magic bytes of our files."""
    if bytes(octets[: len(MAGIC)]) != MAGIC:
        raise IndexFormatError(f"{folder / stored.file.file}: does not begin as files of an index do")


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
