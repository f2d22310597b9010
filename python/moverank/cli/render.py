"""Results as text for a terminal, and as JSON."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

from moverank._support.wording import on_one_line, printable
from moverank.alignment.alignment import Alignment
from moverank.index.search.hits import SearchStats
from moverank.ranking import RankedDocument, Ranking

WIDTH = 100
#: Text by which a document is shown.
Titles = Callable[[RankedDocument], str]


def compared(ranking: Ranking) -> list[RankedDocument]:
    """Documents that could be compared: those without a token are not found."""
    return [document for document in ranking if math.isfinite(document.distance)]


def title_of(document: RankedDocument) -> str:
    """Title that an index keeps with a document, or else its text."""
    title = document.payload.get("title") if isinstance(document.payload, dict) else None
    return title if isinstance(title, str) and title else document.text or ""


def ranking_table(ranking: Ranking, titles: Titles, relevant: Sequence[str] = ()) -> str:
    """Ranked table: rank, distance, a mark for documents judged relevant, id, title."""
    documents = compared(ranking)
    names = [printable(str(document.doc_id)) for document in documents]
    id_width = max([*map(len, names), 2])
    lines = [f"{'rank':>4}  {'distance':>9}     {'id':<{id_width}}  document"]
    for name, document in zip(names, documents, strict=True):
        mark = "*" if document.doc_id in relevant else " "
        start = f"{document.rank + 1:>4}  {document.distance:>9.5f}  {mark}  {name:<{id_width}}  "
        lines.append(start + on_one_line(titles(document), max(20, WIDTH - len(start))))
    return "\n".join(lines)


def work_line(stats: SearchStats) -> str:
    """What the search did, in one line."""
    dropped = ", ".join(f"{rung.dropped} dropped by {rung.name}" for rung in stats.rungs if rung.dropped)
    left = f"{dropped}, " if dropped else ""
    return f"work: {stats.documents} documents, {left}{stats.exact_solves} solved, {1000 * stats.seconds:.1f} ms"


def ranking_json(ranking: Ranking, titles: Titles) -> dict[str, Any]:
    """Everything about an answer that JSON can hold."""
    bound = ranking.certificate.bound
    return {
        "measure": ranking.measure.name,
        "hits": [
            {
                "rank": document.rank + 1,
                "id": document.doc_id,
                "title": titles(document),
                "distance": document.distance,
                "similarity": document.score,
            }
            for document in compared(ranking)
        ],
        "certificate": {
            "exact": ranking.certificate.exact,
            "unsolved": ranking.certificate.unsolved,
            "bound": bound if math.isfinite(bound) else None,
        },
        "stats": dataclasses.asdict(ranking.stats),
        "lost": dataclasses.asdict(ranking.lost),
    }


def moves_of(alignment: Alignment) -> list[dict[str, Any]]:
    """Token moves of an alignment with names."""
    return [
        {
            "query_token": alignment.source_names[move.source],
            "document_token": alignment.target_names[move.target],
            "mass": move.mass,
            "cost": move.cost,
            "contribution": move.contribution,
        }
        for move in alignment.pairs
    ]
