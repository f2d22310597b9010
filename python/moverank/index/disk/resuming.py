"""What an index has already, held against the batches of a build that is gone on with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from moverank.index.batch import Batch
from moverank.index.parts.intake import as_documents, names_for, next_id_behind, stored_as
from moverank.index.parts.part import Part, build_part
from moverank.index.parts.payloads import payload_arrays
from moverank.index.snapshot import Snapshot
from moverank.measures.measure import Measure

#: How far components of one document may be apart, by its largest. Encoders need not give the same digits twice, and
#: codes of 8 bits are then 1 / 127 apart.
_TOLERANCE = 0.02


class PassedOver:
    """Batches that are in an index already. Whatever else they bring is an error, so that nothing given is lost.

    Parameters
    ----------
    begun : Snapshot
        The index.
    measure : Measure
        For what the batches are.
    is_complete : bool
        Whether the build came to its end.
    num_threads : int
        For what is made of documents to compare them.
    """

    def __init__(self, begun: Snapshot, measure: Measure, *, is_complete: bool, num_threads: int) -> None:
        self._begun = begun
        self._measure = measure
        self._is_complete = is_complete
        self._threads = num_threads
        self._next_id = 0
        self._is_in = np.zeros(int(begun.firsts[-1]), dtype=bool)

    def take(self, batch: Batch) -> None:
        """Compare a batch with what the index has.

        Raises
        ------
        ValueError
            If a document is not in the index, or is another there; the message names it.
        """
        begun = self._begun
        # Candidates are not part of what is compared, and clusters would take long to make.
        setup = replace(begun.setup, prefilter=None, codes=None)
        docs = stored_as(as_documents(batch.docs, self._measure), setup, begun.space)
        names = names_for(setup, batch.ids, len(docs), self._next_id)
        self._next_id = next_id_behind(self._next_id, names)
        listed = names.take(np.arange(len(names))).tolist()
        found = begun.find(listed)
        if (found < 0).any():
            raise self._error(f"document {listed[int(np.argmin(found))]!r:.80} is not in it")
        if self._is_in[found].any():
            raise self._error(f"document {listed[int(np.argmax(self._is_in[found]))]!r:.80} comes twice in the batches")
        self._is_in[found] = True
        payloads = payload_arrays(batch.payloads, len(docs))
        part = build_part(docs, names, setup, begun.vocabulary, payloads, self._threads)
        for own, (name, position) in enumerate(zip(listed, found.tolist(), strict=True)):
            self._require_same(part, own, position, name)

    def finish(self) -> None:
        """Refuse that there are fewer documents than in the index."""
        present = self._begun.positions
        missing = present[~self._is_in[present]]
        if len(missing):
            first = self._begun.names_at(missing[:1]).tolist()[0]
            raise self._error(f"its document {first!r:.80} is not in the batches")

    def _require_same(self, part: Part, own: int, position: int, name: object) -> None:
        of_part, place = self._begun.place(position)
        other = self._begun.parts[of_part]
        if part.payload(own) != other.payload(place):
            raise self._error(f"its document {name!r:.80} has another payload")
        tolerance = 0.0 if "words" in other.arrays else _TOLERANCE
        for one, another in zip(_content(part, own), _content(other, place), strict=True):
            if one.shape != another.shape:
                raise self._error(f"its document {name!r:.80} has another number of tokens")
            if np.abs(one - another).max() > tolerance * np.abs(another).max():
                raise self._error(f"its document {name!r:.80} has other tokens or weights")

    def _error(self, what: str) -> ValueError:
        if self._is_complete:
            return ValueError(f"resume: the index is complete, and {what}; add takes further documents")
        return ValueError(f"resume: the batches are not those that the build was begun with, in their order: {what}")


def _content(part: Part, position: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Tokens of a document and their mass; words, numbered by the index, and their counts where there are no tokens."""
    arrays = part.arrays
    run = slice(int(arrays["offsets"][position]), int(arrays["offsets"][position + 1]))
    if "words" in arrays:
        words = arrays["words"][run].astype(np.float64)
        counts = arrays["counts"][run] if "counts" in arrays else np.ones(len(words))
        return words, counts.astype(np.float64)
    tokens, mass = part.document(position, None)
    return tokens.astype(np.float64), mass.astype(np.float64)
