"""Runs of documents, prepared: what an index is made of, in memory and in files.

An index is one part after another. A part never changes: documents are added as a new part and removed by a list of
positions, so whoever searches meanwhile sees all of the old state or all of the new one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank import _core
from moverank.errors import IndexFormatError
from moverank.index.parts.arrays import Arrays
from moverank.index.parts.ids import IntIds, Positions, StrIds, stored_ids
from moverank.index.parts.kind import Document
from moverank.index.parts.kinds import kind_of
from moverank.index.parts.payloads import Where, fields_of, payload_at
from moverank.index.parts.setup import Setup

#: Conditions whose documents a part remembers: pages of one search, or a handful of tenants.
CONDITIONS_KEPT = 16


class Part:
    """Some documents, ready to be searched. Made by an `Intake`, by `merged`, or from a file's arrays.

    Parameters
    ----------
    setup : Setup
        What the index is.
    arrays : mapping of ndarray
        As listed above; maps of files will do.
    numbers : mapping of float
        max_norm, largest_code_norm, cluster_max_norm, pooled_norm, first_word: where there is a use for them. And
        rounded: 1 if documents came with more digits than float32 holds, 0 if not; without it nobody knows.
    prepared : optional
        What the core made of the arrays already; otherwise it is made when it is first asked for.
    """

    def __init__(self, setup: Setup, arrays: Arrays, numbers: Mapping[str, float], prepared: Any = None) -> None:
        self.setup = setup
        self.arrays = arrays
        self.numbers = numbers
        self._prepared = prepared

    def __len__(self) -> int:
        return len(self.arrays["offsets"]) - 1

    def __reduce__(self) -> tuple[Any, ...]:
        # Arrays alone: what the core made of them it makes again when it is asked for.
        return Part, (self.setup, dict(self.arrays), dict(self.numbers))

    @property
    def nbytes(self) -> int:
        """Bytes that the arrays take."""
        return sum(array.nbytes for array in self.arrays.values())

    @cached_property
    def ids(self) -> IntIds | StrIds:
        """What the documents are called by."""
        return stored_ids(self.arrays)

    @property
    def prepared(self) -> Any:
        """What the core searches; IndexFormatError if arrays do not fit together."""
        if self._prepared is None:
            with _fitting():
                self._prepared = kind_of(self.setup).prepared(self.setup, self.arrays, self.numbers)
        return self._prepared

    @cached_property
    def prepared_clusters(self) -> _core.PreparedSequences:
        """Clusters of the documents' tokens, as documents of their own."""
        arrays = self.arrays
        with _fitting():
            return _core.PreparedSequences.from_arrays(
                arrays["cluster_tokens"],
                None,
                arrays["cluster_offsets"],
                arrays["cluster_mass"],
                arrays.get("cluster_inverse_norms"),
                self.numbers["cluster_max_norm"],
                self.setup.measure._spec,
            )

    def payload(self, position: int) -> Any:
        """What was given with a document."""
        return payload_at(self.arrays, position)

    def matching(self, where: Where) -> Positions:
        """Rising positions of the documents for which a condition holds; the last answers are kept."""
        return self._matching(where) if where.lasting else where.matching(self.arrays, len(self))

    def fields(self, wanted: Sequence[str]) -> set[str]:
        """Which of some fields any payload has; what was found is kept."""
        unknown = [name for name in wanted if name not in self._fields]
        if unknown:
            found = fields_of(self.arrays, len(self), unknown)
            self._fields.update({name: name in found for name in unknown})
        return {name for name in wanted if self._fields[name]}

    @cached_property
    def _fields(self) -> dict[str, bool]:
        return {}

    @cached_property
    def _matching(self) -> Callable[[Where], Positions]:
        return lru_cache(maxsize=CONDITIONS_KEPT)(lambda where: where.matching(self.arrays, len(self)))

    def document(self, position: int, shared: Any) -> Document:
        """Tokens and mass of one document; `shared` is what `Kind.shared` made of all parts."""
        return kind_of(self.setup).document(self.setup, self.arrays, self._run(position), shared)

    def content(self, position: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What one document is made of, and how much of each, to be compared with another's."""
        return kind_of(self.setup).content(self.arrays, self._run(position))

    @property
    def longest(self) -> float:
        """Largest norm of a token, about the index's origin."""
        return kind_of(self.setup).longest(self.arrays, self.numbers)

    def _run(self, position: int) -> slice:
        offsets = self.arrays["offsets"]
        return slice(int(offsets[position]), int(offsets[position + 1]))


@contextmanager
def _fitting() -> Iterator[None]:
    """Arrays that the core refuses were checked when they were made: a file was changed since."""
    try:
        yield
    except (ValueError, TypeError, KeyError) as error:
        raise IndexFormatError(f"the index's files do not fit together: {error}") from None


def find_ids(parts: Sequence[Part], removed: Sequence[Positions], listed: Sequence[Any]) -> Positions:
    """Position of each id among the documents of some parts, less removed ones; −1 where it is not among them."""
    found = np.full(len(listed), -1, dtype=np.int64)
    first = 0
    for part, gone in zip(parts, removed, strict=True):
        own = part.ids.find(listed)
        own[np.isin(own, gone)] = -1
        found = np.where(own >= 0, own + first, found)
        first += len(part)
    return found
