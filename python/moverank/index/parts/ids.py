"""Ids of documents: all integers, or all strings. They are stored as arrays, so opening an index takes no time per id.

Strings are returned in arrays of objects: NumPy's own arrays of strings use the memory of the longest string for each,
and drop NUL characters at the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from moverank._support.validate import as_list, read_only
from moverank.errors import DuplicateIdError, IndexFormatError
from moverank.index.parts.arrays import require_offsets

Ids = Sequence[int] | Sequence[str] | NDArray[Any]
Positions = NDArray[np.int64]


class IdTable(Protocol):
    """Unique ids of a group of documents, by position."""

    #: "int" or "str".
    kind: str

    def __len__(self) -> int: ...

    def take(self, positions: Positions) -> NDArray[Any]:
        """Return the ids at given positions: int64, or objects of type str."""
        ...

    def find(self, wanted: Sequence[Any]) -> Positions:
        """Position of each id; −1 for unknown ids."""
        ...

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays to be stored."""
        ...

    def verify(self) -> None:
        """Check that every id is valid and is found by `find`; IndexFormatError otherwise."""
        ...


class IntIds:
    """Ids that are 64-bit integers."""

    kind = "int"

    def __init__(self, values: NDArray[np.int64], order: Positions | None) -> None:
        self._values = values
        #: Positions sorted by id; None if the ids are sorted themselves.
        self._order = order

    def __len__(self) -> int:
        return len(self._values)

    def take(self, positions: Positions) -> NDArray[Any]:
        """Return the ids at given positions."""
        return self._values[positions]

    def find(self, wanted: Sequence[Any]) -> Positions:
        """Position of each id; −1 for unknown ids."""
        keys = np.array(wanted, dtype=np.int64)
        if len(self) == 0:
            return np.full(len(keys), -1, dtype=np.int64)
        places = np.searchsorted(self._values, keys, sorter=self._order)
        found: Positions = np.minimum(places, len(self._values) - 1)
        if self._order is not None:
            found = self._order[found]
        found = found.astype(np.int64)
        found[self._values[found] != keys] = -1
        return found

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays to be stored."""
        return {"ids": self._values} | ({} if self._order is None else {"id_order": self._order})

    def verify(self) -> None:
        """Check that the stored order sorts the ids, as the binary search of `find` requires."""
        in_order = self._values if self._order is None else self._values[self._order]
        if (in_order[1:] <= in_order[:-1]).any():
            raise IndexFormatError("ids: their order is not increasing; the index's files are damaged")


class StrIds:
    """Ids that are strings: their concatenated UTF-8 text, and sorted hashes to find them by.

    Parameters
    ----------
    text : ndarray of uint8
        All ids, back to back.
    offsets : ndarray of int64, shape (N + 1,)
        Start of each id in the text, and the length of the text.
    hashes : ndarray of uint64, shape (N,)
        BLAKE2b digests of 8 bytes of the ids, read as little-endian integers, in increasing order.
    order : ndarray of int64, shape (N,)
        Position of the id of each hash.
    """

    kind = "str"

    def __init__(
        self,
        text: NDArray[np.uint8],
        offsets: NDArray[np.int64],
        hashes: NDArray[np.uint64],
        order: Positions,
    ) -> None:
        self._text = text
        self._offsets = offsets
        self._hashes = hashes
        self._order = order

    def __len__(self) -> int:
        return len(self._order)

    def _octets_at(self, positions: Positions) -> list[bytes]:
        starts, ends = self._offsets[positions].tolist(), self._offsets[positions + 1].tolist()
        text = self._text.data
        return [bytes(text[start:end]) for start, end in zip(starts, ends, strict=True)]

    def take(self, positions: Positions) -> NDArray[Any]:
        """Return the ids at given positions."""
        names = np.empty(len(positions), dtype=object)
        try:
            names[:] = [octets.decode() for octets in self._octets_at(positions)]
        except UnicodeDecodeError:
            raise IndexFormatError("ids: not in UTF-8; the index's files are damaged") from None
        return names

    def find(self, wanted: Sequence[Any]) -> Positions:
        """Position of each id; −1 for unknown ids."""
        octets = [name.encode(errors="surrogatepass") for name in wanted]
        hashes = _hashes(octets)
        firsts = np.searchsorted(self._hashes, hashes, side="left")
        lasts = np.searchsorted(self._hashes, hashes, side="right")
        found = np.full(len(octets), -1, dtype=np.int64)
        for w in np.flatnonzero(firsts < lasts).tolist():
            positions = self._order[firsts[w] : lasts[w]]
            for position, own in zip(positions.tolist(), self._octets_at(positions), strict=True):
                if own == octets[w]:
                    found[w] = position
        return found

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays to be stored."""
        return {
            "id_text": self._text,
            "id_offsets": self._offsets,
            "id_hashes": self._hashes,
            "id_order": self._order,
        }

    def verify(self) -> None:
        """Check that ids are valid text, and that each is found by its hash."""
        everyone = np.arange(len(self))
        self.take(everyone)
        hashes = _hashes(self._octets_at(everyone))
        increasing = (self._hashes[1:] >= self._hashes[:-1]).all()
        if not increasing or (np.bincount(self._order, minlength=len(self)) != 1).any():
            raise IndexFormatError("ids: their hashes are not in order; the index's files are damaged")
        if (hashes[self._order] != self._hashes).any():
            raise IndexFormatError("ids: a hash does not match its id; the index's files are damaged")


def make_ids(ids: Ids | None, count: int, *, first: int = 0) -> IntIds | StrIds:
    """Check ids: all integers or all strings, unique, and one per document. The default is integers from `first` on.

    Raises
    ------
    DuplicateIdError
        If an id is given twice; the message names it.
    TypeError
        If ids are neither all integers nor all strings.
    ValueError
        If there is not one id per document, or an integer does not fit into 64 bits.
    """
    if ids is None:
        if first + count > 1 << 63:
            raise ValueError(f"ids: no 64-bit integer is left after {first - 1}; pass ids explicitly")
        return IntIds(np.arange(first, first + count, dtype=np.int64), None)
    listed = listed_ids(ids)
    if len(listed) != count:
        raise ValueError(f"ids: expected {count}, one per document, got {len(listed)}")
    return ids_of(listed, kind_of_ids(listed))


def ids_of(listed: Sequence[Any], kind: str) -> IntIds | StrIds:
    """Make ids of plain values of one kind."""
    return _int_ids(listed) if kind == "int" else _str_ids(listed)


def _int_ids(listed: Sequence[Any] | NDArray[np.int64]) -> IntIds:
    try:
        values = np.array(listed, dtype=np.int64)
    except OverflowError:
        raise ValueError("ids: an integer does not fit into 64 bits") from None
    order = np.argsort(values, kind="stable")
    _require_unique(values[order])
    return IntIds(read_only(values), None if (np.diff(order) == 1).all() else read_only(order))


def _str_ids(listed: Sequence[str]) -> StrIds:
    try:
        octets = [name.encode() for name in listed]
    except UnicodeEncodeError as error:
        raise ValueError(f"ids: {error.object!r:.80} is not valid Unicode") from None
    offsets = np.zeros(len(octets) + 1, dtype=np.int64)
    np.cumsum([len(name) for name in octets], out=offsets[1:])
    if len(set(octets)) < len(octets):
        in_order = np.empty(len(listed), dtype=object)
        in_order[:] = sorted(listed)
        _require_unique(in_order)
    hashes = _hashes(octets)
    order = np.argsort(hashes, kind="stable")
    text = np.frombuffer(b"".join(octets), dtype=np.uint8)
    return StrIds(read_only(text), read_only(offsets), read_only(hashes[order]), read_only(order))


def joined_ids(tables: Sequence[IdTable], kept: Sequence[Positions], kind: str) -> IntIds | StrIds:
    """Join the ids at the kept positions of consecutive groups of documents."""
    taken = [own.take(positions) for own, positions in zip(tables, kept, strict=True)]
    if kind == "int":
        return _int_ids(np.concatenate(taken))
    return _str_ids([id for ids in taken for id in ids.tolist()])


def _hashes(octets: Sequence[bytes]) -> NDArray[np.uint64]:
    digests = b"".join([blake2b(name, digest_size=8).digest() for name in octets])
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def is_id(value: Any, kind: str) -> bool:
    """Whether a value can be the id of a document, in an index whose ids are of this kind."""
    if kind == "str":
        return isinstance(value, str)
    is_int = isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.bool_))
    return is_int and -(1 << 63) <= int(value) < 1 << 63


def kind_of_ids(listed: Sequence[Any]) -> str:
    """Whether ids are integers or strings."""
    if all(isinstance(name, str) for name in listed):
        return "str"
    if all(isinstance(name, (int, np.integer)) and not isinstance(name, (bool, np.bool_)) for name in listed):
        return "int"
    first = next((n for n, name in enumerate(listed) if type(name) is not type(listed[0])), 0)
    kinds = " and ".join(dict.fromkeys(type(name).__name__ for name in listed))
    raise TypeError(
        f"ids: expected all integers or all strings, got {kinds}; the id of document {first} is {listed[first]!r:.80}"
    )


def stored_ids(arrays: Mapping[str, NDArray[Any]]) -> IntIds | StrIds:
    """Make ids of stored arrays; IndexFormatError if the order has invalid positions."""
    order = arrays.get("id_order")
    if "id_text" in arrays:
        require_offsets(arrays, "id_offsets", "id_text")
    if order is not None and len(order) and (order.min() < 0 or order.max() >= len(order)):
        raise IndexFormatError("ids: their order has invalid positions; the index's files are damaged")
    if "ids" in arrays:
        return IntIds(arrays["ids"], order)
    return StrIds(arrays["id_text"], arrays["id_offsets"], arrays["id_hashes"], arrays["id_order"])


def document_named(arrays: Mapping[str, NDArray[Any]], position: int) -> str:
    """Name of a document of a part for messages: its id, as its position would be the one in this part."""
    return f"document {stored_ids(arrays).take(np.array([position])).tolist()[0]!r:.80}"


def listed_ids(ids: Any, argument: str = "ids") -> list[Any]:
    """Ids as a list of plain values; TypeError, which names the argument, for a single string or another type."""
    if type(ids) is np.ndarray and ids.ndim == 1 and ids.dtype.kind in "iuU":
        plain: list[Any] = ids.tolist()
        return plain
    # Only these NumPy scalars are converted: `item` would turn a datetime64 into an integer.
    return [name.item() if isinstance(name, (np.integer, np.str_)) else name for name in as_list(ids, argument, "ids")]


def _require_unique(in_order: NDArray[Any]) -> None:
    repeated = in_order[1:] == in_order[:-1]
    if repeated.any():
        raise DuplicateIdError(f"ids: {in_order.tolist()[int(np.argmax(repeated))]!r:.80} is given more than once")
