"""Results as text for a terminal, and as JSON."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from moverank._wording import on_one_line
from moverank.alignment import Alignment
from moverank.hits import Hit, Hits

WIDTH = 100


def hits_table(hits: Hits, titles: dict[str, str], relevant: Sequence[str] = ()) -> str:
    """Ranked table: rank, distance, a mark for documents judged relevant, id, title."""
    id_width = max([len(str(hit.id)) for hit in hits] + [2])
    header = f"{'rank':>4}  {'distance':>9}     {'id':<{id_width}}  document"
    lines = [header]
    for hit in hits:
        mark = "*" if hit.id in relevant else " "
        start = f"{hit.rank + 1:>4}  {hit.distance:>9.5f}  {mark}  {hit.id!s:<{id_width}}  "
        lines.append(start + on_one_line(titles[hit.id], max(20, WIDTH - len(start))))
    return "\n".join(lines)


def work_line(hits: Hits) -> str:
    """What the search did, in one line."""
    s = hits.stats
    dropped = ", ".join(f"{rung.dropped} dropped by {rung.name}" for rung in s.rungs if rung.dropped)
    left = f"{dropped}, " if dropped else ""
    return f"work: {s.documents} documents, {left}{s.exact_solves} solved, {1000 * s.seconds:.1f} ms"


def explanation(hit: Hit, query_tokens: Sequence[str], document_tokens: Sequence[str]) -> str:
    """Token table of one hit."""
    return hit.alignment.named(query_tokens, document_tokens).table(max_rows=24)


def hits_json(hits: Hits, titles: dict[str, str]) -> dict[str, Any]:
    """Everything about an answer that JSON can hold."""
    bound = hits.certificate.bound
    return {
        "measure": hits.measure.name,
        "hits": [
            {
                "rank": hit.rank + 1,
                "id": hit.id,
                "title": titles[hit.id],
                "distance": hit.distance,
                "similarity": hit.similarity,
            }
            for hit in hits
        ],
        "certificate": {
            "exact": hits.certificate.exact,
            "unsolved": hits.certificate.unsolved,
            "bound": None if math.isinf(bound) else bound,
        },
        "stats": dataclasses.asdict(hits.stats),
    }


def moves_json(hit: Hit, query_tokens: Sequence[str], document_tokens: Sequence[str]) -> list[dict[str, Any]]:
    """Token moves of one hit."""
    return moves_of(hit.alignment.named(query_tokens, document_tokens))


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
