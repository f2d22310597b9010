"""How one state of an index becomes another: documents added, removed, and parts put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from moverank.index.parts.ids import Ids, Positions, listed_ids
from moverank.index.parts.intake import Documents, Intake, new_to
from moverank.index.parts.kinds import kind_of
from moverank.index.parts.merging import merged
from moverank.index.parts.part import Part
from moverank.index.parts.plan import Plan
from moverank.index.search.prefilters import Trained, train
from moverank.index.snapshot import Snapshot

#: Small parts after those that faiss covers are put together as long as the result has no more bytes than this, so
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
        """Take another state; running searches finish with the one they began with."""
        self.snapshot = snapshot

    def close(self) -> None:
        """Nobody waits for memory."""


def built(plan: Plan, docs: Documents, ids: Ids | None, payloads: Any, num_threads: int) -> Snapshot:
    """The first state of an index in memory.

    Raises
    ------
    TypeError, ValueError
        If documents, ids or payloads are malformed, do not go with the plan, or faiss cannot make the prefilter.
    """
    checked = plan.documents(docs)
    ids = None if ids is None else listed_ids(ids)  # a generator can be read only once
    setup = plan.setup(checked, ids)
    shared = kind_of(setup).shared(setup, [], plan.costs)
    intake = Intake(setup, 0, shared, plan.space, num_threads)
    part = intake.part(checked, ids, payloads)
    whole = Snapshot(setup, [part], [NONE_REMOVED], intake.next_id, space=plan.space, encoder=plan.encoder)
    return replace(whole, trained=trained_on(whole, num_threads))


def added(
    keeper: Keeper, docs: Documents, ids: Ids | None, payloads: Any, num_threads: int, *, replacing: bool = False
) -> tuple[Snapshot, NDArray[Any]]:
    """Add documents after all others, in place of those of the same ids if `replacing`; and say what they are called.

    The keeper merges small parts at the end, in a folder by writing a file.

    Raises
    ------
    DuplicateIdError
        If an id is given twice, or is in the index and not to be replaced.
    """
    snapshot = keeper.snapshot
    new = None if replacing else new_to(snapshot.find, "is in the index already; upsert replaces documents")
    intake = Intake(snapshot.setup, snapshot.next_id, snapshot.shared, snapshot.space, num_threads)
    part = intake.part(docs, ids, payloads, new)
    listed = part.ids.take(np.arange(len(part)))
    if replacing:
        found = snapshot.find(listed.tolist())
        snapshot = without(snapshot, np.sort(found[found >= 0]))
    parts, removed = [*snapshot.parts, part], [*snapshot.removed, NONE_REMOVED]
    first = first_of_tail(parts, removed, snapshot.trained)
    if first < len(parts) - 1:
        tail = keeper.merge(parts[first:], removed[first:])
        parts, removed = [*parts[:first], tail], [*removed[:first], NONE_REMOVED]
    return replace(snapshot, parts=parts, removed=removed, next_id=intake.next_id), listed


def first_of_tail(parts: Sequence[Part], removed: Sequence[Positions], trained: Trained | None) -> int:
    """Place of the first part that the last ones are to be merged into; that of the last if none are.

    As in a binary counter: a part takes in the one after it once that is half as large, so that documents are copied
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
    if len(snapshot) == 0 and not snapshot.kind.table_grows:
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
