"""Share of the true top 10 that a budgeted search finds, against its number of candidates, by prefilter.

    MOVERANK_DATA=../shared/data bench/one-core bench/python/bench_prefilters.py --json bench/results/prefilters.json

Static MiniLM word vectors of 5183 SciFact abstracts (24 claims as queries) and of 15 323 sentences (24 others as
queries). Prefilters: one pooled vector; two, four and eight clusters a document; fixed-dimensional encodings after
MUVERA (Dhulipala et al., arXiv 2405.19504) with 20 repetitions of 16 buckets and 16 projected components, 5120 numbers
a document, empty buckets filled with the document's mean; and, over bags of words, the order of the reused-potential
bound. Milliseconds are those of a search with 100 candidates, encodings of the query included.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import moverank as mr
from corpora import WordTable, as_bags, sentences, texts
from harness import environment, number, record, table

MEASURES = {"WMD": mr.wmd, "WRD": mr.wrd, "WRD, capacity 4": mr.wrd.replace(capacity=4)}
COUNTS = (10, 20, 50, 100, 200, 500, 1000)
Search = Callable[[np.ndarray, int], mr.Hits]


class FixedDimensional:
    """Encodings whose inner products approximate the mass-weighted sum of best cosines."""

    def __init__(self, docs: mr.Sequences, measure: mr.Measure, repetitions: int = 20, bits: int = 4) -> None:
        rng = np.random.default_rng(0)
        self._measure = measure
        self._planes = rng.normal(size=(repetitions, docs.dim, bits)).astype(np.float32)
        self._projections = rng.choice([-0.25, 0.25], size=(repetitions, docs.dim, 16)).astype(np.float32)
        self._buckets = 2**bits
        self._documents = self._encode(docs.tokens, docs.offsets, mean=True)

    def nearest(self, query: np.ndarray, count: int) -> np.ndarray:
        """Positions of so many documents of largest inner product."""
        scores = self._documents @ self._encode(query, np.array([0, len(query)]), mean=False)[0]
        return np.argsort(-scores, kind="stable")[:count]

    def _encode(self, tokens: np.ndarray, offsets: np.ndarray, *, mean: bool) -> np.ndarray:
        norms = np.linalg.norm(tokens, axis=1)
        mass = norms if self._measure.weighting == "norm" else np.ones_like(norms)
        owner = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
        mass = mass / np.add.reduceat(mass, offsets[:-1])[owner]
        units = tokens / norms[:, None]
        parts = []
        for planes, projection in zip(self._planes, self._projections, strict=True):
            bucket = ((units @ planes > 0) @ (1 << np.arange(planes.shape[1]))).astype(np.int64)
            sums = np.zeros((len(offsets) - 1, self._buckets, projection.shape[1]), dtype=np.float32)
            np.add.at(sums, (owner, bucket), mass[:, None] * (units @ projection))
            if mean:
                filled = np.zeros(sums.shape[:2], dtype=np.float32)
                np.add.at(filled, (owner, bucket), mass)
                whole = sums.sum(axis=1, keepdims=True)
                sums = np.where(filled[:, :, None] > 0, sums / np.maximum(filled, 1e-9)[:, :, None], whole)
            parts.append(sums.reshape(len(sums), -1))
        return np.concatenate(parts, axis=1)


def searches(words: WordTable, rows: list[np.ndarray], measure: mr.Measure) -> dict[str, Search]:
    """A budgeted search by each prefilter."""
    docs = mr.Sequences([words.vectors[r] for r in rows])
    indexes = {"one pooled vector": mr.Index.build(docs, measure)}
    for count in (2, 4, 8):
        indexes[f"{count} clusters"] = mr.Index.build(docs, measure, prefilter=mr.Clusters(count))
    indexes["reused-potential bound"] = mr.Index.build(as_bags(words, rows), measure)
    found: dict[str, Search] = {
        name: lambda query, count, index=index: index.search(query, 10, candidates=count)
        for name, index in indexes.items()
    }
    if measure.ground == "cosine":
        encodings = FixedDimensional(docs, measure)
        index = indexes["one pooled vector"]
        found["fixed-dimensional"] = lambda query, count: index.rerank(query, encodings.nearest(query, count), 10)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the shares here, for plot.py")
    args = parser.parse_args()
    print(environment("faiss-cpu"), end="\n\n")
    words = WordTable("minilmstatic-128d-en")
    sets = {
        "SciFact": (words.bags(texts("scifact/corpus.jsonl")), words.sequences(texts("scifact/queries.jsonl")[:24])),
        "sentences": (
            words.bags(sentences("sick-train.tsv", "stsb-en-train.tsv")),
            words.sequences(sentences("stsb-en-dev.tsv")[:240:10]),
        ),
    }
    rows, shares = [], {}
    for set_name, (documents, queries) in sets.items():
        for label, measure in MEASURES.items():
            truth = mr.Index.build(as_bags(words, documents), measure)
            expected = [truth.search(query, 10).ids for query in queries]
            for name, search in searches(words, documents, measure).items():
                found, seconds = {}, []
                for count in COUNTS:
                    hits = []
                    for query, ids in zip(queries, expected, strict=True):
                        started = time.perf_counter()
                        hits.append(len(np.intersect1d(search(query, count).ids, ids)) / 10)
                        if count == 100:
                            seconds.append(time.perf_counter() - started)
                    found[str(count)] = 100 * float(np.mean(hits))
                shares[f"{set_name}, {label}: {name}"] = found
                cells = [f"{found[str(count)]:.0f}" for count in COUNTS]
                rows.append([f"{set_name}, {label}: {name}", *cells, number(1e3 * float(np.median(seconds)))])
    print(table(["% of the top 10 found, by candidates", *map(str, COUNTS), "ms at 100"], rows))
    record(args.json, environment("faiss-cpu"), shares)


if __name__ == "__main__":
    main()
