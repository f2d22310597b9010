"""The space of an index's documents, kept as bytes until it is needed: searches by vectors do not need it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moverank.spaces import Space


class AttachedSpace:
    """A space that belongs to an index.

    Parameters
    ----------
    load : callable
        Returns the bytes made by `Space.to_bytes`.
    """

    def __init__(self, load: Callable[[], bytes]) -> None:
        self._load = load

    @classmethod
    def of(cls, space: Space) -> AttachedSpace:
        """Attach a space. It is serialised at once, so that one that cannot be is refused before any work is done."""
        from moverank.spaces import Space

        if not isinstance(space, Space):
            raise TypeError(f"space: expected a Space, got {type(space).__name__}")
        return _holding(space.to_bytes())

    def __reduce__(self) -> tuple[Any, ...]:
        return _holding, (self.octets,)

    @cached_property
    def octets(self) -> bytes:
        """The serialised space."""
        return self._load()

    @cached_property
    def space(self) -> Space:
        """The space."""
        read: Callable[[bytes], Space] = import_module("moverank.spaces").Space.from_bytes
        return read(self.octets)


def _holding(octets: bytes) -> AttachedSpace:
    return AttachedSpace(lambda: octets)
