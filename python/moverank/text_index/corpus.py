"""What a search of texts reads, and one state of an index as that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from moverank.encoders.encoded import EncodedText, Encoder
from moverank.index.answer import Request
from moverank.index.parts.filters import Condition, filter_of
from moverank.index.search.hits import Hits
from moverank.index.snapshot import Snapshot
from moverank.measures.measure import Measure
from moverank.spaces.space import Space
from moverank.text_index.entries import Entries
from moverank.text_index.lexical import Lexical


@dataclass(frozen=True)
class Content:
    """What an index keeps of an entry: its text, where this begins in its document, and the document's payload."""

    text: str | None
    begin: int
    payload: Any


class Corpus(Protocol):
    """Entries that are searched: one state of an index, or of several that are searched as one."""

    @property
    def measure(self) -> Measure:
        """What entries are compared by."""
        ...

    @property
    def entries(self) -> Entries:
        """How documents are cut into entries."""
        ...

    @property
    def encoder(self) -> Encoder:
        """What has encoded them."""
        ...

    @property
    def space(self) -> Space | None:
        """What has moved them since."""
        ...

    @property
    def of_bags(self) -> bool:
        """Whether they are bags of words."""
        ...

    @property
    def has_lexical(self) -> bool:
        """Whether they can be searched by terms."""
        ...

    def __len__(self) -> int: ...

    def document_of(self, entry: str) -> int | str:
        """Id of the document of an entry."""
        ...

    def by_terms(self, query: str, limit: int, where: Condition | None, deadline: float | None) -> dict[str, float]:
        """The entries with the best lexical scores, the best first, and these if they are known, or else NaN."""
        ...

    def term_scores(self, query: str, entries: Sequence[str]) -> NDArray[np.float64]:
        """Lexical scores of entries."""
        ...

    def nearest(
        self,
        tokens: EncodedText,
        count: int,
        has_budget: bool,
        where: Condition | None,
        timeout: float | None,
        num_threads: int,
    ) -> Hits:
        """The entries nearest to a query; with a budget, among as many that the first stage over tokens proposes."""
        ...

    def among(self, tokens: EncodedText, entries: list[str], timeout: float | None, num_threads: int) -> Hits:
        """Given entries, the nearest first; those that were not reached in time are left out."""
        ...

    def contents(self, entries: Sequence[str]) -> list[Content]:
        """What is kept of entries."""
        ...


@dataclass(frozen=True)
class State:
    """One state of an index, which later changes leave as it is."""

    snapshot: Snapshot
    lexical: Lexical | None
    entries: Entries
    has_integers: bool
    encoder: Encoder
    space: Space | None

    @property
    def measure(self) -> Measure:
        """What entries are compared by."""
        return self.snapshot.setup.measure

    @property
    def of_bags(self) -> bool:
        """Whether they are bags of words."""
        return self.snapshot.kind.table is not None

    @property
    def has_lexical(self) -> bool:
        """Whether they can be searched by terms."""
        return self.lexical is not None

    def __len__(self) -> int:
        return len(self.snapshot)

    def document_of(self, entry: str) -> int | str:
        """Id of the document of an entry."""
        document = self.entries.document_of(entry)
        return int(document) if self.has_integers else document

    def by_terms(self, query: str, limit: int, where: Condition | None, deadline: float | None) -> dict[str, float]:
        """The entries with the best lexical scores, and these, the best first."""
        assert self.lexical is not None, "searched by terms only where there are any"
        # Without a condition it takes milliseconds, and what it finds is all that there is if time is short.
        until = None if where is None else deadline
        return best_by_terms(self.lexical, self.snapshot, query, limit, where, until)

    def term_scores(self, query: str, entries: Sequence[str]) -> NDArray[np.float64]:
        """Lexical scores of entries."""
        assert self.lexical is not None, "searched by terms only where there are any"
        return self.lexical.scores(query, entries)

    def nearest(
        self,
        tokens: EncodedText,
        count: int,
        has_budget: bool,
        where: Condition | None,
        timeout: float | None,
        num_threads: int,
    ) -> Hits:
        """The entries nearest to a query."""
        candidates = count if has_budget and can_have_budget(self.snapshot) else None
        request = Request.nearest(self.snapshot, count, candidates=candidates, where=where, slack=0.0, timeout=timeout)
        return request.answer(tokens.vectors, tokens.weights, num_threads)

    def among(self, tokens: EncodedText, entries: list[str], timeout: float | None, num_threads: int) -> Hits:
        """Given entries, the nearest first."""
        request = Request.among(self.snapshot, entries, len(entries), slack=0.0, timeout=timeout)
        return request.answer(tokens.vectors, tokens.weights, num_threads)

    def contents(self, entries: Sequence[str]) -> list[Content]:
        """What is kept of entries."""
        return contents_at(self.snapshot, self.snapshot.find(list(entries)).tolist())


class SearchableByTerms(Protocol):
    """A lexical index, or one part of a collection."""

    def search(self, query: str, limit: int, keep: Any = None, deadline: float | None = None) -> dict[str, float]:
        """Scores of the best texts; see `Lexical.search`."""
        ...


def best_by_terms(
    lexical: SearchableByTerms,
    snapshot: Snapshot,
    query: str,
    limit: int,
    where: Condition | None,
    deadline: float | None,
    *,
    strict: bool = True,
) -> dict[str, float]:
    """The entries of a state with the best lexical scores, if they satisfy a condition; `strict` as in `Request`."""
    if where is None:
        return lexical.search(query, limit, None, deadline)
    chosen = snapshot.chosen(None, filter_of(where, deadline), strict=strict)
    assert chosen is not None, "a condition chooses documents"
    fit = frozenset(chosen.tolist())
    keep = lambda ids: [position in fit for position in snapshot.find(ids).tolist()]  # noqa: E731
    return lexical.search(query, limit, keep, deadline)


def can_have_budget(snapshot: Snapshot) -> bool:
    """Whether a search of some candidates only is possible."""
    return snapshot.setup.prefilter is not None or not snapshot.kind.needs_prefilter


def contents_at(snapshot: Snapshot, positions: Sequence[int]) -> list[Content]:
    """What is kept of entries at some positions."""
    found = []
    for position in positions:
        text, begin = snapshot.text(position) or (None, 0)
        found.append(Content(text, begin, snapshot.payload(position)))
    return found
