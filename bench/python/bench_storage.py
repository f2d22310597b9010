"""How tokens are stored: speed from memory, and what rounding does to distances and to the ten nearest.

    MOVERANK_DATA=../shared/data bench/one-core bench/python/bench_storage.py

20 000 documents of 8 to 64 tokens, d = 128, far more than any cache holds, against a query of 16 tokens. MaxSim is what
reads fastest; GB/s are those of stored tokens, to be held against a plain sum over the same bytes in the same run.
Errors are those of WRD against float32, over 20 queries.

The second table is of real collections: what an index takes a document, and what its distances and its ten nearest are
against those of float32 tokens.
"""

from __future__ import annotations

import numpy as np

import moverank as mr
from corpora import collections
from harness import environment, number, table
from moverank.cli.timing import interleaved, medians
from problems import TokenSource

DOCUMENTS = 20_000
DIM = 128
QUERIES = 20
TYPES = ["float32", "float16", "bfloat16", "int8"]


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
            ways["int8, rescored"] = mr.Index.build(docs, measure, prefilter=None, dtype="int8", rescore=True)
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


def main() -> None:
    """Print the tables."""
    source = TokenSource(DIM, seed=1)
    pool = np.concatenate([source.sequence(64) for _ in range(2000)])
    rng = np.random.default_rng(1)
    lengths = rng.integers(8, 65, size=DOCUMENTS)
    tokens = pool[rng.integers(len(pool), size=lengths.sum())]
    tokens *= rng.lognormal(0.0, 0.2, size=(len(tokens), 1)).astype(np.float32)
    tokens += 0.02 * rng.standard_normal(tokens.shape, dtype=np.float32)
    docs = mr.Sequences.from_flat(tokens, np.concatenate([[0], np.cumsum(lengths)]))
    stored = {name: docs.astype(name) for name in TYPES}
    queries = [source.sequence(16) for _ in range(QUERIES)]

    cases = {"read": lambda: np.add.reduce(docs.tokens.reshape(-1).view(np.uint64))}
    for name, batch in stored.items():
        cases[f"maxsim {name}"] = lambda batch=batch: mr.distances(queries[0], batch, "maxsim", num_threads=1)
        cases[f"wrd {name}"] = lambda batch=batch: mr.distances(queries[0], batch, "wrd", num_threads=1)
    t = medians(interleaved(cases, rounds=9, seconds=120), per=DOCUMENTS)

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
    print(environment(), end="\n\n")
    print(f"a sum over the float32 tokens reads {docs.tokens.nbytes / DOCUMENTS / 1e3 / t['read']:.1f} GB/s\n")
    header = ["", "kB a document", "MaxSim µs", "GB/s", "WRD µs", "median error", "largest error", "of the top 10"]
    print(table(header, rows) + "\n")
    header = ["", "bytes a document", "median error", "99 %", "largest", "10th distance", "of the top 10", "same order"]
    print(table(header, real_rows()))


if __name__ == "__main__":
    main()
