"""The answer of several indexes: hits, and which shards they are from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from moverank._support.threads import Lock
from moverank.alignment.alignment import Alignment
from moverank.errors import ShardFailedError, UnknownIdError
from moverank.index.found import KeptDocuments
from moverank.index.search.hits import Hits
from moverank.measures.measure import Measure
from moverank.sharding.calls import Caller, Course
from moverank.sharding.merging import Failure, ShardReport
from moverank.vectors.histograms import Histograms
from moverank.vectors.sequences import Sequences

#: How long documents of hits are waited for.
SECONDS_TO_FETCH = 30.0


@dataclass(frozen=True, repr=False, eq=False)
class ShardedHits(Hits):
    """The answer of several indexes, nearest first: `Hits`, and which shards they are from.

    Attributes
    ----------
    shards : ShardReport
        Which shards answered.
    """

    shards: ShardReport = field(default_factory=lambda: ShardReport(0, 0, (), 1.0))

    @property
    def owners(self) -> list[int]:
        """The shard of each document; none for a copy that was pickled."""
        documents = vars(self)["_documents"]
        return documents.shards if isinstance(documents, RemoteDocuments) else []

    def to_dict(self, *, contents: bool = True) -> dict[str, Any]:
        """Convert to JSON values, as `Hits.to_dict`, with "shards"."""
        return {**super().to_dict(contents=contents), "shards": self.shards.to_dict()}

    def __str__(self) -> str:
        return f"{super().__str__()}\n{self.shards}" if self.shards.failed else super().__str__()


class Fetch:
    """Documents of hits, which are fetched from their shards, all at once, when the first of them is looked at.

    Parameters
    ----------
    caller : Caller
        Calls the shards.
    query : Sequences or Histograms
        The query.
    shards : list of int
        The shard of each document.
    ids : list
        The documents, the nearest first.
    states : sequence of str
        The state of each shard in which they were found.
    """

    def __init__(
        self, caller: Caller, query: Sequences | Histograms, shards: list[int], ids: list[Any], states: Sequence[str]
    ) -> None:
        self._caller = caller
        self._query = query
        self.shards = shards
        self._ids = ids
        self._states = list(states)
        self._found: list[KeptDocuments | Failure | UnknownIdError] | None = None
        self._lock = Lock()

    def __call__(self, rank: int) -> KeptDocuments:
        """One of the documents.

        Raises
        ------
        ShardFailedError
            If its shard does not answer, or no longer has the state in which it was found.
        IndexClosedError
            If what found it was closed before any of the documents was looked at.
        """
        with self._lock:
            if self._found is None:
                ranks = [[r for r, own in enumerate(self.shards) if own == s] for s in range(len(self._caller.shards))]
                args = [
                    (self._query, [self._ids[r] for r in own], self._states[s]) if own else None
                    for s, own in enumerate(ranks)
                ]
                found: list[Any] = [None] * len(self._ids)
                course = Course.of(SECONDS_TO_FETCH)
                answers = self._caller.ask("documents", args, course, kept=(UnknownIdError,)).answers
                for own, answer in zip(ranks, answers, strict=True):
                    for place, r in enumerate(own):
                        found[r] = answer if isinstance(answer, (Failure, UnknownIdError)) else answer.only(place)
                self._found = found
            one = self._found[rank]
        if isinstance(one, Failure):
            raise ShardFailedError(str(one))
        if isinstance(one, UnknownIdError):
            raise one
        return one


class RemoteDocuments:
    """Documents of hits in shards, by rank.

    Parameters
    ----------
    found : callable
        Returns the copy of a document, by its place; see `Fetch`.
    places : list of int
        The places.
    """

    def __init__(self, found: Callable[[int], KeptDocuments], places: list[int]) -> None:
        self._found = found
        self._places = places

    @property
    def shards(self) -> list[int]:
        """The shard of each document; none for copies."""
        return self._found.shards if isinstance(self._found, Fetch) else []

    @property
    def measure(self) -> Measure:
        """What the search compared by."""
        return self._document(0).measure

    def alignment(self, rank: int) -> Alignment:
        """Solve the transport problem of a hit again, to get its plan."""
        return self._document(rank).alignment(0)

    def payload(self, rank: int) -> Any:
        """Payload of the document."""
        return self._document(rank).payload(0)

    def text(self, rank: int) -> str | None:
        """Text of the document; None if the index keeps no texts."""
        return self._document(rank).text(0)

    def only(self, rank: int) -> RemoteDocuments:
        """One of the documents alone."""
        return RemoteDocuments(self._found, [self._places[rank]])

    def _document(self, rank: int) -> KeptDocuments:
        return self._found(self._places[rank])

    def __reduce__(self) -> tuple[Any, ...]:
        # Copies, which need no shards.
        return _fetched, ([self._document(rank) for rank in range(len(self._places))],)


def _fetched(found: list[KeptDocuments]) -> RemoteDocuments:
    return RemoteDocuments(found.__getitem__, list(range(len(found))))
