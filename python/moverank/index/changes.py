"""How one state of an index becomes another: documents added, removed, and parts put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from moverank.index.parts.ids import Positions
from moverank.index.parts.merging import merged
from moverank.index.parts.part import Part
from moverank.index.search.prefilters import Trained, train
from moverank.index.snapshot import Snapshot

#: Small parts behind those that faiss covers are put together as long as the result has no more bytes than this, so
#: that many small additions are searched like few large ones and each document is copied a handful of times.
MERGED_BYTES = 1 << 25

NONE_REMOVED: Positions = np.empty(0, dtype=np.int64)
NONE_REMOVED.flags.writeable = False


class Keeper(Protocol):
    """What holds the state of an index: memory, or a folder."""

    @property
    def snapshot(self) -> Snapshot:
        """The state."""
        ...

    def require_writable(self) -> None:
        """Refuse to change it where that is not possible, before any work is done."""
        ...

    def merge(self, parts: Sequence[Part], removed: Sequence[Positions]) -> Part:
        """Make one part of some that follow each other, without documents that are removed."""
        ...

    def commit(self, snapshot: Snapshot) -> None:
        """Make another state the current one."""
        ...

    def close(self) -> None:
        """Let go of what others may wait for."""
        ...


class InMemory:
    """The state of an index that is nowhere else."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot

    def require_writable(self) -> None:
        """Memory always is."""

    def merge(self, parts: Sequence[Part], removed: Sequence[Positions]) -> Part:
        """Copy parts into one."""
        arrays, numbers = merged(parts, removed)
        return Part(parts[0].setup, {name: array.joined() for name, array in arrays.items()}, numbers)

    def commit(self, snapshot: Snapshot) -> None:
        """Take another state; searches that run go on with the one they began with."""
        self.snapshot = snapshot

    def close(self) -> None:
        """Nobody waits for memory."""


def added(keeper: Keeper, snapshot: Snapshot, part: Part, next_id: int) -> Snapshot:
    """Add a part behind all others; small ones there become one."""
    parts, removed = [*snapshot.parts, part], [*snapshot.removed, NONE_REMOVED]
    first = first_of_tail(parts, removed, snapshot.trained)
    if first < len(parts) - 1:
        tail = keeper.merge(parts[first:], removed[first:])
        parts, removed = [*parts[:first], tail], [*removed[:first], NONE_REMOVED]
    return replace(snapshot, parts=parts, removed=removed, next_id=next_id)


def first_of_tail(parts: Sequence[Part], removed: Sequence[Positions], trained: Trained | None) -> int:
    """Place of the first part that the last ones are to be merged into; that of the last if none are.

    As in a binary counter: a part takes in the one behind it once that is half as large, so that documents are copied
    as often as the number of additions has binary digits.
    """
    ends = np.cumsum([len(part) for part in parts])
    covered = 0 if trained is None else trained.covered
    first = len(parts) - 1
    size = parts[first].nbytes
    while first > 0 and ends[first - 1] > covered:
        before = parts[first - 1].nbytes
        if before > 2 * size or before + size > MERGED_BYTES:
            break
        size += before
        first -= 1
    return first


def without(snapshot: Snapshot, positions: Positions) -> Snapshot:
    """Remove the documents at some positions."""
    removed = list(snapshot.removed)
    of_part = np.searchsorted(snapshot.firsts, positions, side="right") - 1
    for p in np.unique(of_part).tolist():
        gone = np.union1d(removed[p], positions[of_part == p] - snapshot.firsts[p])
        gone.flags.writeable = False
        removed[p] = gone
    return replace(snapshot, removed=removed)


def compacted(keeper: Keeper, snapshot: Snapshot, num_threads: int) -> Snapshot:
    """Make one part of all, without what was removed, and train the prefilter on it."""
    if len(snapshot) == 0 and snapshot.setup.measure.ground == "given":
        # The costs stand in the first part, and those who add more do not bring them again.
        return replace(snapshot, parts=snapshot.parts[:1], removed=snapshot.removed[:1])
    if len(snapshot) == 0:
        return replace(snapshot, parts=[], removed=[], trained=None)
    part = keeper.merge(snapshot.parts, snapshot.removed)
    whole = replace(snapshot, parts=[part], removed=[NONE_REMOVED], trained=None)
    try:
        trained = trained_on(whole, num_threads)
    except ValueError:
        trained = None  # fewer are left than faiss learns from: to compare all of so few is faster anyway
    return replace(whole, trained=trained)


def trained_on(snapshot: Snapshot, num_threads: int) -> Trained | None:
    """What faiss makes of all documents, where the prefilter asks for it; 0 threads stand for all cores.

    Raises
    ------
    ValueError
        If it cannot, such as of fewer documents than it has to learn from.
    """
    chosen = snapshot.setup.prefilter
    if not isinstance(chosen, str):
        return None
    return train(chosen, [part.arrays["pooled"] for part in snapshot.parts], snapshot.setup.measure, num_threads)
