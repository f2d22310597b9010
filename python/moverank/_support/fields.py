"""Strict reading of JSON from untrusted files."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def parsed(octets: bytes) -> Any:
    """Parse a JSON text; ValueError for any other bytes."""
    try:
        return json.loads(octets)
    except (ValueError, RecursionError):
        raise ValueError("is not JSON written by moverank") from None


class Fields:
    """A JSON object whose fields are taken one by one, with their types; a missing or unknown one is a ValueError."""

    def __init__(self, value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise ValueError(f"{where}: expected an object, got {type(value).__name__}")
        self._left = dict(value)
        self._where = where

    def take(self, name: str, kind: type[T]) -> T:
        """Take the value of a field. A bool is not accepted as an int; an int is accepted as a float."""
        if name not in self._left:
            raise ValueError(f"{self._where}: {name!r} is missing")
        value = self._left.pop(name)
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            raise ValueError(f"{self._where}: {name!r} is {value!r:.40}, expected {kind.__name__}")
        if isinstance(value, str) and any("\ud800" <= c <= "\udfff" for c in value):
            raise ValueError(f"{self._where}: {name!r} is {value!r:.40}, which is not valid Unicode")
        return value

    def take_optional(self, name: str, kind: type[T]) -> T | None:
        """Take the value of a field that may be null."""
        if self.has(name) and self._left[name] is None:
            self._left.pop(name)
            return None
        return self.take(name, kind)

    def count(self, name: str) -> int:
        """Take a whole number from 0 to 2^63 − 1."""
        value = self.take(name, int)
        if not 0 <= value < 1 << 63:
            raise ValueError(f"{self._where}: {name!r} is {value}, expected a count")
        return value

    def extent(self, name: str) -> float:
        """Take a number, or "inf"."""
        if self._left.get(name) == "inf":
            self._left.pop(name)
            return math.inf
        return self.take(name, float)

    def child(self, name: str, read: Callable[[Fields], T]) -> T | None:
        """Take an object, and convert it by `read`; None if the field is null."""
        value = self.take_optional(name, dict)
        if value is None:
            return None
        fields = Fields(value, f"{self._where}: {name}")
        converted = read(fields)
        fields.done()
        return converted

    def text_or(self, name: str, read: Callable[[Fields], T]) -> str | T:
        """Take a string, or an object converted by `read`."""
        if isinstance(self._left.get(name), str):
            return self.take(name, str)
        converted = self.child(name, read)
        if converted is None:
            raise ValueError(f"{self._where}: {name!r} is null")
        return converted

    def has(self, name: str) -> bool:
        """Whether the object has a field that is not yet taken."""
        return name in self._left

    def items(self) -> list[tuple[str, Any]]:
        """Take all remaining fields."""
        left = list(self._left.items())
        self._left.clear()
        return left

    def done(self) -> None:
        """Refuse remaining fields: they may have a meaning for another version that must not be ignored."""
        if self._left:
            raise ValueError(f"{self._where}: {min(self._left)!r} is unknown")
