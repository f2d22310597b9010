"""Names of documents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ids = Sequence[int] | Sequence[str] | NDArray[Any]


def _listed(ids: Any) -> list[Any]:
    if isinstance(ids, str) or not isinstance(ids, Iterable):
        raise TypeError(f"ids: expected a list of ids, got {ids!r}")
    return list(ids)


def _require_unique(names: NDArray[Any]) -> NDArray[Any]:
    """Return the names sorted; ValueError names one that repeats."""
    unique, counts = np.unique(names, return_counts=True)
    if len(unique) < len(names):
        raise ValueError(f"ids: {unique[np.argmax(counts > 1)].item()!r} is given more than once")
    return unique


class DocumentIds:
    """Unique ids of documents by position: all integers, or all strings."""

    def __init__(self, ids: Ids | None, count: int) -> None:
        self.names: NDArray[Any] = np.arange(count, dtype=np.int64) if ids is None else _names(_listed(ids), count)
        self.names.flags.writeable = False
        #: Place of each document in the order of ids, which ranks equal distances.
        self.ranks = np.arange(count, dtype=np.int64)
        if ids is not None:
            self.ranks[np.argsort(self.names)] = np.arange(count)
        self._place: dict[Any, int] | None = None  # by name; made when first needed

    def positions_of(self, ids: Ids) -> NDArray[np.int64]:
        """Sorted positions of some documents; KeyError names an id that is none of them."""
        wanted = _listed(ids)
        if not wanted:
            raise ValueError("ids: expected at least one candidate")
        if self._place is None:
            self._place = {name: place for place, name in enumerate(self.names.tolist())}
        places = []
        for name in wanted:
            plain = name.item() if isinstance(name, np.generic) else name
            if isinstance(plain, bool) or plain not in self._place:
                raise KeyError(f"ids: {plain!r} is not in the index")
            places.append(self._place[plain])
        _require_unique(self.names[places])
        return np.sort(np.array(places, dtype=np.int64))


def _names(listed: list[Any], count: int) -> NDArray[Any]:
    """Check ids: all integers or all strings, unique, one a document."""
    if len(listed) != count:
        raise ValueError(f"ids: expected {count}, one a document, got {len(listed)}")
    names: NDArray[Any]
    if all(isinstance(x, str) for x in listed):
        names = np.array(listed, dtype=np.str_)
    elif all(isinstance(x, (int, np.integer)) and not isinstance(x, bool) for x in listed):
        try:
            names = np.array(listed, dtype=np.int64)
        except OverflowError:
            raise ValueError("ids: an integer does not fit into 64 bits") from None
    else:
        kinds = " and ".join(dict.fromkeys(type(x).__name__ for x in listed))
        raise TypeError(f"ids: expected all integers or all strings, got {kinds}")
    _require_unique(names)
    return names
