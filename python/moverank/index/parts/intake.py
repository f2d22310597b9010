"""The only way of documents into an index: they are checked, given ids, converted to its storage, and prepared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moverank.errors import DuplicateIdError
from moverank.index.parts.attached_space import AttachedSpace
from moverank.index.parts.ids import Ids, IntIds, Positions, StrIds, make_ids
from moverank.index.parts.kinds import kind_of
from moverank.index.parts.part import Part
from moverank.index.parts.payloads import payload_arrays
from moverank.index.parts.setup import Setup
from moverank.measures.measure import Measure, naming
from moverank.vectors.bags import Bags
from moverank.vectors.histograms import Histograms, as_histograms
from moverank.vectors.sequences import Batch, Sequences, as_sequences

Documents = Bags | Batch | Histograms | ArrayLike


def as_documents(docs: Documents, measure: Measure | None = None) -> Sequences | Bags | Histograms:
    """Check documents: they become histograms if the measure uses given costs, else bags or sequences."""
    if isinstance(docs, Histograms) or (measure is not None and measure._cost.is_given):
        return as_histograms(docs, "docs")
    weighting = None if measure is None else measure.weighting
    return docs if isinstance(docs, Bags) else as_sequences(cast("Sequences", docs), "docs", weighting)


@dataclass
class Intake:
    """Makes parts of an index from documents.

    Parameters
    ----------
    setup : Setup
        Options of the index.
    next_id : int
        Id of the next document that has none; each new part increases it.
    shared : Any
        Data shared by all documents of the index, from `Kind.shared`.
    space : AttachedSpace, optional
        The space of the documents.
    num_threads : int
        Threads for the preparation of documents; 0 means all cores.
    """

    setup: Setup
    next_id: int
    shared: Any
    space: AttachedSpace | None
    num_threads: int

    def part(
        self,
        docs: Documents,
        ids: Ids | None,
        payloads: Any,
        require_ids: Callable[[list[Any]], None] | None = None,
        texts: dict[str, NDArray[Any]] | None = None,
    ) -> Part:
        """Make a part of documents.

        Parameters
        ----------
        docs, ids, payloads
            As in `Index.add`.
        require_ids : callable, optional
            Called with the ids before documents are prepared, to refuse ids; see `new_to`.
        texts : mapping of ndarray, optional
            Arrays of the texts to keep, from `text_arrays`.

        Raises
        ------
        DuplicateIdError
            If an id is given twice.
        DimensionError
            If the dimension of tokens is not that of the index.
        TypeError, ValueError
            If the index has another kind of documents, or a document, id or payload is malformed; the message names it.
        """
        kind, setup = kind_of(self.setup), self.setup
        checked = as_documents(docs, setup.measure)
        if not isinstance(checked, kind.documents):
            raise TypeError(
                f"docs: expected {kind.documents.__name__}, the kind of documents in this index, "
                f"got {type(checked).__name__}"
            )
        stored = kind.stored(checked, setup, self.space)
        named = self._ids(ids, len(stored))
        if require_ids is not None:
            require_ids(named.take(np.arange(len(named))).tolist())
        kept = payload_arrays(payloads, len(stored))
        with naming("docs", "docs", id_of=lambda s: named.take(np.array([s])).tolist()[0]):
            built = kind.build(stored, setup, self.shared, self.num_threads)
        self.next_id = next_id_after(self.next_id, named)
        arrays = {**named.arrays(), **kept, **(texts or {}), **built.arrays}
        return Part(setup, arrays, built.numbers, built.prepared)

    def _ids(self, ids: Ids | None, count: int) -> IntIds | StrIds:
        """Ids of the same kind as in the index."""
        if ids is None and self.setup.ids == "str":
            raise ValueError("ids: required, as the ids of this index are strings")
        named = make_ids(ids, count, first=self.next_id)
        if named.kind != self.setup.ids:
            raise TypeError(f"ids: expected {self.setup.ids}, the type of ids in this index, got {named.kind}")
        return named


def new_to(find: Callable[[Sequence[Any]], Positions], repeated: str) -> Callable[[list[Any]], None]:
    """Make a check that raises DuplicateIdError for ids that `find` finds; the message is the id and `repeated`."""

    def require(ids: list[Any]) -> None:
        known = find(ids) >= 0
        if known.any():
            raise DuplicateIdError(f"ids: {ids[int(np.argmax(known))]!r:.80} {repeated}")

    return require


def next_id_after(before: int, named: IntIds | StrIds) -> int:
    """The integer after the largest id ever used."""
    if named.kind == "str":
        return before
    return max(before, int(named.take(np.arange(len(named))).max()) + 1)
