"""Copies of indexes in object stores: a cluster builds an index, other machines download it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from moverank.index.disk import remote
from moverank.index.index import PathLike


def upload(folder: PathLike, url: str, *, filesystem: Any = None) -> None:
    """Copy an index in a folder to an object store.

    Readers see the copy before or this one: its manifest is written last. Files that are there already are not copied
    again, so that a later state of the same index costs only what is new in it.

    Parameters
    ----------
    folder : path
        The folder of an `Index` or a `TextIndex`.
    url : str
        Where the copy goes, such as ``s3://bucket/name``.
    filesystem : pyarrow.fs.FileSystem or fsspec's, optional
        What opens that URL; by default what pyarrow makes of it.

    Raises
    ------
    IndexNotFoundError, IndexFormatError, IndexIncompleteError
        If there is no index in the folder, or not a whole one.
    OSError
        If the store refuses a file.
    """
    remote.upload(Path(folder), remote.RemoteFolder(url, filesystem))


def download(url: str, folder: PathLike, *, filesystem: Any = None) -> None:
    """Copy an index from an object store into a folder, from which it is opened.

    Checksums of all files are checked. An index in the folder is replaced in one step; objects that have it open find
    the new state by `refresh`, and files that both states share are not copied again.

    Parameters
    ----------
    url : str
        Where `upload` has put it.
    folder : path
        A folder that does not exist, is empty, or has an earlier copy; its parent must exist.
    filesystem : pyarrow.fs.FileSystem or fsspec's, optional
        What opens that URL; by default what pyarrow makes of it.

    Raises
    ------
    IndexNotFoundError, IndexFormatError
        If there is no index, or a file is damaged.
    IndexLockedError
        If the index in the folder has a writer.
    IndexWriteError, NoSpaceError, NoPermissionError
        If a file cannot be written.
    """
    remote.download(remote.RemoteFolder(url, filesystem), Path(folder))
