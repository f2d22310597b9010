"""Documents that an index has already, compared with the batches of a resumed build."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from moverank.index.batch import Batch
from moverank.index.parts.intake import Intake
from moverank.index.parts.kinds import kind_of
from moverank.index.parts.part import Part
from moverank.index.snapshot import Snapshot


class PassedOver:
    """Batches that are in an index already. Whatever else they bring is an error, so that nothing given is lost.

    Parameters
    ----------
    begun : Snapshot
        The index.
    is_complete : bool
        Whether the build came to its end.
    num_threads : int
        For what is made of documents to compare them.
    """

    def __init__(self, begun: Snapshot, *, is_complete: bool, num_threads: int) -> None:
        self._begun = begun
        self._is_complete = is_complete
        # Neither what brings candidates nor codes are compared, and clusters would take long to make.
        setup = replace(begun.setup, prefilter=None, codes=None)
        self._intake = Intake(setup, 0, begun.shared, begun.space, num_threads)
        self._is_in = np.zeros(int(begun.firsts[-1]), dtype=bool)

    def take(self, batch: Batch) -> None:
        """Compare a batch with what the index has.

        Raises
        ------
        ValueError
            If a document is not in the index, or is another there; the message names it.
        """
        part = self._intake.part(batch.docs, batch.ids, batch.payloads, self._require_there)
        listed = part.ids.take(np.arange(len(part))).tolist()
        for own, (id, position) in enumerate(zip(listed, self._begun.find(listed).tolist(), strict=True)):
            self._require_same(part, own, position, id)

    def _require_there(self, listed: list[Any]) -> None:
        """Refuse ids that the index does not have, or that came before."""
        found = self._begun.find(listed)
        if (found < 0).any():
            raise self._error(f"document {listed[int(np.argmin(found))]!r:.80} is not in it")
        if self._is_in[found].any():
            raise self._error(f"document {listed[int(np.argmax(self._is_in[found]))]!r:.80} comes twice in the batches")
        self._is_in[found] = True

    def finish(self) -> None:
        """Refuse that there are fewer documents than in the index."""
        present = self._begun.positions
        missing = present[~self._is_in[present]]
        if len(missing):
            first = self._begun.ids_at(missing[:1]).tolist()[0]
            raise self._error(f"its document {first!r:.80} is not in the batches")

    def _require_same(self, part: Part, own: int, position: int, id: object) -> None:
        of_part, place = self._begun.place(position)
        other = self._begun.parts[of_part]
        if part.payload(own) != other.payload(place):
            raise self._error(f"its document {id!r:.80} has another payload")
        tolerance = kind_of(other.setup).tolerance
        for one, another in zip(part.content(own), other.content(place), strict=True):
            if one.shape != another.shape:
                raise self._error(f"its document {id!r:.80} has another number of tokens")
            if np.abs(one - another).max() > tolerance * np.abs(another).max():
                raise self._error(f"its document {id!r:.80} has other tokens or weights")

    def _error(self, what: str) -> ValueError:
        if self._is_complete:
            return ValueError(f"resume: the index is complete, and {what}; add takes further documents")
        return ValueError(f"resume: the batches are not those that the build was begun with, in their order: {what}")
