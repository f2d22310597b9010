"""Libraries for retrieval by terms: time to index texts, to answer a query, to add one text, and bytes on disk.

    pip install '.[lexical]' bm25s PyStemmer
    MOVERANK_DATA=../shared/data python bench/python/bench_lexical.py

Texts: the abstracts of SciFact, each 1 or 20 times; queries: 200 of its claims, 100 texts for each. English stems;
bm25s without numba, which compiles at first use. bm25s has no additions: all is indexed anew, though not cut anew.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from corpora import root
from harness import environment, number, table
from moverank.text_index.lexical import Lexical


def milliseconds(call: Callable[[str], Any], queries: list[str]) -> str:
    """Median and 95th percentile."""
    taken = []
    for query in queries:
        began = time.perf_counter()
        call(query)
        taken.append(1e3 * (time.perf_counter() - began))
    return f"{np.median(taken):.2f}, {np.quantile(taken, 0.95):.2f}"


def of_tantivy(texts: list[str], queries: list[str]) -> list[object]:
    """As a `TextIndex` uses it."""
    began = time.perf_counter()
    lists = Lexical("english").changed(((str(n), text) for n, text in enumerate(texts)), [])
    built = time.perf_counter() - began
    began = time.perf_counter()
    lists.changed([("new", texts[0])], ["0"])
    added = time.perf_counter() - began
    return [
        number(built),
        milliseconds(lambda query: lists.search(query, 100), queries),
        number(1e3 * added),
        lists.nbytes,
    ]


def of_bm25s(texts: list[str], queries: list[str]) -> list[object]:
    """As its own README does it."""
    import bm25s
    import Stemmer

    tokenizer = bm25s.tokenization.Tokenizer(stemmer=Stemmer.Stemmer("english"), stopwords=None)
    began = time.perf_counter()
    tokens = tokenizer.tokenize(texts, return_as="tuple", show_progress=False)
    lists = bm25s.BM25()
    lists.index(tokens, show_progress=False)
    built = time.perf_counter() - began

    def search(query: str) -> Any:
        terms = tokenizer.tokenize([query], return_as="ids", update_vocab=False, show_progress=False)
        return lists.retrieve(terms, k=100, show_progress=False)

    spread = milliseconds(search, queries)
    began = time.perf_counter()
    bm25s.BM25().index(tokens, show_progress=False)
    added = time.perf_counter() - began
    with tempfile.TemporaryDirectory() as folder:
        lists.save(folder)
        nbytes = sum(path.stat().st_size for path in Path(folder).iterdir())
    return [number(built), spread, number(1e3 * added), nbytes]


def main() -> None:
    """Print the table."""
    print(environment("tantivy", "bm25s"), end="\n\n")
    folder = root() / "retrieval/scifact"
    documents, claims = (
        [json.loads(line) for line in (folder / name).read_text(encoding="utf-8").splitlines()]
        for name in ("corpus.jsonl", "queries.jsonl")
    )
    texts = [f"{row['title']} {row['text']}" for row in documents]
    queries = [row["text"] for row in claims[:200]]
    rows = []
    for times in (1, 20):
        for name, measured in (("tantivy", of_tantivy), ("bm25s", of_bm25s)):
            *found, nbytes = measured(texts * times, queries)
            rows.append([f"{name}, {len(texts) * times} texts", *found, f"{nbytes / len(texts) / times:.0f}"])
    print(table(["", "build, s", "query, ms", "one more, ms", "bytes/text"], rows))


if __name__ == "__main__":
    main()
