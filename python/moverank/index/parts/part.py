"""Parts: groups of prepared documents, in memory or in files, of which an index consists.

A part never changes. Documents are added as a new part, and removed by listing their positions. So a search that runs
during a change sees either the old state or the new one, never a mixture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank import _core
from moverank._support.storage import Stored
from moverank.index.parts.arrays import Arrays, mismatch_is_damage
from moverank.index.parts.filters import PayloadFilter
from moverank.index.parts.ids import IntIds, Positions, StrIds, stored_ids
from moverank.index.parts.kind import Document
from moverank.index.parts.kinds import kind_of
from moverank.index.parts.payloads import payload_at
from moverank.index.parts.setup import Setup
from moverank.index.parts.where import fields_of

#: Number of conditions whose matching documents are cached, such as those of the pages of a search or of some tenants.
CONDITIONS_KEPT = 16


class Part:
    """A group of documents, ready for search. Made by an `Intake`, by `merged`, or from the arrays of a file.

    Parameters
    ----------
    setup : Setup
        Options of the index.
    arrays : mapping of ndarray
        Arrays as listed in `arrays`; they may be memory-mapped.
    numbers : mapping of float
        Numbers as listed in `arrays.NUMBERS`. "rounded" is 1 if documents were given with more digits than float32
        has, 0 if not, and missing if this is unknown.
    prepared : optional
        The core's object made from the arrays; by default it is made at the first access.
    """

    def __init__(self, setup: Setup, arrays: Arrays, numbers: Mapping[str, float], prepared: Any = None) -> None:
        self.setup = setup
        self.arrays = arrays
        self.numbers = numbers
        self._prepared = prepared

    def __len__(self) -> int:
        return len(self.arrays["offsets"]) - 1

    def __reduce__(self) -> tuple[Any, ...]:
        # Without the core's object, which cannot be pickled and is made again at the first access.
        return Part, (self.setup, dict(self.arrays), dict(self.numbers))

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in self.arrays.values())

    @cached_property
    def ids(self) -> IntIds | StrIds:
        """Ids of the documents."""
        return stored_ids(self.arrays)

    @property
    def prepared(self) -> Any:
        """The documents prepared for the core; IndexFormatError if the arrays do not match each other."""
        if self._prepared is None:
            with mismatch_is_damage():
                self._prepared = kind_of(self.setup).prepared(self.setup, self.arrays, self.numbers)
        return self._prepared

    @cached_property
    def prepared_clusters(self) -> _core.PreparedSequences:
        """The clusters of each document's tokens, prepared for the core as if they were documents."""
        arrays = self.arrays
        with mismatch_is_damage():
            return _core.PreparedSequences.from_arrays(
                Stored("float32", self.setup.dim, arrays["cluster_tokens"]).in_core(),
                arrays["cluster_offsets"],
                arrays["cluster_mass"],
                arrays.get("cluster_inverse_norms"),
                self.numbers["cluster_max_norm"],
                self.setup.measure._spec,
            )

    def payload(self, position: int) -> Any:
        """Payload of a document."""
        return payload_at(self.arrays, position)

    def matching(self, where: PayloadFilter, among: Positions) -> Positions:
        """Increasing positions of documents that satisfy a filter, at least those among given ones."""
        return self._matching(where) if where.lasting else where.matching(self.arrays, len(self), among)

    def fields(self, wanted: Sequence[str]) -> set[str]:
        """Those of given fields that occur in a payload; answers are cached."""
        unknown = [name for name in wanted if name not in self._fields]
        if unknown:
            found = fields_of(self.arrays, len(self), unknown)
            self._fields.update({name: name in found for name in unknown})
        return {name for name in wanted if self._fields[name]}

    @cached_property
    def _fields(self) -> dict[str, bool]:
        return {}

    @cached_property
    def _matching(self) -> Callable[[PayloadFilter], Positions]:
        def of_all(where: PayloadFilter) -> Positions:
            return where.matching(self.arrays, len(self), np.arange(len(self)))

        return lru_cache(maxsize=CONDITIONS_KEPT)(of_all)

    def document(self, position: int, shared: Any) -> Document:
        """Tokens and mass of one document; `shared` is the result of `Kind.shared` for all parts."""
        return kind_of(self.setup).document(self.setup, self.arrays, self._run(position), shared)

    def content(self, position: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """One document as two arrays of numbers, see `Kind.content`."""
        return kind_of(self.setup).content(self.setup, self.arrays, self._run(position))

    def pooled_into(self, position: int) -> NDArray[np.int32] | None:
        """For each token of a document as given, the number of the stored token that it was pooled into; −1 for none.

        None if tokens are not pooled.
        """
        if self.setup.pool == 1:
            return None
        offsets = self.arrays["given_offsets"]
        return self.arrays["pooled_into"][int(offsets[position]) : int(offsets[position + 1])]

    @property
    def longest(self) -> float:
        """Largest norm of a token, relative to the index's origin."""
        return kind_of(self.setup).longest(self.arrays, self.numbers)

    def _run(self, position: int) -> slice:
        offsets = self.arrays["offsets"]
        return slice(int(offsets[position]), int(offsets[position + 1]))


def find_ids(parts: Sequence[Part], removed: Sequence[Positions], listed: Sequence[Any]) -> Positions:
    """Position of each id among the documents of some parts that are not removed; −1 for unknown ids."""
    found = np.full(len(listed), -1, dtype=np.int64)
    first = 0
    for part, removed_here in zip(parts, removed, strict=True):
        own = part.ids.find(listed)
        own[np.isin(own, removed_here)] = -1
        found = np.where(own >= 0, own + first, found)
        first += len(part)
    return found
