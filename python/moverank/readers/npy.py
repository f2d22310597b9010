"""Documents from arrays in .npy files, which are memory-mapped, so they may be larger than memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from moverank._support.files import UNREADABLE, require_file
from moverank._support.storage import TYPES
from moverank._support.validate import one_of, whole_number
from moverank.index.batch import Batch
from moverank.readers.chunks import DOCUMENTS, locating, runs
from moverank.vectors.sequences import Sequences

PathLike = str | os.PathLike[str]

#: Type and dimension of packed tokens, as `read_npy` takes them.
Packed = tuple[str | None, int | None]


def read_npy(
    tokens: PathLike,
    offsets: PathLike | None = None,
    *,
    weights: PathLike | None = None,
    scales: PathLike | None = None,
    ids: PathLike | None = None,
    dtype: str | None = None,
    dim: int | None = None,
    documents: int = DOCUMENTS,
) -> Iterator[Batch]:
    """Read documents from .npy files.

    Parameters
    ----------
    tokens : path
        Token vectors of N documents: an array of shape (T, d) with `offsets`, or of shape (N, n, d) if all documents
        have n tokens. float32, float16 and int8 are kept, uint16 is taken as bfloat16, other types are converted to
        float32.
    offsets : path, optional
        Position of each document's first token, and T at the end, shape (N + 1,).
    weights : path, optional
        Mass (weight to be moved) of each token, shape (T,).
    scales : path, optional
        Factor of each token of int8, int4 or int2, shape (T,).
    ids : path, optional
        Integers or strings, shape (N,).
    dtype : {"int4", "int2"}, optional
        Take uint8 for packed tokens of this type, see `Sequences.from_flat`.
    dim : int, optional
        Dimension of packed tokens; by default as many components as the bytes of a row hold.
    documents : int, default 8192
        Maximum number of documents per batch; a batch also ends at 64 MiB.

    Yields
    ------
    Batch

    Raises
    ------
    FileNotFoundError
        If a file is missing; checked before anything is read.
    ValueError, TypeError
        If a file is damaged, or shapes or types are wrong; the message names file and document.
    """
    whole_number(documents, "documents", least=1)
    packed = packed_type(dtype, dim)
    arrays = {
        name: _mapped(Path(path))
        for name, path in (
            ("tokens", tokens), ("offsets", offsets), ("weights", weights), ("scales", scales), ("ids", ids)
        )
        if path is not None
    }  # fmt: skip
    return flat_batches(Path(tokens), arrays, packed, documents)


def packed_type(dtype: str | None, dim: int | None) -> Packed:
    """Check what a caller says about packed tokens."""
    known = [name for name, kind in TYPES.items() if kind.is_packed]
    if dtype is None:
        if dim is not None:
            raise ValueError(f"dim: only with the dtype of packed tokens, {' or '.join(known)}")
        return None, None
    return one_of(dtype, "dtype", known), None if dim is None else whole_number(dim, "dim", least=1)


def _mapped(path: Path) -> NDArray[Any]:
    require_file(path)
    try:
        array: NDArray[Any] = open_memmap(path, mode="r")
    except UNREADABLE as error:
        raise ValueError(f"{path}: is not an .npy file of plain numbers: {error}") from None
    return array


def flat_batches(path: Path, arrays: dict[str, NDArray[Any]], packed: Packed, documents: int) -> Iterator[Batch]:
    """Check flat arrays of documents, and yield them in batches."""
    tokens, offsets = arrays["tokens"], arrays.get("offsets")
    if offsets is None:
        if tokens.ndim != 3:
            raise ValueError(f"{path}: expected an array of shape (N, n, d) without offsets, got {tokens.shape}")
        offsets = np.arange(len(tokens) + 1, dtype=np.int64) * tokens.shape[1]
        tokens = tokens.reshape(-1, tokens.shape[2])
    elif tokens.ndim != 2:
        raise ValueError(f"{path}: expected an array of shape (T, d) with offsets, got {tokens.shape}")
    count = len(tokens)
    if (
        offsets.ndim != 1
        or offsets.dtype.kind not in "iu"
        or len(offsets) < 2
        or offsets[0] != 0
        or offsets[-1] != count
    ):
        raise ValueError(f"{path}: expected offsets that are integers and lead from 0 to its {count} tokens")
    if (offsets[1:] < offsets[:-1]).any():
        raise ValueError(f"{path}: offsets decrease at document {int(np.argmax(offsets[1:] < offsets[:-1]))}")
    for name, length in (("weights", count), ("scales", count), ("ids", len(offsets) - 1)):
        if name in arrays and arrays[name].shape != (length,):
            raise ValueError(f"{path}: {name} have shape {arrays[name].shape}, expected ({length},)")
    return _flat_batches(path, tokens, offsets, arrays, packed, documents)


def _flat_batches(
    path: Path,
    tokens: NDArray[Any],
    offsets: NDArray[Any],
    arrays: dict[str, NDArray[Any]],
    packed: Packed,
    documents: int,
) -> Iterator[Batch]:
    kept = {np.dtype(kind.held_as): name for name, kind in TYPES.items() if not kind.is_packed}
    dtype, dim = packed
    ids, weights, scales = arrays.get("ids"), arrays.get("weights"), arrays.get("scales")
    for first, last in runs(offsets, tokens[:1].nbytes, documents):
        span = slice(int(offsets[first]), int(offsets[last]))
        with locating(path, first):
            docs = Sequences.from_flat(
                np.array(tokens[span]),
                offsets[first : last + 1].astype(np.int64) - int(offsets[first]),
                None if weights is None else np.array(weights[span]),
                dtype=dtype or kept.get(tokens.dtype, "float32"),
                scales=None if scales is None else np.array(scales[span]),
                dim=dim,
            )
            batch = Batch(docs, None if ids is None else np.array(ids[first:last]))
        yield batch
