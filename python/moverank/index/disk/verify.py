"""Full verification of an index: checksums, value ranges, and consistency."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from moverank._support.storage import Stored
from moverank.errors import IndexFormatError
from moverank.index.disk.files import BYTES_AT_ONCE, open_listed, require_checksum
from moverank.index.disk.segments import ArrayFile, map_listed, require_magic
from moverank.index.disk.store import Store
from moverank.index.parts.anchors import NO_ANCHOR
from moverank.index.parts.arrays import COLUMNS, OFFSETS, Arrays, are_interleaved, codes_in, require_offsets, tokens_in
from moverank.index.parts.cells import verify_cells
from moverank.index.parts.codebook import verify_codebook
from moverank.index.parts.part import Part
from moverank.index.snapshot import Snapshot
from moverank.vectors.encoder_identity import EncoderIdentity

Rows = TypeVar("Rows", NDArray[Any], Stored)

#: Rows checked at a time.
ROWS_AT_ONCE = 1 << 16


@dataclass(frozen=True)
class Verified:
    """Counts of a successful verification.

    Attributes
    ----------
    documents : int
        Number of documents in the index.
    files : int
        Number of files besides the manifest.
    nbytes : int
        Total bytes of these files.
    encoder : EncoderIdentity or None
        Identity of the encoder as stored in the index, which cannot be verified.
    """

    documents: int
    files: int
    nbytes: int
    encoder: EncoderIdentity | None

    def __str__(self) -> str:
        encoder = "an unknown encoder" if self.encoder is None else str(self.encoder)
        return f"sound: {self.documents} documents in {self.files} files of {self.nbytes} bytes, by {encoder}"


def verify(store: Store, progress: Callable[[int, int], object] | None) -> Verified:
    """Check the state loaded by a store; IndexFormatError at the first error."""
    manifest, snapshot = store.manifest, store.snapshot
    assert manifest is not None
    total = sum(entry.nbytes for entry in manifest.files)
    done = 0
    for entry in manifest.files:
        with open_listed(store.folder, entry) as file:
            pieces = iter(partial(file.read, BYTES_AT_ONCE), b"")
            require_checksum(store.folder, entry, _reported(pieces, done, total, progress))
        done += entry.nbytes
    for segment, part in zip(manifest.segments, snapshot.parts, strict=True):
        _verify_file(store, segment, partial(verify_part, part))
    if manifest.anchors is not None and snapshot.setup.anchors is not None:
        _verify_file(store, manifest.anchors, snapshot.setup.anchors.verify)
    if manifest.cells is not None and snapshot.cells is not None:
        _verify_file(store, manifest.cells.codebook, partial(verify_codebook, snapshot.cells.codebook))
        for stored, group in zip(manifest.cells.groups, snapshot.cells.groups, strict=True):
            _verify_file(store, stored, partial(verify_cells, group))
    _verify_together(snapshot)
    return Verified(len(snapshot), len(manifest.files), total, snapshot.encoder)


def _verify_file(store: Store, stored: ArrayFile, verify: Callable[[], None]) -> None:
    """Check one file of arrays; messages begin with its path."""
    require_magic(store.folder, stored, map_listed(store.folder, stored.file))
    try:
        verify()
    except IndexFormatError as error:
        raise IndexFormatError(f"{store.folder / stored.file.file}: {error}") from None


def _reported(
    pieces: Iterator[bytes], done: int, total: int, progress: Callable[[int, int], object] | None
) -> Iterator[bytes]:
    """Yield pieces, and report progress after each."""
    for piece in pieces:
        yield piece
        done += len(piece)
        if progress is not None:
            progress(done, total)


def verify_part(part: Part) -> None:
    """Check that arrays have valid values. Checksums do not show this for a file that another program wrote."""
    arrays = part.arrays
    for name, column in COLUMNS.items():
        if name in arrays and column.of in OFFSETS:
            require_offsets(arrays, column.of, name)
    for name, column in COLUMNS.items():
        if name in arrays and column.least is not None:
            for chunk in _chunks(arrays[name]):
                if not ((np.isfinite(chunk) | column.forbids) & (chunk >= column.least)).all():
                    raise IndexFormatError(
                        f"array {name!r}: has a number that is not finite, or less than {column.least:g}"
                    )
    if "pooled_into" in arrays:
        _verify_pooled(arrays)
    if "nearest" in arrays and part.setup.anchors is not None:
        numbers = arrays["nearest"]
        if ((numbers >= len(part.setup.anchors.codebook)) & (numbers != NO_ANCHOR)).any():
            raise IndexFormatError("array 'nearest': has the number of an anchor that does not exist")
    in_rows = {"tokens": tokens_in} | ({} if are_interleaved(part.setup) else {"codes": codes_in})
    for name, found_in in in_rows.items():
        if name in arrays and any(chunk.first_non_finite() >= 0 for chunk in _chunks(found_in(arrays, part.setup))):
            raise IndexFormatError(f"array {name!r}: has a token that is not finite")
    for mass, offsets in (("mass", "offsets"), ("cluster_mass", "cluster_offsets")):
        if mass in arrays and len(part):
            total = np.add.reduceat(arrays[mass], arrays[offsets][:-1])
            if not (np.abs(total - 1.0) < 1e-9).all():
                raise IndexFormatError(f"array {mass!r}: does not sum to 1 in every document")
    # The core checks arrays when it prepares them.
    _ = part.prepared
    if "cluster_offsets" in arrays:
        _ = part.prepared_clusters
    part.ids.verify()
    if "rows" in arrays and len(np.unique(arrays["rows"])) < len(arrays["rows"]):
        raise IndexFormatError("array 'rows': a word occurs twice")
    for position in range(len(part) if "payload_text" in arrays else 0):
        part.payload(position)  # parses the JSON


def _verify_pooled(arrays: Arrays) -> None:
    """Check that every stored token stands for tokens of its own document."""
    lengths, kept = np.diff(arrays["given_offsets"]), arrays["pooled_into"] >= 0
    first, end = (np.repeat(offsets, lengths)[kept] for offsets in (arrays["offsets"][:-1], arrays["offsets"][1:]))
    token = first + arrays["pooled_into"][kept]
    if (token >= end).any() or len(np.unique(token)) < arrays["offsets"][-1]:
        raise IndexFormatError("array 'pooled_into': does not match the tokens of every document")


def _chunks(array: Rows) -> Iterator[Rows]:
    return (array[start : start + ROWS_AT_ONCE] for start in range(0, len(array), ROWS_AT_ONCE))


def _verify_together(snapshot: Snapshot) -> None:
    seen: set[Any] = set()
    for part, removed in zip(snapshot.parts, snapshot.removed, strict=True):
        seen.update(part.ids.take(np.delete(np.arange(len(part)), removed)).tolist())
    if len(seen) < len(snapshot):
        raise IndexFormatError("two documents have the same id")
    if snapshot.setup.ids == "int" and max(seen, default=-1) >= snapshot.next_id:
        raise IndexFormatError("an id is not less than the next id in the manifest")
    if snapshot.trained is not None:
        _ = snapshot.trained.index
    if snapshot.space is not None:
        try:
            _ = snapshot.space.space
        except ValueError as error:
            raise IndexFormatError(f"its space: {error}") from None
