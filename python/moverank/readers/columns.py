"""Columns of Arrow as documents: ids, tokens, masses and payloads. Errors name the column and the row."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def flat_list(pa: Any, column: Any, name: str) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Numbers of a column of lists, and the offset of each row in them."""
    values, offsets = _flattened(pa, column, name)
    return _numbers(pa, values, name), offsets


def _flattened(pa: Any, column: Any, name: str) -> tuple[Any, NDArray[np.int64]]:
    kind = column.type
    if column.null_count:
        row = column.is_null().to_numpy(zero_copy_only=False).argmax()
        raise ValueError(f"column {name!r}: document {row} of the batch is null")
    if pa.types.is_fixed_size_list(kind):
        offsets = np.arange(len(column) + 1, dtype=np.int64) * kind.list_size
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        offsets = column.offsets.to_numpy().astype(np.int64)
        offsets = offsets - offsets[0]
    else:
        raise TypeError(f"column {name!r}: expected lists, got {kind}")
    return column.flatten(), offsets


def _numbers(pa: Any, values: Any, name: str) -> NDArray[Any]:
    if values.null_count or not (pa.types.is_floating(values.type) or pa.types.is_integer(values.type)):
        what = "a null" if values.null_count else str(values.type)
        raise TypeError(f"column {name!r}: expected real numbers, got {what}")
    numbers: NDArray[Any] = values.to_numpy(zero_copy_only=False)
    return numbers if numbers.dtype in (np.float16, np.float32) else numbers.astype(np.float32)


def tokens_of(pa: Any, column: Any, name: str, dim: int | None) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Token vectors of a column, shape (T, d), and the offset of each row in them; `dim` if rows are flat lists."""
    values, offsets = _flattened(pa, column, name)
    if pa.types.is_list(values.type) or pa.types.is_large_list(values.type) or pa.types.is_fixed_size_list(values.type):
        numbers, token_offsets = flat_list(pa, values, name)
        dims = np.unique(np.diff(token_offsets))
        if len(dims) != 1:
            raise ValueError(f"column {name!r}: expected tokens of one dimension, got dimensions {dims[:4].tolist()}")
        return numbers.reshape(-1, int(dims[0])), offsets
    if dim is None:
        raise ValueError(f"column {name!r}: has one flat list of numbers per document, so dim is required")
    if (offsets % dim).any():
        document = int(np.argmax(offsets % dim > 0)) - 1
        raise ValueError(f"column {name!r}: the length of document {document} is not a multiple of dim, {dim}")
    return _numbers(pa, values, name).reshape(-1, dim), offsets // dim


def ids_of(pa: Any, column: Any, name: str) -> list[Any]:
    """Ids in a column."""
    if pa.types.is_dictionary(column.type):  # a Categorical of pandas
        column = column.dictionary_decode()
    kind = column.type
    tests = ("is_integer", "is_string", "is_large_string", "is_string_view")  # older pyarrow lacks the last
    if not any(getattr(pa.types, test)(kind) for test in tests if hasattr(pa.types, test)):
        raise TypeError(f"column {name!r}: expected ids that are integers or strings, got {kind}")
    if column.null_count:
        row = column.is_null().to_numpy(zero_copy_only=False).argmax()
        raise ValueError(f"column {name!r}: the id of document {row} of the batch is null")
    listed: list[Any] = column.to_pylist()
    return listed


def payloads_of(record: Any, names: Sequence[str]) -> list[dict[str, Any]]:
    """Some columns as payloads, an object per row."""
    columns = [[_plain(value) for value in record.column(name).to_pylist()] for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, (datetime.date, datetime.time)) else value
