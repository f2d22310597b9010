"""Rankings in files: TREC runs, and JSON lines with the texts in them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moverank.cli.documents import Document, document_of, read_lines, read_object
from moverank.cli.errors import UserError
from moverank.ranking import Ranking


@dataclass(frozen=True)
class Candidate:
    """A document of a first stage, and its score there, if it gave one."""

    document: Document
    score: float | None


@dataclass(frozen=True)
class Request:
    """A query, and what the first stage found for it."""

    id: str
    query: str
    candidates: list[Candidate]


def read_requests(path: Path) -> list[Request]:
    """Read JSON lines, each ``{"query": …, "documents": [text or {"id", "title", "text", "score"}, …]}``."""
    requests = []
    for number, line in read_lines(path):
        row = read_object(line, path, number)
        query, documents = row.get("query"), row.get("documents")
        if not isinstance(query, str) or not isinstance(documents, list) or not documents:
            raise UserError(f"{path}:{number}: expected a query, a text, and documents, a list that is not empty")
        candidates = [_candidate(entry, path, number, str(d)) for d, entry in enumerate(documents)]
        requests.append(Request(str(row.get("id", number)), query, candidates))
    if not requests:
        raise UserError(f"{path}: no queries in it")
    return requests


def _candidate(entry: Any, path: Path, number: int, default_id: str) -> Candidate:
    if isinstance(entry, str):
        return Candidate(Document(default_id, "", entry), None)
    if not isinstance(entry, dict):
        raise UserError(f"{path}:{number}: a document is neither a text nor an object")
    score = entry.get("score")
    known = None if score is None else finite_score(score, path, number)
    return Candidate(document_of(entry, path, number, default_id), known)


def run_rows(path: Path) -> Iterator[tuple[int, str, str, str]]:
    """Line number, query, document and score of each line of a TREC run, ``query-id Q0 document-id rank score tag``."""
    for number, line in read_lines(path):
        parts = line.split()
        if len(parts) != 6:
            raise UserError(f"{path}:{number}: expected six columns of a TREC run, got {len(parts)}")
        yield number, parts[0], parts[2], parts[4]


def read_run(path: Path, queries: dict[str, Document], documents: dict[str, Document]) -> list[Request]:
    """Read a TREC run whose texts are elsewhere."""
    found: dict[str, dict[str, Candidate]] = {}
    for number, query_id, document_id, score in run_rows(path):
        if query_id not in queries:
            raise UserError(f"{path}:{number}: query {query_id!r} is not in the file of queries")
        if document_id not in documents:
            raise UserError(f"{path}:{number}: document {document_id!r} is not in the file of documents")
        own = found.setdefault(query_id, {})
        if document_id in own:
            raise UserError(f"{path}:{number}: document {document_id!r} is listed twice for query {query_id!r}")
        own[document_id] = Candidate(documents[document_id], finite_score(score, path, number))
    if not found:
        raise UserError(f"{path}: no rankings in it")
    return [Request(name, queries[name].text, list(own.values())) for name, own in found.items()]


def finite_score(value: Any, path: Path, number: int) -> float:
    """Score in a line of a file; infinite ones and words are refused."""
    try:
        score = float(value)
    except (TypeError, ValueError):
        score = math.nan
    if not math.isfinite(score):
        raise UserError(f"{path}:{number}: score {value!r} is no finite number")
    return score


def trec_lines(query_id: str, ranking: Ranking, tag: str) -> Iterable[str]:
    """Lines of a TREC run."""
    for document in ranking:
        # Readers of runs sort by score; a text without a token has none, and stays last.
        score = document.score if math.isfinite(document.score) else -1e9
        yield f"{query_id} Q0 {document.doc_id} {document.rank + 1} {score:.9g} {tag}"


def json_line(query_id: str, ranking: Ranking) -> str:
    """One line of JSON."""
    results = [
        {
            "rank": document.rank + 1,
            "id": document.doc_id,
            "score": document.score if math.isfinite(document.score) else None,
            "distance": document.distance if math.isfinite(document.distance) else None,
        }
        for document in ranking
    ]
    certificate = {"exact": ranking.certificate.exact, "statement": ranking.certificate.statement}
    return json.dumps({"id": query_id, "query": ranking.query, "results": results, "certificate": certificate})
