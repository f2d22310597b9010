"""Readers of files with token vectors. They yield batches, so files may be larger than memory.

`moverank.Index.build_on_disk` takes these batches. Files with texts are read by `moverank.readers.texts`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from moverank._support.files import require_file
from moverank._support.validate import as_list
from moverank.index.batch import Batch
from moverank.readers.arrow import read_arrow
from moverank.readers.npy import read_npy
from moverank.readers.safetensors import read_safetensors

__all__ = ["Batch", "read", "read_arrow", "read_npy", "read_safetensors"]

_BY_SUFFIX = {
    ".npy": read_npy,
    ".safetensors": read_safetensors,
    ".parquet": read_arrow,
    ".arrow": read_arrow,
    ".feather": read_arrow,
}


def read(paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], **options: Any) -> Iterator[Batch]:
    """Read documents from files, in the given order. The extension of a file selects its reader.

    Parameters
    ----------
    paths : path or sequence of paths
        Files with the extension .npy, .safetensors, .parquet, .arrow or .feather.
    **options
        Options of `read_npy`, `read_safetensors` or `read_arrow`.

    Yields
    ------
    Batch
        The same batches each time, so that a build can be resumed.

    Raises
    ------
    FileNotFoundError
        If a file is missing; checked before anything is read.
    ValueError
        If a file has another extension.
    """
    given = [paths] if isinstance(paths, (str, os.PathLike)) else as_list(paths, "paths", "paths")
    listed = [Path(path) for path in given]
    for path in listed:
        if path.suffix not in _BY_SUFFIX:
            raise ValueError(f"{path}: expected a file with one of the extensions {', '.join(_BY_SUFFIX)}")
        require_file(path)
    return (batch for path in listed for batch in _BY_SUFFIX[path.suffix](path, **options))  # type: ignore[operator]
