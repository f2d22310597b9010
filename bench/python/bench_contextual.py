"""Top 10 of documents with token vectors of their own: exact, and within budgets, from 1000 to 100 000 documents.

    MOVERANK_DATA=../shared/data python bench/python/bench_contextual.py        # about ten minutes, 5 GB

Documents of 60 tokens of 128 dimensions (corpora.contextual_collection), 20 claims of SciFact as queries, 11 tokens or
so. Tables: median milliseconds of an exact search over float16 tokens, with bounds from int8 codes, and of computing
all distances, on one thread and on two, with documents solved a query; then, of the largest collection, the share of
the true top 10 found and median milliseconds on two threads, by prefilter and number of candidates.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from functools import partial

import numpy as np

import moverank as mr
from corpora import WordTable, contextual_collection, contextualised, texts
from harness import environment, number, table

MEASURES = {"WRD": mr.wrd, "WRD, capacity 4": mr.wrd.replace(capacity=4), "WMD": mr.wmd}
SIZES = (1000, 10_000, 100_000)
Queries = list[np.ndarray]
CANDIDATES = (30, 100, 300, 1000, 3000)


def median_ms(work: Callable[[np.ndarray], object], queries: Iterable[np.ndarray]) -> float:
    """Median of what the queries take."""
    seconds = []
    for query in queries:
        started = time.perf_counter()
        work(query)
        seconds.append(time.perf_counter() - started)
    return 1e3 * float(np.median(seconds))


def exact_times(
    docs: mr.Sequences, measure: mr.Measure, queries: list[np.ndarray]
) -> tuple[list[float], list[mr.Hits]]:
    """Milliseconds of the three ways on one thread and on two, and the answers, which are compared."""
    index = mr.Index.build(docs, measure)
    coded = mr.Index.build(docs, measure, dtype="int8", rescore=True, prefilter=None)
    truth = [index.search(query, 10) for query in queries]
    for query, hits in zip(queries[:4], truth[:4], strict=True):
        if not np.array_equal(np.sort(mr.distances(query, docs, measure))[:10], hits.distances):
            raise SystemExit("the search and brute force differ")
        if not np.array_equal(coded.search(query, 10).ids, hits.ids):
            raise SystemExit("codes changed the answer")
    times = []
    for searched in (index, coded):
        for threads in (1, 2):
            times.append(median_ms(partial(searched.search, k=10, num_threads=threads), queries))
    for threads in (1, 2):
        times.append(median_ms(partial(mr.distances, docs=docs, measure=measure, num_threads=threads), queries[:4]))
    return times, truth


def budget_cells(
    docs: mr.Sequences,
    measure: mr.Measure,
    prefilter: str | mr.Clusters,
    queries: list[np.ndarray],
    truth: list[mr.Hits],
) -> list[str]:
    """Share found and milliseconds by number of candidates."""
    index = mr.Index.build(docs, measure, prefilter=prefilter)
    cells = []
    for count in CANDIDATES:
        found = [index.search(query, 10, candidates=count) for query in queries]
        shares = [len(np.intersect1d(x.ids, y.ids)) / 10 for x, y in zip(found, truth, strict=True)]
        milliseconds = 1e3 * float(np.median([hits.stats.seconds for hits in found]))
        cells.append(f"{100 * np.mean(shares):.0f} %, {number(milliseconds)}")
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    sizes = parser.parse_args().sizes
    print(environment("faiss-cpu"), end="\n\n")
    words = WordTable("minilmstatic-128d-en")
    rng = np.random.default_rng(5)
    queries = [contextualised(x, rng) for x in words.sequences(texts("scifact/queries.jsonl")[:20])]
    exact_rows, budget_rows = [], []
    for size in sizes:
        docs = contextual_collection(words, size)
        for label, measure in MEASURES.items():
            times, truth = exact_times(docs, measure, queries)
            solved = np.mean([hits.stats.exact_solves for hits in truth])
            exact_rows.append([f"{label}, {size}", *map(number, times), f"{solved:.0f}"])
            if size == sizes[-1]:
                for name, prefilter in (("one pooled vector", "Flat"), ("4 clusters", mr.Clusters(4))):
                    budget_rows.append([f"{label}: {name}", *budget_cells(docs, measure, prefilter, queries, truth)])
    header = ["milliseconds", "exact, 1 thread", "2", "int8 codes, 1", "2", "all distances, 1", "2", "solved"]
    print(table(header, exact_rows), end="\n\n")
    print(table([f"{sizes[-1]} documents; candidates:", *map(str, CANDIDATES)], budget_rows))


if __name__ == "__main__":
    main()
