"""Building an index in a folder by several processes: they write segments, and one of them commits all of these once.

What all segments have to agree on, the setup with its origin and anchors, is fixed when the build begins, by committing
an index without documents that counts as incomplete. Each process gets a `Writer`, and takes any rows in any order.
After a crash the build goes on: rows whose segment has a record are not taken again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import rmtree
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank._support.validate import read_only
from moverank.errors import DuplicateIdError, IndexExistsError, MeasureMismatchError
from moverank.index.changes import NONE_REMOVED, trained_on
from moverank.index.disk.building import SEGMENT_BYTES
from moverank.index.disk.manifest import MANIFEST, STAGED
from moverank.index.disk.staging import FolderPlace, Place, Record, as_array, known_rows, name_of, parsed_records
from moverank.index.disk.store import Store
from moverank.index.parts.attached_space import AttachedSpace
from moverank.index.parts.finding_cells import found_cells
from moverank.index.parts.ids import Ids, Positions, make_ids
from moverank.index.parts.intake import Documents, Intake, next_id_after
from moverank.index.parts.kinds import kind_of
from moverank.index.parts.part import Part
from moverank.index.parts.setup import Setup
from moverank.index.parts.words import Numbering
from moverank.index.snapshot import Snapshot
from moverank.vectors.encoder_identity import checked

#: A segment of at least this many bytes is used as it was written; smaller ones are merged.
LARGE_SEGMENT = SEGMENT_BYTES // 4


@dataclass(frozen=True)
class Rows:
    """Rows to be taken: their ids and their digests, see `digest_of`."""

    ids: list[Any]
    digests: list[bytes]

    def __len__(self) -> int:
        return len(self.ids)

    def at(self, places: Sequence[int]) -> Rows:
        """Some of the rows."""
        return Rows([self.ids[p] for p in places], [self.digests[p] for p in places])


@dataclass(frozen=True)
class Writer:
    """Writes segments for a build. It is passed to the processes that take part.

    Attributes
    ----------
    setup : Setup
        Options of the index.
    space : AttachedSpace or None
        The space of the documents.
    place : Place
        Where segments go.
    known : ndarray of bytes, shape (N,)
        Digests of rows that were taken before the build was resumed, in increasing order.
    """

    setup: Setup
    space: AttachedSpace | None
    place: Place
    known: NDArray[np.bytes_]

    def new(self, rows: Rows) -> list[int]:
        """Places of the rows that have not been taken yet; DuplicateIdError if an id is given twice."""
        make_ids(rows.ids, len(rows))
        digests = as_array(b"".join(rows.digests))
        if not len(self.known):
            return list(range(len(rows)))
        found = np.minimum(np.searchsorted(self.known, digests), len(self.known) - 1)
        return np.flatnonzero(self.known[found] != digests).tolist()

    def recorded(self, rows: Rows) -> str | None:
        """Name of the record of just these rows, if a process that ended before it could say so has taken them."""
        name = name_of(b"".join(rows.digests))
        return name if self.place.has(name) else None

    def write(
        self,
        rows: Rows,
        docs: Documents | None,
        ids: Ids,
        payloads: Any = None,
        texts: dict[str, NDArray[Any]] | None = None,
        *,
        counts: Sequence[int] | None = None,
        dropped: int = 0,
        cut: int = 0,
        num_threads: int = 1,
    ) -> str:
        """Write the documents of some rows as one segment, durably, and return the name of its record.

        `counts` is the number of documents per row, by default one. The other arguments are those of `Intake.part`.
        """
        segment = None
        if docs is not None:
            shared = kind_of(self.setup).shared(self.setup, [])
            part = Intake(self.setup, 0, shared, self.space, num_threads).part(docs, ids, payloads, texts=texts)
            segment = self.place.write(part.arrays, part.numbers)
        own = [1] * len(rows) if counts is None else list(counts)
        record = Record(rows.ids, b"".join(rows.digests), own, segment, dropped, cut)
        self.place.note(record)
        return record.name


class JointBuild:
    """A build of an index in a folder by several processes, new or resumed; made by the process that will commit it.

    Parameters
    ----------
    folder : Path
        The folder.
    empty : Snapshot
        The index without documents.
    resume : bool
        Continue an interrupted build, if there is one.
    place : Place, optional
        Where segments lie until they are committed; by default in the folder, which all processes then have to share.
    trained : callable, optional
        Called with the setup of a new build, returns the one to use: with anchors.

    Raises
    ------
    IndexExistsError
        If there is an index, or a build and `resume` is False.
    IndexLockedError
        If another process is building there.
    MeasureMismatchError, EncoderMismatchError, ValueError
        If a resumed build was begun with other options.
    """

    def __init__(
        self,
        folder: Path,
        empty: Snapshot,
        *,
        resume: bool,
        place: Place | None = None,
        trained: Callable[[Setup], Setup] = lambda setup: setup,
    ) -> None:
        self._is_new = not (folder / MANIFEST).exists()
        if not self._is_new:
            if not resume:
                advice = "resume=True continues a build that was interrupted; otherwise use another path"
                raise IndexExistsError(17, f"there is already an index; {advice}", str(folder))
            self._store = Store.open(folder, writable=True, mmap=True, incomplete=True)
        else:
            self._store = Store.create(folder, overwrite=False)
        try:
            if self._store.manifest is None:
                self._store.commit(replace(empty, setup=trained(empty.setup)), batches=0)
            manifest = self._store.manifest
            assert manifest is not None, "a state has been loaded or committed"
            if manifest.batches:
                raise ValueError("resume: the build was begun by Index.build_on_disk; resume it there")
            _require_same(self.empty, empty)
            #: Whether an earlier call has committed the index.
            self.is_complete = manifest.batches is None
            staged = folder / STAGED
            if place is None and not self.is_complete:
                staged.mkdir(exist_ok=True)
            self._place: Place = FolderPlace(staged.absolute()) if place is None else place
            self._begun = {} if self.is_complete else parsed_records(self._place, self.empty.setup)
        except BaseException:
            self._store.discard_if_empty()
            self._store.close()
            raise

    @property
    def empty(self) -> Snapshot:
        """The index as it was when the build began; the whole index if it is complete."""
        return self._store.snapshot

    @property
    def n_known(self) -> int:
        """Number of rows that were taken before the build was resumed."""
        return sum(len(record.ids) for record in self._begun.values())

    @property
    def writer(self) -> Writer:
        """What the other processes need."""
        empty = self.empty
        return Writer(empty.setup, empty.space, self._place, known_rows(list(self._begun.values())))

    def commit(
        self,
        n_rows: int,
        order: Sequence[str] = (),
        finish: Callable[[Snapshot, Sequence[Record]], Snapshot] = lambda whole, records: whole,
        num_threads: int = 0,
    ) -> list[Record]:
        """Make one index of all segments, and return their records.

        Parameters
        ----------
        n_rows : int
            How many rows there were, each counted once.
        order : sequence of str
            Names of records in the order of their documents; those of an earlier call come first.
        finish : callable, optional
            Called with the whole index and the records, before it is committed; returns what to commit.
        num_threads : int
            Threads for cells and faiss; 0 means all cores.

        Raises
        ------
        DuplicateIdError
            If an id is given twice.
        ValueError
            If there is no document, or the rows are not those with which the build was begun.
        """
        found = parsed_records(self._place, self.empty.setup)
        names = dict.fromkeys([name for name in found if name not in set(order)] + list(order))
        records = [found[name] for name in names]
        copies = _copies(records, n_rows)
        setup, store = self.empty.setup, self._store
        parts, removed = self._parts(records, copies)
        if not parts:
            raise ValueError("expected at least one document, got none")
        next_id = 0
        if setup.ids == "int":
            for part in parts:
                next_id = next_id_after(next_id, part.ids)
        whole = replace(self.empty, parts=parts, removed=removed, next_id=next_id)
        cells = found_cells(whole.parts, store.keep, num_threads)
        whole = replace(whole, trained=trained_on(whole, num_threads), cells=cells)
        store.commit(finish(whole, records))
        self._place.clear()
        return records

    def close(self) -> None:
        """Release the lock on the folder. A new build of which nothing is written is as if it had not begun."""
        manifest = self._store.manifest
        if self._is_new and manifest is not None and manifest.batches == 0 and not any(self._place.records()):
            rmtree(self._store.folder, ignore_errors=True)
        self._store.close()

    def _parts(self, records: Sequence[Record], copies: Sequence[Positions]) -> tuple[list[Part], list[Positions]]:
        """Segments in the folder of the index, the small ones merged, and the documents removed from them."""
        setup, store = self.empty.setup, self._store
        has_words = setup.kind == "words"
        numbering = Numbering()
        parts: list[Part] = []
        removed: list[Positions] = []
        small: list[tuple[Part, Positions]] = []

        def flush() -> None:
            if len(small) == 1 and not has_words:
                parts.append(small[0][0])
                removed.append(small[0][1])
            elif small:
                parts.append(store.merge([part for part, _ in small], [gone for _, gone in small]))
                removed.append(NONE_REMOVED)
            small.clear()

        for record, gone in zip(records, copies, strict=True):
            if record.segment is None or len(gone) == len(record.segment):
                continue
            self._place.put(record.segment.file, store.folder)
            part = store.adopt(record.segment, setup)
            if has_words:
                first_word = float(len(numbering))
                part = Part(setup, numbering.follow(part.arrays), {**part.numbers, "first_word": first_word})
            elif part.nbytes >= LARGE_SEGMENT:
                flush()
                small.append((part, gone))
                flush()
                continue
            small.append((part, gone))
            if sum(own.nbytes for own, _ in small) >= SEGMENT_BYTES:
                flush()
        flush()
        return parts, removed


def _require_same(begun: Snapshot, now: Snapshot) -> None:
    """Refuse to resume a build with other options. The origin and the anchors are those it was begun with."""
    if begun.setup.measure != now.setup.measure:
        raise MeasureMismatchError(
            f"resume: the build was begun for {begun.setup.measure.name}, not for {now.setup.measure.name}"
        )
    if now.encoder is not None or begun.encoder is not None:
        if begun.encoder is None or now.encoder is None:
            raise ValueError("resume: the build was begun with an encoder, or without one; give the same")
        checked(begun.encoder, now.encoder)
    spaces = [None if own.space is None else own.space.octets for own in (begun, now)]
    if spaces[0] != spaces[1]:
        raise ValueError("resume: the build was begun with another space")
    before, after = (vars(replace(own.setup, origin=None, anchors=None)) for own in (begun, now))
    for name, value in before.items():
        if value != after[name]:
            raise ValueError(f"resume: the build was begun with {name} {value!r:.80}, not {after[name]!r:.80}")


def _copies(records: Sequence[Record], n_rows: int) -> list[Positions]:
    """Documents of each record that an earlier one has, too: a row may be taken twice where a process was lost.

    Raises
    ------
    DuplicateIdError
        If rows share an id, or one is given twice.
    ValueError
        If the records have rows that were not given.
    """
    digests = as_array(b"".join(record.digests for record in records))
    ids = [id for record in records for id in record.ids]
    kinds = {type(id) for id in ids}
    if len(kinds) > 1:
        raise TypeError("ids: expected all integers or all strings, got both")
    distinct, firsts = np.unique(digests, return_index=True)
    is_copy = np.ones(len(digests), dtype=bool)
    is_copy[firsts] = False
    seen: set[Any] = set()
    for place in np.flatnonzero(~is_copy).tolist():
        if ids[place] in seen:
            raise DuplicateIdError(
                f"ids: {ids[place]!r:.80} is given more than once, or another document had it when the build was begun"
            )
        seen.add(ids[place])
    if n_rows > len(distinct):
        several = f"{ids[int(np.argmax(is_copy))]!r:.80} is one of them" if is_copy.any() else "with equal content"
        raise DuplicateIdError(f"ids: {n_rows - len(distinct)} are given more than once; {several}")
    if n_rows < len(distinct):
        raise ValueError(
            f"resume: expected the documents with which the build was begun; {len(distinct) - n_rows} that were "
            "written then are not given now"
        )
    copies, begin = [], 0
    for record in records:
        own = np.repeat(is_copy[begin : begin + len(record.ids)], record.counts)
        copies.append(read_only(np.flatnonzero(own).astype(np.int64)) if own.any() else NONE_REMOVED)
        begin += len(record.ids)
    return copies
