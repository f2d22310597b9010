"""Several indexes of texts as one corpus: the parts of a search of texts, each asked of all shards."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from moverank.encoders.encoded import EncodedText, Encoder
from moverank.errors import ShardFailedError, ShardMismatchError
from moverank.index.parts.filters import Condition
from moverank.index.search.hits import Hits
from moverank.measures.measure import Measure
from moverank.sharding.calls import Calls, Course
from moverank.sharding.hits import ShardedHits
from moverank.sharding.merging import Failure, ShardReport
from moverank.sharding.shard import ShardInfo, ShardQuery
from moverank.sharding.shards import Shards
from moverank.sharding.text_shard import TextShardInfo
from moverank.sharding.waves import among, nearest, seeds_each, with_fields
from moverank.spaces.space import Space
from moverank.text_index.corpus import Content
from moverank.text_index.entries import Entries
from moverank.text_index.lexical_part import best_of_parts
from moverank.text_index.settings import Settings
from moverank.text_index.term_statistics import TermStatistics
from moverank.vectors.sequences import Sequences

#: Shares of the time that is left: for what terms are weighed by, for the best by terms, and for each comparison. A
#: shard that is late in one of them is missing from the answer, but leaves the others time for the rest.
FOR_STATISTICS = 0.25
FOR_TERMS = 0.4
FOR_COMPARISON = 0.7

#: Seconds that shards have for scores and texts of candidates even if time is over: they are in the answer.
LEAST_SECONDS = 0.05


class TextShards(Shards):
    """Shards of texts, whose documents are texts, and whose entries are texts or passages."""

    TWICE = "remove it from one of them"

    def _require_alike(self, infos: list[ShardInfo]) -> None:
        """Refuse shards with ids of different types."""
        told = cast("list[TextShardInfo]", infos)
        kinds = {info.settings.ids: name for info, name in zip(told, self.names, strict=True)}
        kinds.pop(None, None)
        if len(kinds) > 1:
            raise ShardMismatchError(f"{kinds['str']} has ids that are strings, but {kinds['int']} has integers")

    @property
    def told(self) -> list[TextShardInfo]:
        """What was last heard of each."""
        return cast("list[TextShardInfo]", self.infos)

    @property
    def settings(self) -> Settings:
        """Settings that all have; the type of ids is that of the first one with documents."""
        return next((info.settings for info in self.told if info.settings.ids), self.told[0].settings)

    @property
    def ids(self) -> str:
        """Type of the ids of documents; empty as long as there are none."""
        return self.settings.ids or ""


class LostShard(Exception):
    """A shard did not answer in the middle of a search, which has to begin anew without it."""

    def __init__(self, shard: int, failure: Failure) -> None:
        super().__init__(shard, failure)
        self.shard = shard
        self.failure = failure


class ShardedCorpus:
    """What all shards have, for one search.

    Parameters
    ----------
    shards : TextShards
        The shards.
    encoder : Encoder
        Their encoder.
    space : Space or None
        Their space.
    course : Course
        When the search has to end.
    lost : mapping of int to Failure
        Shards that are not asked, as they failed before.
    """

    def __init__(
        self, shards: TextShards, encoder: Encoder, space: Space | None, course: Course, lost: dict[int, Failure]
    ) -> None:
        self._shards = shards
        self._course = course
        self._lost = lost
        self._late: dict[int, Failure] = {}
        self._owners: dict[str, int] = {}
        self._statistics: TermStatistics | None = None
        self._parts: dict[int, TermStatistics] = {}
        self._retried = 0
        self._seconds: list[float] = []
        self.encoder = encoder
        self.space = space
        self.entries = Entries(shards.settings.passages)

    @property
    def measure(self) -> Measure:
        """What entries are compared by."""
        return self._shards.infos[0].measure

    @property
    def of_bags(self) -> bool:
        """Whether they are bags of words."""
        return self._shards.told[0].of_bags

    @property
    def has_lexical(self) -> bool:
        """Whether they can be searched by terms."""
        return self._shards.settings.lexical is not None

    def __len__(self) -> int:
        return sum(self._shards.sizes)

    def document_of(self, entry: str) -> int | str:
        """Id of the document of an entry."""
        document = self.entries.document_of(entry)
        return int(document) if self._shards.ids == "int" else document

    def report(self) -> ShardReport:
        """Which shards answered."""
        failed = {**self._late, **self._lost}
        lost, total = sum(self._shards.sizes[s] for s in failed), len(self)
        coverage = 1.0 - lost / total if total else float(not failed)
        count = len(self._shards)
        told = tuple(failed[s] for s in sorted(failed))
        return ShardReport(count, count - len(failed), told, coverage, self._retried, tuple(self._seconds))

    # ---- the parts of a search -------------------------------------------------------------------------------------

    def by_terms(self, query: str, limit: int, where: Condition | None, deadline: float | None) -> dict[str, float]:
        """The entries with the best lexical scores, the best first, and some more; scores are not known yet."""
        statistics = self._statistics_for(query)
        course = self._course.part(FOR_TERMS)
        is_strict = True

        def ask(counts: Mapping[int, int]) -> dict[int, dict[str, float]]:
            nonlocal is_strict

            def args(strict: bool) -> list[Any]:
                asked: list[Any] = [None] * len(self._shards)
                for s, count in counts.items():
                    # Seconds, as each machine has a clock of its own.
                    asked[s] = self._for(s) or (query, count, where, strict, statistics, course.left, self._state(s))
                return asked

            is_strict, calls = with_fields(self._shards, "by_terms", args, where, course, strict=is_strict)
            told: dict[int, dict[str, float]] = dict(self._values(calls))
            self._require_once(told)
            return told

        ratios = {s: statistics.mean_length / part.mean_length for s, part in self._parts.items()}
        found = best_of_parts(ask, ratios, limit)
        self._owners.update(found)
        return dict.fromkeys(found, np.nan)

    def _require_once(self, told: Mapping[int, Mapping[str, float]]) -> None:
        """Refuse shards of which two have an entry of the same name."""
        found: dict[str, int] = {}
        for s, own in told.items():
            for entry in own:
                if found.setdefault(entry, self._owners.get(entry, s)) != s:
                    raise ShardMismatchError(f"two shards have a text of the id {entry!r:.80}; {self._shards.TWICE}")

    def term_scores(self, query: str, entries: Sequence[str]) -> NDArray[np.float64]:
        """Lexical scores of entries; 0 for those of a shard that is late."""
        if not len(entries):
            return np.zeros(0)
        found = self._each("term_scores", entries, lambda own, state: (query, own, self._statistics_for(query), state))
        return np.array([found.get(entry, 0.0) for entry in entries], dtype=np.float64)

    def nearest(
        self,
        tokens: EncodedText,
        count: int,
        has_budget: bool,
        where: Condition | None,
        timeout: float | None,
        num_threads: int,
    ) -> Hits:
        """The entries nearest to a query; with a budget, each shard proposes as many."""
        limited = has_budget and all(info.can_have_budget for info in self._shards.told)
        seeds = seeds_each(self._shards, count)
        budget = count if limited else None
        asked = ShardQuery(uuid.uuid4().hex, _query(tokens), count, seeds, where, budget, 0.0)
        hits = nearest(self._shards, asked, self._for_all(None), self._within(timeout))
        return self._noted(hits, range(len(self._shards)))

    def among(self, tokens: EncodedText, entries: list[str], timeout: float | None, num_threads: int) -> Hits:
        """Given entries, the nearest first; those that were not reached in time are left out."""
        parts: list[Any] = [[] for _ in range(len(self._shards))]
        for entry in entries:
            parts[self._owners[entry]].append(entry)
        asked = ShardQuery("", _query(tokens), len(entries), 1, None, None, 0.0)
        hits = among(self._shards, asked, len(entries), parts, self._within(timeout), or_none=True)
        return self._noted(hits, [s for s, part in enumerate(parts) if part])

    def contents(self, entries: Sequence[str]) -> list[Content]:
        """What is kept of entries; nothing for those of a shard that is late."""
        found = self._each("contents", entries, lambda own, state: (own, state))
        return [found.get(entry) or Content(None, 0, None) for entry in entries]

    def locate(self, ids: list[Any]) -> list[list[str]]:
        """Entries of each of some documents; none for those that a shard has which does not answer.

        Raises
        ------
        UnknownIdError
            If a document is in no shard.
        """
        parts = self._shards.parts_of(ids, self._course, name="ids")
        for s, part in enumerate(parts):
            if isinstance(part, Failure):
                self._note(s, part)
        places = {id: place for place, id in enumerate(ids)}
        args: list[Any] = [
            (part, self._state(s)) if isinstance(part, list) and part else None for s, part in enumerate(parts)
        ]
        found: list[list[str]] = [[] for _ in ids]
        for s, own in self._values(self._shards.caller.ask("entries_of", args, self._course)):
            for id, entries in zip(parts[s], own, strict=True):
                found[places[id]] = entries
                self._owners.update(dict.fromkeys(entries, s))
        return found

    # ---- calls -----------------------------------------------------------------------------------------------------

    def _statistics_for(self, query: str) -> TermStatistics:
        """What BM25 has to know of all shards; a search has one query."""
        if self._statistics is None:
            args = [self._for(s) or (query, self._state(s)) for s in range(len(self._shards))]
            calls = self._shards.caller.ask("statistics", args, self._course.part(FOR_STATISTICS))
            self._parts = dict(self._values(calls))
            self._statistics = reduce(add, self._parts.values(), TermStatistics(0, 0.0, {}))
        return self._statistics

    def _each(self, method: str, entries: Sequence[str], args: Any) -> dict[str, Any]:
        """Ask each shard about its own entries; what it says of each of them."""
        of_shards: dict[int, list[str]] = {}
        for entry in entries:
            of_shards.setdefault(self._owners[entry], []).append(entry)
        asked: list[Any] = [None] * len(self._shards)
        for s, own in of_shards.items():
            asked[s] = self._late.get(s) or args(own, self._state(s))
        found: dict[str, Any] = {}
        for s, values in self._values(self._shards.caller.ask(method, asked, self._course.at_least(LEAST_SECONDS))):
            found |= dict(zip(of_shards[s], values, strict=True))
        return found

    def _for_all(self, args: Any) -> list[Any]:
        """The same arguments for each shard, or why it is not asked."""
        return [self._for(s) or args for s in range(len(self._shards))]

    def _state(self, shard: int) -> str:
        """The state of a shard that is searched."""
        return self._shards.infos[shard].state

    def _for(self, shard: int) -> Failure | None:
        """Why a shard is not asked."""
        return self._lost.get(shard) or self._late.get(shard)

    def _within(self, timeout: float | None) -> Course:
        """A comparison that may take so long; some of it is kept for the scores and texts of candidates."""
        return Course.of(timeout, self._course.stop).part(FOR_COMPARISON)

    def _values(self, calls: Calls) -> list[tuple[int, Any]]:
        """What each shard said, from the state in which it was loaded."""
        self._retried += calls.retried
        self._seconds.append(calls.seconds)
        found = []
        for s, own in enumerate(calls.answers):
            if isinstance(own, Failure):
                self._note(s, own)
            elif own is not None:
                self._shards.require_state(s, own.state)
                found.append((s, own.value))
        return found

    def _noted(self, hits: ShardedHits, places: Sequence[int]) -> Hits:
        """Note which shard each hit is from, and which of those asked failed."""
        self._retried += hits.shards.retried
        self._seconds += hits.shards.seconds
        names = {self._shards.names[s]: s for s in places}
        for failure in hits.shards.failed:
            self._note(names[failure.shard], failure)
        self._owners.update(zip(hits.ids.tolist(), hits.owners, strict=True))
        return hits

    def _note(self, shard: int, failure: Failure) -> None:
        """Go on without a shard that is late; begin anew without one that failed, whatever it has said before."""
        if shard in self._lost:
            return
        if not self._shards.answers_in_part:
            raise ShardFailedError(str(failure))
        if not failure.is_late:
            raise LostShard(shard, failure)
        self._late[shard] = failure


def _query(tokens: EncodedText) -> Sequences:
    return Sequences.from_flat(tokens.vectors, [0, len(tokens.tokens)], tokens.weights)
