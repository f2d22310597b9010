"""Documents as entries of an index: one each, or one per passage, with ids that lead back to the document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from moverank.encoders.encoded import Encoder, encode_documents
from moverank.encoders.word_vectors import WordVectors
from moverank.errors import NoTokensError
from moverank.index.parts.ids import Positions
from moverank.index.snapshot import Snapshot
from moverank.ranking.passages import Passages
from moverank.spaces.space import Space
from moverank.vectors.bags import Bags
from moverank.vectors.sequences import Sequences

Id = int | str


@dataclass(frozen=True)
class Entry:
    """A document, or one of its passages, before it is encoded."""

    id: str
    text: str
    begin: int
    payload: Any


@dataclass
class Entries:
    """Entries of some documents: `entry(id, n)` names passage n of a document, or the whole document.

    Parameters
    ----------
    passages : Passages or None
        How documents are cut.
    """

    passages: Passages | None

    def id_of(self, document: Id, number: int) -> str:
        """Id of an entry."""
        return str(document) if self.passages is None else f"{document}#{number}"

    def document_of(self, entry: str) -> str:
        """Id of the document of an entry, as text."""
        return entry if self.passages is None else entry.rpartition("#")[0]

    def of(self, document: Id, text: str, payload: Any) -> list[Entry]:
        """Entries of a document."""
        if self.passages is None:
            return [Entry(str(document), text, 0, payload)]
        spans = self.passages.spans(text)
        return [Entry(self.id_of(document, n), text[begin:end], begin, payload) for n, (begin, end) in enumerate(spans)]

    def with_tokens(self, document: Id, text: str, made: Sequence[Entry], known: Sequence[bool]) -> list[Entry]:
        """Entries of a document that have a token, numbered anew. Passages without one go with the passage before them.

        Numbers without a gap lead to all entries of a document; and its whole text is kept, and found by its terms.
        """
        spans: list[list[int]] = []
        for entry, is_known in zip(made, known, strict=True):
            end = entry.begin + len(entry.text)
            if is_known:
                spans.append([entry.begin if spans else made[0].begin, end])
            elif spans:
                spans[-1][1] = end
        return [
            Entry(self.id_of(document, n), text[begin:end], begin, made[0].payload)
            for n, (begin, end) in enumerate(spans)
        ]

    def positions_in(self, snapshot: Snapshot, documents: Sequence[Id]) -> list[Positions]:
        """Positions of all entries of each document; none for a document that is not in the index."""
        found: list[list[int]] = [[] for _ in documents]
        left = list(range(len(documents)))
        number = 0
        while left and len(snapshot):
            positions = snapshot.find([self.id_of(documents[d], number) for d in left]).tolist()
            for d, position in zip(left, positions, strict=True):
                if position >= 0:
                    found[d].append(position)
            left = [d for d, position in zip(left, positions, strict=True) if position >= 0]
            if self.passages is None:
                break
            number += 1
        return [np.array(own, dtype=np.int64) for own in found]


@dataclass(frozen=True)
class Encoding:
    """Encoded entries: `docs` has one document per entry of `kept`, which numbers the entries."""

    docs: Sequences | Bags | None
    kept: list[int] = field(default_factory=list)
    dropped: int = 0
    cut: int = 0


def encoded(encoder: Encoder, texts: list[str], space: Space | None, *, as_bags: bool) -> Encoding:
    """Encode texts of entries in the form in which the index stores them; those without a token are left out."""
    if as_bags and isinstance(encoder, WordVectors):
        rows = encoder._rows_of(texts)
        kept = [place for place, own in enumerate(rows) if len(own)]
        bags = Bags(encoder._vectors, [rows[place].rows for place in kept]) if kept else None
        return Encoding(bags, kept, sum(rows[place].dropped for place in kept))
    try:
        found = encode_documents(encoder, texts, skip_empty=True)
    except NoTokensError:
        return Encoding(None)
    docs = (found if space is None else space(found)).sequences
    return Encoding(docs, found.kept, sum(found.dropped), sum(found.cut))
