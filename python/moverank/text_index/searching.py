"""How a `TextIndex` answers a query: candidates by terms and by tokens, compared by transport, and fused."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from moverank import _core
from moverank._support.validate import real_array
from moverank.encoders.encoded import EncodedText
from moverank.index.answer import CHOSEN, EVERYTHING, GIVEN
from moverank.index.search.hits import Certificate, Hit, Hits, SearchStats
from moverank.ranking.fusion import Fusing
from moverank.ranking.results import ComparedHit
from moverank.text_index.asking import Asked
from moverank.text_index.corpus import Content, Corpus
from moverank.text_index.results import TextHit, TextHits

#: What is left for a comparison when time is over: as good as none.
LEAST_SECONDS = 1e-6

#: Seconds that are kept for each hit, whose text and payload have to be read, and for each candidate, whose scores are
#: added; all together a share of the time at most.
SECONDS_PER_HIT = 5e-5
SECONDS_PER_CANDIDATE = 2e-5
FOR_HITS = 0.5

#: Name in certificates of the entries of documents that are cut.
PASSAGES = "passages"

#: Hits between two looks at the clock; and candidates that are compared at least.
HITS_AT_ONCE = 64
COMPARED_LATE = 64


@dataclass(frozen=True)
class Until:
    """When a search has to end, by `time.perf_counter`; None if never.

    Attributes
    ----------
    compared : float or None
        When the comparison ends, so that there is time to read the hits.
    listed : float or None
        When the hits have to be there.
    """

    compared: float | None = None
    listed: float | None = None

    @classmethod
    def of(cls, asked: Asked, entries: int) -> Until:
        """From now on, in an index with so many entries."""
        if asked.timeout is None:
            return cls()
        end = time.perf_counter() + asked.timeout
        candidates = entries if asked.candidates is None else max(asked.candidates, asked.k)
        kept = SECONDS_PER_HIT * min(asked.k, entries) + SECONDS_PER_CANDIDATE * min(candidates, entries)
        return cls(end - min(kept, FOR_HITS * asked.timeout), end)

    @property
    def left(self) -> float | None:
        """Seconds for a comparison that begins now, as good as none if time is over; None without an end."""
        return None if self.compared is None else max(self.compared - time.perf_counter(), LEAST_SECONDS)

    @property
    def is_over(self) -> bool:
        """Whether there is no time for a comparison."""
        return self.compared is not None and time.perf_counter() >= self.compared


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
    corpus: Corpus, query: str | None, tokens: EncodedText, asked: Asked, until: Until, seconds: dict[str, float]
) -> Candidates:
    """Compare what both first stages propose for one query; None has no terms."""
    has_terms = corpus.has_lexical and query is not None and asked.fusion.weight < 1.0
    query = query or ""
    limit = len(corpus) if asked.candidates is None else asked.candidates
    with _timed(seconds, "lexical"):
        by_terms = corpus.by_terms(query, limit, asked.where, until.compared) if has_terms else {}
    with _timed(seconds, "transport"):
        hits, proved = _compared(corpus, tokens, by_terms, asked, until) if tokens.tokens else ({}, None)
    with _timed(seconds, "fuse"):
        terms = _terms(corpus, query, sorted({*by_terms, *hits}), by_terms) if has_terms else None
    return Candidates(hits, terms, proved)


def compared_among(
    corpus: Corpus, query: str, tokens: EncodedText, asked: Asked, among: Among, until: Until, seconds: dict[str, float]
) -> Candidates:
    """Compare given entries for one query."""
    fuses = asked.fusion.weight < 1.0
    with _timed(seconds, "transport"):
        proved = _solved(corpus, tokens, among.entries, asked, until) if tokens.tokens else None
    with _timed(seconds, "lexical"):
        terms = None
        if fuses and among.first is not None:
            terms = dict(zip(among.entries, among.first, strict=True))
        elif fuses and corpus.has_lexical:
            terms = _terms(corpus, query, among.entries, {})
    solved = {} if proved is None else {str(hit.id): hit for hit in proved}
    return Candidates({entry: solved[entry] for entry in among.entries if entry in solved}, terms, proved)


def answer(
    corpus: Corpus, query: str, encode: Callable[[str], EncodedText], asked: Asked, among: Among | None = None
) -> TextHits:
    """Search for one text: among all entries, or given ones."""
    until = Until.of(asked, len(corpus) if among is None else len(among.entries))
    seconds: dict[str, float] = {}
    with _timed(seconds, "encode"):
        tokens = encode(query)
    if among is None:
        found = candidates_for(corpus, query, tokens, asked, until, seconds)
    else:
        found = compared_among(corpus, query, tokens, asked, among, until, seconds)
    return _told(corpus, query, tokens, asked, among, found, until, seconds)


def answer_to_vectors(corpus: Corpus, tokens: EncodedText, asked: Asked) -> TextHits:
    """Search for tokens without a text, which have no terms."""
    until = Until.of(asked, len(corpus))
    seconds: dict[str, float] = {}
    found = candidates_for(corpus, None, tokens, asked, until, seconds)
    return _told(corpus, None, tokens, asked, None, found, until, seconds)


def _told(
    corpus: Corpus,
    query: str | None,
    tokens: EncodedText,
    asked: Asked,
    among: Among | None,
    found: Candidates,
    until: Until,
    seconds: dict[str, float],
) -> TextHits:
    """The best documents among the candidates, and what is known of them."""
    with _timed(seconds, "fuse"):
        ranked = _of_documents(corpus, found.scored(asked.fusion))
        chances = _probabilities(asked, [score for _, score in ranked])
        passing = [
            _similarity(corpus, found, entry) >= asked.min_similarity and (chance or 0.0) >= asked.min_probability
            for (entry, _), chance in zip(ranked, chances, strict=True)
        ]
        kept = [(*ranked[place], chances[place]) for place in np.flatnonzero(passing)[: asked.k].tolist()]
        shown = _listed(corpus, tokens, found, kept, until)
    is_comparable = bool(tokens.tokens)
    if found.proved is not None and found.terms is None:
        certificate = _proof(corpus, found.proved, found.hits, asked, among, ranked[: asked.k], len(kept))
        stats = found.proved.stats
    else:
        certificate, stats = _account(corpus, found, among, is_comparable)
    if len(shown) < len(kept):
        certificate, stats = _cut(certificate, len(shown), len(kept)), replace(stats, timed_out=True)
    told = (is_comparable, tokens.dropped, min(asked.k, len(ranked)) - len(kept))
    return TextHits(query, shown, corpus.measure, certificate, stats, seconds, *told)


def _terms(corpus: Corpus, query: str, entries: list[str], known: Mapping[str, float]) -> dict[str, float]:
    """Lexical scores of entries, in their order; some of them are known."""
    known = {entry: score for entry, score in known.items() if score == score}
    others = [entry for entry in entries if entry not in known]
    scores = {**known, **dict(zip(others, corpus.term_scores(query, others).tolist(), strict=True))}
    return {entry: scores[entry] for entry in entries}


def _compared(
    corpus: Corpus, tokens: EncodedText, by_terms: Iterable[str], asked: Asked, until: Until
) -> tuple[dict[str, Hit], Hits | None]:
    """Hits of all candidates by entry, and the answer of the search by tokens, if these propose candidates."""
    found: dict[str, Hit] = {}
    hits = None
    if asked.fusion.weight > 0.0 or not corpus.has_lexical:
        hits = _by_tokens(corpus, tokens, asked, until)
        found = {str(hit.id): hit for hit in hits}
    rest = [entry for entry in by_terms if entry not in found]
    if until.is_over:  # the best by terms, so that the answer has some that were compared
        rest = [] if found else rest[:COMPARED_LATE]
    if rest:
        found |= {str(hit.id): hit for hit in _solved(corpus, tokens, rest, asked, until)}
    return found, hits


def _solved(corpus: Corpus, tokens: EncodedText, entries: list[str], asked: Asked, until: Until) -> Hits:
    """Given entries, the nearest first; those that were not reached in time are left out."""
    return corpus.among(tokens, entries, until.left, asked.num_threads)


def _by_tokens(corpus: Corpus, tokens: EncodedText, asked: Asked, until: Until) -> Hits:
    """Entries that are nearest to the query, of `k` documents or more."""
    count = asked.k if asked.candidates is None else max(asked.candidates, asked.k)
    while True:
        has_budget = asked.candidates is not None
        hits = corpus.nearest(tokens, count, has_budget, asked.where, until.left, asked.num_threads)
        documents = {corpus.entries.document_of(str(id)) for id in hits.ids}
        if len(hits) < count or len(documents) >= asked.k or until.is_over:
            return hits
        count *= 2  # several passages are of one document


def _of_documents(corpus: Corpus, scored: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """The best entry of each document."""
    best: dict[str, tuple[str, float]] = {}
    for entry, score in scored:
        best.setdefault(corpus.entries.document_of(entry), (entry, score))
    return list(best.values())


def _similarity(corpus: Corpus, found: Candidates, entry: str) -> float:
    """Similarity of an entry, not below 0 where a cosine may be."""
    if entry not in found.hits:
        return 0.0
    similarity = found.hits[entry].similarity
    return max(similarity, 0.0) if corpus.measure.least_similarity == -1.0 else similarity


def _probabilities(asked: Asked, scores: list[float]) -> list[float | None]:
    if asked.calibration is None or not scores:
        return [None] * len(scores)
    found: list[float | None] = list(asked.calibration(scores).tolist())
    return found


def _listed(
    corpus: Corpus, tokens: EncodedText, found: Candidates, kept: list[tuple[str, float, float | None]], until: Until
) -> tuple[TextHit, ...]:
    """Hits with texts and payloads, as many as can be read in time, but some in any case."""
    hits: list[TextHit] = []
    for first in range(0, len(kept), HITS_AT_ONCE):
        if hits and until.listed is not None and time.perf_counter() >= until.listed:
            break
        some = kept[first : first + HITS_AT_ONCE]
        contents = corpus.contents([entry for entry, _, _ in some])
        for rank, (own, content) in enumerate(zip(some, contents, strict=True), first):
            hits.append(_hit(corpus, tokens, found, rank, content, *own))
    return tuple(hits)


def _hit(
    corpus: Corpus,
    tokens: EncodedText,
    found: Candidates,
    rank: int,
    content: Content,
    entry: str,
    score: float,
    chance: float | None,
) -> TextHit:
    text, begin = content.text, content.begin
    hit = found.hits.get(entry)
    reasons: Any = None
    if hit is not None:
        reasons = ComparedHit(tokens, hit, text, corpus.encoder, corpus.of_bags, corpus.measure, corpus.space)
    has_passage = corpus.entries.passages is not None and text is not None
    return TextHit(
        rank,
        corpus.document_of(entry),
        score,
        _similarity(corpus, found, entry),
        np.inf if hit is None else hit.distance,
        None if found.terms is None else found.terms[entry],
        chance,
        text,
        (begin, begin + len(text)) if has_passage and text is not None else None,
        content.payload,
        reasons,
    )


def _proof(
    corpus: Corpus,
    proved: Hits,
    hits: Mapping[str, Hit],
    asked: Asked,
    among: Among | None,
    ranked: list[tuple[str, float]],
    kept: int,
) -> Certificate:
    """What is proved of the documents by transport alone: of those requested, not of all candidates."""
    what = _named(corpus, among) + ("" if asked.where is None else CHOSEN)
    distances = np.array([hits[entry].distance for entry, _ in ranked])
    count = proved.stats.documents
    known: dict[str, Any] = {"bound": proved.certificate.bound, "unsolved": proved.certificate.unsolved}
    known |= {"k": min(asked.k, count), "radius": np.inf}
    found = _core.certify(distances, **known)
    if not found.exact:  # then it counts hits, of which those that are not similar enough are left out
        distances = distances[:kept]
        found = _core.certify(distances, **known)
    return Certificate.of(found, distances, count, what)


def _named(corpus: Corpus, among: Among | None) -> str:
    """Name of the entries in certificates."""
    if corpus.entries.passages is None:
        return EVERYTHING if among is None else GIVEN
    return PASSAGES if among is None else f"{PASSAGES} of the {GIVEN}"


def _account(
    corpus: Corpus, found: Candidates, among: Among | None, is_comparable: bool
) -> tuple[Certificate, SearchStats]:
    """What scores were computed for, where terms have a part: nothing is proved of an order by added scores."""
    count = len(found.hits if found.terms is None else found.terms)
    total, what = (len(corpus) if among is None else len(among.entries)), _named(corpus, among)
    late = count - len(found.hits) if is_comparable else 0
    if not is_comparable:
        statement = "not compared by transport: no word of the query has a vector"
    elif found.proved is None:
        statement = f"ordered by terms alone: {count} of {total} {what} have a term of the query"
    elif among is not None:
        statement = f"the scores of all {total} {what} were added"
    else:
        statement = f"not exact: {count} of {total} {what} were candidates, by terms or by tokens"
        statement += "; nothing is known of the others" if total > count else ", and their scores were added"
    if late:
        statement += f"; {late} of these were not compared by transport, as time was over"
    stats = SearchStats(0, (), 0, 0.0, False) if found.proved is None else found.proved.stats
    certificate = Certificate(False, -np.inf, total - count, 0, np.inf, statement)
    return certificate, replace(stats, timed_out=stats.timed_out or late > 0)


def _cut(certificate: Certificate, listed: int, count: int) -> Certificate:
    """What is proved of the first hits, if there was no time to list the others."""
    proved = certificate.statement.removeprefix("not exact: ").removeprefix("exact: ")
    statement = f"not exact: time was over when {listed} of {count} hits were listed; {proved}"
    return replace(
        certificate, exact=False, certain=min(certificate.certain, listed), error=np.inf, statement=statement
    )


def first_stage(scores: ArrayLike, count: int) -> list[float]:
    """Scores of a first stage, checked: one per document."""
    array = real_array(scores, "scores", ndim=1, dtype=np.float64)
    if len(array) != count:
        raise ValueError(f"scores: expected {count}, one per document, got {len(array)}")
    if not np.isfinite(array).all():
        raise ValueError(f"scores: that of document {int(np.argmin(np.isfinite(array)))} is not finite")
    return [float(score) for score in array.tolist()]


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    seconds[stage] = seconds.get(stage, 0.0) + time.perf_counter() - began
