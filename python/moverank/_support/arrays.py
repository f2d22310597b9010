"""Conversion to NumPy arrays of tensors of any framework, data frames and nested lists, without importing any."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Advice where a text is given in place of vectors.
ENCODE_FIRST = (
    "texts are not vectors: encode them first, encoder.encode(texts).sequences, or rank texts with moverank.Reranker"
)


def plain_array(value: Any, name: str) -> NDArray[Any]:
    """Convert to an array, keeping the dtype; errors name the argument.

    Tensors are detached and brought to the CPU, and bfloat16, which NumPy does not have, becomes float32.

    Raises
    ------
    TypeError
        If it is sparse, or of a type that cannot be converted.
    ValueError
        If it is not rectangular, or has masked or missing entries.
    """
    if type(value) is np.ndarray and value.dtype.kind in "fiub":
        return value  # most calls; what follows takes longer than a small problem
    if is_sparse(value):
        raise TypeError(f"{name}: sparse {type(value).__name__} is not accepted; convert it to a dense array first")
    value = _with_numpy_columns(value, name)
    try:
        array = np.asarray(_on_cpu(value))
        if array.dtype.kind == "O" and array.ndim == 1:
            array = _rows_together(array)
    except ValueError as error:
        raise ValueError(f"{name}: not a rectangular array: {error}") from None
    except (TypeError, RuntimeError, BufferError) as error:
        raise TypeError(f"{name}: {type(value).__name__} cannot be converted to an array: {error}") from None
    refuse_masked(value, name)
    if array.dtype.kind == "V" and array.dtype.names is None and "float" in array.dtype.name:
        return array.astype(np.float32)  # bfloat16 and similar types of the package ml_dtypes
    return array


def refuse_masked(value: Any, name: str) -> None:
    """ValueError for masked entries, alone or in a list: a mask says that a value must not be used."""
    parts = value if isinstance(value, (list, tuple)) else [value]
    for part in parts:
        if part is np.ma.masked or (isinstance(part, np.ma.MaskedArray) and np.ma.is_masked(part)):
            raise ValueError(
                f"{name}: has masked entries; leave them out, as in x[~mask], or for a padded batch of sequences use "
                "Sequences.from_padded(tokens, mask)"
            )


def is_text(value: Any) -> bool:
    """Whether it is a text, or a collection that begins with one."""
    if isinstance(value, (list, tuple)) or getattr(getattr(value, "dtype", None), "kind", "") in ("O", "U", "S", "T"):
        return any(isinstance(part, (str, bytes)) for part in list(value)[:1])
    return isinstance(value, (str, bytes))


def is_sparse(value: Any) -> bool:
    """Whether it is a sparse matrix of SciPy or a sparse tensor."""
    if hasattr(value, "tocsr") and hasattr(value, "toarray"):
        return True
    return bool(getattr(value, "is_sparse", False) or getattr(value, "is_sparse_csr", False))


def is_tensor(value: Any) -> bool:
    """Whether it is a tensor of torch, or behaves like one."""
    return hasattr(value, "detach") and hasattr(value, "cpu") and hasattr(value, "numpy")


def _on_cpu(value: Any) -> Any:
    """The same where NumPy can read it."""
    if is_tensor(value):
        tensor = value.detach().cpu()
        if hasattr(tensor, "resolve_conj"):
            tensor = tensor.resolve_conj().resolve_neg()
        return (tensor.float() if str(tensor.dtype).rpartition(".")[2] == "bfloat16" else tensor).numpy()
    if isinstance(value, (list, tuple)) and any(is_tensor(part) for part in value):
        return [_on_cpu(part) for part in value]
    if hasattr(value, "__cuda_array_interface__") and hasattr(value, "get"):  # CuPy
        return value.get()
    if hasattr(value, "__dlpack__") and not hasattr(value, "__array__"):
        return np.from_dlpack(value)
    return value


def _with_numpy_columns(value: Any, name: str) -> Any:
    """An array of a data frame whose columns have pandas' own number types, which NumPy would turn into objects."""
    columns = list(value.dtypes) if hasattr(value, "iloc") and getattr(value, "ndim", 0) == 2 else []
    held = [getattr(column, "numpy_dtype", column) for column in columns]
    own = [column for column, plain in zip(columns, held, strict=True) if column is not plain]
    if not own or any(plain.kind not in "fiub" for plain in held):
        return value
    if value.isna().to_numpy().any():
        raise ValueError(f"{name}: has missing entries; fill them in, or leave out their rows")
    return value.to_numpy(dtype=np.result_type(*held))


def _rows_together(array: NDArray[Any]) -> NDArray[Any]:
    """A two-dimensional array from a one-dimensional array of arrays, such as a Series of vectors."""
    rows = [_on_cpu(row) for row in array.tolist()]
    if not rows or not all(isinstance(row, (list, tuple)) or np.ndim(row) == 1 for row in rows):
        return array
    together = np.asarray(rows)
    return array if together.dtype.kind == "O" else together
