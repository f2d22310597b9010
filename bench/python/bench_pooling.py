"""Documents of fewer tokens: what pooling saves, and what it does to distances, to the ten nearest and to relevance.

    MOVERANK_DATA=../shared/data python bench/python/bench_pooling.py [--cache FOLDER] [--encoded cranfield scifact]

Collections: 300 abstracts of Cranfield as MiniLM tokens of 96 dimensions, with 30 judged queries, all compared with
all; and 2000 generated documents of 60 tokens of 128 dimensions (corpora.contextual_collection) with 20 queries, which
nobody judged. With --cache, also all of Cranfield, or what --encoded names, as MiniLM tokens of 384 dimensions, which
judged.py encodes into that folder unless they are there (half an hour for SciFact): for each judged query (of SciFact:
of the test split) its first 100 documents by the cosine of mean vectors.

First table, per collection and factor: bytes of the index per token as given, without ids, as float32 and as int8, and
documents pooled per second on one thread. Second table, per collection and measure, by factor: mean relative change of
the distance, share of the top 10 by all tokens that stays in the top 10, and nDCG@10 x 100. MaxSim is of unit vectors.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import moverank as mr
from corpora import WordTable, contextual_collection, contextualised, root, texts
from harness import environment, number, table

FACTORS = (1, 2, 3, 4)
LABELS = {"cranfield": "Cranfield", "scifact": "SciFact"}
MEASURES = {"WRD": mr.wrd, "WRD, κ = 4": mr.wrd.replace(capacity=4), "WMD": mr.wmd, "MaxSim": mr.maxsim}


@dataclass
class Collection:
    """Documents, queries, the documents to rank for each query, and their relevance, if anybody judged it."""

    name: str
    docs: mr.Sequences
    queries: mr.Sequences
    candidates: list[NDArray[np.int64]]
    relevance: list[dict[int, int]] | None


def cranfield() -> Collection:
    """The file of token vectors."""
    with np.load(root() / "tokens/cranfield-minilm-96d.npz") as data:
        docs = mr.Sequences.from_flat(data["doc_tokens"].astype(np.float32), data["doc_off"])
        queries = mr.Sequences.from_flat(data["query_tokens"].astype(np.float32), data["query_off"])
        relevance = [dict(enumerate(row)) for row in data["relevance"].astype(int).tolist()]
    return Collection("Cranfield, 96", docs, queries, [np.arange(len(docs))] * len(queries), relevance)


def generated() -> Collection:
    """Documents that look like contextual tokens."""
    words = WordTable("minilmstatic-128d-en")
    rng = np.random.default_rng(5)
    queries = mr.Sequences([contextualised(x, rng) for x in words.sequences(texts("scifact/queries.jsonl")[:20])])
    docs = contextual_collection(words, 2000).astype("float32")
    return Collection("generated", docs, queries, [np.arange(len(docs))] * len(queries), None)


def encoded(name: str, label: str, cache: Path) -> Collection:
    """Judged queries and their first 100 documents, without [CLS] and [SEP]."""
    import judged

    whole = judged.read(name, cache)
    first = judged.first_stage(whole)
    place = {name: d for d, name in enumerate(whole.ids)}
    grades: dict[str, dict[int, int]] = {}
    for qrel in whole.qrels["test"]:
        if qrel.doc_id in place:
            grades.setdefault(qrel.query_id, {})[place[qrel.doc_id]] = qrel.relevance
    asked = [q for q, name in enumerate(whole.query_ids) if name in grades]
    names = [whole.query_ids[q] for q in asked]
    return Collection(
        label,
        judged.inner(whole.docs).sequences,
        judged.inner(whole.queries).sequences[asked],
        [np.array([place[d] for d in first[name]]) for name in names],
        [grades[name] for name in names],
    )


def unit(batch: mr.Sequences) -> mr.Sequences:
    """Directions of the tokens."""
    return mr.Sequences.from_flat(batch.tokens / np.linalg.norm(batch.tokens, axis=1, keepdims=True), batch.offsets)


def ndcg(order: NDArray[np.int64], relevance: dict[int, int]) -> float:
    """NDCG@10 as trec_eval computes it: linear gains, and an ideal of all judged documents."""
    discounts = 1 / np.log2(np.arange(2, 12))
    gains = np.array([relevance.get(int(d), 0) for d in order[:10]])
    ideal = np.sort(np.array(list(relevance.values())))[::-1][:10]
    return float(gains @ discounts[: len(gains)] / (ideal @ discounts[: len(ideal)]))


def index_bytes(docs: mr.Sequences, factor: float, dtype: str) -> float:
    """Bytes of an index per token as given, without ids."""
    index = mr.Index.build(docs, "wrd", pool=factor, dtype=dtype, prefilter=None)
    arrays = [part.arrays for part in index._snapshot.parts]
    return sum(a.nbytes for own in arrays for name, a in own.items() if name != "ids") / len(docs.tokens)


def storage_rows(collection: Collection) -> Iterator[list[str]]:
    """Bytes and speed."""
    for factor in FACTORS:
        sizes = [f"{index_bytes(collection.docs, factor, dtype):.0f}" for dtype in ("float32", "int8")]
        seconds = []
        for _ in range(3):
            started = time.perf_counter()
            mr.pool_tokens(collection.docs, factor, "wrd", num_threads=1)
            seconds.append(time.perf_counter() - started)
        speed = "" if factor == 1 else number(len(collection.docs) / float(np.median(seconds)))
        yield [f"{collection.name}: factor {factor}", *sizes, speed]


def quality_rows(collection: Collection) -> Iterator[list[str]]:
    """Distances and rankings: one row per measure."""
    for label, measure in MEASURES.items():
        docs, queries = collection.docs, collection.queries
        if measure is mr.maxsim:
            docs, queries = unit(docs), unit(queries)
        truth: list[NDArray[np.float64]] = []
        changes, kept, quality = [], [], []
        for factor in FACTORS:
            batch = docs if factor == 1 else mr.pool_tokens(docs, factor, measure).documents
            found = [mr.distances(queries[q], batch[own], measure) for q, own in enumerate(collection.candidates)]
            truth = truth or found
            orders = [np.argsort(own, kind="stable") for own in found]
            if factor > 1:
                pairs = list(zip(found, truth, strict=True))
                changes.append(f"{100 * np.mean([np.mean(np.abs(x - y) / np.abs(y)) for x, y in pairs]):.1f}")
                before = [np.argsort(own, kind="stable") for own in truth]
                same = [len(np.intersect1d(x[:10], y[:10])) for x, y in zip(orders, before, strict=True)]
                kept.append(f"{10 * np.mean(same):.0f}")
            quality.append("" if collection.relevance is None else f"{100 * mean_ndcg(collection, orders):.1f}")
        yield [f"{collection.name}: {label}", *changes, *kept, *quality]


def mean_ndcg(collection: Collection, orders: list[NDArray[np.int64]]) -> float:
    """Mean over the queries that have a relevant document."""
    assert collection.relevance is not None
    ranked = zip(collection.candidates, orders, collection.relevance, strict=True)
    return float(np.mean([ndcg(own[order], grades) for own, order, grades in ranked if any(grades.values())]))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, help="folder for encoded texts, which are left out without it")
    parser.add_argument("--encoded", nargs="+", choices=LABELS, default=["cranfield"])
    options = parser.parse_args()
    print(environment(), end="\n\n")
    collections = [cranfield(), generated()]
    if options.cache is not None:
        options.cache.mkdir(parents=True, exist_ok=True)
        collections += [encoded(name, f"{LABELS[name]}, 384", options.cache) for name in options.encoded]
    header = ["", "float32", "int8", "documents/s"]
    print(table(header, [row for own in collections for row in storage_rows(own)]), end="\n\n", flush=True)
    header = ["", *(f"change, %: {f}" for f in FACTORS[1:]), *(f"top 10, %: {f}" for f in FACTORS[1:])]
    header += [f"nDCG@10: {f}" for f in FACTORS]
    print(table(header, [row for own in collections for row in quality_rows(own)]))


if __name__ == "__main__":
    main()
