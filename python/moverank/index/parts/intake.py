"""The one road of documents into an index: checked, named, stored as its other documents are, and prepared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike

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
    """Check documents: histograms under a measure of given costs, otherwise what they are."""
    if isinstance(docs, Histograms) or (measure is not None and measure._cost.is_given):
        return as_histograms(docs, "docs")
    weighting = None if measure is None else measure.weighting
    return docs if isinstance(docs, Bags) else as_sequences(cast("Sequences", docs), "docs", weighting)


@dataclass
class Intake:
    """Where documents enter an index, some at a time.

    Parameters
    ----------
    setup : Setup
        What the index is.
    next_id : int
        The id that the next document gets unless it comes with one; each part moves it on.
    shared : Any
        What the documents of the index share, as `Kind.shared` makes it.
    space : AttachedSpace, optional
        The space in which the documents are.
    num_threads : int
        For what is made of documents; 0 stands for all cores.
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
    ) -> Part:
        """Make a part of documents.

        Parameters
        ----------
        docs, ids, payloads
            As in `Index.add`.
        require_ids : callable, optional
            Called with the ids before documents are prepared, to refuse some; see `new_to`.

        Raises
        ------
        DuplicateIdError
            If an id is given twice.
        DimensionError
            If tokens are of another dimension.
        TypeError, ValueError
            If the index is built of other documents, or a document, id or payload is malformed; the message names it.
        """
        kind, setup = kind_of(self.setup), self.setup
        checked = as_documents(docs, setup.measure)
        if not isinstance(checked, kind.documents):
            raise TypeError(
                f"docs: expected {kind.documents.__name__}, as the index was built of them, "
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
        return Part(setup, {**named.arrays(), **kept, **built.arrays}, built.numbers, built.prepared)

    def _ids(self, ids: Ids | None, count: int) -> IntIds | StrIds:
        """Ids of the kind that the index has."""
        if ids is None and self.setup.ids == "str":
            raise ValueError("ids: needed, as the documents of this index have strings for names")
        named = make_ids(ids, count, first=self.next_id)
        if named.kind != self.setup.ids:
            raise TypeError(f"ids: the documents of this index are named by {self.setup.ids}, these by {named.kind}")
        return named


def new_to(find: Callable[[Sequence[Any]], Positions], repeated: str) -> Callable[[list[Any]], None]:
    """A check that refuses ids which `find` finds, with DuplicateIdError; `repeated` is what it says of one."""

    def require(ids: list[Any]) -> None:
        known = find(ids) >= 0
        if known.any():
            raise DuplicateIdError(f"ids: {ids[int(np.argmax(known))]!r:.80} {repeated}")

    return require


def next_id_after(before: int, named: IntIds | StrIds) -> int:
    """The id after the largest that was ever given."""
    if named.kind == "str":
        return before
    return max(before, int(named.take(np.arange(len(named))).max()) + 1)
