"""Conversion of payloads to JSON values: NumPy numbers, dates and times, and rows of data frames.

No data frame library is imported. A value that JSON would return as something else is refused by the name of its field.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

import numpy as np

from moverank._support.validate import as_list, is_missing

#: Maximum depth of nesting. SQLite's limit for JSON is twice this.
DEEPEST = 500


def payload_list(payloads: Any, name: str = "payloads") -> list[Any]:
    """Payloads as a list: the items of a list, or the rows of a data frame or table as dicts with a field per column.

    Missing values of a pandas data frame, such as NaN, become None.
    """
    if not hasattr(payloads, "columns"):
        return as_list(payloads, name, "JSON values")
    if hasattr(payloads, "iloc"):
        fields = list(payloads.columns)
        if len(set(fields)) < len(fields):
            raise ValueError(f"{name}: expected a data frame whose columns have different names, got {fields!r:.200}")
        columns = [[None if is_missing(value) else value for value in payloads.iloc[:, c]] for c in range(len(fields))]
        return (
            [dict(zip(fields, row, strict=True)) for row in zip(*columns, strict=True)]
            if fields
            else [{}] * len(payloads)
        )
    for method in ("to_dicts", "to_pylist"):  # polars, Arrow
        if hasattr(payloads, method):
            return list(getattr(payloads, method)())
    raise TypeError(f"{name}: expected a list of JSON values or a data frame, got {type(payloads).__name__}")


def json_value(value: Any) -> Any:
    """Convert a value to JSON types: NumPy numbers and arrays to numbers and lists, dates and times to ISO strings.

    Raises
    ------
    TypeError, ValueError
        If a value cannot be converted, or JSON would return it as something else; the message names the field.
    """
    return _converted(value, "", 0)


def _converted(value: Any, field: str, depth: int) -> Any:
    if value is None or type(value) in (str, bool, int):
        return value
    if depth >= DEEPEST:
        raise ValueError(f"{_at(field)}is nested more than {DEEPEST} levels deep")
    # One call per level, without comprehensions: Python's recursion limit is only twice the maximum depth.
    if isinstance(value, Mapping) or (hasattr(value, "iloc") and hasattr(value, "to_dict")):
        fields: dict[str, Any] = {}
        for name, inner in _fields_of(value, field).items():
            fields[name] = _converted(inner, f"{field}.{name}" if field else name, depth + 1)
        return fields
    if isinstance(value, np.ndarray):
        value = value.tolist() if value.dtype.kind in "biufU" else list(value)
    if isinstance(value, (list, tuple)):
        items: list[Any] = []
        for inner in value:
            items.append(_converted(inner, f"{field}[{len(items)}]", depth + 1))
        return items
    return _scalar(value, field)


def _fields_of(value: Any, field: str) -> dict[str, Any]:
    """Fields of a mapping, or of a pandas Series with strings as labels, whose missing values become None."""
    if hasattr(value, "columns"):
        raise TypeError(f"{_at(field)}expected a JSON value, got {type(value).__name__}; pass one of its rows")
    fields: dict[str, Any] = {}
    for name, inner in value.items():
        if not isinstance(name, str):
            raise TypeError(f"{_at(field)}expected strings as names of fields, got {name!r:.40}")
        if name in fields:
            raise ValueError(f"{_at(field)}has two fields {name!r:.40}")
        fields[str(name)] = None if not isinstance(value, Mapping) and is_missing(inner) else inner
    return fields


def _scalar(value: Any, field: str) -> Any:
    kind = type(value).__name__
    if isinstance(value, str):
        return str.__str__(value)
    if is_missing(value):
        raise ValueError(f"{_at(field)}is missing ({value}); pass None for null")
    if isinstance(value, np.datetime64):
        return str(value)
    if isinstance(value, (date, datetime, time)):  # includes pandas.Timestamp, a subclass of datetime
        return value.isoformat()
    if isinstance(value, (np.bool_, np.integer)):
        return value.item()
    if isinstance(value, (int, float, np.floating)):
        number = value if isinstance(value, (int, float)) else value.item()
        if isinstance(number, float) and math.isinf(number):
            raise ValueError(f"{_at(field)}is {number}, which JSON cannot represent")
        if isinstance(number, (int, float)):
            return int(number) if isinstance(number, int) else float(number)
    hint = "; pass float(x), or str(x) to keep its digits" if kind in ("Decimal", "Fraction", "longdouble") else ""
    raise TypeError(f"{_at(field)}expected a JSON value, got {kind}{hint}")


def _at(field: str) -> str:
    return f"field {field!r:.80}: " if field else ""
