"""Everything about an index that can be checked, checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank._support.storage import first_non_finite
from moverank.errors import IndexFormatError
from moverank.index.disk.files import BYTES_AT_ONCE, open_listed, require_checksum
from moverank.index.disk.segments import map_listed, require_magic
from moverank.index.disk.store import Store
from moverank.index.parts.arrays import COLUMNS, OFFSETS, require_cuts
from moverank.index.parts.part import Part
from moverank.index.snapshot import Snapshot
from moverank.vectors.encoder_identity import EncoderIdentity

#: Rows that are checked at a time.
ROWS_AT_ONCE = 1 << 16


@dataclass(frozen=True)
class Verified:
    """What was read and found sound.

    Attributes
    ----------
    documents : int
        Documents of the index.
    files : int
        Files beside the manifest.
    nbytes : int
        Their bytes.
    encoder : EncoderIdentity or None
        What the index says made its vectors; nothing in the files proves it.
    """

    documents: int
    files: int
    nbytes: int
    encoder: EncoderIdentity | None

    def __str__(self) -> str:
        made = "an encoder that is not known" if self.encoder is None else str(self.encoder)
        return f"sound: {self.documents} documents in {self.files} files of {self.nbytes} bytes, by {made}"


def verify(store: Store, progress: Callable[[int, int], object] | None) -> Verified:
    """Check the state that a store has loaded; IndexFormatError at the first thing that is wrong."""
    manifest, snapshot = store.manifest, store.snapshot
    assert manifest is not None
    total = sum(entry.nbytes for entry in manifest.files)
    done = 0
    for entry in manifest.files:
        with open_listed(store.folder, entry) as file:
            pieces = iter(partial(file.read, BYTES_AT_ONCE), b"")
            require_checksum(store.folder, entry, _told(pieces, done, total, progress))
        done += entry.nbytes
    for segment, part in zip(manifest.segments, snapshot.parts, strict=True):
        require_magic(store.folder, segment, map_listed(store.folder, segment.file))
        try:
            verify_part(part)
        except IndexFormatError as error:
            raise IndexFormatError(f"{store.folder / segment.file.file}: {error}") from None
    _verify_together(snapshot)
    return Verified(len(snapshot), len(manifest.files), total, snapshot.encoder)


def _told(
    pieces: Iterator[bytes], done: int, total: int, progress: Callable[[int, int], object] | None
) -> Iterator[bytes]:
    for piece in pieces:
        yield piece
        done += len(piece)
        if progress is not None:
            progress(done, total)


def verify_part(part: Part) -> None:
    """Check that arrays hold what a part can have: what no checksum says of a file that another program wrote."""
    arrays = part.arrays
    for name, column in COLUMNS.items():
        if name in arrays and column.of in OFFSETS:
            require_cuts(arrays, column.of, name)
    for name, column in COLUMNS.items():
        if name in arrays and column.least is not None:
            for chunk in _chunks(arrays[name]):
                if not ((np.isfinite(chunk) | column.forbids) & (chunk >= column.least)).all():
                    raise IndexFormatError(f"array {name!r}: has a number that it cannot have")
    for tokens, scales in (("tokens", "scales"), ("codes", "code_scales")):
        if tokens in arrays:
            steps = _chunks(arrays[scales]) if scales in arrays else repeat(None)
            if any(
                first_non_finite(chunk, own) >= 0 for chunk, own in zip(_chunks(arrays[tokens]), steps, strict=False)
            ):
                raise IndexFormatError(f"array {tokens!r}: has a token that is not finite")
    for mass, cuts in (("mass", "offsets"), ("cluster_mass", "cluster_offsets")):
        if mass in arrays and len(part):
            total = np.add.reduceat(arrays[mass], arrays[cuts][:-1])
            if not (np.abs(total - 1.0) < 1e-9).all():
                raise IndexFormatError(f"array {mass!r}: does not sum to 1 in every document")
    _ = part.prepared
    if "cluster_offsets" in arrays:
        _ = part.prepared_clusters
    part.ids.verify()
    if "rows" in arrays and len(np.unique(arrays["rows"])) < len(arrays["rows"]):
        raise IndexFormatError("array 'rows': a word comes twice")
    for position in range(len(part) if "payload_text" in arrays else 0):
        part.payload(position)


def _chunks(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    return (array[start : start + ROWS_AT_ONCE] for start in range(0, len(array), ROWS_AT_ONCE))


def _verify_together(snapshot: Snapshot) -> None:
    seen: set[Any] = set()
    for part, removed in zip(snapshot.parts, snapshot.removed, strict=True):
        seen.update(part.ids.take(np.delete(np.arange(len(part)), removed)).tolist())
    if len(seen) < len(snapshot):
        raise IndexFormatError("two documents have the same id")
    if snapshot.setup.ids == "int" and max(seen, default=-1) >= snapshot.next_id:
        raise IndexFormatError("an id is as large as the next one to be given")
    if snapshot.trained is not None:
        _ = snapshot.trained.index
    if snapshot.space is not None:
        try:
            _ = snapshot.space.space
        except ValueError as error:
            raise IndexFormatError(f"its space: {error}") from None
