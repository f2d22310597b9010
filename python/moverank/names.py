"""Names of documents: all integers, or all strings. Kept as arrays, so that opening an index costs nothing a name."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from moverank.errors import DuplicateIdError, IndexFormatError

Ids = Sequence[int] | Sequence[str] | NDArray[Any]
Positions = NDArray[np.int64]


class Names(Protocol):
    """Unique names of a run of documents, by position."""

    #: "int" or "str".
    kind: str

    def __len__(self) -> int: ...

    def take(self, positions: Positions) -> NDArray[Any]:
        """Names at some positions: int64, or strings."""
        ...

    def find(self, wanted: Sequence[Any]) -> Positions:
        """Position of each name; −1 where there is none such."""
        ...

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What the names are made of, for a file."""
        ...


class IntNames:
    """Names that are integers of 64 bits."""

    kind = "int"

    def __init__(self, values: NDArray[np.int64], order: Positions | None) -> None:
        self._values = values
        #: Positions by rising name; None where names rise by themselves.
        self._order = order

    def __len__(self) -> int:
        return len(self._values)

    def take(self, positions: Positions) -> NDArray[Any]:
        """Names at some positions."""
        return self._values[positions]

    def find(self, wanted: Sequence[Any]) -> Positions:
        """Position of each name; −1 where there is none such."""
        keys = np.array(wanted, dtype=np.int64)
        places = np.searchsorted(self._values, keys, sorter=self._order)
        found: Positions = np.minimum(places, len(self._values) - 1)
        if self._order is not None:
            found = self._order[found]
        found = found.astype(np.int64)
        found[self._values[found] != keys] = -1
        return found

    def largest(self) -> int:
        """The largest name."""
        return int(self._values[-1 if self._order is None else self._order[-1]])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What the names are made of, for a file."""
        return {"ids": self._values} | ({} if self._order is None else {"id_order": self._order})


class StrNames:
    """Names that are strings: UTF-8, one behind the other."""

    kind = "str"

    def __init__(self, text: NDArray[np.uint8], offsets: NDArray[np.int64], order: Positions | None) -> None:
        self._text = text
        self._offsets = offsets
        #: Positions by rising name, which in UTF-8 is the order of strings; None where names rise by themselves.
        self._order = order

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def _octets(self, position: int) -> bytes:
        return self._text[self._offsets[position] : self._offsets[position + 1]].tobytes()

    def _octets_in_order(self, place: int) -> bytes:
        return self._octets(place if self._order is None else int(self._order[place]))

    def take(self, positions: Positions) -> NDArray[Any]:
        """Names at some positions."""
        try:
            return np.array([self._octets(p).decode() for p in positions.tolist()], dtype=np.str_)
        except UnicodeDecodeError:
            raise IndexFormatError("ids: not in UTF-8; the index's files are damaged") from None

    def find(self, wanted: Sequence[Any]) -> Positions:
        """Position of each name; −1 where there is none such."""
        return np.array([self._find(name.encode(errors="surrogatepass")) for name in wanted], dtype=np.int64)

    def _find(self, octets: bytes) -> int:
        place = bisect_left(range(len(self)), octets, key=self._octets_in_order)
        if place == len(self) or self._octets_in_order(place) != octets:
            return -1
        return place if self._order is None else int(self._order[place])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What the names are made of, for a file."""
        arrays: dict[str, NDArray[Any]] = {"id_text": self._text, "id_offsets": self._offsets}
        return arrays | ({} if self._order is None else {"id_order": self._order})


def make_names(ids: Ids | None, count: int, *, first: int = 0) -> IntNames | StrNames:
    """Check ids, all integers or all strings, unique, one a document; by default integers from `first` on.

    Raises
    ------
    DuplicateIdError
        If an id is given twice; the message names it.
    TypeError
        If ids are neither all integers nor all strings.
    ValueError
        If there are more or fewer than documents, or an integer does not fit into 64 bits.
    """
    if ids is None:
        return IntNames(np.arange(first, first + count, dtype=np.int64), None)
    listed = listed_ids(ids)
    if len(listed) != count:
        raise ValueError(f"ids: expected {count}, one a document, got {len(listed)}")
    return names_of(listed)


def names_of(listed: Sequence[Any]) -> IntNames | StrNames:
    """Names from plain values, at least one."""
    if kind_of(listed) == "int":
        try:
            values = np.array(listed, dtype=np.int64)
        except OverflowError:
            raise ValueError("ids: an integer does not fit into 64 bits") from None
        order = np.argsort(values, kind="stable")
        _require_unique(values[order])
        return IntNames(_sealed(values), _unless_rising(order))
    try:
        octets = [name.encode() for name in listed]
    except UnicodeEncodeError as error:
        raise ValueError(f"ids: {error.object!r} is not valid Unicode") from None
    offsets = np.zeros(len(octets) + 1, dtype=np.int64)
    np.cumsum([len(name) for name in octets], out=offsets[1:])
    order = np.array(sorted(range(len(octets)), key=octets.__getitem__), dtype=np.int64)
    _require_unique(np.array(listed, dtype=object)[order])
    text = np.frombuffer(b"".join(octets), dtype=np.uint8)
    return StrNames(_sealed(text), _sealed(offsets), _unless_rising(order))


def is_name(value: Any, kind: str) -> bool:
    """Whether a value can be the name of a document of an index with names of a kind."""
    if kind == "str":
        return isinstance(value, str)
    is_int = isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.bool_))
    return is_int and -(1 << 63) <= int(value) < 1 << 63


def kind_of(listed: Sequence[Any]) -> str:
    """Whether ids are integers or strings."""
    if all(isinstance(name, str) for name in listed):
        return "str"
    if all(isinstance(name, (int, np.integer)) and not isinstance(name, (bool, np.bool_)) for name in listed):
        return "int"
    kinds = " and ".join(dict.fromkeys(type(name).__name__ for name in listed))
    raise TypeError(f"ids: expected all integers or all strings, got {kinds}")


def stored_names(arrays: Mapping[str, NDArray[Any]]) -> IntNames | StrNames:
    """Names as `arrays` of them says, of which only sizes are checked."""
    order = arrays.get("id_order")
    if "ids" in arrays:
        ints = IntNames(arrays["ids"], order)
        return ints
    return StrNames(arrays["id_text"], arrays["id_offsets"], order)


def listed_ids(ids: Any) -> list[Any]:
    """Ids as a list of plain values; one string or no list at all is a TypeError."""
    if isinstance(ids, str) or not isinstance(ids, Iterable):
        raise TypeError(f"ids: expected a list of ids, got {ids!r}")
    return ids.tolist() if isinstance(ids, np.ndarray) else list(ids)


def _require_unique(in_order: NDArray[Any]) -> None:
    repeated = in_order[1:] == in_order[:-1]
    if repeated.any():
        raise DuplicateIdError(f"ids: {in_order.tolist()[int(np.argmax(repeated))]!r} is given more than once")


def _unless_rising(order: Positions) -> Positions | None:
    return None if (np.diff(order) == 1).all() else _sealed(order)


def _sealed(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array
