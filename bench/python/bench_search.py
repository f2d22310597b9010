"""What a search has to solve, and how long it takes, on real collections: ours against solving every document.

    MOVERANK_DATA=../shared/data bench/one-core bench/python/bench_search.py        # about two minutes

For each set: documents, the share of them that was solved to the end, the share for which the solver was called,
milliseconds a query against computing all distances, and milliseconds over the same documents as bags of words. Answers
are compared. k = 10. Sets: MiniLM token vectors of Cranfield documents; sentences and SciFact abstracts as static word
vectors, stop words left out of the abstracts.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

import moverank as mr
from corpora import collections
from harness import environment, number, table

MEASURES = {"WMD": mr.wmd, "WRD": mr.wrd, "WRD, capacity 4": mr.wrd.replace(capacity=4)}


def measure_search(
    docs: mr.Sequences, bags: mr.Bags | None, queries: list[np.ndarray], measure: mr.Measure
) -> list[str]:
    """Mean share solved, share touched by the solver; median milliseconds searching, computing all, and over bags."""
    index = mr.Index.build(docs, measure)
    over_bags = None if bags is None else mr.Index.build(bags, measure)
    solved, touched, searching, computing, looking_up = [], [], [], [], []
    for query in queries:
        started = time.perf_counter()
        hits = index.search(query, 10)
        searching.append(time.perf_counter() - started)
        started = time.perf_counter()
        values = mr.distances(query, docs, measure)
        computing.append(time.perf_counter() - started)
        if not np.array_equal(np.sort(values)[:10], hits.distances):
            raise SystemExit("the search and brute force differ")
        if over_bags is not None:
            started = time.perf_counter()
            same = over_bags.search(query, 10)
            looking_up.append(time.perf_counter() - started)
            if not np.array_equal(same.distances, hits.distances):
                raise SystemExit("bags and sequences differ")
        solved.append(hits.stats.exact_solves / len(docs))
        touched.append((hits.stats.rungs[0].seen + hits.stats.rungs[-1].seen) / len(docs))
    search, everything = 1e3 * np.median(searching), 1e3 * np.median(computing)
    return [
        f"{100 * np.mean(solved):.2f}", f"{100 * np.mean(touched):.2f}", number(search), number(everything),
        f"{everything / search:.1f}×", number(1e3 * np.median(looking_up)) if looking_up else "–",
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    print(environment(), end="\n\n")
    rows = [
        [f"{name}, {label}", len(docs), *measure_search(docs, bags, queries, measure)]
        for name, docs, bags, queries in collections()
        for label, measure in MEASURES.items()
    ]
    header = [
        "set",
        "documents",
        "solved, %",
        "solver called, %",
        "search, ms",
        "all distances, ms",
        "ratio",
        "bags, ms",
    ]
    print(table(header, rows))


if __name__ == "__main__":
    main()
