"""Folders of an object store, such as S3: segments on their way to an index, and copies of whole indexes.

An index is memory-mapped, so it is read from a local folder. What lies in a store is a copy, whose manifest is written
last, so that a reader downloads either the state before or the one after.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from moverank._support.optional import optional
from moverank.errors import IndexFormatError, IndexIncompleteError, IndexNotFoundError
from moverank.index.disk.files import (
    BYTES_AT_ONCE,
    FileEntry,
    NewFile,
    open_listed,
    remove_file,
    replace_file,
    sync_folder,
    writing,
)
from moverank.index.disk.lock import Lock
from moverank.index.disk.manifest import FILE_NAME, MANIFEST, Manifest, parse, read_manifest, to_bytes
from moverank.index.disk.segments import Segment
from moverank.index.disk.staging import RECORD, Record, written_segment
from moverank.index.parts.arrays import Arrays


@dataclass(frozen=True)
class RemoteFolder:
    """A folder of an object store.

    Attributes
    ----------
    url : str
        Where it is, such as ``s3://bucket/name``.
    filesystem : pyarrow.fs.FileSystem or fsspec's, optional
        What opens it; by default what pyarrow makes of the URL.
    """

    url: str
    filesystem: Any = None

    @property
    def _opened(self) -> tuple[Any, str]:
        fs = optional("pyarrow.fs", "ray")
        if self.filesystem is None:
            return _of_url(self.url)
        own = self.filesystem
        if not isinstance(own, fs.FileSystem):
            own = fs.PyFileSystem(fs.FSSpecHandler(own))
        return own, self.url.partition("://")[2].rstrip("/") or self.url

    def upload(self, folder: Path, entry: FileEntry) -> None:
        """Copy a file of an index into the store."""
        system, path = self._opened
        with open_listed(folder, entry) as file, system.open_output_stream(f"{path}/{entry.file}") as stream:
            while piece := file.read(BYTES_AT_ONCE):
                stream.write(piece)

    def download(self, entry: FileEntry, folder: Path) -> None:
        """Copy a file of an index from the store into a folder, durably, unless it is there.

        Raises
        ------
        FileNotFoundError
            If the store has none of this name.
        IndexFormatError
            If its content is not what was written.
        """
        system, path = self._opened
        target = folder / entry.file
        with suppress(FileNotFoundError):
            if target.stat().st_size == entry.nbytes:
                return
            remove_file(target)  # a part, from a process that ended while it was downloading
        with system.open_input_stream(f"{path}/{entry.file}") as stream, NewFile(target) as file:
            while piece := stream.read(BYTES_AT_ONCE):
                file.write(piece)
            found = file.finish()
        if found != entry:
            remove_file(target)
            raise IndexFormatError(f"{self.url}/{entry.file}: is not what was written there; the copy is damaged")

    def write(self, name: str, octets: bytes) -> None:
        """Write a small file."""
        system, path = self._opened
        with system.open_output_stream(f"{path}/{name}") as stream:
            stream.write(octets)

    def read(self, name: str) -> bytes:
        """Read a small file; FileNotFoundError if there is none."""
        system, path = self._opened
        with system.open_input_stream(f"{path}/{name}") as stream:
            octets: bytes = stream.read()
        return octets

    def names(self) -> list[str]:
        """Names of all files, in order."""
        fs = optional("pyarrow.fs", "ray")
        system, path = self._opened
        return sorted(info.base_name for info in system.get_file_info(fs.FileSelector(path, allow_not_found=True)))

    def create(self) -> None:
        """Make the folder, in a store that has folders."""
        system, path = self._opened
        system.create_dir(path, recursive=True)

    def delete(self, names: list[str]) -> None:
        """Delete files, those that are there."""
        system, path = self._opened
        for name in names:
            with suppress(FileNotFoundError):
                system.delete_file(f"{path}/{name}")


@cache
def _of_url(url: str) -> tuple[Any, str]:
    fs = optional("pyarrow.fs", "ray")
    try:
        system, path = fs.FileSystem.from_uri(url)
    except optional("pyarrow", "ray").ArrowInvalid as error:
        raise ValueError(f"{url!r}: expected a URL such as s3://bucket/name: {error}") from None
    return system, path.rstrip("/")


@dataclass(frozen=True)
class RemotePlace:
    """A `Place` in an object store, for processes that share no file system."""

    folder: RemoteFolder

    def write(self, arrays: Arrays, numbers: Mapping[str, float]) -> Segment:
        """Write a segment into a local folder, and upload it."""
        with tempfile.TemporaryDirectory(prefix="moverank-") as local:
            segment = written_segment(Path(local), arrays, numbers)
            self.folder.upload(Path(local), segment.file)
        return segment

    def note(self, record: Record) -> None:
        """Write the record of a segment; stores show an object at once and whole."""
        self.folder.write(f"{record.name}{RECORD}", record.to_bytes())

    def has(self, name: str) -> bool:
        """Whether there is a record with this name."""
        try:
            self.folder.read(f"{name}{RECORD}")
        except FileNotFoundError:
            return False
        return True

    def records(self) -> Iterator[bytes]:
        """Content of all records."""
        return (self.folder.read(name) for name in self.folder.names() if name.endswith(RECORD))

    def put(self, entry: FileEntry, folder: Path) -> None:
        """Download a segment."""
        self.folder.download(entry, folder)

    def clear(self) -> None:
        """Delete everything here."""
        self.folder.delete(self.folder.names())


def upload(folder: Path, remote: RemoteFolder) -> None:
    """Copy the state of an index to a store, its manifest last, and delete what the copy before had alone."""
    manifest = read_manifest(folder)
    if manifest.batches is not None:
        raise IndexIncompleteError(f"{folder}: the index is incomplete; complete it before it is copied")
    remote.create()
    there = remote.names()
    for entry in manifest.files:
        if entry.file not in there:
            remote.upload(folder, entry)
    remote.write(MANIFEST, to_bytes(manifest))
    needed = {entry.file for entry in manifest.files}
    remote.delete([name for name in there if FILE_NAME.fullmatch(name) and name not in needed])


def download(remote: RemoteFolder, folder: Path) -> None:
    """Copy an index from a store into a folder, where it replaces another state in one step."""
    while True:
        manifest = _manifest_in(remote)
        with writing(folder):
            folder.mkdir(exist_ok=True)
        lock = Lock(folder)
        try:
            for entry in manifest.files:
                remote.download(entry, folder)
            _replace(folder, manifest)
            return
        except FileNotFoundError as error:
            if _manifest_in(remote) == manifest:
                raise IndexFormatError(f"{remote.url}: {error}; the copy is damaged") from None
        finally:
            lock.release()


def _manifest_in(remote: RemoteFolder) -> Manifest:
    try:
        return parse(remote.read(MANIFEST))
    except FileNotFoundError:
        raise IndexNotFoundError(2, "no index: it has no manifest.json", remote.url) from None
    except IndexFormatError as error:
        raise type(error)(f"{remote.url}/{MANIFEST}: {error}") from None


def _replace(folder: Path, manifest: Manifest) -> None:
    """Make files that are in a folder its index, and delete those of the state before."""
    new = folder / f"{MANIFEST}.new"
    with suppress(FileNotFoundError):
        remove_file(new)
    with NewFile(new) as file:
        file.write(to_bytes(manifest))
        file.finish()
    sync_folder(folder)
    replace_file(new, folder / MANIFEST)
    sync_folder(folder)
    needed = {entry.file for entry in manifest.files}
    for path in list(folder.iterdir()):
        if FILE_NAME.fullmatch(path.name) and path.name not in needed:
            remove_file(path)
