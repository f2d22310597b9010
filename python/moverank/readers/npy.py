"""Documents from arrays in .npy files, which are mapped, so that they need not fit into memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from moverank._support.files import UNREADABLE, require_file
from moverank._support.storage import dtype_of
from moverank._support.validate import whole_number
from moverank.index.batch import Batch
from moverank.readers.chunks import DOCUMENTS, locating, runs
from moverank.vectors.sequences import Sequences

PathLike = str | os.PathLike[str]


def read_npy(
    tokens: PathLike,
    offsets: PathLike | None = None,
    *,
    weights: PathLike | None = None,
    scales: PathLike | None = None,
    ids: PathLike | None = None,
    documents: int = DOCUMENTS,
) -> Iterator[Batch]:
    """Read documents from .npy files.

    Parameters
    ----------
    tokens : path
        An array of shape (T, d), or (N, n, d) where all documents are of one length. float32, float16 and int8 stay
        what they are, uint16 is bfloat16, other numbers become float32.
    offsets : path, optional
        Where each document begins, shape (N + 1,).
    weights, scales : path, optional
        Masses of the tokens, and what those of int8 are multiplied with, shape (T,).
    ids : path, optional
        Integers or strings, shape (N,).
    documents : int, default 8192
        Largest number in a batch; smaller where 64 MB are reached.

    Yields
    ------
    Batch

    Raises
    ------
    FileNotFoundError
        If a file is missing; before anything is read.
    ValueError, TypeError
        If files are not what they should be; the message names file and document.
    """
    whole_number(documents, "documents", least=1)
    arrays = {
        name: _mapped(Path(path))
        for name, path in (
            ("tokens", tokens), ("offsets", offsets), ("weights", weights), ("scales", scales), ("ids", ids)
        )
        if path is not None
    }  # fmt: skip
    return flat_batches(Path(tokens), arrays, documents)


def _mapped(path: Path) -> NDArray[Any]:
    require_file(path)
    try:
        array: NDArray[Any] = open_memmap(path, mode="r")
    except UNREADABLE as error:
        raise ValueError(f"{path}: is no .npy file of plain numbers: {error}") from None
    return array


def flat_batches(path: Path, arrays: dict[str, NDArray[Any]], documents: int) -> Iterator[Batch]:
    """Batches of flat arrays that lie in files."""
    tokens, cuts = arrays["tokens"], arrays.get("offsets")
    if cuts is None:
        if tokens.ndim != 3:
            raise ValueError(f"{path}: has shape {tokens.shape}; without offsets, (N, n, d) is expected")
        cuts = np.arange(len(tokens) + 1, dtype=np.int64) * tokens.shape[1]
        tokens = tokens.reshape(-1, tokens.shape[2])
    elif tokens.ndim != 2:
        raise ValueError(f"{path}: has shape {tokens.shape}; with offsets, (T, d) is expected")
    if cuts.ndim != 1 or cuts.dtype.kind not in "iu" or len(cuts) < 2 or cuts[0] != 0 or cuts[-1] != len(tokens):
        raise ValueError(f"{path}: offsets do not lead from 0 to its {len(tokens)} tokens")
    if (cuts[1:] < cuts[:-1]).any():
        raise ValueError(f"{path}: offsets decrease at document {int(np.argmax(cuts[1:] < cuts[:-1]))}")
    for name, length in (("weights", len(tokens)), ("scales", len(tokens)), ("ids", len(cuts) - 1)):
        if name in arrays and arrays[name].shape != (length,):
            raise ValueError(f"{path}: {name} have shape {arrays[name].shape}, expected ({length},)")
    return _flat_batches(path, tokens, cuts, arrays, documents)


def _flat_batches(
    path: Path, tokens: NDArray[Any], cuts: NDArray[Any], arrays: dict[str, NDArray[Any]], documents: int
) -> Iterator[Batch]:
    kept = str(tokens.dtype) in ("float32", "float16", "int8", "uint16")
    ids, weights, scales = arrays.get("ids"), arrays.get("weights"), arrays.get("scales")
    for first, last in runs(cuts, tokens[:1].nbytes, documents):
        span = slice(int(cuts[first]), int(cuts[last]))
        with locating(path, first):
            docs = Sequences.from_flat(
                np.array(tokens[span]),
                cuts[first : last + 1].astype(np.int64) - int(cuts[first]),
                None if weights is None else np.array(weights[span]),
                dtype=dtype_of(tokens) if kept else "float32",
                scales=None if scales is None else np.array(scales[span]),
            )
            batch = Batch(docs, None if ids is None else np.array(ids[first:last]))
        yield batch
