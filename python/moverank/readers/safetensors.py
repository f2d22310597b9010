"""Documents from .safetensors files: flat arrays, or one tensor per document."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank._support.files import require_file
from moverank._support.optional import optional
from moverank._support.validate import whole_number
from moverank.index.batch import Batch
from moverank.readers.chunks import BYTES, DOCUMENTS, locating
from moverank.readers.npy import PathLike, flat_batches, packed_type
from moverank.vectors.sequences import Sequences


class _Rows:
    """A tensor whose rows are read from the file on access."""

    def __init__(self, tensor: Any) -> None:
        self._tensor = tensor
        self.shape = tuple(tensor.get_shape())
        self.ndim = len(self.shape)
        self.dtype = np.asarray(tensor[:1]).dtype if self.shape and self.shape[0] else np.dtype(np.float32)

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        return np.asarray(self._tensor[rows])


def read_safetensors(
    path: PathLike, *, dtype: str | None = None, dim: int | None = None, documents: int = DOCUMENTS
) -> Iterator[Batch]:
    """Read documents from a .safetensors file.

    Parameters
    ----------
    path : path
        A file with the tensors `tokens` (T, d), `offsets` (N + 1,) and optionally `weights` (T,), `scales` (T,) and
        `ids` (N,), as in `read_npy`; or with one tensor (n, d) per document, whose name is the document's id.
    dtype, dim : {"int4", "int2"} and int, optional
        Of packed tokens, as in `read_npy`.
    documents : int, default 8192
        Maximum number of documents per batch; a batch also ends at 64 MiB.

    Yields
    ------
    Batch

    Raises
    ------
    ImportError
        If safetensors is not installed; it comes with ``moverank[safetensors]``.
    FileNotFoundError
        If the file is missing.
    ValueError, TypeError
        If the file is damaged, or shapes or types are wrong; the message names file and document. bfloat16 is refused,
        as numpy does not support it.
    """
    whole_number(documents, "documents", least=1)
    packed = packed_type(dtype, dim)
    checked = require_file(Path(path))
    module = optional("safetensors", "safetensors")
    try:
        opened = module.safe_open(str(checked), framework="numpy")
        names = list(opened.keys())
    except module.SafetensorError as error:
        raise ValueError(f"{checked}: is not a safetensors file: {error}") from None
    if not names:
        raise ValueError(f"{checked}: has no tensors")
    for name in names:
        if opened.get_slice(name).get_dtype() == "BF16":
            raise ValueError(f"{checked}: tensor {name!r} is bfloat16, which numpy cannot read; store it as float16")
    if "tokens" in names and "offsets" in names:
        arrays: dict[str, Any] = {name: opened.get_tensor(name) for name in ("offsets", "ids") if name in names}
        arrays |= {name: _Rows(opened.get_slice(name)) for name in ("tokens", "weights", "scales") if name in names}
        return flat_batches(checked, arrays, packed, documents)
    if packed[0] is not None:
        raise ValueError(f"{checked}: dtype is for files with the tensors tokens, offsets and scales")
    return _tensor_batches(checked, opened, names, documents)


def _tensor_batches(path: Path, opened: Any, names: list[str], documents: int) -> Iterator[Batch]:
    ids: list[str] = []
    tensors: list[NDArray[Any]] = []
    done = 0
    for name in names:
        tensor = opened.get_tensor(name)
        if tensor.ndim != 2:
            raise ValueError(f"{path}: tensor {name!r} has shape {tensor.shape}, expected (n, d)")
        if tensors and (len(tensors) == documents or sum(own.nbytes for own in tensors) + tensor.nbytes > BYTES):
            with locating(path, done):
                batch = _joined(tensors, ids)
            yield batch
            done += len(ids)
            ids, tensors = [], []
        ids.append(name)
        tensors.append(tensor)
    with locating(path, done):
        batch = _joined(tensors, ids)
    yield batch


def _joined(tensors: list[NDArray[Any]], ids: list[str]) -> Batch:
    if {str(tensor.dtype) for tensor in tensors} == {"float16"} and len({tensor.shape[1] for tensor in tensors}) == 1:
        offsets = np.cumsum([0] + [len(tensor) for tensor in tensors])
        return Batch(Sequences.from_flat(np.concatenate(tensors), offsets, dtype="float16"), ids)
    return Batch(Sequences(tensors), ids)
