"""Results as text for a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from moverank._support.wording import on_one_line, printable
from moverank.index.search.hits import SearchStats
from moverank.ranking import RankedDocument, Ranking
from moverank.text_index import TextHit, TextHits

WIDTH = 100


def compared(ranking: Ranking) -> Ranking:
    """The ranking of those documents that could be compared: those without a token are not found."""
    return replace(ranking, documents=tuple(d for d in ranking if math.isfinite(d.distance)))


def with_titles(ranking: Ranking, titles: Mapping[Any, str]) -> Ranking:
    """The ranking with titles in payloads, as an index of texts keeps them."""
    documents = [replace(d, payload={"title": titles[d.doc_id]} if titles[d.doc_id] else None) for d in ranking]
    return replace(ranking, documents=tuple(documents))


def title_of(document: RankedDocument | TextHit) -> str:
    """Title that is kept with a document, or else its text."""
    title = document.payload.get("title") if isinstance(document.payload, dict) else None
    return title if isinstance(title, str) and title else document.text or ""


def ranking_table(ranking: Ranking, relevant: Sequence[str] = ()) -> str:
    """Ranked table: rank, distance, a mark for documents judged relevant, id, title."""
    names = [printable(str(document.doc_id)) for document in ranking]
    id_width = max([*map(len, names), 2])
    lines = [f"{'rank':>4}  {'distance':>9}     {'id':<{id_width}}  document"]
    for name, document in zip(names, ranking, strict=True):
        mark = "*" if document.doc_id in relevant else " "
        start = f"{document.rank + 1:>4}  {document.distance:>9.5f}  {mark}  {name:<{id_width}}  "
        lines.append(start + on_one_line(title_of(document), max(20, WIDTH - len(start))))
    return "\n".join(lines)


def hits_table(hits: TextHits) -> str:
    """Table of the hits of an index of texts: rank, score, similarity, score of terms if there is one, id, title."""
    if not hits:
        why = ": no candidate is as good as requested" if hits.left_out else ""
        return f"no document{why}"
    names = [printable(str(hit.id)) for hit in hits]
    id_width = max([*map(len, names), 2])
    has_terms = any(hit.lexical is not None for hit in hits)
    terms = f"{'terms':>7}  " if has_terms else ""
    lines = [f"{'rank':>4}  {'score':>7}  {'similarity':>10}  {terms}{'id':<{id_width}}  document"]
    for name, hit in zip(names, hits, strict=True):
        own = f"{hit.lexical:>7.2f}  " if hit.lexical is not None else ""
        start = f"{hit.rank + 1:>4}  {hit.score:>7.3f}  {hit.similarity:>10.3f}  {own}{name:<{id_width}}  "
        lines.append(start + on_one_line(title_of(hit), max(20, WIDTH - len(start))))
    return "\n".join(lines)


def work_line(stats: SearchStats) -> str:
    """What the search did, in one line."""
    dropped = ", ".join(f"{rung.dropped} dropped by {rung.name}" for rung in stats.rungs if rung.dropped)
    left = f"{dropped}, " if dropped else ""
    return f"work: {stats.documents} documents, {left}{stats.exact_solves} solved, {1000 * stats.seconds:.1f} ms"
