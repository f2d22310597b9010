"""Comparing the batches of a resumed build with the documents that are already in the index."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank.index.batch import Batch
from moverank.index.parts.anchors import as_stored
from moverank.index.parts.intake import Intake
from moverank.index.parts.kinds import kind_of
from moverank.index.parts.part import Part
from moverank.index.parts.setup import Setup
from moverank.index.snapshot import Snapshot
from moverank.measures.pooling import pooled_again
from moverank.vectors.sequences import Sequences


class SkippedBatches:
    """Batches that are already in an index. A difference is an error, as the given documents would be ignored silently.

    Parameters
    ----------
    begun : Snapshot
        The index.
    is_complete : bool
        Whether the build was completed.
    num_threads : int
        Threads for preparing the documents to compare.
    """

    def __init__(self, begun: Snapshot, *, is_complete: bool, num_threads: int) -> None:
        self._begun = begun
        self._is_complete = is_complete
        # Prefilters and codes are not compared, so they are not computed; clusters would take long. Tokens are pooled
        # as they were before: clustered anew, tokens with other last digits could be grouped in another way.
        setup = replace(begun.setup, prefilter=None, codes=None, pool=1.0)
        if begun.setup.pool > 1:
            # They were pooled before they were rounded, which may change a component by more than `tolerance`.
            setup = replace(setup, dtype="float32", anchors=None)
        self._intake = Intake(setup, 0, begun.shared, begun.space, num_threads)
        #: Whether each document of the index has occurred in a batch.
        self._seen = np.zeros(int(begun.firsts[-1]), dtype=bool)

    def compare(self, batch: Batch) -> None:
        """Compare a batch with the index.

        Raises
        ------
        ValueError
            If a document is not in the index or differs from the one in the index; the message names it.
        """
        part = self._intake.part(batch.docs, batch.ids, batch.payloads, self._require_known)
        listed = part.ids.take(np.arange(len(part))).tolist()
        for own, (id, position) in enumerate(zip(listed, self._begun.find(listed).tolist(), strict=True)):
            self._require_same(part, own, position, id)

    def _require_known(self, listed: list[Any]) -> None:
        """Refuse ids that are not in the index, or have occurred before."""
        found = self._begun.find(listed)
        if (found < 0).any():
            raise self._error(f"document {listed[int(np.argmin(found))]!r:.80} is not in it")
        if self._seen[found].any():
            raise self._error(f"document {listed[int(np.argmax(self._seen[found]))]!r:.80} occurs twice in the batches")
        self._seen[found] = True

    def finish(self) -> None:
        """Raise an error if a document of the index was in no batch."""
        present = self._begun.positions
        missing = present[~self._seen[present]]
        if len(missing):
            first = self._begun.ids_at(missing[:1]).tolist()[0]
            raise self._error(f"its document {first!r:.80} is not in the batches")

    def _require_same(self, part: Part, own: int, position: int, id: object) -> None:
        other_part, place = self._begun.place(position)
        other = self._begun.parts[other_part]
        if part.payload(own) != other.payload(place):
            raise self._error(f"its document {id!r:.80} has a different payload")
        given, stored = part.content(own), other.content(place)
        pooled_into = other.pooled_into(place)
        if pooled_into is not None:
            if len(pooled_into) != len(given[0]):
                raise self._error(f"its document {id!r:.80} has a different number of tokens")
            try:
                tokens, mass = pooled_again(*given, pooled_into, len(stored[0]), other.setup.measure)
            except ValueError:
                raise self._error(f"its document {id!r:.80} has different tokens or weights") from None
            given = _rounded(tokens, other.setup), mass
        tolerance = kind_of(other.setup).tolerance(other.setup)
        for found, expected in zip(given, stored, strict=True):
            if found.shape != expected.shape:
                raise self._error(f"its document {id!r:.80} has a different number of tokens")
            if np.abs(found - expected).max() > tolerance * np.abs(expected).max():
                raise self._error(f"its document {id!r:.80} has different tokens or weights")

    def _error(self, what: str) -> ValueError:
        if self._is_complete:
            return ValueError(f"resume: the index is complete, and {what}; use add for further documents")
        return ValueError(f"resume: expected the same batches in the same order as when the build was begun: {what}")


def _rounded(tokens: NDArray[np.float64], setup: Setup) -> NDArray[np.float64]:
    """Pooled tokens of a document as an index with this setup stores them."""
    docs = as_stored(Sequences([tokens.astype(np.float32)]), setup, num_threads=1)
    return docs._stored.decoded().astype(np.float64)
