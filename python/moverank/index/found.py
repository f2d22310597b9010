"""The documents behind the hits of a search, for their payloads and alignments."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank.alignment.align import align
from moverank.alignment.alignment import Alignment
from moverank.alignment.given import aligned, bin_names
from moverank.errors import IndexFormatError, InfeasibleError
from moverank.index.parts.kind import Document
from moverank.index.parts.setup import Setup
from moverank.index.search.query import Query
from moverank.index.snapshot import Snapshot
from moverank.measures.measure import Measure
from moverank.measures.pooling import members_of


class FoundDocuments:
    """Documents found by a search, in the state of the index that it read.

    Parameters
    ----------
    snapshot : Snapshot
        The state of the index.
    query : Query
        The query.
    positions : list of int
        Positions of the documents, the nearest first.
    """

    def __init__(self, snapshot: Snapshot, query: Query, positions: list[int]) -> None:
        self._snapshot = snapshot
        self._query = query
        self._positions = positions

    @property
    def measure(self) -> Measure:
        """What the search compared by."""
        return self._snapshot.setup.measure

    def alignment(self, rank: int) -> Alignment:
        """Solve the transport problem of a hit again, to get its plan."""
        with documents_sound():
            document = self._snapshot.document(self._positions[rank])
            costs = self._snapshot.costs(self._query.tokens, document[0])
            pooled_into = self._snapshot.pooled_into(self._positions[rank])
            return _aligned(self._query, document, self._snapshot.setup, costs, pooled_into)

    def payload(self, rank: int) -> Any:
        """Payload of the document."""
        return self._snapshot.payload(self._positions[rank])

    def text(self, rank: int) -> str | None:
        """Text of the document; None if the index keeps no texts."""
        kept = self._snapshot.text(self._positions[rank])
        return None if kept is None else kept[0]

    def only(self, rank: int) -> FoundDocuments:
        """One of the documents alone."""
        return FoundDocuments(self._snapshot, self._query, [self._positions[rank]])

    def __reduce__(self) -> tuple[Any, ...]:
        kept = self.kept()
        return KeptDocuments, tuple(getattr(kept, own.name) for own in fields(kept))

    def kept(self) -> KeptDocuments:
        """Copies, which need no index."""
        documents = [self._snapshot.document(position) for position in self._positions]
        payloads = [self._snapshot.payload(position) for position in self._positions]
        costs = [self._snapshot.costs(self._query.tokens, tokens) for tokens, _ in documents]
        pooled_into = [self._snapshot.pooled_into(position) for position in self._positions]
        texts = [self.text(rank) for rank in range(len(self._positions))]
        return KeptDocuments(self._query, documents, payloads, texts, self._snapshot.setup, costs, pooled_into)


@dataclass(frozen=True)
class KeptDocuments:
    """Copies of found documents, for pickled hits, which have no index; fields are lists with an entry per document.

    These are tokens and mass, payloads, texts, given costs, and which tokens were pooled into which.
    """

    query: Query
    documents: list[Document]
    payloads: list[Any]
    texts: list[str | None]
    setup: Setup
    costs: list[NDArray[Any] | None]
    pooled_into: list[NDArray[np.int32] | None]

    @property
    def measure(self) -> Measure:
        """What the search compared by."""
        return self.setup.measure

    def alignment(self, rank: int) -> Alignment:
        """Solve the transport problem of a hit again, to get its plan."""
        return _aligned(self.query, self.documents[rank], self.setup, self.costs[rank], self.pooled_into[rank])

    def payload(self, rank: int) -> Any:
        """Payload of the document."""
        return self.payloads[rank]

    def text(self, rank: int) -> str | None:
        """Text of the document; None if the index kept no texts."""
        return self.texts[rank]

    def only(self, rank: int) -> KeptDocuments:
        """One of the documents alone."""
        one = slice(rank, rank + 1)
        return KeptDocuments(
            self.query,
            self.documents[one],
            self.payloads[one],
            self.texts[one],
            self.setup,
            self.costs[one],
            self.pooled_into[one],
        )


def _aligned(
    query: Query,
    document: Document,
    setup: Setup,
    costs: NDArray[Any] | None,
    pooled_into: NDArray[np.int32] | None,
) -> Alignment:
    tokens, mass = document
    if costs is not None and query.mass is not None:
        alignment = aligned(costs, query.mass, mass, (query.tokens, tokens), setup.measure)
        return alignment.named(bin_names(query.tokens, setup.sources), bin_names(tokens, setup.targets))
    alignment = align(query.tokens, tokens, setup.measure, query.mass, mass)
    if pooled_into is None:
        return alignment
    members_of(pooled_into, len(tokens))  # refuses numbers that damage has changed
    return replace(alignment, pooled_into=pooled_into)


@contextmanager
def documents_sound() -> Iterator[None]:
    """Report a document that the core refuses as damage of the index.

    Documents are checked when they are added, so if one is refused later, a file has changed since.
    """
    try:
        yield
    except InfeasibleError:
        raise  # not damage: infinite costs forbid every transport plan
    except ValueError as error:
        raise IndexFormatError(f"a document cannot be measured: {error}; verify finds the damage") from None
