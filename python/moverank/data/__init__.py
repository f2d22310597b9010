"""Data included in the package. NOTICE.md in this folder names sources and licences."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Any


@dataclass(frozen=True)
class DemoQuery:
    """A claim, with the ids of the documents that annotators judged relevant to it."""

    id: str
    text: str
    relevant: tuple[str, ...]


@dataclass(frozen=True)
class DemoDocument:
    """The abstract of a scientific paper."""

    id: str
    title: str
    text: str


def _rows(name: str) -> list[dict[str, Any]]:
    packed = files(__name__).joinpath(name).read_bytes()
    return [json.loads(line) for line in gzip.decompress(packed).decode().splitlines()]


def demo_documents() -> list[DemoDocument]:
    """Return 400 abstracts of scientific papers (SciFact)."""
    return [DemoDocument(**row) for row in _rows("documents.jsonl.gz")]


def demo_queries() -> list[DemoQuery]:
    """Return 8 claims with the ids of their relevant abstracts (SciFact, test split)."""
    return [DemoQuery(row["id"], row["text"], tuple(row["relevant"])) for row in _rows("queries.jsonl.gz")]
