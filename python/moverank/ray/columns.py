"""Columns of a batch, as Python values; errors name the column and the row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from moverank._support.optional import optional
from moverank.readers.columns import ids_of, payloads_of


def column(table: Any, name: str) -> Any:
    """One column of a table of Arrow as one array; ValueError if it is missing, or a value is."""
    if name not in table.column_names:
        listed = ", ".join(map(repr, table.column_names))
        raise ValueError(f"column {name!r}: is not in the dataset; its columns are {listed}")
    found = table.column(name).combine_chunks()
    if type(found).__name__ == "ChunkedArray":  # no chunk at all, or more values than one array may have
        pa = optional("pyarrow", "ray")
        found = pa.concat_arrays(found.chunks) if found.num_chunks else pa.array([], found.type)
    if found.null_count:
        row = found.is_null().to_numpy(zero_copy_only=False).argmax()
        raise ValueError(f"column {name!r}: row {row} of the batch is null{_id_of(table, int(row), name)}")
    return found


def texts(table: Any, name: str) -> list[str]:
    """A column of texts."""
    found = column(table, name)
    if not is_text(found.type):
        raise TypeError(f"column {name!r}: expected texts, got {found.type}")
    listed: list[str] = found.to_pylist()
    return listed


def is_text(kind: Any) -> bool:
    """Whether a type of Arrow is that of texts."""
    return str(kind) in ("string", "large_string", "string_view")


def lists(table: Any, name: str, *, of_texts: bool = False) -> list[list[Any]]:
    """A column of lists, of texts or of anything, without nulls in them."""
    found = column(table, name)
    kind = found.type
    is_list = str(kind).startswith(("list<", "large_list<", "fixed_size_list<"))
    if not is_list or (of_texts and not is_text(kind.value_type)):
        raise TypeError(f"column {name!r}: expected lists{' of texts' if of_texts else ''}, got {kind}")
    listed: list[list[Any]] = found.to_pylist()
    for row, values in enumerate(listed):
        if None in values:
            where = f"row {row} of the batch has a null at {values.index(None)}"
            raise ValueError(f"column {name!r}: {where}{_id_of(table, row, name)}")
    return listed


def ids(table: Any, name: str) -> list[Any]:
    """A column of ids: integers or strings."""
    return ids_of(optional("pyarrow", "ray"), column(table, name), name)


def payloads(table: Any, names: Sequence[str] | None) -> list[Any] | None:
    """Payloads of some columns, an object per row."""
    if names is None:
        return None
    for name in names:
        if name not in table.column_names:
            column(table, name)
    return payloads_of(table, names)


def with_columns(table: Any, values: dict[str, Any]) -> Any:
    """The table with further columns; ValueError if it has one of these names."""
    for name, array in values.items():
        if name in table.column_names:
            raise ValueError(f"column {name!r}: the dataset already has one; rename or drop it first")
        table = table.append_column(name, array)
    return table


def _id_of(table: Any, row: int, but: str) -> str:
    """Which row that is, where a column "id" says so."""
    if "id" not in table.column_names or but == "id":
        return ""
    return f" (id {table.column('id')[row].as_py()!r:.60})"
