"""Rankings in files: TREC runs, and JSON lines with the texts in them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moverank._support.wording import printable
from moverank.cli.documents import iterate_lines, read_lines
from moverank.cli.errors import UserError
from moverank.measures.measure import Measure
from moverank.ranking import RankedDocument, Ranking
from moverank.ranking.results import Found
from moverank.readers.texts import Document, Fields
from moverank.readers.texts.json_values import parsed

#: Between columns. Other white space of Unicode may stand within an id.
_BLANK = " \t\r\f\v"
_BETWEEN = re.compile(f"[{_BLANK}]+")


@dataclass(frozen=True)
class Candidate:
    """A document of a first stage, and its score there, if it gave one."""

    document: Document
    score: float | None


@dataclass(frozen=True)
class Request:
    """A query, and its candidates from the first stage."""

    id: str
    query: str
    candidates: list[Candidate]


def read_requests(path: Path, fields: Fields) -> list[Request]:
    """Read JSON lines, each ``{"query": …, "documents": [text or {"id", "title", "text", "score"}, …]}``."""
    requests = []
    seen: set[str] = set()
    for number, line in read_lines(path):
        where = f"{path}:{number}"
        row = parsed(line, where)
        query, documents = (row.get("query"), row.get("documents")) if isinstance(row, dict) else (None, None)
        if not isinstance(query, str) or not isinstance(documents, list):
            raise UserError(f"{where}: expected a JSON object with a query, a text, and documents, a list")
        candidates = [_candidate(entry, where, str(d), fields) for d, entry in enumerate(documents)]
        name = str(row.get("id", number))
        if name in seen:
            raise UserError(f"{where}: id {name!r} is given to more than one query")
        seen.add(name)
        requests.append(Request(name, query, candidates))
    if not requests:
        raise UserError(f"{path}: no queries in it")
    return requests


def _candidate(entry: Any, where: str, default_id: str, fields: Fields) -> Candidate:
    if isinstance(entry, str):
        fields.require_none(where, "a text")
        return Candidate(Document(default_id, "", entry, {}, where), None)
    if not isinstance(entry, dict):
        raise UserError(f"{where}: a document is neither a text nor an object")
    score = entry.get("score")
    return Candidate(fields.document(entry, where, default_id), None if score is None else finite_score(score, where))


def columns_of(line: str, *expected: int) -> list[str]:
    """Columns of a line: separated by tabs if that gives the expected number, so that ids may contain spaces.

    Otherwise separated by runs of white space, as in trec_eval.
    """
    between_tabs = [part.strip(_BLANK) for part in line.split("\t")]
    return between_tabs if len(between_tabs) in expected else _BETWEEN.split(line.strip(_BLANK))


def run_rows(path: Path) -> Iterator[tuple[int, str, str, str]]:
    """Line number, query, document and score of each line of a TREC run, ``query-id Q0 document-id rank score tag``."""
    for number, line in iterate_lines(path):
        parts = columns_of(line, 6)
        if len(parts) != 6:
            raise UserError(f"{path}:{number}: expected six columns of a TREC run, got {len(parts)}")
        if not parts[0] or not parts[2]:
            raise UserError(f"{path}:{number}: the id of the {'document' if parts[0] else 'query'} is empty")
        yield number, parts[0], parts[2], parts[4]


def read_run(path: Path) -> dict[str, dict[str, float]]:
    """Read a TREC run: per query, in the order of the file, its documents and their scores."""
    found: dict[str, dict[str, float]] = {}
    for number, query_id, document_id, score in run_rows(path):
        for name in (query_id, document_id):
            if printable(name) != name:
                raise UserError(f"{path}:{number}: {name!r} has a control character, which no id of a run may have")
        own = found.setdefault(query_id, {})
        if document_id in own:
            raise UserError(f"{path}:{number}: document {document_id!r} is listed twice for query {query_id!r}")
        own[document_id] = finite_score(score, f"{path}:{number}")
    if not found:
        raise UserError(f"{path}: no rankings in it")
    return found


def with_texts(
    run: Mapping[str, Mapping[str, float]],
    queries: Mapping[str, Document],
    documents: Mapping[str, Document],
    path: Path,
) -> list[Request]:
    """What a run asks for, with texts that are elsewhere."""
    requests = []
    for query_id, scores in run.items():
        require_known(query_id, queries, "query", path)
        for document_id in scores:
            require_known(document_id, documents, "document", path)
        candidates = [Candidate(documents[document_id], score) for document_id, score in scores.items()]
        requests.append(Request(query_id, queries[query_id].content, candidates))
    return requests


def require_known(name: str, known: Container[str], what: str, path: Path) -> None:
    """Refuse a run of other queries or documents than those that were given."""
    if name not in known:
        files = "queries" if what == "query" else "documents"
        raise UserError(f"{path}: {what} {name!r} is not among the {files}")


def finite_score(value: Any, where: str) -> float:
    """Score in a line of a file; infinite ones and words are refused."""
    try:
        score = float(value)
    except (TypeError, ValueError):
        score = math.nan
    if not math.isfinite(score):
        raise UserError(f"{where}: score {value!r} is not a finite number")
    return score


def between_columns(ids: Iterable[str]) -> str:
    """What divides the columns of a run: spaces, as everyone reads; tabs if an id has white space in it."""
    return "\t" if any(any(map(str.isspace, name)) for name in ids) else " "


def trec_lines(query_id: str, scored: Iterable[tuple[Any, float]], tag: str, between: str) -> Iterable[str]:
    """Lines of a TREC run: ids with scores, the best first."""
    for rank, (name, score) in enumerate(scored, start=1):
        # Readers of runs sort by score; a text without a token has none, and stays last.
        shown = score if math.isfinite(score) else -1e9
        yield between.join([query_id, "Q0", str(name), str(rank), f"{shown:.9g}", tag])


def unranked_trec_lines(request: Request, k: int | None, tag: str, between: str) -> Iterable[str]:
    """Lines of a query that cannot be compared: the first stage's order and scores."""
    for rank, candidate in enumerate(request.candidates[:k], start=1):
        yield between.join([request.id, "Q0", candidate.document.id, str(rank), f"{candidate.score:.9g}", tag])


def json_line(query_id: str, ranking: Ranking) -> str:
    """One line of JSON, without the texts, which the caller has."""
    return json.dumps({"id": query_id, **ranking.to_dict(contents=False)}, allow_nan=False)


def unranked(request: Request, k: int | None, measure: Measure) -> Ranking:
    """The first stage's order, and no scores of ours: nothing was found, or the query cannot be compared."""
    documents = [
        RankedDocument(rank, candidate.document.id, -math.inf, math.inf, candidate.document.content)
        for rank, candidate in enumerate(request.candidates[:k])
    ]
    kind = Found.for_no_query if documents else Found.uncompared
    found = kind(documents, len(request.candidates))
    comparable = not documents
    return Ranking(request.query, tuple(documents), measure, found.certificate, found.stats, comparable=comparable)
