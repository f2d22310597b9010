"""Segments that do not belong to an index yet: processes write them beside it, and one process commits them.

A segment is written first, then a record of what it holds. Only segments with a record count, so that those of a
process that ended in between are as if they had never been written.
"""

from __future__ import annotations

import json
import secrets
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from moverank._support.fields import Fields, parsed
from moverank.errors import IndexFormatError
from moverank.index.disk.files import (
    FileEntry,
    NewFile,
    link_file,
    open_file,
    replace_file,
    sync_folder,
    writing,
)
from moverank.index.disk.manifest import segment_of, segment_to_json
from moverank.index.disk.segments import Segment, write_arrays
from moverank.index.parts.arrays import Arrays
from moverank.index.parts.merging import Chunked
from moverank.index.parts.setup import Setup

#: Bytes of the digest of a row: so many that two rows of one collection will not have the same.
DIGEST_BYTES = 16

#: Digests of rows as an array that can be sorted.
DIGEST = np.dtype(f"S{DIGEST_BYTES}")

#: End of the names of records.
RECORD = ".json"


def digest_of(*content: bytes) -> bytes:
    """Digest of a row: of its id and all that is kept of it."""
    digest = blake2b(digest_size=DIGEST_BYTES)
    for octets in content:
        digest.update(len(octets).to_bytes(8, "little"))
        digest.update(octets)
    return digest.digest()


@dataclass(frozen=True)
class Record:
    """What one call of a writer has taken.

    Attributes
    ----------
    ids : list of int or of str
        Ids of the rows.
    digests : bytes
        Those of the rows, back to back.
    counts : list of int
        Number of documents in the segment per row: 0 for a row that was left out, several for one cut into passages.
    segment : Segment or None
        The file; None if all rows were left out.
    dropped, cut : int
        Words without a vector, and tokens beyond the encoder's limit.
    """

    ids: list[Any]
    digests: bytes
    counts: list[int]
    segment: Segment | None
    dropped: int = 0
    cut: int = 0

    @property
    def name(self) -> str:
        """Name of the record: the same rows have the same one, whoever takes them."""
        return name_of(self.digests)

    def to_bytes(self) -> bytes:
        """Serialise the record."""
        content = {
            "ids": self.ids,
            "digests": b64encode(self.digests).decode(),
            "counts": self.counts,
            "segment": None if self.segment is None else segment_to_json(self.segment),
            "dropped": self.dropped,
            "cut": self.cut,
        }
        return json.dumps(content, allow_nan=False).encode()

    @classmethod
    def parse(cls, octets: bytes, setup: Setup) -> Record:
        """Read what `to_bytes` made; IndexFormatError for anything else."""
        try:
            fields = Fields(parsed(octets), "record")
            segment = fields.take_optional("segment", dict)
            made = cls(
                fields.take("ids", list),
                b64decode(fields.take("digests", str), validate=True),
                fields.take("counts", list),
                None if segment is None else segment_of(Fields(segment, "segment"), setup),
                fields.count("dropped"),
                fields.count("cut"),
            )
            fields.done()
        except IndexFormatError:
            raise
        except (ValueError, TypeError) as error:
            raise IndexFormatError(str(error)) from None
        n_documents = 0 if made.segment is None else len(made.segment)
        if len(made.digests) != DIGEST_BYTES * len(made.ids) or len(made.counts) != len(made.ids):
            raise IndexFormatError("record: does not have one digest and one count per row")
        if sum(made.counts) != n_documents:
            raise IndexFormatError("record: counts other documents than its segment has")
        return made


def name_of(digests: bytes) -> str:
    """Name of the record of rows with these digests."""
    return blake2b(digests, digest_size=DIGEST_BYTES).hexdigest()


def as_array(digests: bytes) -> NDArray[np.bytes_]:
    """Digests as an array; NumPy compares them by all of their bytes, as all have the same length."""
    return np.frombuffer(digests, dtype=DIGEST)


class Place(Protocol):
    """Where segments lie until they are committed. It is passed to the processes that write them."""

    def write(self, arrays: Arrays, numbers: Mapping[str, float]) -> Segment:
        """Write a segment durably."""
        ...

    def note(self, record: Record) -> None:
        """Write the record of a segment durably; from then on the segment counts."""
        ...

    def has(self, name: str) -> bool:
        """Whether there is a record with this name."""
        ...

    def records(self) -> Iterator[bytes]:
        """Content of all records, in the order of their names."""
        ...

    def put(self, entry: FileEntry, folder: Path) -> None:
        """Put a segment's file into the folder of the index, under its name."""
        ...

    def clear(self) -> None:
        """Delete everything here."""
        ...


@dataclass(frozen=True)
class FolderPlace:
    """A folder on a file system that all processes share, that of the index.

    Parameters
    ----------
    folder : Path
        The folder, which must exist.
    """

    folder: Path

    def write(self, arrays: Arrays, numbers: Mapping[str, float]) -> Segment:
        """Write a segment durably."""
        return written_segment(self.folder, arrays, numbers)

    def note(self, record: Record) -> None:
        """Write the record of a segment; it appears at once and whole."""
        new = self.folder / f"{secrets.token_hex(8)}.new"
        with NewFile(new) as file:
            file.write(record.to_bytes())
            file.finish()
        replace_file(new, self.folder / f"{record.name}{RECORD}")
        sync_folder(self.folder)

    def has(self, name: str) -> bool:
        """Whether there is a record with this name."""
        return (self.folder / f"{name}{RECORD}").exists()

    def records(self) -> Iterator[bytes]:
        """Content of all records."""
        for path in sorted(self.folder.glob(f"*{RECORD}")):
            with open_file(path) as file:
                yield file.read()

    def put(self, entry: FileEntry, folder: Path) -> None:
        """Link the file: if the commit fails, it is still here."""
        with suppress(FileExistsError):
            link_file(self.folder / entry.file, folder / entry.file)

    def clear(self) -> None:
        """Do nothing: the commit of the index deletes the folder."""


def written_segment(folder: Path, arrays: Arrays, numbers: Mapping[str, float]) -> Segment:
    """Write a segment with a new name into a folder."""
    path = folder / f"{secrets.token_hex(8)}.seg"
    with writing(path):
        stored = write_arrays(path, {name: Chunked.of(array) for name, array in arrays.items()})
    return Segment(stored.file, stored.arrays, dict(numbers))


def parsed_records(place: Place, setup: Setup) -> dict[str, Record]:
    """All records of a place, by name."""
    found = [Record.parse(octets, setup) for octets in place.records()]
    return {record.name: record for record in found}


def known_rows(records: Sequence[Record]) -> NDArray[np.bytes_]:
    """Digests of all rows of some records, in increasing order."""
    found: NDArray[np.bytes_] = np.unique(as_array(b"".join(record.digests for record in records)))
    return found
