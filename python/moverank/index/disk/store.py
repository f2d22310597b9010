"""The folder of an index, and how one state of it becomes the next.

A change writes new files, makes them durable, and then replaces the manifest, which is what makes them part of the
index: whoever reads meanwhile sees all of the old state or all of the new one, and so does whoever opens the index
after a crash at any point. Files that no state needs any more are deleted afterwards; processes that have them
open keep them.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from moverank.errors import (
    IndexExistsError,
    IndexFormatError,
    IndexIncompleteError,
    IndexNotFoundError,
    IndexWriteError,
    ReadOnlyIndexError,
)
from moverank.index.disk.files import (
    FileEntry,
    NewFile,
    read_listed,
    remove_file,
    replace_file,
    require_checksum,
    require_posix,
    sync_folder,
    writing,
)
from moverank.index.disk.lock import LOCK, Lock
from moverank.index.disk.manifest import FILE_NAME, MANIFEST, Manifest, read_manifest, to_bytes
from moverank.index.disk.segments import Segment, map_listed, read_segment, write_segment
from moverank.index.parts.attached_space import AttachedSpace
from moverank.index.parts.ids import Positions
from moverank.index.parts.merging import Chunked, merged
from moverank.index.parts.part import Part
from moverank.index.parts.setup import Setup
from moverank.index.search.prefilters import Trained, configure
from moverank.index.snapshot import Snapshot

#: The next manifest, until it takes the place of the last.
NEXT_MANIFEST = MANIFEST + ".new"


class Store:
    """An open folder. Made by `Store.create` or `Store.open`.

    Parameters
    ----------
    folder : Path
        Where the files are.
    lock : Lock or None
        The right to write.
    mmap : bool
        Whether files are mapped; otherwise they are read, and checked, when they are opened.
    """

    def __init__(self, folder: Path, lock: Lock | None, *, mmap: bool) -> None:
        self.folder = folder.absolute()  # the process may go elsewhere
        self.mmap = mmap
        # One value, so that an interrupt cannot come between its halves.
        self._state: tuple[Manifest | None, Snapshot | None] = (None, None)
        self._lock = lock
        self._in_doubt = False
        self._segments: WeakKeyDictionary[Part, Segment] = WeakKeyDictionary()
        self._removed: WeakKeyDictionary[Part, tuple[Positions, FileEntry]] = WeakKeyDictionary()
        self._trained: tuple[Trained, FileEntry] | None = None
        self._space: tuple[AttachedSpace, FileEntry] | None = None

    @property
    def manifest(self) -> Manifest | None:
        """Manifest of the state that was loaded or committed last."""
        return self._state[0]

    @property
    def snapshot(self) -> Snapshot:
        """That state."""
        snapshot = self._state[1]
        assert snapshot is not None, "nothing was loaded or committed yet"
        return snapshot

    # ---- opening ---------------------------------------------------------------------------------------------------

    @classmethod
    def create(cls, folder: Path, *, overwrite: bool, mmap: bool = True) -> Store:
        """Make a folder for an index, or take one over; what is in it stays until the first commit.

        Raises
        ------
        IndexExistsError
            If there is an index and it is not to be overwritten, or something else.
        """
        require_posix()
        was_there = folder.exists()
        if was_there:
            foreign = not folder.is_dir() or any(not _is_ours(entry.name) for entry in folder.iterdir())
            if foreign:
                raise IndexExistsError(17, "there is something else than an index; choose another path", str(folder))
            if (folder / MANIFEST).exists() and not overwrite:
                raise IndexExistsError(
                    17, "there is an index already; overwrite=True replaces it, or choose another path", str(folder)
                )
        else:
            with writing(folder):
                folder.mkdir()
        try:
            store = cls(folder, Lock(folder), mmap=mmap)
        except BaseException:
            if not was_there:
                with suppress(OSError):
                    folder.rmdir()
            raise
        try:
            with writing(folder), suppress(IndexFormatError, IndexNotFoundError):
                store._state = read_manifest(folder), None
        except BaseException:
            store.discard_if_empty()
            store.close()
            raise
        return store

    @classmethod
    def open(cls, folder: Path, *, writable: bool, mmap: bool, incomplete: bool = False) -> Store:
        """Open an index that is there, and load it."""
        require_posix()
        read_manifest(folder)  # so that no lock is left in a folder that is not an index
        store = cls(folder, Lock(folder) if writable else None, mmap=mmap)
        try:
            store.load(incomplete=incomplete)
        except BaseException:
            store.close()
            raise
        if writable:
            store._sweep()
        return store

    def close(self) -> None:
        """Let others write. What was loaded stays usable."""
        if self._lock is not None:
            self._lock.release()

    def discard_if_empty(self) -> None:
        """Remove the folder if no index came to be in it."""
        with suppress(OSError):
            if [entry.name for entry in self.folder.iterdir()] == [LOCK]:
                remove_file(self.folder / LOCK)
                self.folder.rmdir()

    @property
    def writable(self) -> bool:
        """Whether it was opened for writing."""
        return self._lock is not None

    # ---- reading ---------------------------------------------------------------------------------------------------

    def load(self, *, incomplete: bool = False) -> None:
        """Take over the latest state. Parts that an earlier one had are the same objects.

        Raises
        ------
        IndexFormatError
            If files are missing, damaged or not ours.
        IndexIncompleteError
            If the index is still being built, unless that is expected.
        """
        manifest = read_manifest(self.folder)
        while True:
            try:
                snapshot = self._snapshot_of(manifest)
                break
            except FileNotFoundError as error:
                # A writer may have committed since the manifest was read, and deleted the files it named.
                latest = read_manifest(self.folder)
                if latest == manifest:
                    raise IndexFormatError(f"{error.filename}: is missing; the index is damaged") from None
                manifest = latest
        if manifest.batches is not None and not incomplete:
            raise IndexIncompleteError(
                f"{self.folder}: the index is not yet built, {manifest.batches} batches are in; "
                "Index.build_on_disk(..., resume=True) resumes it"
            )
        self._state = manifest, snapshot

    def is_stale(self) -> bool:
        """Whether there is a later state than was loaded."""
        return read_manifest(self.folder) != self.manifest

    def _snapshot_of(self, manifest: Manifest) -> Snapshot:
        setup = manifest.setup
        known = {segment.file.file: part for part, segment in self._segments.items() if part.setup == setup}
        parts, removed = [], []
        for segment in manifest.segments:
            part = known.get(segment.file.file) or self._part_of(segment, setup)
            parts.append(part)
            removed.append(self._removed_of(part, segment))
        trained = None
        if manifest.faiss is not None:
            trained = self._trained_of(manifest.faiss, manifest.covered, setup)
        space = None if manifest.space is None else self._space_of(manifest.space)
        return Snapshot(setup, parts, removed, manifest.next_id, trained, space, manifest.encoder)

    def _part_of(self, segment: Segment, setup: Setup) -> Part:
        part = Part(setup, read_segment(self.folder, segment, mmap=self.mmap), segment.numbers)
        self._segments[part] = segment
        return part

    def _removed_of(self, part: Part, segment: Segment) -> Positions:
        if segment.removed is None:
            return np.empty(0, dtype=np.int64)
        if part in self._removed and self._removed[part][1] == segment.removed:
            return self._removed[part][0]
        removed = read_listed(self.folder, segment.removed).view("<i8").astype(np.int64, copy=False)
        if removed[0] < 0 or removed[-1] >= len(part) or (removed[1:] <= removed[:-1]).any():
            raise IndexFormatError(f"{self.folder / segment.removed.file}: holds no rising positions of documents")
        self._removed[part] = removed, segment.removed
        return removed

    def _trained_of(self, entry: FileEntry, covered: int, setup: Setup) -> Trained:
        if self._trained is not None and self._trained[1] == entry:
            return self._trained[0]
        octets = map_listed(self.folder, entry)  # now, as the file may be deleted before it is asked for

        def load() -> Any:
            require_checksum(self.folder, entry, [octets])
            faiss: Any = import_module("faiss")
            octets.seek(0)
            try:
                index = faiss.read_index(faiss.PyCallbackIOReader(octets.read))
                configure(index, str(setup.prefilter))
            except RuntimeError as error:
                raise IndexFormatError(f"{self.folder / entry.file}: faiss cannot read it: {error}") from None
            if (index.ntotal, index.d) != (covered, setup.dim):
                raise IndexFormatError(f"{self.folder / entry.file}: is not of this index's documents")
            return index

        trained = Trained(covered, str(setup.prefilter), load)
        self._trained = trained, entry
        return trained

    def _space_of(self, entry: FileEntry) -> AttachedSpace:
        if self._space is not None and self._space[1] == entry:
            return self._space[0]
        octets = map_listed(self.folder, entry)  # now, as the file may be deleted before it is asked for

        def load() -> bytes:
            require_checksum(self.folder, entry, [octets])
            return octets[:]

        space = AttachedSpace(load)
        self._space = space, entry
        return space

    # ---- writing ---------------------------------------------------------------------------------------------------

    def require_writable(self) -> None:
        """Refuse to write without the right to, or after a change whose end is not known."""
        if self._lock is None:
            raise ReadOnlyIndexError(
                f"{self.folder}: was opened for reading; Index.open(path, writable=True) opens it for writing"
            )
        self._lock.require()
        if self._in_doubt:
            self._settle()
        if self._in_doubt:
            raise IndexWriteError(
                5,
                "an earlier change was cut off while it was made durable; close the index and open it",
                str(self.folder),
            )

    def commit(self, snapshot: Snapshot, *, batches: int | None = None) -> None:
        """Make a state durable; then it is the store's own, with its new parts mapped.

        Raises
        ------
        IndexWriteError
            If something could not be written. The state on disk is then the one before; only if the new one was in
            place already, but not known to be durable, either may be found when the index is opened next.
        """
        self.require_writable()
        before = self._removed.copy(), self._trained, self._space
        try:
            parts = [self._stored(part, snapshot.setup) for part in snapshot.parts]
            segments = []
            for part, removed in zip(parts, snapshot.removed, strict=True):
                own = self._segments[part]
                gone = self._stored_removed(part, removed) if len(removed) else None
                segments.append(Segment(own.file, own.arrays, own.numbers, gone))
            trained, entry = self._stored_trained(snapshot)
            space, of_space = self._stored_space(snapshot)
            manifest = Manifest(
                setup=snapshot.setup,
                generation=1 if self.manifest is None else self.manifest.generation + 1,
                next_id=snapshot.next_id,
                batches=batches,
                segments=tuple(segments),
                faiss=entry,
                covered=0 if trained is None else trained.covered,
                space=of_space,
                encoder=snapshot.encoder,
            )
            # Made before the manifest is replaced: there may be no memory for it afterwards.
            state = manifest, replace(snapshot, parts=parts, trained=trained, space=space)
            sync_folder(self.folder)
            self._replace_manifest(manifest)
            self._state = state
        except BaseException:
            # An interrupt may come at any point: what is on disk says how far it got.
            self._removed, self._trained, self._space = before
            self._in_doubt = True
            self._settle()
            raise
        self._sweep()

    def merge(self, parts: Sequence[Part], removed: Sequence[Positions]) -> Part:
        """Write one part in place of some; until the next commit nothing refers to it."""
        return self._written(parts[0].setup, *merged(parts, removed))

    def _written(self, setup: Setup, arrays: Mapping[str, Chunked], numbers: Mapping[str, float]) -> Part:
        path = self._new_path("seg")
        segment = write_segment(path, arrays, numbers)
        with writing(path):
            return self._part_of(segment, setup)

    def _new_path(self, kind: str) -> Path:
        return self.folder / f"{secrets.token_hex(8)}.{kind}"

    def _stored(self, part: Part, setup: Setup) -> Part:
        if part in self._segments:
            return part
        return self._written(setup, {name: Chunked.of(array) for name, array in part.arrays.items()}, part.numbers)

    def _stored_removed(self, part: Part, removed: Positions) -> FileEntry:
        if part not in self._removed or self._removed[part][0] is not removed:
            with NewFile(self._new_path("gone")) as file:
                file.write(removed.astype("<i8"))
                self._removed[part] = removed, file.finish()
        return self._removed[part][1]

    def _stored_trained(self, snapshot: Snapshot) -> tuple[Trained | None, FileEntry | None]:
        trained = snapshot.trained
        if trained is None:
            return None, None
        if self._trained is None or self._trained[0] is not trained:
            with NewFile(self._new_path("faiss")) as file:
                _write_faiss(trained.index, file)
                self._trained = trained, file.finish()
        return self._trained

    def _stored_space(self, snapshot: Snapshot) -> tuple[AttachedSpace | None, FileEntry | None]:
        space = snapshot.space
        if space is None:
            return None, None
        if self._space is None or self._space[0] is not space:
            with NewFile(self._new_path("space")) as file:
                file.write(space.octets)
                self._space = space, file.finish()
        return self._space

    def _replace_manifest(self, manifest: Manifest) -> None:
        path = self.folder / NEXT_MANIFEST
        with writing(path), suppress(FileNotFoundError):
            remove_file(path)
        with NewFile(path) as file:
            file.write(to_bytes(manifest))
            file.finish()
        replace_file(path, self.folder / MANIFEST)
        sync_folder(self.folder)

    def _settle(self) -> None:
        """End the doubt, if the state on disk is the one that was loaded or committed last."""
        try:
            on_disk: Manifest | None = read_manifest(self.folder)
        except IndexNotFoundError:
            on_disk = None
        except (OSError, IndexFormatError, MemoryError):
            return  # it cannot be said, or not yet
        if on_disk == self.manifest:
            self._in_doubt = False
            self._sweep()

    def _sweep(self) -> None:
        """Delete files of ours that the state on disk does not need; what cannot be deleted stays for the next time."""
        with suppress(OSError, MemoryError):
            needed = set() if self.manifest is None else {entry.file for entry in self.manifest.files}
            for entry in list(self.folder.iterdir()):
                if entry.name == NEXT_MANIFEST or (FILE_NAME.fullmatch(entry.name) and entry.name not in needed):
                    with suppress(OSError):
                        remove_file(entry)


def _is_ours(name: str) -> bool:
    return name in (MANIFEST, NEXT_MANIFEST, LOCK) or FILE_NAME.fullmatch(name) is not None


def _write_faiss(index: Any, file: NewFile) -> None:
    faiss: Any = import_module("faiss")
    failed: list[Exception] = []

    def take(piece: bytes) -> None:
        # No exception may pass through faiss.
        if not failed:
            try:
                file.write(piece)
            except Exception as error:
                failed.append(error)

    faiss.write_index(index, faiss.PyCallbackIOWriter(take))
    if failed:
        raise failed[0]
