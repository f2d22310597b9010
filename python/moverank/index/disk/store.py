"""The folder of an index, and the protocol of changing it.

A change writes new files and makes them durable. Then it replaces the manifest, which makes these files part of the
index. So a reader sees either the old state or the new one, and so does a process that opens the index after a crash at
any point. Files that are no longer needed are deleted afterwards; processes that have them open can still read them.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from shutil import rmtree
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

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
from moverank.index.disk.manifest import (
    FILE_NAME,
    MANIFEST,
    STAGED,
    Manifest,
    StoredAttachment,
    StoredCells,
    read_manifest,
    to_bytes,
)
from moverank.index.disk.segments import ArrayFile, Segment, map_listed, read_arrays, write_arrays
from moverank.index.parts.anchors import Anchors
from moverank.index.parts.attached_space import AttachedSpace
from moverank.index.parts.attachment import AttachedFile, Attachment
from moverank.index.parts.cells import Cells, DocumentCells
from moverank.index.parts.codebook import Codebook
from moverank.index.parts.ids import Positions
from moverank.index.parts.merging import Chunked, merged
from moverank.index.parts.part import Part
from moverank.index.parts.setup import Setup
from moverank.index.search.prefilters import Trained, configure
from moverank.index.snapshot import Snapshot

#: Name of the next manifest until it replaces the current one.
NEXT_MANIFEST = MANIFEST + ".new"


class Store:
    """An open folder with an index. Made by `Store.create` or `Store.open`.

    Parameters
    ----------
    folder : Path
        The folder.
    lock : Lock or None
        The right to write; None for reading only.
    mmap : bool
        Whether to memory-map files; otherwise they are read and checked when the index is opened.
    """

    def __init__(self, folder: Path, lock: Lock | None, *, mmap: bool) -> None:
        self.folder = folder.absolute()  # the process may change its working directory
        self.mmap = mmap
        # One attribute for both, so that an interrupt cannot occur between two assignments.
        self._state: tuple[Manifest | None, Snapshot | None] = (None, None)
        self._lock = lock
        self._in_doubt = False
        self._segments: WeakKeyDictionary[Part, Segment] = WeakKeyDictionary()
        self._removed: WeakKeyDictionary[Part, tuple[Positions, FileEntry]] = WeakKeyDictionary()
        self._trained: tuple[Trained, FileEntry] | None = None
        self._space: tuple[AttachedSpace, FileEntry] | None = None
        self._codebook: tuple[Codebook, ArrayFile] | None = None
        self._anchors: tuple[Anchors, ArrayFile] | None = None
        self._attachment: tuple[Attachment, StoredAttachment] | None = None
        self._attached: WeakKeyDictionary[AttachedFile, FileEntry] = WeakKeyDictionary()
        self._groups: WeakKeyDictionary[DocumentCells, ArrayFile] = WeakKeyDictionary()

    @property
    def manifest(self) -> Manifest | None:
        """Manifest of the state loaded or committed last."""
        return self._state[0]

    @property
    def snapshot(self) -> Snapshot:
        """The state loaded or committed last."""
        snapshot = self._state[1]
        assert snapshot is not None, "no state has been loaded or committed"
        return snapshot

    # ---- opening ---------------------------------------------------------------------------------------------------

    @classmethod
    def create(cls, folder: Path, *, overwrite: bool, mmap: bool = True) -> Store:
        """Create a folder for an index, or use an existing one, whose index is kept until the first commit.

        Raises
        ------
        IndexExistsError
            If there is an index and `overwrite` is False, or if there are other files.
        """
        require_posix()
        existed = folder.exists()
        if existed:
            has_others = not folder.is_dir() or any(not _is_ours(entry.name) for entry in folder.iterdir())
            if has_others:
                raise IndexExistsError(17, "the path has files that are not an index; use another path", str(folder))
            if (folder / MANIFEST).exists() and not overwrite:
                raise IndexExistsError(
                    17, "there is already an index; overwrite=True replaces it, or use another path", str(folder)
                )
        else:
            with writing(folder):
                folder.mkdir()
        try:
            store = cls(folder, Lock(folder), mmap=mmap)
        except BaseException:
            if not existed:
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
        """Open an existing index, and load it."""
        require_posix()
        read_manifest(folder)  # checked first, so that no lock file is created in a folder that is not an index
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
        """Release the lock. The loaded state remains usable."""
        if self._lock is not None:
            self._lock.release()

    def discard_if_empty(self) -> None:
        """Remove the folder if no index was written to it."""
        with suppress(OSError):
            if [entry.name for entry in self.folder.iterdir()] == [LOCK]:
                remove_file(self.folder / LOCK)
                self.folder.rmdir()

    @property
    def writable(self) -> bool:
        """Whether the index was opened for writing."""
        return self._lock is not None

    # ---- reading ---------------------------------------------------------------------------------------------------

    def load(self, *, incomplete: bool = False) -> None:
        """Load the latest state. Parts that are unchanged remain the same objects.

        Raises
        ------
        IndexFormatError
            If files are missing or damaged, or were not written by moverank.
        IndexIncompleteError
            If the index has not been completely built, unless `incomplete`.
        """
        manifest = read_manifest(self.folder)
        while True:
            try:
                snapshot = self._snapshot_of(manifest)
                break
            except FileNotFoundError as error:
                # A writer may have committed after the manifest was read, and deleted the files listed in it.
                latest = read_manifest(self.folder)
                if latest == manifest:
                    raise IndexFormatError(f"{error.filename}: is missing; the index is damaged") from None
                manifest = latest
        if manifest.batches is not None and not incomplete:
            by_one = f"{manifest.batches} batches are written; Index.build_on_disk(..., resume=True) resumes it"
            by_several = "it is being built by several processes, or was; the call that began it resumes it"
            how = by_one if manifest.batches else by_several
            raise IndexIncompleteError(f"{self.folder}: the index is incomplete, {how}")
        self._state = manifest, snapshot

    def is_stale(self) -> bool:
        """Whether there is a later state than the one loaded."""
        return read_manifest(self.folder) != self.manifest

    def _snapshot_of(self, manifest: Manifest) -> Snapshot:
        setup = manifest.setup
        if manifest.anchors is not None and setup.anchors is not None:
            setup = replace(setup, anchors=self._anchors_of(setup.anchors, manifest.anchors))
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
        cells = None if manifest.cells is None else self._cells_of(manifest.cells)
        attachment = None if manifest.attachment is None else self._attachment_of(manifest.attachment)
        found = Snapshot(setup, parts, removed, manifest.next_id, trained, space, manifest.encoder, cells, attachment)
        found.name = manifest.name
        return found

    def _attachment_of(self, stored: StoredAttachment) -> Attachment:
        if self._attachment is None or self._attachment[1] != stored:
            known = {entry: file for file, entry in self._attached.items()}
            files = {name: known.get(entry) or self._attached_of(entry) for name, entry in stored.files.items()}
            self._attachment = Attachment(stored.facts, files), stored
        return self._attachment[0]

    def _attached_of(self, entry: FileEntry) -> AttachedFile:
        octets = map_listed(self.folder, entry)
        check = partial(require_checksum, self.folder, entry, [octets])
        if not self.mmap:
            check()
        file = AttachedFile(octets, self.folder / entry.file, check)
        self._attached[file] = entry
        return file

    def _cells_of(self, stored: StoredCells) -> Cells:
        known = {file.file.file: group for group, file in self._groups.items()}
        groups = tuple(known.get(file.file.file) or self._group_of(file) for file in stored.groups)
        if self._codebook is None or self._codebook[1] != stored.codebook:
            codebook = Codebook(**read_arrays(self.folder, stored.codebook, mmap=self.mmap), residual=stored.residual)
            self._codebook = codebook, stored.codebook
        return Cells(self._codebook[0], groups, stored.covered)

    def _anchors_of(self, listed: Anchors, stored: ArrayFile) -> Anchors:
        if self._anchors is None or self._anchors[1] != stored:
            codebook = Codebook(**read_arrays(self.folder, stored, mmap=self.mmap), residual=0.0)
            self._anchors = replace(listed, loaded=codebook), stored
        return self._anchors[0]

    def _group_of(self, file: ArrayFile) -> DocumentCells:
        group = DocumentCells(**read_arrays(self.folder, file, mmap=self.mmap))
        self._groups[group] = file
        return group

    def _part_of(self, segment: Segment, setup: Setup) -> Part:
        part = Part(setup, read_arrays(self.folder, segment, mmap=self.mmap), segment.numbers)
        self._segments[part] = segment
        return part

    def _removed_of(self, part: Part, segment: Segment) -> Positions:
        if segment.removed is None:
            return np.empty(0, dtype=np.int64)
        if part in self._removed and self._removed[part][1] == segment.removed:
            return self._removed[part][0]
        removed = read_listed(self.folder, segment.removed).view("<i8").astype(np.int64, copy=False)
        if removed[0] < 0 or removed[-1] >= len(part) or (removed[1:] <= removed[:-1]).any():
            raise IndexFormatError(f"{self.folder / segment.removed.file}: expected increasing positions of documents")
        self._removed[part] = removed, segment.removed
        return removed

    def _trained_of(self, entry: FileEntry, covered: int, setup: Setup) -> Trained:
        if self._trained is not None and self._trained[1] == entry:
            return self._trained[0]
        octets = map_listed(self.folder, entry)  # mapped now, as the file may be deleted before `load` is called

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
                raise IndexFormatError(f"{self.folder / entry.file}: does not belong to the documents of this index")
            return index

        trained = Trained(covered, str(setup.prefilter), load)
        self._trained = trained, entry
        return trained

    def _space_of(self, entry: FileEntry) -> AttachedSpace:
        if self._space is not None and self._space[1] == entry:
            return self._space[0]
        octets = map_listed(self.folder, entry)  # mapped now, as the file may be deleted before `load` is called

        def load() -> bytes:
            require_checksum(self.folder, entry, [octets])
            return octets[:]

        space = AttachedSpace(load)
        self._space = space, entry
        return space

    # ---- writing ---------------------------------------------------------------------------------------------------

    def require_writable(self) -> None:
        """Raise an error if the index is open for reading only, or if the outcome of an earlier change is unknown."""
        if self._lock is None:
            raise ReadOnlyIndexError(
                f"{self.folder}: was opened for reading; open it for writing by Index.open(path, writable=True)"
            )
        self._lock.require()
        if self._in_doubt:
            self._settle()
        if self._in_doubt:
            raise IndexWriteError(
                5,
                "an earlier change was interrupted while it was made durable; close the index and open it again",
                str(self.folder),
            )

    def commit(self, snapshot: Snapshot, *, batches: int | None = None) -> None:
        """Write a state durably, and make it the store's state, with new parts memory-mapped.

        Raises
        ------
        IndexWriteError
            If a file could not be written. The state on disk is then the old one, except if only the last step failed,
            which makes the new manifest durable: then a later `open` may find either.
        """
        self.require_writable()
        before = self._removed.copy(), self._trained, self._space, self._codebook, self._anchors, self._attachment
        try:
            parts = [self._stored(part, snapshot.setup) for part in snapshot.parts]
            segments = []
            for part, removed in zip(parts, snapshot.removed, strict=True):
                own = self._segments[part]
                removed_file = self._stored_removed(part, removed) if len(removed) else None
                segments.append(Segment(own.file, own.arrays, own.numbers, removed_file))
            trained, faiss_file = self._stored_trained(snapshot)
            cells, cell_files = self._stored_cells(snapshot)
            space, space_file = self._stored_space(snapshot)
            attachment, attached = self._stored_attachment(snapshot.attachment)
            manifest = Manifest(
                setup=snapshot.setup,
                generation=1 if self.manifest is None else self.manifest.generation + 1,
                next_id=snapshot.next_id,
                batches=batches,
                segments=tuple(segments),
                faiss=faiss_file,
                covered=0 if trained is None else trained.covered,
                cells=cell_files,
                anchors=self._stored_anchors(snapshot.setup.anchors),
                space=space_file,
                encoder=snapshot.encoder,
                attachment=attached,
            )
            # Created before the manifest is replaced, as memory might be exhausted afterwards.
            whole = replace(snapshot, parts=parts, trained=trained, cells=cells, space=space, attachment=attachment)
            whole.name = manifest.name
            state = manifest, whole
            sync_folder(self.folder)
            self._replace_manifest(manifest)
            self._state = state
        except BaseException:
            # The error or interrupt may have come at any point; the manifest on disk shows whether the change was made.
            self._removed, self._trained, self._space, self._codebook, self._anchors, self._attachment = before
            self._in_doubt = True
            self._settle()
            raise
        self._sweep()

    def merge(self, parts: Sequence[Part], removed: Sequence[Positions]) -> Part:
        """Write one part that replaces others. It belongs to the index only after the next commit."""
        return self._written(parts[0].setup, *merged(parts, removed))

    def adopt(self, segment: Segment, setup: Setup) -> Part:
        """Take a file that has been put into the folder as a part. It belongs to the index after the next commit."""
        with writing(self.folder / segment.file.file):
            return self._part_of(segment, setup)

    def keep(self, cells: DocumentCells) -> DocumentCells:
        """Write the cells of some documents, which belong to the index only after the next commit."""
        path = self._new_path("cells")
        file = self._write(path, cells.arrays)
        with writing(path):
            return self._group_of(file)

    def _write(self, path: Path, arrays: Mapping[str, NDArray[Any]]) -> ArrayFile:
        return write_arrays(path, {name: Chunked.of(array) for name, array in arrays.items()})

    def _written(self, setup: Setup, arrays: Mapping[str, Chunked], numbers: Mapping[str, float]) -> Part:
        path = self._new_path("seg")
        stored = write_arrays(path, arrays)
        with writing(path):
            return self._part_of(Segment(stored.file, stored.arrays, dict(numbers)), setup)

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

    def _stored_cells(self, snapshot: Snapshot) -> tuple[Cells | None, StoredCells | None]:
        cells = snapshot.cells
        if cells is None:
            return None, None
        codebook = cells.codebook
        if self._codebook is None or self._codebook[0] is not codebook:
            self._codebook = codebook, self._write(self._new_path("codebook"), codebook.arrays)
        groups = tuple(group if group in self._groups else self.keep(group) for group in cells.groups)
        files = tuple(self._groups[group] for group in groups)
        stored = StoredCells(self._codebook[1], codebook.residual, files, cells.covered)
        return replace(cells, groups=groups), stored

    def _stored_attachment(self, found: Attachment | None) -> tuple[Attachment | None, StoredAttachment | None]:
        if found is None:
            return None, None
        if self._attachment is None or self._attachment[0] is not found:
            files = {name: own if own in self._attached else self._kept(own) for name, own in found.files.items()}
            stored = StoredAttachment(found.facts, {name: self._attached[own] for name, own in files.items()})
            self._attachment = Attachment(found.facts, files), stored
        return self._attachment

    def _kept(self, attached: AttachedFile) -> AttachedFile:
        path = self._new_path("attached")
        with NewFile(path) as file:
            file.write(attached.octets)
            entry = file.finish()
        with writing(path):
            return self._attached_of(entry)

    def _stored_anchors(self, anchors: Anchors | None) -> ArrayFile | None:
        if anchors is None:
            return None
        if self._anchors is None or self._anchors[0] != anchors:
            self._anchors = anchors, self._write(self._new_path("anchors"), anchors.codebook.arrays)
        return self._anchors[1]

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
        """Clear the doubt about an earlier change, if the state on disk is the one loaded or committed last."""
        try:
            on_disk: Manifest | None = read_manifest(self.folder)
        except IndexNotFoundError:
            on_disk = None
        except (OSError, IndexFormatError, MemoryError):
            return  # still unknown
        if on_disk == self.manifest:
            self._in_doubt = False
            self._sweep()

    def _sweep(self) -> None:
        """Delete files of the index that the current state does not need; failures are left to the next call."""
        with suppress(OSError, MemoryError):
            if self.manifest is not None and self.manifest.batches is None:
                rmtree(self.folder / STAGED, ignore_errors=True)
            needed = set() if self.manifest is None else {entry.file for entry in self.manifest.files}
            for entry in list(self.folder.iterdir()):
                if entry.name == NEXT_MANIFEST or (FILE_NAME.fullmatch(entry.name) and entry.name not in needed):
                    with suppress(OSError):
                        remove_file(entry)


def _is_ours(name: str) -> bool:
    return name in (MANIFEST, NEXT_MANIFEST, LOCK, STAGED) or FILE_NAME.fullmatch(name) is not None


def _write_faiss(index: Any, file: NewFile) -> None:
    faiss: Any = import_module("faiss")
    failed: list[Exception] = []

    def write(piece: bytes) -> None:
        # An exception must not propagate through the C++ code of faiss.
        if not failed:
            try:
                file.write(piece)
            except Exception as error:
                failed.append(error)

    faiss.write_index(index, faiss.PyCallbackIOWriter(write))
    if failed:
        raise failed[0]
