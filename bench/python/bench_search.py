"""What a search has to solve, and how long it takes, on real collections: ours against solving every document.

    MOVERANK_DATA=../shared/data bench/one-core bench/python/bench_search.py        # about two minutes

For each set: documents, the share of them that was solved to the end, the share for which the solver was called, and
milliseconds a query against computing all distances. Answers are compared. k = 10. Sets: MiniLM token vectors of
Cranfield documents; sentences and SciFact abstracts as static word vectors, stop words left out of the abstracts.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

import moverank as mr
from corpora import collections
from harness import environment, number, table

MEASURES = {"WMD": mr.wmd, "WRD": mr.wrd, "WRD, capacity 4": mr.wrd.replace(capacity=4)}


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
        touched.append((hits.stats.rungs[0].seen + hits.stats.rungs[-1].seen) / len(docs))
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
