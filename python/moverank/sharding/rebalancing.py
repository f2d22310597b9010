"""Moving documents from full shards to others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from moverank._support.validate import as_list, positive_number
from moverank.errors import ShardMismatchError
from moverank.index.changes import adopted, without
from moverank.index.disk.store import Store
from moverank.index.index import PathLike
from moverank.index.parts.ids import Positions
from moverank.index.snapshot import Snapshot
from moverank.sharding.fingerprint import Fingerprint

#: Bytes of documents that are moved in one step, which are in memory, and in both shards for a moment.
BYTES_AT_ONCE = 1 << 26


def rebalance(
    folders: Sequence[PathLike],
    *,
    tolerance: float = 0.1,
    progress: Callable[[int, int], object] | None = None,
    num_threads: int = 0,
) -> list[int]:
    """Move documents between shards until all have about the same number.

    Documents are moved as they are stored, so that no distance changes. Each step writes them to their new shard before
    it removes them from the old one; searches of all shards count a document once that is in two. If a call was
    interrupted, the next one begins by finishing its last step.

    Parameters
    ----------
    folders : sequence of path
        The folders of all shards.
    tolerance : float, default 0.1
        How far a shard may be above or below the mean, as a share of it.
    progress : callable, optional
        Called after each step with the number of documents that were moved, and the number that will be moved.
    num_threads : int, default 0
        Threads to use; 0 for all cores.

    Returns
    -------
    list of int
        Number of documents of each shard.

    Raises
    ------
    IndexLockedError
        If a shard is open for writing.
    ShardMismatchError
        If shards differ in something on which distances depend.
    ValueError
        If there are no folders, or a shard is the index of a `TextIndex`, whose texts and terms would stay behind.
    """
    listed = [Path(folder) for folder in as_list(folders, "folders", "paths")]
    if not listed:
        raise ValueError("folders: expected at least one, got none")
    share = positive_number(tolerance, "tolerance")
    with ExitStack() as stack:
        stores = []
        for folder in listed:
            stores.append(Store.open(folder, writable=True, mmap=True))
            stack.callback(stores[-1].close)
        first = Fingerprint.of(stores[0].snapshot)
        for folder, store in zip(listed, stores, strict=True):
            first.require(Fingerprint.of(store.snapshot), str(listed[0]), str(folder))
            if store.snapshot.attachment is not None:
                raise ValueError(f"folders: {folder} is a TextIndex, whose texts and terms would stay behind")
        _finish_interrupted(stores)
        mean = sum(len(store.snapshot) for store in stores) / len(stores)
        moved, total = 0, sum(max(int(len(store.snapshot) - mean), 0) for store in stores)
        while True:
            sizes = np.array([len(store.snapshot) for store in stores])
            most, least = stores[int(sizes.argmax())], stores[int(sizes.argmin())]
            if np.abs(sizes - mean).max() <= max(share * mean, 1.0):
                return [int(size) for size in sizes]
            count = int(min(sizes.max() - mean, mean - sizes.min()))
            if count < 1:
                return [int(size) for size in sizes]
            chosen = _last(most.snapshot, count)
            least.commit(adopted(least, most.snapshot, chosen, num_threads))
            most.commit(without(most.snapshot, chosen))
            moved += len(chosen)
            if progress is not None:
                progress(moved, max(total, moved))


def _last(snapshot: Snapshot, count: int) -> Positions:
    """The last documents, at most so many, and as many as may be in memory: the newest are in the smallest parts."""
    chosen = snapshot.positions[-count:]
    parts = np.searchsorted(snapshot.firsts, chosen, side="right") - 1
    each = np.array([part.nbytes / max(len(part), 1) for part in snapshot.parts])[parts]
    fit = int((np.cumsum(each[::-1]) <= BYTES_AT_ONCE).sum())
    return chosen[-max(fit, 1) :]


def _finish_interrupted(stores: Sequence[Store]) -> None:
    """Remove documents that a step had written to another shard, but not yet removed from their own."""
    for s, store in enumerate(stores):
        for other in stores[s + 1 :]:
            # The one that has them twice by an interrupted step is either; both copies are the same.
            ids = other.snapshot.ids_at(other.snapshot.positions)
            found = store.snapshot.find(ids.tolist())
            if (found >= 0).any():
                for id, position in zip(ids.tolist(), found.tolist(), strict=True):
                    if position >= 0:
                        _require_same(store.snapshot, position, other.snapshot, id)
                store.commit(without(store.snapshot, np.unique(found[found >= 0])))


def _require_same(one: Snapshot, position: int, other: Snapshot, id: int | str) -> None:
    """Refuse a document that is in two shards and was changed in one of them: which of the two counts is not known."""
    place = other.position_of(id)
    pairs = [(one.payload(position), other.payload(place))]
    pairs += zip(one.document(position), other.document(place), strict=True)
    if not all(np.array_equal(x, y) for x, y in pairs):
        raise ShardMismatchError(f"two shards have different documents of the id {id!r:.80}; remove one of them")
