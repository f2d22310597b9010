"""How tokens are stored: speed from memory, bytes of a folder, and what rounding does to distances and rankings.

    MOVERANK_DATA=../shared/data bench/one-core bench/python/bench_storage.py [--only TABLE]

"speed": 20 000 documents of 8 to 64 tokens, d = 128, far more than any cache holds, against a query of 16 tokens.
MaxSim is what reads fastest; GB/s are those of stored tokens, to be held against a plain sum over the same bytes in the
same run. Errors are those of WRD against float32, over 20 queries.

"searches": over the same documents, milliseconds of an exact search for the ten nearest, whose bounds come from the
tokens or from codes beside float32, and of ranking 1000 given documents.

"folders": bytes per token of the same documents in a folder, and what they are made of.

"collections": real ones: what an index takes a document, and what its distances and its ten nearest are against those
of float32 tokens.

"judgements": nDCG of the ten nearest in real collections with judged queries.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

import moverank as mr
from corpora import collections, graded
from harness import environment, number, table
from moverank.cli.timing import interleaved, medians
from moverank.index.disk.describe import describe
from problems import TokenSource

DOCUMENTS = 20_000
DIM = 128
QUERIES = 20
TYPES = ["float32", "float16", "bfloat16", "int8", "int4", "int2"]
COMPACT = ["float16", "int8", "int4", "int2"]
TABLES = ["speed", "searches", "folders", "collections", "judgements"]


def index_bytes(index: mr.Index) -> float:
    """Bytes a document, without names and the pooled vector of the prefilter, which is the same for all."""
    left_out = ("ids", "pooled")
    arrays = [part.arrays for part in index._snapshot.parts]
    return sum(a.nbytes for own in arrays for name, a in own.items() if name not in left_out) / len(index)


def real_rows() -> list[list[object]]:
    """Bytes, errors and top tens of each way to store each real collection."""
    rows: list[list[object]] = []
    for name, docs, bags, queries in collections():
        for measure in (mr.wrd, mr.wmd):
            exact = mr.Index.build(docs, measure, prefilter=None)
            truth = [exact.search(query, len(docs)) for query in queries]
            ways: dict[str, mr.Index] = {"float32": exact}
            for dtype in TYPES[1:]:
                ways[dtype] = mr.Index.build(docs, measure, prefilter=None, dtype=dtype)
            for dtype in ("int8", "int4"):
                ways[f"{dtype}, rescored"] = mr.Index.build(docs, measure, prefilter=None, dtype=dtype, rescore=True)
            if bags is not None:
                ways["words of a table"] = mr.Index.build(bags, measure)
            for way, index in ways.items():
                errors, kept, same = [], [], []
                for query, expected in zip(queries, truth, strict=True):
                    hits = index.search(query, len(docs))
                    distances = np.empty(len(docs))
                    distances[hits.ids] = hits.distances
                    errors.append(np.abs(distances[expected.ids] - expected.distances))
                    kept.append(len(np.intersect1d(hits.ids[:10], expected.ids[:10])))
                    same.append(hits.ids[:10].tolist() == expected.ids[:10].tolist())
                found = np.concatenate(errors)
                rows.append(
                    [
                        f"{name}, {measure.name.upper()}: {way}",
                        f"{index_bytes(index):.0f}",
                        *(f"{value:.0e}" for value in (*np.quantile(found, [0.5, 0.99]), found.max())),
                        f"{np.mean([t.distances[9] for t in truth]):.2f}",
                        f"{np.mean(kept):.2f}",
                        f"{100 * np.mean(same):.0f} %",
                    ]
                )
    return rows


def documents() -> tuple[mr.Sequences, list[np.ndarray]]:
    """The synthetic documents, and queries."""
    source = TokenSource(DIM, seed=1)
    pool = np.concatenate([source.sequence(64) for _ in range(2000)])
    rng = np.random.default_rng(1)
    lengths = rng.integers(8, 65, size=DOCUMENTS)
    tokens = pool[rng.integers(len(pool), size=lengths.sum())]
    tokens *= rng.lognormal(0.0, 0.2, size=(len(tokens), 1)).astype(np.float32)
    tokens += 0.02 * rng.standard_normal(tokens.shape, dtype=np.float32)
    docs = mr.Sequences.from_flat(tokens, np.concatenate([[0], np.cumsum(lengths)]))
    return docs, [source.sequence(16) for _ in range(QUERIES)]


def speed(docs: mr.Sequences, queries: list[np.ndarray]) -> None:
    """Print the first table."""
    stored = {name: docs.astype(name) for name in TYPES}
    cases = {"read": lambda: np.add.reduce(docs.tokens.reshape(-1).view(np.uint64))}
    for name, batch in stored.items():
        cases[f"maxsim {name}"] = lambda batch=batch: mr.distances(queries[0], batch, "maxsim", num_threads=1)
        cases[f"wrd {name}"] = lambda batch=batch: mr.distances(queries[0], batch, "wrd", num_threads=1)
    t = medians(interleaved(cases, rounds=9, seconds=90), per=DOCUMENTS)
    exact = [mr.distances(query, docs, "wrd") for query in queries]
    rows = []
    for name, batch in stored.items():
        errors, kept = [], []
        for query, expected in zip(queries, exact, strict=True):
            got = mr.distances(query, batch, "wrd")
            errors.append(np.abs(got - expected))
            kept.append(len(np.intersect1d(np.argsort(got)[:10], np.argsort(expected)[:10])))
        gigabytes = batch.tokens.nbytes / DOCUMENTS / 1e3
        rows.append(
            [
                name,
                f"{batch.nbytes / DOCUMENTS / 1e3:.1f}",
                number(t[f"maxsim {name}"]),
                f"{gigabytes / t[f'maxsim {name}']:.1f}",
                number(t[f"wrd {name}"]),
                f"{np.median(errors):.0e}",
                f"{np.max(errors):.0e}",
                f"{np.mean(kept):.2f}",
            ]
        )
    print(f"a sum over the float32 tokens reads {docs.tokens.nbytes / DOCUMENTS / 1e3 / t['read']:.1f} GB/s\n")
    header = ["", "kB a document", "MaxSim µs", "GB/s", "WRD µs", "median error", "largest error", "of the top 10"]
    print(table(header, rows) + "\n")


def searches(docs: mr.Sequences, queries: list[np.ndarray]) -> None:
    """Print the second table."""
    indexes = {name: mr.Index.build(docs, "wrd", prefilter=None, dtype=name) for name in COMPACT}
    for name in ("int8", "int4", "int2"):
        indexes[f"{name} codes"] = mr.Index.build(docs, "wrd", prefilter=None, dtype=name, rescore=True)
    chosen = np.sort(np.random.default_rng(2).permutation(DOCUMENTS)[:1000])
    cases = {}
    for name, index in indexes.items():
        cases[f"search {name}"] = lambda index=index: [index.search(q, 10, num_threads=1) for q in queries[:3]]
        cases[f"rerank {name}"] = lambda index=index: [index.rerank(q, chosen, 10, num_threads=1) for q in queries[:3]]
    t = medians(interleaved(cases, rounds=5, seconds=90), per=3e3)
    rows = []
    for name, index in indexes.items():
        solved = np.mean([index.search(q, 10).stats.exact_solves for q in queries])
        rows.append([name, number(t[f"search {name}"]), f"{solved:.0f}", number(t[f"rerank {name}"])])
    print(table(["ms", "exact search", "solved", "1000 given"], rows) + "\n")


def folders(docs: mr.Sequences) -> None:
    """Print the third table."""
    n_tokens, rows = len(docs.tokens), []
    parts = ["tokens", "scales", "mass", "inverse_norms", "cells of documents", "codebook"]
    for prefilter in (None, "tokens"):
        for name in COMPACT:
            with tempfile.TemporaryDirectory() as folder:
                mr.Index.build(docs, "wrd", prefilter=prefilter, dtype=name).save(Path(folder) / "index")
                facts = describe(Path(folder) / "index")
                total = sum(file.stat().st_size for file in (Path(folder) / "index").iterdir())
            found = [facts.get(f"  {part}", 0) for part in parts]
            of_token = [f"{count / n_tokens:.1f}" for count in (total, *found, total - sum(found))]
            rows.append([name if prefilter is None else f"{name}, cells", *of_token])
    header = ["bytes per token", "all", "tokens", "scales", "mass", "norms", "cells", "codebook", "else"]
    print(table(header, rows) + "\n")


def judgements() -> None:
    """Print the last table."""
    rows = []
    discounts = 1.0 / np.log2(np.arange(2, 12))
    for name, docs, asked in graded():
        for measure in (mr.wrd, mr.wrd.replace(capacity=4), mr.maxsim):
            means = []
            for dtype in TYPES:
                index = mr.Index.build(docs, measure, prefilter=None, dtype=dtype)
                gains = [
                    grades[index.search(query, 10).ids] @ discounts / (np.sort(grades)[::-1][:10] @ discounts)
                    for query, grades in asked
                ]
                means.append(f"{100 * np.mean(gains):.1f}")
            rows.append([f"{name}, {measure.name.upper()}", len(asked), *means])
    print(table(["nDCG@10", "queries", *TYPES], rows))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=TABLES, action="append", help="print this table (default: all)")
    wanted = parser.parse_args().only or TABLES
    print(environment(), end="\n\n")
    if {"speed", "searches", "folders"} & set(wanted):
        docs, queries = documents()
        if "speed" in wanted:
            speed(docs, queries)
        if "searches" in wanted:
            searches(docs, queries)
        if "folders" in wanted:
            folders(docs)
    if "collections" in wanted:
        header = [
            "",
            "bytes a document",
            "median error",
            "99 %",
            "largest",
            "10th distance",
            "of the top 10",
            "same order",
        ]
        print(table(header, real_rows()) + "\n")
    if "judgements" in wanted:
        judgements()


if __name__ == "__main__":
    main()
