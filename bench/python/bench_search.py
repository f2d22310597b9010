"""What a search has to solve, and how long it takes, on real collections: ours against solving every document.

    MOVERANK_DATA=../shared/data bench/one-core bench/python/bench_search.py        # about two minutes

For each set: documents, the share of them that was solved to the end, the share for which the solver was called, and
milliseconds a query against computing all distances. Answers are compared. k = 10. Sets: MiniLM token vectors of
Cranfield documents; sentences and SciFact abstracts as static word vectors, stop words left out of the abstracts.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import moverank as mr
from harness import environment, number, table

MEASURES = {"WMD": mr.wmd, "WRD": mr.wrd, "WRD, capacity 4": mr.wrd.replace(capacity=4)}
WORD = re.compile(r"[a-z0-9]+")


def root() -> Path:
    """The folder with real data."""
    folder = os.environ.get("MOVERANK_DATA")
    if not folder:
        raise SystemExit("set MOVERANK_DATA to the folder with real data")
    return Path(folder)


def word_sequences(table_name: str, texts: list[str]) -> list[np.ndarray]:
    """One vector for each distinct word that the table has; texts without any are left out."""
    with np.load(root() / f"wordvec/{table_name}.npz") as stored:
        row = {word: k for k, word in enumerate(bytes(stored["words"]).decode().split("\n"))}
        vectors = stored["vectors"].astype(np.float32)
    found = ([row[w] for w in dict.fromkeys(WORD.findall(text.lower())) if w in row] for text in texts)
    return [vectors[rows] for rows in found if rows]


def sentences(*names: str) -> list[str]:
    """Distinct sentences of sentence-pair files."""
    rows = (line.split("\t") for name in names for line in (root() / "sts" / name).read_text("utf-8").splitlines()[1:])
    return list(dict.fromkeys(cell for row in rows for cell in row if " " in cell and len(cell) > 15))


def texts(name: str, stop: frozenset[str] = frozenset()) -> list[str]:
    """Texts of a JSONL file, with titles."""
    records = map(json.loads, (root() / "retrieval/scifact" / name).read_text("utf-8").splitlines())
    whole = (f"{record.get('title', '')} {record['text']}" for record in records)
    return [" ".join(w for w in text.lower().split() if w not in stop) for text in whole]


def collections() -> Iterator[tuple[str, list[np.ndarray], list[np.ndarray]]]:
    """Name, documents and queries of each set."""
    with np.load(root() / "tokens/cranfield-minilm-96d.npz") as data:
        documents = np.split(data["doc_tokens"].astype(np.float32), data["doc_off"][1:-1])
        queries = np.split(data["query_tokens"].astype(np.float32), data["query_off"][1:-1])
        yield "Cranfield, MiniLM tokens", documents, queries[:15]
    stop = frozenset((root() / "lists/stopwords-en-wmd.txt").read_text("utf-8").split())
    for table_name, label in (("glove6b-100d-en", "GloVe"), ("minilmstatic-128d-en", "static MiniLM")):
        train = sentences("sick-train.tsv", "stsb-en-train.tsv")
        asked = sentences("stsb-en-dev.tsv")[:200:10]
        yield f"sentences, {label}", word_sequences(table_name, train), word_sequences(table_name, asked)
        abstracts, claims = texts("corpus.jsonl", stop), texts("queries.jsonl", stop)[:15]
        yield f"SciFact, {label}", word_sequences(table_name, abstracts), word_sequences(table_name, claims)


def measure_search(docs: mr.Sequences, queries: list[np.ndarray], measure: mr.Measure) -> list[float]:
    """Mean share solved to the end, share touched by the solver, and milliseconds searching and computing all."""
    index = mr.Index.build(docs, measure)
    solved, touched, searching, computing = [], [], [], []
    for query in queries:
        started = time.perf_counter()
        hits = index.search(query, 10)
        searching.append(time.perf_counter() - started)
        started = time.perf_counter()
        values = mr.distances(query, docs, measure)
        computing.append(time.perf_counter() - started)
        if not np.array_equal(np.sort(values)[:10], hits.distances):
            raise SystemExit("the search and brute force differ")
        solved.append(hits.stats.exact_solves / len(docs))
        touched.append((hits.stats.exact_solves + hits.stats.pruned_by_solver) / len(docs))
    return [100 * np.mean(solved), 100 * np.mean(touched), 1e3 * np.median(searching), 1e3 * np.median(computing)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    print(environment(), end="\n\n")
    rows = []
    for name, documents, queries in collections():
        docs = mr.Sequences(documents)
        for label, measure in MEASURES.items():
            solved, touched, searching, computing = measure_search(docs, queries, measure)
            rows.append(
                [f"{name}, {label}", len(docs), f"{solved:.2f}", f"{touched:.2f}", number(searching),
                 number(computing), f"{computing / searching:.1f}×"]
            )  # fmt: skip
    header = ["set", "documents", "solved, %", "solver called, %", "search, ms", "all distances, ms", "ratio"]
    print(table(header, rows))


if __name__ == "__main__":
    main()
