"""The documents behind the hits of a search, for their payloads and alignments."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from moverank.alignment.align import align
from moverank.alignment.alignment import Alignment
from moverank.alignment.given import aligned, bin_names
from moverank.errors import IndexFormatError, InfeasibleError
from moverank.index.parts.kind import Document
from moverank.index.parts.setup import Setup
from moverank.index.search.query import Query
from moverank.index.snapshot import Snapshot


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

    def alignment(self, rank: int) -> Alignment:
        """Solve the transport problem of a hit again, to get its plan."""
        with documents_sound():
            document = self._snapshot.document(self._positions[rank])
            costs = self._snapshot.costs(self._query.tokens, document[0])
            return _aligned(self._query, document, self._snapshot.setup, costs)

    def payload(self, rank: int) -> Any:
        """Payload of the document."""
        return self._snapshot.payload(self._positions[rank])

    def only(self, rank: int) -> FoundDocuments:
        """One of the documents alone."""
        return FoundDocuments(self._snapshot, self._query, [self._positions[rank]])

    def __reduce__(self) -> tuple[Any, ...]:
        documents = [self._snapshot.document(position) for position in self._positions]
        payloads = [self._snapshot.payload(position) for position in self._positions]
        costs = [self._snapshot.costs(self._query.tokens, tokens) for tokens, _ in documents]
        return KeptDocuments, (self._query, documents, payloads, self._snapshot.setup, costs)


@dataclass(frozen=True)
class KeptDocuments:
    """Copies of found documents, for pickled hits, which have no index: tokens, mass, payloads, and given costs."""

    query: Query
    documents: list[Document]
    payloads: list[Any]
    setup: Setup
    costs: list[NDArray[Any] | None]

    def alignment(self, rank: int) -> Alignment:
        """Solve the transport problem of a hit again, to get its plan."""
        return _aligned(self.query, self.documents[rank], self.setup, self.costs[rank])

    def payload(self, rank: int) -> Any:
        """Payload of the document."""
        return self.payloads[rank]

    def only(self, rank: int) -> KeptDocuments:
        """One of the documents alone."""
        return KeptDocuments(self.query, [self.documents[rank]], [self.payloads[rank]], self.setup, [self.costs[rank]])


def _aligned(query: Query, document: Document, setup: Setup, costs: NDArray[Any] | None) -> Alignment:
    tokens, mass = document
    if costs is not None and query.mass is not None:
        alignment = aligned(costs, query.mass, mass, (query.tokens, tokens), setup.measure)
        return alignment.named(bin_names(query.tokens, setup.sources), bin_names(tokens, setup.targets))
    return align(query.tokens, tokens, setup.measure, query.mass, mass)


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
