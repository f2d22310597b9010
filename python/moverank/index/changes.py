"""Changes of an index: each makes a new snapshot (state) by adding documents, removing them, or merging parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from moverank.index.parts.anchors import with_anchors
from moverank.index.parts.cells import Cells, DocumentCells
from moverank.index.parts.finding_cells import found_cells, has_outgrown, in_memory, with_parts
from moverank.index.parts.ids import Ids, Positions, listed_ids
from moverank.index.parts.intake import Documents, Intake, as_documents, new_to, next_id_after
from moverank.index.parts.kinds import kind_of
from moverank.index.parts.merging import merged
from moverank.index.parts.part import Part
from moverank.index.parts.plan import Plan
from moverank.index.search.prefilters import Trained, train
from moverank.index.snapshot import Snapshot

#: Small parts that faiss has not learnt from are merged while the result has at most this many bytes. So many small
#: additions are searched as fast as a few large ones, and each document is copied only a few times.
MERGED_BYTES = 1 << 25

NONE_REMOVED: Positions = np.empty(0, dtype=np.int64)
NONE_REMOVED.flags.writeable = False


class Keeper(Protocol):
    """The storage of an index's current state: memory, or a folder."""

    @property
    def snapshot(self) -> Snapshot:
        """The current state."""
        ...

    def require_writable(self) -> None:
        """Raise ReadOnlyIndexError, before any work is done, if the index cannot be changed."""
        ...

    def merge(self, parts: Sequence[Part], removed: Sequence[Positions]) -> Part:
        """Merge consecutive parts into one, without the removed documents."""
        ...

    def keep(self, cells: DocumentCells) -> DocumentCells:
        """Keep the cells of some documents, which may be many, until the next change is committed."""
        ...

    def commit(self, snapshot: Snapshot) -> None:
        """Make a snapshot the current state."""
        ...

    def close(self) -> None:
        """Release files and locks."""
        ...


class InMemory:
    """The state of an index that is kept in memory only."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot

    def require_writable(self) -> None:
        """Do nothing: an index in memory can always be changed."""

    def merge(self, parts: Sequence[Part], removed: Sequence[Positions]) -> Part:
        """Copy parts into one."""
        arrays, numbers = merged(parts, removed)
        return Part(parts[0].setup, {name: array.joined() for name, array in arrays.items()}, numbers)

    def keep(self, cells: DocumentCells) -> DocumentCells:
        """Do nothing: they are in memory."""
        return in_memory(cells)

    def commit(self, snapshot: Snapshot) -> None:
        """Replace the state; running searches continue with the one they began with."""
        self.snapshot = snapshot

    def close(self) -> None:
        """Do nothing: there are no files or locks to release."""


def built(plan: Plan, docs: Documents, ids: Ids | None, payloads: Any, num_threads: int) -> Snapshot:
    """Build the first state of an index in memory.

    Raises
    ------
    TypeError, ValueError
        If documents, ids or payloads are malformed or do not fit the plan, or faiss cannot train the prefilter.
    """
    checked = plan.documents(docs)
    ids = None if ids is None else listed_ids(ids)  # a generator can be read only once
    setup = with_anchors(plan.setup(checked, ids), [checked], num_threads)
    shared = kind_of(setup).shared(setup, [], plan.costs)
    intake = Intake(setup, 0, shared, plan.space, num_threads)
    part = intake.part(checked, ids, payloads)
    whole = Snapshot(setup, [part], [NONE_REMOVED], intake.next_id, space=plan.space, encoder=plan.encoder)
    return replace(
        whole, trained=trained_on(whole, num_threads), cells=found_cells(whole.parts, in_memory, num_threads)
    )


def in_a_row(snapshots: Sequence[Snapshot], ids: Sequence[NDArray[np.int64]]) -> Snapshot | None:
    """One state with the documents of several, under new increasing ids; None if these states have different options.

    Nothing is copied, and what was prepared is used as it is. Only for states in memory without cells, spaces, and
    removed documents, whose ids are integers.
    """
    setup = snapshots[0].setup
    if any(snapshot.setup != setup for snapshot in snapshots):
        return None
    parts = []
    for snapshot, own in zip(snapshots, ids, strict=True):
        (part,) = snapshot.parts
        parts.append(Part(setup, {**part.arrays, "ids": own}, part.numbers, part.prepared))
    return Snapshot(setup, parts, [NONE_REMOVED] * len(parts), int(ids[-1][-1]) + 1)


def added(
    keeper: Keeper,
    docs: Documents,
    ids: Ids | None,
    payloads: Any,
    num_threads: int,
    *,
    replacing: bool = False,
    gone: Positions = NONE_REMOVED,
    texts: dict[str, NDArray[Any]] | None = None,
) -> tuple[Snapshot, NDArray[Any]]:
    """Add documents after all others, and return the new state and their ids.

    If `replacing`, documents with the same ids are removed, and in any case those at the positions `gone`. `texts` are
    arrays of texts to keep. The keeper merges small parts at the end, in a folder into a new file.

    Raises
    ------
    DuplicateIdError
        If an id is given twice, or is already in the index and documents are not replaced.
    """
    snapshot = keeper.snapshot
    if not snapshot.parts and snapshot.setup.anchors is None:
        checked = as_documents(docs, snapshot.setup.measure)
        snapshot = replace(snapshot, setup=with_anchors(snapshot.setup, [checked], num_threads))
    new = None if replacing else new_to(snapshot.find, "is already in the index; upsert replaces documents")
    intake = Intake(snapshot.setup, snapshot.next_id, snapshot.shared, snapshot.space, num_threads)
    part = intake.part(docs, ids, payloads, new, texts)
    listed = part.ids.take(np.arange(len(part)))
    if replacing or len(gone):
        found = snapshot.find(listed.tolist())
        snapshot = without(snapshot, np.union1d(found[found >= 0], gone))
    return _appended(keeper, snapshot, part, intake.next_id, num_threads), listed


def adopted(keeper: Keeper, source: Snapshot, positions: Positions, num_threads: int) -> Snapshot:
    """Add documents of another index with the same options, as they are stored there, and return the new state.

    They are held in memory. None may have an id that is in use.
    """
    snapshot = keeper.snapshot
    owners = np.searchsorted(source.firsts, positions, side="right") - 1
    own = np.unique(owners).tolist()
    left = [np.delete(np.arange(len(source.parts[p])), positions[owners == p] - source.firsts[p]) for p in own]
    arrays, numbers = merged([source.parts[p] for p in own], left)
    copied = {name: array.joined() for name, array in arrays.items()}
    part = Part(snapshot.setup, *snapshot.kind.moved(copied, numbers, source.shared, snapshot.shared))
    next_id = next_id_after(snapshot.next_id, part.ids)
    return _appended(keeper, snapshot, part, next_id, num_threads)


def _appended(keeper: Keeper, snapshot: Snapshot, part: Part, next_id: int, num_threads: int) -> Snapshot:
    parts, removed = [*snapshot.parts, part], [*snapshot.removed, NONE_REMOVED]
    first = first_of_tail(parts, removed, covered(snapshot))
    if first < len(parts) - 1:
        tail = keeper.merge(parts[first:], removed[first:])
        parts, removed = [*parts[:first], tail], [*removed[:first], NONE_REMOVED]
    cells = _with_cells(snapshot.cells, parts, first, keeper, num_threads)
    return replace(snapshot, parts=parts, removed=removed, next_id=next_id, cells=cells)


def _with_cells(
    cells: Cells | None, parts: Sequence[Part], kept: int, keeper: Keeper, num_threads: int
) -> Cells | None:
    if cells is None or has_outgrown(cells, parts):
        return found_cells(parts, keeper.keep, num_threads)
    return with_parts(cells, parts, kept, keeper.keep, num_threads)


def covered(snapshot: Snapshot) -> int:
    """Number of the first documents whose parts must remain as they are, as the prefilter was trained on them."""
    if snapshot.cells is not None:
        return snapshot.cells.covered
    return 0 if snapshot.trained is None else snapshot.trained.covered


def first_of_tail(parts: Sequence[Part], removed: Sequence[Positions], covered: int) -> int:
    """Position of the first of the last parts to merge; that of the last part if there is nothing to merge.

    This works like a binary counter: a part is merged with those after it once they have half its size. So after n
    additions a document has been copied about log₂ n times.
    """
    ends = np.cumsum([len(part) for part in parts])
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
    """Return the state without the documents at given positions."""
    removed = list(snapshot.removed)
    parts = np.searchsorted(snapshot.firsts, positions, side="right") - 1
    for p in np.unique(parts).tolist():
        own = np.union1d(removed[p], positions[parts == p] - snapshot.firsts[p])
        own.flags.writeable = False
        removed[p] = own
    return replace(snapshot, removed=removed)


def compacted(keeper: Keeper, snapshot: Snapshot, num_threads: int) -> Snapshot:
    """Merge all parts into one, without removed documents, and train the prefilter on it.

    Centroids of cells are kept if they fit the documents that are left.
    """
    if len(snapshot) == 0 and not snapshot.kind.table_grows:
        # The first part is kept although it is empty: it holds the costs, which `add` needs.
        return replace(snapshot, parts=snapshot.parts[:1], removed=snapshot.removed[:1])
    if len(snapshot) == 0:
        return replace(snapshot, parts=[], removed=[], trained=None, cells=None)
    part = keeper.merge(snapshot.parts, snapshot.removed)
    whole = replace(snapshot, parts=[part], removed=[NONE_REMOVED], trained=None)
    try:
        trained = trained_on(whole, num_threads)
    except ValueError:
        trained = None  # too few documents are left for faiss to train on; comparing all of them is fast
    known = None if snapshot.cells is None else snapshot.cells.codebook
    return replace(whole, trained=trained, cells=found_cells(whole.parts, keeper.keep, num_threads, known))


def trained_on(snapshot: Snapshot, num_threads: int) -> Trained | None:
    """Train the prefilter's faiss index on all documents, if it has one; 0 threads means all cores.

    Raises
    ------
    ValueError
        If faiss cannot train it, for example because there are too few documents.
    """
    chosen = snapshot.setup.prefilter
    if not isinstance(chosen, str):
        return None
    return train(chosen, [part.arrays["pooled"] for part in snapshot.parts], snapshot.setup.measure, num_threads)
