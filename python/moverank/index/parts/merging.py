"""Merging several parts of an index into one, piece by piece, so that they may be larger than memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank.index.parts.arrays import COLUMNS, DOCUMENTS, OFFSETS, WORDS, require_offsets
from moverank.index.parts.ids import Positions, joined_ids
from moverank.index.parts.part import Part

#: Bytes copied at a time; a document with more is copied whole.
BYTES_AT_ONCE = 1 << 24


@dataclass(frozen=True)
class Chunked:
    """An array produced in pieces along its first axis."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    pieces: Iterator[NDArray[Any]]

    @classmethod
    def of(cls, array: NDArray[Any]) -> Chunked:
        """Make one piece of a whole array."""
        return cls(array.dtype, array.shape, iter([array]))

    def joined(self) -> NDArray[Any]:
        """Copy the pieces into one array in memory."""
        array = np.empty(self.shape, dtype=self.dtype)
        start = 0
        for piece in self.pieces:
            array[start : start + len(piece)] = piece
            start += len(piece)
        return array


def merged(parts: Sequence[Part], removed: Sequence[Positions]) -> tuple[dict[str, Chunked], dict[str, float]]:
    """Arrays and numbers of one part that replaces consecutive parts, without their removed documents."""
    for part in parts:
        for name, column in COLUMNS.items():
            if name in part.arrays and column.of in OFFSETS:
                require_offsets(part.arrays, column.of, name)
    kept = [np.delete(np.arange(len(part), dtype=np.int64), gone) for part, gone in zip(parts, removed, strict=True)]
    n_kept = sum(map(len, kept))
    names = joined_ids([part.ids for part in parts], kept, parts[0].setup.ids)
    out = {name: Chunked.of(array) for name, array in names.arrays().items()}
    merged_offsets = {}
    for offsets in OFFSETS:
        if offsets != "id_offsets" and any(offsets in part.arrays for part in parts):
            merged_offsets[offsets] = _ends(offsets, parts, kept)
            out[offsets] = Chunked.of(merged_offsets[offsets])
    for name, column in COLUMNS.items():
        arrays = [part.arrays[name] for part in parts if name in part.arrays]
        if not arrays or column.ordering:
            continue
        dtype, row = arrays[0].dtype, arrays[0].shape[1:]
        if column.of == WORDS:
            out[name] = Chunked(dtype, (sum(map(len, arrays)), *row), iter(arrays))
        elif column.of == DOCUMENTS:
            out[name] = Chunked(dtype, (n_kept, *row), _rows(name, parts, kept))
        else:
            extent = int(merged_offsets[column.of][-1])
            out[name] = Chunked(dtype, (extent, *row), _runs(name, column.of, parts, kept))
    shared = set(parts[0].numbers).intersection(*(part.numbers for part in parts))
    numbers = {name: max(part.numbers[name] for part in parts) for name in sorted(shared)}
    if "first_word" in numbers:
        numbers["first_word"] = parts[0].numbers["first_word"]
    return out, numbers


def _starts(offsets: str, part: Part) -> NDArray[np.int64]:
    """Offsets of a part; a part without payloads has none, which means empty runs."""
    found = part.arrays.get(offsets)
    return np.zeros(len(part) + 1, dtype=np.int64) if found is None else found


def _ends(offsets: str, parts: Sequence[Part], kept: Sequence[Positions]) -> NDArray[np.int64]:
    lengths = [np.diff(_starts(offsets, part))[own] for part, own in zip(parts, kept, strict=True)]
    ends = np.zeros(sum(map(len, kept)) + 1, dtype=np.int64)
    np.cumsum(np.concatenate(lengths), out=ends[1:])
    return ends


def _runs(name: str, offsets: str, parts: Sequence[Part], kept: Sequence[Positions]) -> Iterator[NDArray[Any]]:
    for part, own in zip(parts, kept, strict=True):
        starts = _starts(offsets, part)
        array = part.arrays.get(name)
        if array is None:  # a part without counts, merged with one that has counts: each word occurs once
            array = np.ones(int(starts[-1]), dtype=np.float32)
        at_once = max(BYTES_AT_ONCE // max(array[:1].nbytes, 1), 1)
        if len(own) == len(part):
            for start in range(0, len(array), at_once):
                yield array[start : start + at_once]
            continue
        lengths = np.diff(starts)[own]
        ends = np.cumsum(lengths)
        first = 0
        while first < len(own):
            # As many documents as fit, but at least one.
            limit = (ends[first - 1] if first else 0) + at_once
            last = max(int(np.searchsorted(ends, limit, side="right")), first + 1)
            chosen = lengths[first:last]
            within = np.arange(chosen.sum()) - np.repeat(np.cumsum(chosen) - chosen, chosen)
            yield array[np.repeat(starts[own[first:last]], chosen) + within]
            first = last


def _rows(name: str, parts: Sequence[Part], kept: Sequence[Positions]) -> Iterator[NDArray[Any]]:
    for part, own in zip(parts, kept, strict=True):
        array = part.arrays[name]
        at_once = max(BYTES_AT_ONCE // max(array[:1].nbytes, 1), 1)
        for start in range(0, len(own), at_once):
            yield array[own[start : start + at_once]]
