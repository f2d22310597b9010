"""Judgements and runs, read and ordered as trec_eval does, so that any library computes its numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from moverank.cli.documents import iterate_lines
from moverank.cli.errors import UserError
from moverank.cli.runs import columns_of

_INTEGER = re.compile(r"[+-]?[0-9]{1,9}")


def read_judgements(path: Path) -> dict[str, dict[str, int]]:
    """Relevance of documents, by query.

    Lines are those of TREC (query, an unused column, document, relevance) or of BEIR (query, document and relevance,
    with or without a first line of names). Where a line has tabs these alone separate columns, so that ids may have
    spaces in them.

    Raises
    ------
    UserError
        If a line is neither, or a document is judged twice for one query.
    """
    found: dict[str, dict[str, int]] = {}
    for number, line in iterate_lines(path):
        parts = columns_of(line, 3, 4)
        if number == 1 and parts[-1] == "score":  # the names of BEIR's columns
            continue
        if len(parts) not in (3, 4) or not _INTEGER.fullmatch(parts[-1]):
            raise UserError(f"{path}:{number}: expected query, (0,) document and relevance, got {line!r}")
        own = found.setdefault(parts[0], {})
        if parts[-2] in own:
            raise UserError(f"{path}:{number}: document {parts[-2]!r} is judged twice for query {parts[0]!r}")
        own[parts[-2]] = int(parts[-1])
    if not found:
        raise UserError(f"{path}: no judgements in it")
    return found


def ordered(scores: Mapping[str, float]) -> list[str]:
    """Documents of one query in trec_eval's order.

    trec_eval holds scores in single precision and puts the larger id first where they are equal, compared as bytes; the
    column of ranks and the order of lines do not matter to it.
    """
    with np.errstate(over="ignore"):  # numbers too large for it are infinite there, too
        single = {document: float(np.float32(score)) for document, score in scores.items()}
    return sorted(scores, key=lambda document: (single[document], document.encode()), reverse=True)
