"""Moving documents from full shards to others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
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
from moverank.text_index.changing import attachment_of, lexical_of
from moverank.text_index.entries import Entries
from moverank.text_index.holder import Holder
from moverank.text_index.settings import Settings

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

    Documents are moved as they are stored, so that no distance changes. Those of a `TextIndex` are moved with their
    texts and terms, all passages of a document together; shards then count entries, which are passages or documents.
    Each step writes documents to their new shard before it removes them from the old one; searches of all shards count
    a document once that is in two. If a call was interrupted, the next one begins by finishing its last step.

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
        Number of documents, or of entries, of each shard.

    Raises
    ------
    IndexLockedError
        If a shard is open for writing.
    ShardMismatchError
        If shards differ in something on which distances depend.
    ValueError
        If there are no folders, or shards have terms but keep no texts, without which terms cannot be moved.
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
            _require_movable(folder, store.snapshot, listed[0], stores[0].snapshot)
        gave = _finish_interrupted(stores)
        mean = sum(len(store.snapshot) for store in stores) / len(stores)
        moved, total = 0, sum(max(int(len(store.snapshot) - mean), 0) for store in stores)
        while True:
            sizes = np.array([len(store.snapshot) for store in stores])
            most, least = stores[int(sizes.argmax())], stores[int(sizes.argmin())]
            if np.abs(sizes - mean).max() <= max(share * mean, 1.0):
                break
            count = int(min(sizes.max() - mean, mean - sizes.min()))
            if count < 1:
                break
            chosen = _whole_documents(most.snapshot, _last(most.snapshot, count))
            if len(chosen) >= len(most.snapshot) - sizes.min():
                break  # one document of very many passages: the other shard would be the larger one
            _commit(least, adopted(least, most.snapshot, chosen, num_threads), source=most.snapshot, new=chosen)
            _commit(most, without(most.snapshot, chosen), gone=chosen)
            gave.add(most)
            moved += len(chosen)
            if progress is not None:
                progress(moved, max(total, moved))
        for store in gave:
            _forget_moved(store)
        return [len(store.snapshot) for store in stores]


def _last(snapshot: Snapshot, count: int) -> Positions:
    """The last documents, at most so many, and as many as may be in memory: the newest are in the smallest parts."""
    chosen = snapshot.positions[-count:]
    parts = np.searchsorted(snapshot.firsts, chosen, side="right") - 1
    each = np.array([part.nbytes / max(len(part), 1) for part in snapshot.parts])[parts]
    fit = int((np.cumsum(each[::-1]) <= BYTES_AT_ONCE).sum())
    return chosen[-max(fit, 1) :]


def _finish_interrupted(stores: Sequence[Store]) -> set[Store]:
    """Remove documents that a step had written to another shard, but not yet removed from their own; say from where."""
    gave = set()
    for s, store in enumerate(stores):
        for other in stores[s + 1 :]:
            # The one that has them twice by an interrupted step is either; both copies are the same.
            ids = other.snapshot.ids_at(other.snapshot.positions)
            found = store.snapshot.find(ids.tolist())
            if (found >= 0).any():
                for id, position in zip(ids.tolist(), found.tolist(), strict=True):
                    if position >= 0:
                        _require_same(store.snapshot, position, other.snapshot, id)
                gone = np.unique(found[found >= 0])
                _commit(store, without(store.snapshot, gone), gone=gone)
                gave.add(store)
    return gave


def _require_same(one: Snapshot, position: int, other: Snapshot, id: int | str) -> None:
    """Refuse a document that is in two shards and was changed in one of them: which of the two counts is not known."""
    place = other.position_of(id)
    pairs = [(one.payload(position), other.payload(place))]
    pairs += zip(one.document(position), other.document(place), strict=True)
    if not all(np.array_equal(x, y) for x, y in pairs):
        raise ShardMismatchError(f"two shards have different documents of the id {id!r:.80}; remove one of them")


# ---- texts -----------------------------------------------------------------------------------------------------------


def _require_movable(folder: Path, snapshot: Snapshot, first_folder: Path, first: Snapshot) -> None:
    settings, others = _settings(snapshot), _settings(first)
    if (settings is None) != (others is None):
        raise ShardMismatchError(f"{folder} and {first_folder}: one has texts, the other vectors alone")
    if settings is not None and others is not None:
        for name in ("passages", "lexical", "store_texts"):
            if getattr(settings, name) != getattr(others, name):
                own = f"{name} {getattr(settings, name)!r:.80}"
                raise ShardMismatchError(f"{folder} has {own}, but {first_folder} {getattr(others, name)!r:.80}")
    if settings is not None and settings.lexical is not None and not settings.store_texts:
        raise ValueError(f"folders: {folder} has terms, but keeps no texts, without which terms cannot be moved")


def _settings(snapshot: Snapshot) -> Settings | None:
    """Settings of an index of texts; None for one of vectors."""
    return None if snapshot.attachment is None else Holder().of(snapshot).settings


def _whole_documents(snapshot: Snapshot, chosen: Positions) -> Positions:
    """All passages of the documents of which some were chosen."""
    settings = _settings(snapshot)
    if settings is None or settings.passages is None:
        return chosen
    entries = Entries(settings.passages)
    documents = list(dict.fromkeys(entries.document_of(id) for id in snapshot.ids_at(chosen).tolist()))
    return np.sort(np.concatenate(entries.positions_in(snapshot, documents)))


def _commit(
    store: Store,
    state: Snapshot,
    *,
    source: Snapshot | None = None,
    new: Positions | None = None,
    gone: Positions | None = None,
) -> None:
    """Commit a state, with the terms of texts that came from another index, or without those of texts that went."""
    before = store.snapshot
    if before.attachment is None:
        store.commit(state)
        return
    held = Holder().of(before)
    settings, lexical = held.settings, held.lexical
    added: list[tuple[str, str]] = []
    if source is not None and new is not None:
        ids = source.ids_at(new).tolist()
        kept = [source.text(position) for position in new.tolist()]
        added = [(id, own[0]) for id, own in zip(ids, kept, strict=True) if own is not None]
        theirs = Holder().of(source).settings
        settings = replace(settings, ids=theirs.ids, next_id=max(settings.next_id, theirs.next_id))
    if lexical is not None:
        removed = [] if gone is None else before.ids_at(gone).tolist()
        lexical = lexical.changed(added, removed)
    store.commit(replace(state, attachment=attachment_of(settings, held.other_files, lexical)))


def _forget_moved(store: Store) -> None:
    """Make the terms of an index of texts anew: until then they count texts that were moved, as removed ones."""
    snapshot = store.snapshot
    if snapshot.attachment is None:
        return
    held = Holder().of(snapshot)
    if held.lexical is not None:
        lexical = lexical_of(snapshot, held.lexical.analyzer)
        store.commit(replace(snapshot, attachment=attachment_of(held.settings, held.other_files, lexical)))
