"""Exact searches with bounds from the tokens and from codes beside them, on every instruction set of this processor.

    MOVERANK_DATA=../shared/data python bench/python/bench_codes.py                  # about five minutes
    MOVERANK_DATA=../shared/data python bench/python/bench_codes.py --codes int8 float16 --levels avx2

Documents of 60 float16 tokens of 128 dimensions (corpora.contextual_collection), claims of SciFact as queries, 11
tokens or so, no prefilter. Each instruction set has a process of its own, in which the ways to search take turns.
Reported is the median over queries of the least of three times, since others use our machines as well, and how many
documents were solved. Answers are compared: the script ends if codes change one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time

import numpy as np

import moverank as mr
from corpora import WordTable, contextual_collection, contextualised, texts
from harness import environment, number, table

MEASURES = {"WRD": mr.wrd, "WRD, capacity 4": mr.wrd.replace(capacity=4), "MaxSim": mr.maxsim}
LEVELS = ("baseline", "avx2", "avx512", "neon")
ROUNDS = 3


def searched(index: mr.Index, query: np.ndarray, threads: int) -> tuple[float, mr.Hits]:
    """Seconds of a search, and its answer."""
    started = time.perf_counter()
    hits = index.search(query, 10, num_threads=threads)
    return time.perf_counter() - started, hits


def measured(size: int, codes: list[str], n_queries: int) -> dict[str, dict[str, list[float]]]:
    """By measure and way to search: milliseconds on one thread and on two, and documents solved."""
    words = WordTable("minilmstatic-128d-en")
    rng = np.random.default_rng(5)
    queries = [contextualised(x, rng) for x in words.sequences(texts("scifact/queries.jsonl")[:n_queries])]
    docs = contextual_collection(words, size)
    found: dict[str, dict[str, list[float]]] = {}
    for label, measure in MEASURES.items():
        indexes = {"tokens": mr.Index.build(docs, measure, prefilter=None)}
        for dtype in codes:
            indexes[dtype] = mr.Index.build(docs, measure, dtype=dtype, rescore=True, prefilter=None)
        seconds = {name: np.full((2, n_queries, ROUNDS), np.inf) for name in indexes}
        solved = {name: np.zeros(n_queries) for name in indexes}
        for q, query in enumerate(queries):
            expected = indexes["tokens"].search(query, 10)
            for threads in (1, 2):
                for round_ in range(ROUNDS):
                    for name, index in indexes.items():
                        seconds[name][threads - 1, q, round_], hits = searched(index, query, threads)
                        solved[name][q] = hits.stats.exact_solves
                        if not np.array_equal(hits.distances, expected.distances):
                            raise SystemExit(f"{name} changed an answer")
        found[label] = {
            name: [*(1e3 * np.median(of.min(axis=2), axis=1)).tolist(), float(solved[name].mean())]
            for name, of in seconds.items()
        }
    return found


def on_level(level: str, arguments: list[str]) -> dict[str, object] | None:
    """What a process on this level measures; None if the processor does not have it."""
    ran = subprocess.run(
        [sys.executable, __file__, "--here", *arguments],
        env={**os.environ, "MOVERANK_SIMD": level},
        capture_output=True,
        text=True,
    )
    if "this processor does not have" in ran.stderr or "MOVERANK_SIMD must be one of" in ran.stderr:
        return None
    if ran.returncode != 0:
        raise SystemExit(ran.stderr)
    found: dict[str, object] = json.loads(ran.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=10_000)
    parser.add_argument("--queries", type=int, default=20)
    parser.add_argument("--codes", nargs="+", default=["int8"])
    parser.add_argument("--levels", nargs="+", default=LEVELS)
    parser.add_argument("--here", action="store_true", help="on this process's level alone, as JSON")
    args = parser.parse_args()
    if args.here:
        print(json.dumps({"by": mr.build_info()["codes"], "ms": measured(args.size, args.codes, args.queries)}))
        return
    print(environment(), end="\n\n")
    arguments = ["--size", str(args.size), "--queries", str(args.queries), "--codes", *args.codes]
    rows = []
    for level in args.levels:
        found = on_level(level, arguments)
        if found is None:
            continue
        for label, ways in found["ms"].items():  # type: ignore[attr-defined]
            for name, (one, two, solved) in ways.items():
                by = f"{name} codes, by {found['by']}" if name == "int8" else name
                rows.append([f"{level}: {label}, {by}", number(one), number(two), f"{solved:.0f}"])
    print(table([f"milliseconds, {args.size} documents; bounds from", "1 thread", "2", "solved"], rows))


if __name__ == "__main__":
    main()
