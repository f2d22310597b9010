"""How a `TextIndex` answers a query: candidates by terms and by tokens, compared by transport, and fused."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from moverank.encoders.encoded import EncodedText, Encoder
from moverank.index.answer import Request
from moverank.index.parts.filters import Condition, filter_of
from moverank.index.search.hits import Certificate, Hit, Hits, SearchStats
from moverank.index.snapshot import Snapshot
from moverank.ranking.calibration import Calibration
from moverank.ranking.fusion import Fusing
from moverank.ranking.results import ComparedHit
from moverank.spaces.space import Space
from moverank.text_index.entries import Entries
from moverank.text_index.lexical import Lexical
from moverank.text_index.results import TextHit, TextHits

#: What is left for a comparison when time is over: as good as none.
LEAST_SECONDS = 1e-6


@dataclass(frozen=True)
class State:
    """What a search reads: one state of the index, which later changes leave as it is."""

    snapshot: Snapshot
    lexical: Lexical | None
    entries: Entries
    has_integers: bool
    encoder: Encoder
    space: Space | None

    def document_of(self, entry: str) -> int | str:
        """Id of the document of an entry."""
        document = self.entries.document_of(entry)
        return int(document) if self.has_integers else document


@dataclass(frozen=True)
class Asked:
    """A search without its query; see `TextIndex.search`."""

    k: int
    candidates: int | None
    where: Condition | None
    fusion: Fusing
    min_similarity: float
    calibration: Calibration | None
    min_probability: float
    timeout: float | None
    num_threads: int


@dataclass(frozen=True)
class Among:
    """The entries to which a search is confined.

    Attributes
    ----------
    entries : list of str
        Their ids.
    first : list of float or None
        Scores of a first stage, which take the place of lexical scores; None if there are none.
    """

    entries: list[str]
    first: list[float] | None


@dataclass(frozen=True)
class Candidates:
    """Entries that are compared.

    Attributes
    ----------
    hits : dict of Hit
        Those that were compared by transport, by id of the entry.
    terms : dict of float or None
        Scores of all by terms, or by a first stage; None if these have no part in the order. Their order decides
        between equal scores, and that of `hits` without them.
    proved : Hits or None
        Answer of the search by tokens alone; None if the query has no token.
    """

    hits: dict[str, Hit]
    terms: dict[str, float] | None
    proved: Hits | None

    @property
    def similarities(self) -> list[float]:
        """Of the entries that have terms, in their order; −∞ for those that were not compared."""
        return [self.hits[entry].similarity if entry in self.hits else -np.inf for entry in self.terms or ()]

    def scored(self, fusion: Fusing) -> list[tuple[str, float]]:
        """Entries with their scores, the best first; equal ones keep their order."""
        if self.terms is None:
            scored = [(entry, hit.similarity) for entry, hit in self.hits.items()]
        else:
            scores = fusion(list(self.terms.values()), self.similarities).tolist() if self.hits else self.terms.values()
            scored = list(zip(self.terms, scores, strict=True))
        return sorted(scored, key=lambda own: -own[1])


def candidates_for(
    state: State, query: str, tokens: EncodedText, asked: Asked, seconds: dict[str, float]
) -> Candidates:
    """Compare what both first stages propose for one query."""
    deadline = None if asked.timeout is None else time.perf_counter() + asked.timeout
    lexical = state.lexical if asked.fusion.weight < 1.0 else None
    with _timed(seconds, "lexical"):
        by_terms = [] if lexical is None else _by_terms(state, lexical, query, asked, deadline)
    with _timed(seconds, "transport"):
        hits, proved = _compared(state, tokens, by_terms, asked, deadline) if tokens.tokens else ({}, None)
    with _timed(seconds, "fuse"):
        terms = None if lexical is None else _terms(lexical, query, sorted({*by_terms, *hits}))
    return Candidates(hits, terms, proved)


def compared_among(
    state: State, query: str, tokens: EncodedText, asked: Asked, among: Among, seconds: dict[str, float]
) -> Candidates:
    """Compare given entries for one query."""
    fuses = asked.fusion.weight < 1.0
    with _timed(seconds, "transport"):
        proved = _solved(state, tokens, among.entries, asked, asked.timeout) if tokens.tokens else None
    with _timed(seconds, "lexical"):
        terms = None
        if fuses and among.first is not None:
            terms = dict(zip(among.entries, among.first, strict=True))
        elif fuses and state.lexical is not None:
            terms = _terms(state.lexical, query, among.entries)
    solved = {} if proved is None else {str(hit.id): hit for hit in proved}
    return Candidates({entry: solved[entry] for entry in among.entries if entry in solved}, terms, proved)


def answer(
    state: State, query: str, encode: Callable[[str], EncodedText], asked: Asked, among: Among | None = None
) -> TextHits:
    """Search for one query: among all entries, or given ones."""
    seconds: dict[str, float] = {}
    with _timed(seconds, "encode"):
        tokens = encode(query)
    if among is None:
        found = candidates_for(state, query, tokens, asked, seconds)
    else:
        found = compared_among(state, query, tokens, asked, among, seconds)
    with _timed(seconds, "fuse"):
        ranked = _of_documents(state, found.scored(asked.fusion))
        chances = _probabilities(asked, [score for _, score in ranked])
        passing = [
            _similarity(state, found, entry) >= asked.min_similarity and (chance or 0.0) >= asked.min_probability
            for (entry, _), chance in zip(ranked, chances, strict=True)
        ]
        kept = [(*ranked[place], chances[place]) for place in np.flatnonzero(passing)[: asked.k].tolist()]
        shown = tuple(_hit(state, tokens, found, rank, *own) for rank, own in enumerate(kept))
    certificate, stats = _proof(state, found, among)
    told = (bool(tokens.tokens), tokens.dropped, min(asked.k, len(ranked)) - len(kept))
    return TextHits(query, shown, state.snapshot.setup.measure, certificate, stats, seconds, *told)


def _by_terms(state: State, lexical: Lexical, query: str, asked: Asked, deadline: float | None) -> list[str]:
    """Ids of the entries with the best lexical scores."""
    limit = len(state.snapshot) if asked.candidates is None else asked.candidates
    if asked.where is None:
        return list(lexical.search(query, limit))
    chosen = state.snapshot.chosen(None, filter_of(asked.where, deadline))
    assert chosen is not None, "a condition chooses documents"
    fit = frozenset(chosen.tolist())
    keep = lambda ids: [position in fit for position in state.snapshot.find(ids).tolist()]  # noqa: E731
    return list(lexical.search(query, limit, keep))


def _terms(lexical: Lexical, query: str, entries: list[str]) -> dict[str, float]:
    """Lexical scores of entries, in their order."""
    return dict(zip(entries, lexical.scores(query, entries).tolist(), strict=True))


def _compared(
    state: State, tokens: EncodedText, by_terms: list[str], asked: Asked, deadline: float | None
) -> tuple[dict[str, Hit], Hits | None]:
    """Hits of all candidates by entry, and the answer of the search by tokens, if these propose candidates."""
    found: dict[str, Hit] = {}
    hits = None
    if asked.fusion.weight > 0.0 or state.lexical is None:
        hits = _by_tokens(state, tokens, asked)
        found = {str(hit.id): hit for hit in hits}
    rest = [entry for entry in by_terms if entry not in found]
    if rest:
        left = None if deadline is None else max(deadline - time.perf_counter(), LEAST_SECONDS)
        found |= {str(hit.id): hit for hit in _solved(state, tokens, rest, asked, left)}
    return found, hits


def _solved(state: State, tokens: EncodedText, entries: list[str], asked: Asked, timeout: float | None) -> Hits:
    """Given entries, the nearest first; those that were not reached in time are left out."""
    request = Request.among(state.snapshot, entries, len(entries), slack=0.0, timeout=timeout)
    return request.answer(tokens.vectors, tokens.weights, asked.num_threads)


def _by_tokens(state: State, tokens: EncodedText, asked: Asked) -> Hits:
    """Entries that are nearest to the query, of `k` documents or more."""
    snapshot = state.snapshot
    count = asked.k if asked.candidates is None else max(asked.candidates, asked.k)
    has_budget = asked.candidates is not None and (
        snapshot.setup.prefilter is not None or not snapshot.kind.needs_prefilter
    )
    while True:
        request = Request.nearest(
            snapshot,
            count,
            candidates=count if has_budget else None,
            where=asked.where,
            slack=0.0,
            timeout=asked.timeout,
        )
        hits = request.answer(tokens.vectors, tokens.weights, asked.num_threads)
        documents = {state.entries.document_of(str(id)) for id in hits.ids}
        if len(hits) < count or len(documents) >= asked.k:
            return hits
        count *= 2  # several passages are of one document


def _of_documents(state: State, scored: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """The best entry of each document."""
    best: dict[str, tuple[str, float]] = {}
    for entry, score in scored:
        best.setdefault(state.entries.document_of(entry), (entry, score))
    return list(best.values())


def _similarity(state: State, found: Candidates, entry: str) -> float:
    """Similarity of an entry, not below 0 where a cosine may be."""
    if entry not in found.hits:
        return 0.0
    similarity = found.hits[entry].similarity
    return max(similarity, 0.0) if state.snapshot.setup.measure.least_similarity == -1.0 else similarity


def _probabilities(asked: Asked, scores: list[float]) -> list[float | None]:
    if asked.calibration is None or not scores:
        return [None] * len(scores)
    found: list[float | None] = list(asked.calibration(scores).tolist())
    return found


def _hit(
    state: State, tokens: EncodedText, found: Candidates, rank: int, entry: str, score: float, chance: float | None
) -> TextHit:
    snapshot = state.snapshot
    position = snapshot.position_of(entry)
    kept = snapshot.text(position)
    text, begin = (None, 0) if kept is None else kept
    hit = found.hits.get(entry)
    reasons: Any = None
    if hit is not None:
        of_bags = snapshot.kind.table is not None
        reasons = ComparedHit(tokens, hit, text, state.encoder, of_bags, snapshot.setup.measure, state.space)
    has_passage = state.entries.passages is not None and text is not None
    return TextHit(
        rank,
        state.document_of(entry),
        score,
        _similarity(state, found, entry),
        np.inf if hit is None else hit.distance,
        None if found.terms is None else found.terms[entry],
        chance,
        text,
        (begin, begin + len(text)) if has_passage and text is not None else None,
        snapshot.payload(position),
        reasons,
    )


def _proof(state: State, found: Candidates, among: Among | None) -> tuple[Certificate, SearchStats]:
    """What is known of the answer: of transport alone its proof, of added scores what they were computed for."""
    if found.proved is not None and found.terms is None:
        return found.proved.certificate, found.proved.stats
    count = len(found.hits if found.terms is None else found.terms)
    total, what = (len(state.snapshot), "entries") if among is None else (len(among.entries), "given candidates")
    if found.proved is None and found.hits:
        statement = f"ordered by terms alone: {count} of {total} {what} have a term of the query"
    elif found.proved is None:
        statement = "not compared by transport: no word of the query has a vector"
    elif among is not None:
        statement = f"the scores of all {total} {what} were added"
    else:
        statement = f"not exact: {count} of {total} {what} were candidates, by terms or by tokens"
        statement += "; nothing is known of the others" if total > count else ", and their scores were added"
    if found.hits and len(found.hits) < count:
        statement += f"; {count - len(found.hits)} of these were not compared by transport, as time was over"
    stats = SearchStats(0, (), 0, 0.0, False) if found.proved is None else found.proved.stats
    return Certificate(False, -np.inf, total - count, 0, np.inf, statement), stats


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    seconds[stage] = seconds.get(stage, 0.0) + time.perf_counter() - began
