"""One index of texts among several that are searched as one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from moverank.encoders.encoded import Encoder
from moverank.index.index import Index, PathLike
from moverank.index.parts.filters import Condition
from moverank.index.parts.ids import Positions
from moverank.sharding.fingerprint import Fingerprint
from moverank.sharding.shard import FromState, LatestStates, Shard, ShardInfo
from moverank.spaces.space import Space
from moverank.text_index.changing import positions_of
from moverank.text_index.corpus import Content, State, best_by_terms, can_have_budget, contents_at
from moverank.text_index.lexical_part import LexicalPart
from moverank.text_index.settings import Settings
from moverank.text_index.term_statistics import TermStatistics
from moverank.text_index.text_index import TextIndex


@dataclass(frozen=True)
class TextShardInfo(ShardInfo):
    """What a coordinator has to know of a shard of texts; `n_documents` counts passages, if texts are cut."""

    settings: Settings
    n_texts: int
    of_bags: bool
    can_have_budget: bool


class TextShard(Shard):
    """An index of texts as one of several. Thread-safe; arguments and results can be pickled.

    Parameters
    ----------
    texts : TextIndex or path
        The index, or its folder, which is opened at the first call.
    num_threads : int, optional
        Threads per call; by default those of the index.
    encoder : Encoder, optional
        Its encoder; needed for a folder if it is not one of this package.
    """

    def __init__(
        self, texts: TextIndex | PathLike, num_threads: int | None = None, encoder: Encoder | None = None
    ) -> None:
        super().__init__(texts.index if isinstance(texts, TextIndex) else texts, num_threads)
        self._encoder = encoder
        self._text_states: LatestStates[State] = LatestStates()
        self._texts_given = texts if isinstance(texts, TextIndex) else Path(texts)
        self._texts_opened = texts if isinstance(texts, TextIndex) else None

    def __reduce__(self) -> tuple[Any, ...]:
        return TextShard, (self._texts_given, self._threads, self._encoder)

    @property
    def _texts(self) -> TextIndex:
        with self._lock:
            if self._texts_opened is None:
                assert isinstance(self._texts_given, Path), "an index that was given is open"
                self._texts_opened = TextIndex.open(self._texts_given, encoder=self._encoder, num_threads=self._threads)
            return self._texts_opened

    @property
    def _index(self) -> Index:
        return self._texts.index

    def describe(self) -> TextShardInfo:
        """Say what is in the index."""
        state = self._texts._state()
        settings, told = self._texts._settings, super().describe()
        own = {
            "passages": repr(settings.passages),
            "lexical": repr(settings.lexical),
            "fusion": repr(settings.fusion),
            "calibration": repr(settings.calibration),
            "texts": "kept" if settings.store_texts else "not kept",
        }
        known = vars(replace(told, fingerprint=Fingerprint({**told.fingerprint.parts, **own})))
        return TextShardInfo(
            **known,
            settings=settings,
            n_texts=len(self._texts),
            of_bags=state.of_bags,
            can_have_budget=can_have_budget(state.snapshot),
        )

    def reader(self) -> tuple[Encoder, Space | None]:
        """The encoder of the index, and its space, by which queries are read."""
        return self._texts.encoder, self._texts._state().space

    def _texts_at(self, state: str) -> State:
        """A state of the texts, or the latest one if that is no longer kept."""
        latest = self._texts._state()
        return self._text_states.at(state, latest.snapshot.name, latest)

    def statistics(self, query: str, state: str) -> FromState:
        """What BM25 has to know of these texts for a query; this and what follows, in a state, or else the latest."""
        own = self._texts_at(state)
        assert own.lexical is not None, "asked only of indexes with terms"
        return _from(own, own.lexical.statistics(query))

    def by_terms(
        self,
        query: str,
        limit: int,
        where: Condition | None,
        strict: bool,
        statistics: TermStatistics,
        timeout: float | None,
        state: str,
    ) -> FromState:
        """The best entries by scores near those of all shards, whose `statistics` are given, and these scores."""
        deadline = None if timeout is None else time.perf_counter() + timeout
        own = self._texts_at(state)
        part = _part(own, statistics)
        return _from(own, best_by_terms(part, own.snapshot, query, limit, where, deadline, strict=strict))

    def term_scores(self, query: str, entries: Sequence[str], statistics: TermStatistics, state: str) -> FromState:
        """Lexical scores of entries of this shard."""
        own = self._texts_at(state)
        return _from(own, _part(own, statistics).scores(query, entries))

    def contents(self, entries: Sequence[str], state: str) -> FromState:
        """What is kept of entries of this shard."""
        own = self._texts_at(state)
        positions = own.snapshot.find(list(entries))
        if (positions < 0).any():  # it is not the state in which they were found
            return _from(own, None)
        kept: list[Content] = contents_at(own.snapshot, positions.tolist())
        return _from(own, kept)

    def entries_of(self, ids: Sequence[int | str], state: str) -> FromState:
        """Entries of each of some documents of this shard."""
        own = self._texts_at(state)
        return _from(own, [own.snapshot.ids_at(one).tolist() for one in _positions(own, ids)])

    def document(self, id: int | str) -> tuple[str | None, Any]:
        """Text and payload of a document of this shard."""
        return self._texts.text(id), self._texts.payload(id)

    def has(self, ids: Sequence[Any], state: str = "") -> FromState:
        """Which documents the index has, as an array, in a state if it is still kept, else in the latest."""
        own = self._texts_at(state)
        return _from(own, np.array([len(found) > 0 for found in _positions(own, ids)], dtype=bool))

    def refresh(self) -> str:
        """Load the latest state of the index in the folder; returns its name."""
        self._texts_at("")  # kept for searches that have begun
        return super().refresh()

    @property
    def _changed(self) -> Any:
        return self._texts

    def _writer(self, path: Path) -> Any:
        return TextIndex.open(path, writable=True, encoder=self._texts.encoder)


def _positions(state: State, ids: Sequence[Any]) -> list[Positions]:
    """Positions of the entries of documents; none for ids that are not there, or of another type."""
    return positions_of(state.snapshot, state.entries, "int" if state.has_integers else "str", ids)


def _part(state: State, statistics: TermStatistics) -> LexicalPart:
    assert state.lexical is not None, "asked only of indexes with terms"
    snapshot = state.snapshot

    def text_of(entry: str) -> str | None:
        kept = snapshot.text(snapshot.position_of(entry))
        return None if kept is None else kept[0]

    return LexicalPart(state.lexical, statistics, text_of)


def _from(state: State, value: Any) -> FromState:
    return FromState(value, state.snapshot.name)
