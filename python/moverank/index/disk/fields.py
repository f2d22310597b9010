"""Strict reading of JSON that may come from anywhere."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, TypeVar

from moverank.errors import IndexFormatError

T = TypeVar("T")


def parsed(octets: bytes) -> Any:
    """Value of a JSON text."""
    try:
        return json.loads(octets)
    except (ValueError, RecursionError):
        raise IndexFormatError("not JSON that a moverank wrote") from None


class Fields:
    """A JSON object whose fields are taken one by one, each of a known type; none may be missing or left."""

    def __init__(self, value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise IndexFormatError(f"{where}: expected an object, got {type(value).__name__}")
        self._left = dict(value)
        self._where = where

    def take(self, name: str, kind: type[T]) -> T:
        """Value of a field; bool is not an int, and an int is a float as well."""
        if name not in self._left:
            raise IndexFormatError(f"{self._where}: {name!r} is missing")
        value = self._left.pop(name)
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            raise IndexFormatError(f"{self._where}: {name!r} is {value!r:.40}, expected {kind.__name__}")
        return value

    def take_optional(self, name: str, kind: type[T]) -> T | None:
        """The same, or None where the field is null."""
        if self.has(name) and self._left[name] is None:
            self._left.pop(name)
            return None
        return self.take(name, kind)

    def count(self, name: str) -> int:
        """A whole number of at least 0 that fits into 63 bits."""
        value = self.take(name, int)
        if not 0 <= value < 1 << 63:
            raise IndexFormatError(f"{self._where}: {name!r} is {value}, expected a count")
        return value

    def extent(self, name: str) -> float:
        """A number of at least 1, or "inf"."""
        if self._left.get(name) == "inf":
            self._left.pop(name)
            return math.inf
        return self.take(name, float)

    def child(self, name: str, read: Callable[[Fields], T]) -> T | None:
        """What is read from an object in a field, None where it is null."""
        value = self.take_optional(name, dict)
        if value is None:
            return None
        fields = Fields(value, f"{self._where}: {name}")
        found = read(fields)
        fields.done()
        return found

    def text_or(self, name: str, read: Callable[[Fields], T]) -> str | T:
        """A string, or what is read from an object."""
        if isinstance(self._left.get(name), str):
            return self.take(name, str)
        found = self.child(name, read)
        if found is None:
            raise IndexFormatError(f"{self._where}: {name!r} is null")
        return found

    def has(self, name: str) -> bool:
        """Whether a field is there, and not yet taken."""
        return name in self._left

    def items(self) -> list[tuple[str, Any]]:
        """All fields that are left."""
        left = list(self._left.items())
        self._left.clear()
        return left

    def done(self) -> None:
        """Refuse fields that nobody asked for: another program may have meant something by them."""
        if self._left:
            raise IndexFormatError(f"{self._where}: {min(self._left)!r} is unknown")
